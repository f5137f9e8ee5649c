import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Application } from '../../../api/v1alpha1/application.ts';
import type { TargetAccess } from '../../../apply/target.ts';
import { ApiError } from '../../../kube/errors.ts';
import type { ObjectPath } from '../../../kube/objects.ts';
import { fieldManager, ownerAnnotation } from '../../../manifest/live.ts';
import { newRecord, type TargetRecord } from '../../record/record.ts';
import type { Target } from '../../record/target.ts';
import { recovered } from './recovered.ts';

const NAME = 'shop/web/prod';
const CONFIG_MAP = { group: '', version: 'v1', plural: 'configmaps', kind: 'ConfigMap' };
const SECRET = { group: '', version: 'v1', plural: 'secrets', kind: 'Secret' };
const SERVED = [CONFIG_MAP, SECRET].map((one) => ({
  ...one,
  namespaced: true,
  verbs: ['list', 'watch', 'patch'],
}));

const metadata = {
  name: 'web',
  namespace: 'shop-prod',
  labels: { 'towpath.dev/target': 't' },
  annotations: {
    'towpath.dev/owner': ownerAnnotation(NAME, { ...CONFIG_MAP, namespace: 'shop-prod', name: 'web' }),
  },
  managedFields: [
    { manager: fieldManager('t'), operation: 'Apply', time: '2026-11-30T10:00:00Z', fieldsV1: {} },
  ],
};

/**
 * What is found of a ConfigMap and a Secret that the status tells of, where somebody deleted the Secret: the operator
 * lists all ConfigMaps, and the account Secrets in these namespaces.
 */
function found(
  listed: readonly string[],
  bounds?: Pick<NonNullable<TargetAccess['bounds']>, 'namespace'>,
  { own, save = async () => undefined }: { own?: TargetRecord; save?: () => Promise<void> } = {},
) {
  const list = async ({ resource, namespace = '' }: ObjectPath) => {
    if (resource.plural === 'configmaps') return { items: [{ metadata }] };
    if (listed.includes(namespace)) return { items: [] };
    throw new ApiError(403, 'Forbidden', 'secrets is forbidden');
  };
  const access = {
    client: { list },
    discovery: {
      resources: () => SERVED,
      resourceFor: (_: string, kind: string) => SERVED.find((one) => one.kind === kind),
    },
    as: { namespace: 'shop', name: 'deployer' },
    targetId: 't',
    targetName: NAME,
    signal: new AbortController().signal,
    bounds,
  } as unknown as TargetAccess;
  const target = { id: 't', name: NAME, environment: 'prod', namespace: 'shop-prod' } as unknown as Target;
  const status = { environments: [{ name: 'prod', objects: 2 }] };
  const store = { get: () => own, save } as unknown as Parameters<typeof recovered>[0]['store'];
  return recovered({ store }, { status } as unknown as Application, target, access);
}

test('D7, D11: a record is lost, and one object is gone: what may stand in one namespace alone is all found where that can be listed', async () => {
  const inProd = { namespace: 'shop-prod' };
  const record = await found(['shop-prod'], inProd);
  assert.deepEqual(record?.kinds, [{ group: '', kind: 'ConfigMap', namespace: 'shop-prod' }]);
  const none = /of 2 objects 1 can be found, and 1 kind cannot be listed: .*[Ss]ecret/;
  await assert.rejects(found([], inProd), none, 'nobody may list it there');
  await assert.rejects(found(['shop-prod']), none, 'it may stand in any namespace');
});

test('D7, D11: a record that was begun anew in place of a lost one gets what is found, and has it once that is written', async () => {
  const inProd = { namespace: 'shop-prod' };
  const identity = { id: 't', name: NAME, application: 'shop/web', environment: 'prod' };
  const own: TargetRecord = { ...newRecord(identity), inherited: true, took: { blue: 1 } };
  const fault = new Error('not written');
  await assert.rejects(found(['shop-prod'], inProd, { own, save: () => Promise.reject(fault) }), fault);
  assert.deepEqual(own.kinds, []);
  assert.equal(await found(['shop-prod'], inProd, { own }), own, 'which the store takes a write of');
  assert.deepEqual(own.kinds, [{ group: '', kind: 'ConfigMap', namespace: 'shop-prod' }]);
  assert.deepEqual(own.took, { blue: 1 });
});
