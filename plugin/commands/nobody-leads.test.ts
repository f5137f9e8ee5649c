import assert from 'node:assert/strict';
import { test } from 'node:test';
import { resume, suspend, sync } from './ask.ts';
import type { Command, Context } from './command.ts';
import { history } from './history.ts';

const APPLICATION = {
  apiVersion: 'towpath.dev/v1alpha1',
  kind: 'Application',
  metadata: { name: 'web', namespace: 'shop', uid: 'u', resourceVersion: '1', generation: 1 },
  spec: { source: { repoURL: 'https://git.example.com/web' } },
};
const RENEWED = '2026-11-30T10:00:00Z';
const leases = {
  items: [{ metadata: { name: 'towpath' }, spec: { renewTime: RENEWED, leaseDurationSeconds: 15 } }],
};

async function* follow() {
  // Nothing is told of what is watched.
}

/** What a command warns of, a time after the last renewal of the only Lease there is, in that namespace. */
async function warningsOf(command: Command, spec: { suspend: boolean }, now: string, namespace: string) {
  const warnings: string[] = [];
  const answer = (args: readonly string[]): unknown => {
    if (args.includes(`--namespace=${namespace}`)) return leases;
    if (args[1] === 'leases.coordination.k8s.io') return { items: [] };
    return { ...APPLICATION, spec: { ...APPLICATION.spec, ...spec } };
  };
  const ask = (args: readonly string[]) => Promise.resolve(answer(args));
  const code = await command.run({
    kubectl: { json: ask, jsonIfAny: ask, follow },
    words: ['web'],
    flags: { 'operator-namespace': 'ops' },
    now: () => new Date(now),
    signal: new AbortController().signal,
    out: { width: 200, write: () => undefined },
    err: { width: 200, write: (text: string) => warnings.push(text) },
  } as unknown as Context);
  assert.equal(code, 0);
  return warnings.join('');
}

for (const [name, command, isSuspended, so] of [
  ['sync', sync, false, 'nothing is done of what is asked for before one does'],
  ['suspend', suspend, false, 'nothing is done of what is asked for before one does'],
  ['resume', resume, true, 'nothing is done of what is asked for before one does'],
  ['history', history, false, 'what is shown may be old'],
] as const)
  test(`B2: ${name} tells that no operator has led for a while`, async () => {
    assert.ok(command.flags.includes('operator-namespace'));
    const spec = { suspend: isSuspended };
    const late = '2026-11-30T10:05:00Z';
    assert.equal(
      await warningsOf(command, spec, late, 'ops'),
      `Warning: no operator has led in namespace ops since ${RENEWED} (5m ago), so ${so}: look at its Pods with kubectl get pods -n ops.\n`,
    );
    assert.equal(await warningsOf(command, spec, late, 'elsewhere'), '');
    assert.equal(await warningsOf(command, spec, '2026-11-30T10:00:30Z', 'ops'), '');
  });
