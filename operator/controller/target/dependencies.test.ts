import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Application, parseApplication } from '../../api/v1alpha1/application.ts';
import { type Deployment, newRecord } from '../record/record.ts';
import type { RecordStore } from '../record/store.ts';
import { dependenciesIn, versionOf } from './dependencies.ts';

test('of a chart its version is read behind its name, hyphens in both or not', () => {
  assert.equal(versionOf('podinfo-6.7.0'), '6.7.0');
  assert.equal(versionOf('my-chart-2-go-1.0.0-rc.1+build.5'), '1.0.0-rc.1+build.5');
  assert.equal(versionOf('chart-v2.0.0'), 'v2.0.0');
  assert.equal(versionOf('chart'), undefined);
  assert.equal(versionOf(undefined), undefined);
  assert.equal(versionOf('-'.repeat(100_000)), undefined);
});

function application(name: string, spec: object = {}): Application {
  const parsed = parseApplication({
    apiVersion: 'towpath.dev/v1alpha1',
    kind: 'Application',
    metadata: { name, namespace: 'shop', generation: 1 },
    spec: {
      source: { repoURL: 'https://git.example.com/shop.git' },
      environments: [{ name: 'prod' }],
      ...spec,
    },
    status: { observedGeneration: 1, environments: [{ name: 'prod', sync: 'Synced', health: 'Healthy' }] },
  });
  assert.ok(parsed.ok, JSON.stringify(parsed));
  return parsed.application;
}

test('a dependency whose new version is being verified, or failed at that, is not in its range yet', () => {
  const web = application('web', { dependsOn: [{ name: 'database', version: '>=2.0' }] });
  const target = { id: 'd', name: 'shop/database/prod', application: 'shop/database', environment: 'prod' };
  const stateWith = (verify: object | undefined, chart = 'database-2.0.1') => {
    const candidate = { id: 'sha256:a', digest: 'sha256:b', chart };
    const deployment = { id: 2, candidate, outcome: 'Succeeded', ...(verify && { verify }) };
    const record = { ...newRecord(target), deployment: deployment as unknown as Deployment };
    const store: Pick<RecordStore, 'recordsOf' | 'candidatesOf'> = {
      recordsOf: () => [record],
      candidatesOf: () => [],
    };
    const [its] = dependenciesIn('prod', web, { lookup: () => application('database'), store });
    return [its?.state, its?.version?.verify];
  };
  const rule = { forMs: 60_000, onFailure: 'Keep', ms: 0 };
  assert.deepEqual(stateWith(undefined), ['Ready', undefined]);
  assert.deepEqual(stateWith({ ...rule, outcome: 'Passed' }), ['Ready', undefined]);
  assert.deepEqual(stateWith(rule), ['OtherVersion', 'UnderWay']);
  assert.deepEqual(stateWith({ ...rule, outcome: 'Failed' }), ['OtherVersion', 'Failed']);
  assert.deepEqual(stateWith(rule, 'database-1.9.0'), ['OtherVersion', undefined], 'it would not do anyway');
});
