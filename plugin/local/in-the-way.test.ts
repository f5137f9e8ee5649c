import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type EnvironmentStatus, parseApplication } from '../../operator/api/v1alpha1/application.ts';
import { parseEnvironment } from '../../operator/api/v1alpha1/environment.ts';
import { inTheWay, stopsOf } from './in-the-way.ts';

function application(entry: EnvironmentStatus, observedGeneration = 1) {
  const parsed = parseApplication({
    apiVersion: 'towpath.dev/v1alpha1',
    kind: 'Application',
    metadata: { name: 'web', namespace: 'shop', uid: 'u', resourceVersion: '1', generation: 1 },
    spec: { source: { repoURL: 'https://git.example.com/web' }, environments: [{ name: 'prod' }] },
    status: { observedGeneration, environments: [entry] },
  });
  assert.ok(parsed.ok);
  return parsed.application;
}

function stopsIn(spec: object, status: object = {}): string[] {
  const parsed = parseEnvironment({
    apiVersion: 'towpath.dev/v1alpha1',
    kind: 'Environment',
    metadata: { name: 'prod', uid: 'u', resourceVersion: '1' },
    spec: { allowedNamespaces: ['*'], ...spec },
    status,
  });
  assert.ok(parsed.ok);
  return stopsOf(parsed.environment);
}

const AT = '2026-11-30T10:00:00Z';

test('D4: of a render it is told that its Environment is suspended or frozen', () => {
  assert.deepEqual(stopsIn({}), []);
  assert.deepEqual(stopsIn({ suspend: true }, { frozenUntil: AT }), [
    'Environment prod is suspended: nothing is written there.',
    `Environment prod is frozen until ${AT}: nothing new enters it.`,
  ]);
});

test('D4: of a render it is told that its Environment refuses the Application, or that a rollback holds it, and not what a gate says of another commit', () => {
  const refusal = 'Environment prod does not take Applications of namespace shop.';
  const blocked: EnvironmentStatus = {
    name: 'prod',
    sync: 'Blocked',
    blockedBy: [
      { reason: 'NamespaceNotAllowed', message: refusal },
      { reason: 'AwaitingApproval', message: '0 of 1 approval.' },
    ],
  };
  const prod = { environment: 'prod', stops: ['It is frozen.'] };
  assert.deepEqual(inTheWay(application(blocked), prod), [
    'It is frozen.',
    `A sync would write nothing in prod: ${refusal}`,
  ]);
  assert.deepEqual(inTheWay(application(blocked, 0), prod), ['It is frozen.'], 'of the spec before');
  const held: EnvironmentStatus = { name: 'prod', sync: 'Held', message: 'olga holds it.' };
  assert.deepEqual(inTheWay(application(held), { ...prod, stops: [] }), [
    'Nothing new enters prod: olga holds it.',
  ]);
});
