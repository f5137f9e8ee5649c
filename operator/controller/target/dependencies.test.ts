import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Application, parseApplication } from '../../api/v1alpha1/application.ts';
import { type Candidate, type Deployment, newRecord, type TargetRecord } from '../record/record.ts';
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
  const stateWith = (
    verify: object | undefined,
    chart = 'database-2.0.1',
    former?: { chart?: string; digest?: string; rejected?: string },
  ) => {
    const candidate = { id: 'sha256:a', digest: 'sha256:b', chart };
    const before = { id: 'sha256:c', digest: 'sha256:d', chart: 'database-2.0.0', ...former };
    const deployment = { id: 2, candidate, outcome: 'Succeeded', ...(verify && { verify }) };
    const record: TargetRecord = {
      ...newRecord(target),
      deployment: deployment as unknown as Deployment,
      ...(former && { succeeded: `${before.id} ${before.digest}` }),
      ...(former?.rejected && { rejected: [{ digest: former.rejected, why: 'It failed.', at: '' }] }),
    };
    const store: Pick<RecordStore, 'recordsOf' | 'candidatesOf'> = {
      recordsOf: () => [record],
      candidatesOf: () => [candidate, before] as unknown as Candidate[],
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
  const waits = ['OtherVersion', 'UnderWay'];
  const after = (former: { chart?: string; digest?: string; rejected?: string }) =>
    stateWith(rule, 'database-2.0.1', former);
  assert.deepEqual(after({}), ['Ready', undefined], 'going back leads to one that would do, too');
  assert.deepEqual(after({ chart: 'database-1.9.0' }), waits);
  assert.deepEqual(after({ rejected: 'sha256:d' }), waits, 'that was rejected since');
  assert.deepEqual(after({ digest: 'sha256:b' }), waits, 'there is nothing else to go back to');
  assert.deepEqual(stateWith({ ...rule, outcome: 'Failed' }, 'database-2.0.1', {}), [
    'OtherVersion',
    'Failed',
  ]);
});
