import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import definitions from '../operator/api/v1alpha1/definitions.json' with { type: 'json' };
import { ANNOTATION_VERSION } from '../operator/api/v1alpha1/names.ts';
import { DEFINITIONS, DEVELOPMENT, type LiveDefinition, whyKept } from './run-definitions.ts';

const [ours] = definitions;
assert.ok(ours !== undefined);
const { name, annotations } = ours.metadata;

function live(manager: string, version?: string): LiveDefinition {
  const given = version === undefined ? annotations : { ...annotations, [ANNOTATION_VERSION]: version };
  const managedFields = [{ manager }, { manager: 'kube-apiserver', subresource: 'status' }];
  return {
    metadata: { name, annotations: given, managedFields },
    spec: { versions: ours?.spec.versions ?? [] },
  };
}

/** The same with a field that this checkout does not have. */
function withMore(definition: LiveDefinition): LiveDefinition {
  const text = JSON.stringify(definition.spec).replace(
    '"properties":{',
    '"properties":{"later":{"type":"string"},',
  );
  return { ...definition, spec: JSON.parse(text) as LiveDefinition['spec'] };
}

test('make run replaces definitions of its own version and of older ones, whoever wrote them', () => {
  for (const manager of ['helm', 'towpath', DEVELOPMENT])
    for (const version of [undefined, '0.0.1', 'none'])
      assert.equal(whyKept(live(manager, version)), undefined);
});

test('make run leaves definitions of a newer version, and fields that others brought, as they are', () => {
  assert.match(whyKept(live(DEVELOPMENT, '99.0.0')) ?? '', /is of Towpath 99\.0\.0, and stays as it is/);
  assert.match(
    whyKept(withMore(live('helm'))) ?? '',
    /does not know \(v1alpha1\.later\), and stays as it is/,
  );
  assert.equal(whyKept(withMore(live(DEVELOPMENT))), undefined, 'a field that its user takes out again');
});

test('each definition has its file', () => {
  for (const { plural } of DEFINITIONS)
    assert.ok(existsSync(join(import.meta.dirname, `../crds/towpath.dev_${plural}.yaml`)), plural);
});
