import assert from 'node:assert/strict';
import { test } from 'node:test';
import { newManifest } from '../../../test/harness/manifest.ts';
import { type LiveObject, ownerAnnotation } from '../../manifest/live.ts';
import { type Manifest, objectKey } from '../../manifest/manifest.ts';
import { newRecord } from '../record/record.ts';
import type { DeployContext } from './deploy-context.ts';
import { applyingOf, Planning } from './planning.ts';

const TARGET = { id: 'ab'.repeat(10), name: 'shop/web/prod', application: 'shop/web', environment: 'prod' };
const CONFIG = newManifest('web', '{}');
const DEFINITION: Manifest = {
  ...newManifest('webs.example.com', '{}'),
  group: 'apiextensions.k8s.io',
  kind: 'CustomResourceDefinition',
  namespace: '',
  apiVersion: 'apiextensions.k8s.io/v1',
};
const LIVE: LiveObject = {
  group: DEFINITION.group,
  kind: DEFINITION.kind,
  namespace: '',
  name: DEFINITION.name,
  apiVersion: DEFINITION.apiVersion,
  uid: 'u',
  resourceVersion: '1',
  target: TARGET.id,
  owner: ownerAnnotation(TARGET.name, DEFINITION),
  deleting: false,
  annotations: {},
  hook: false,
  madeFor: [],
  keep: false,
  // It would go with what left Git.
  prune: 'enabled',
  entry: { hash: 'h', time: '2026-01-01T00:00:00Z' },
};

/** What planning asks of where a look is. */
const CONTEXT = {
  target: { namespace: 'shop' },
  settings: { ignore: [], prune: true },
  slices: { pause: () => undefined },
  inventory: { of: () => new Map([[objectKey(LIVE), LIVE]]), isScaled: () => false },
  access: {
    targetId: TARGET.id,
    targetName: TARGET.name,
    discovery: { resourceFor: () => undefined },
  },
  record: newRecord(TARGET),
} as unknown as DeployContext;

const names = (objects: readonly { name: string }[]) => objects.map(({ name }) => name);

test('going back applies no definition and deletes none, and tells which it left as it is', async () => {
  const planning = await Planning.of(CONTEXT, [DEFINITION, CONFIG], applyingOf({ trigger: 'Rollback' }));
  assert.deepEqual(names(planning.waves.flat(2)), ['web']);
  const applies = await planning.applies(planning.objects);
  assert.deepEqual(names(applies.map(({ manifest }) => manifest)), ['web']);
  assert.deepEqual(planning.leaving(), []);
  assert.deepEqual(names(planning.leftAlone().map(({ object }) => object)), ['webs.example.com']);
});

test('what is deployed otherwise applies its definitions, first', async () => {
  const planning = await Planning.of(CONTEXT, [CONFIG, DEFINITION], applyingOf({ trigger: 'Promotion' }));
  assert.deepEqual(names(planning.waves.flat(2)), ['webs.example.com', 'web']);
  assert.deepEqual(planning.leftAlone(), []);
});
