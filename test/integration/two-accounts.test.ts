import assert from 'node:assert/strict';
import { test } from 'node:test';
import { environmentOf } from '../harness/target.ts';
import { eventsOf, newSteps, type TestObject } from './steps.ts';

const secret = (name: string): TestObject => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name },
  stringData: { key: 'value' },
});

test('S1: two Applications of one namespace with accounts of their own do not lose sight of their Secrets', async (t) => {
  const { stage, deploy } = await newSteps(t);
  await stage.kubectl('create', 'serviceaccount', 'other');
  const account = `--serviceaccount=${stage.namespace}:other`;
  await stage.kubectl('create', 'rolebinding', 'other', '--clusterrole=edit', account);
  const sync = { drift: 'Report' };
  await deploy('first', [secret('first')], { serviceAccountName: 'other', sync });
  await deploy('second', [secret('second')], { sync });
  await stage.kubectl('delete', 'applications.towpath.dev', 'first', '--timeout=20s');
  // A look that comes after the end of the first one's watches.
  const value = await stage.requestSync('second');
  await stage.until('second', ({ status }) => status?.handledSyncRequest === value, 'a look at the second');
  const left = await stage.get('second');
  assert.equal(left.status?.health, 'Healthy');
  assert.equal(environmentOf(left.status)?.drift, undefined);
  assert.deepEqual(await eventsOf(stage, 'second', 'DriftRepaired'), []);
});
