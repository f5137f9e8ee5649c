import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TowpathError } from '../../../api/errors.ts';
import type { Manifest } from '../../../manifest/manifest.ts';
import { type Deployment, newRecord } from '../../record/record.ts';
import { type HookedDeletion, runDeleteHooks } from './delete-hooks.ts';

const hook = (name: string, event: string) =>
  ({
    group: 'batch',
    version: 'v1',
    kind: 'Job',
    namespace: 'shop-prod',
    name,
    hook: { events: [event], weight: 0, deletePolicies: [] },
  }) as unknown as Manifest;

/** A deletion in prod that may not act as the account there. */
function refused(refusal: TowpathError, hooks: readonly Manifest[]) {
  const record = newRecord({ id: 'i', name: 'shop/web/prod', application: 'shop/web', environment: 'prod' });
  record.deployment = { id: 1, candidate: { id: 'c', digest: 'd' }, hooks: [] as string[] } as Deployment;
  const told: [string, string][] = [];
  const deletion = {
    parts: { store: { manifests: async () => ({ objects: [], hooks }) } },
    cluster: {},
    access: { signal: new AbortController().signal },
    record,
    warn: (reason: string, message: string) => void told.push([reason, message]),
    mayRunHooks: true,
    refusal: async () => refusal,
    hooks: 'Run',
  } as unknown as HookedDeletion;
  return { deletion, told };
}

const NOT_ALLOWED = new TowpathError(
  'Resource',
  'NamespaceNotAllowed',
  'Environment prod does not take Applications of namespace shop: nothing is written, and what runs stays.',
);

test('D4: hooks of a deletion that may not be run are told once, by name, with why', async () => {
  const hooks = [hook('bye', 'pre-delete'), hook('clear', 'pre-delete'), hook('late', 'post-delete')];
  const { deletion, told } = refused(NOT_ALLOWED, hooks);
  for (let look = 0; look < 2; look += 1) assert.equal(await runDeleteHooks(deletion, 'pre-delete'), 'Done');
  assert.deepEqual(told, [
    [
      'HooksLeft',
      `Deleted from environment prod without its hook Job shop-prod/bye and 1 more (pre-delete): ${NOT_ALLOWED.message} Look whether that left anything behind.`,
    ],
  ]);
  await runDeleteHooks(deletion, 'post-delete');
  assert.match(told[1]?.[1] ?? '', /without its hook Job shop-prod\/late \(post-delete\)/);
});

test('D4: where it is only not known yet whether they may be run, the deletion waits for that; without hooks it does not', async () => {
  const unknown = new TowpathError('Time', 'EnvironmentsUnknown', 'Namespaces cannot be listed.');
  const { deletion, told } = refused(unknown, [hook('bye', 'pre-delete')]);
  await assert.rejects(runDeleteHooks(deletion, 'pre-delete'), unknown);
  assert.equal(await runDeleteHooks(deletion, 'post-delete'), 'Done');
  const without = refused(unknown, [hook('migrate', 'pre-upgrade')]);
  let asked = 0;
  const refusal = async () => {
    asked += 1;
    return unknown;
  };
  const counting: HookedDeletion = { ...without.deletion, refusal };
  assert.equal(await runDeleteHooks(counting, 'pre-delete'), 'Done');
  assert.equal(asked, 0, 'and nobody is asked');
  assert.deepEqual([...told, ...without.told], []);
});
