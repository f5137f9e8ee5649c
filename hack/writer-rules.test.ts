import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { otherWriters } from './writer-rules.ts';

const WRITER = 'operator/controller/application/status/writer.ts';

test('an Application is written by one file of the operator only', () => {
  const refused = [
    'await client.mergePatch({ resource: APPLICATIONS, namespace, name }, patch);',
    "const path = { resource: { group, version, plural: 'applications' }, name };\nawait client.apply(path, text);",
    'await home.delete({ resource: APPLICATIONS, namespace, name });',
    'await client.mergePatch<Application>({ resource: APPLICATIONS, namespace, name }, patch);',
    'await client.mergePatch?.({ resource: APPLICATIONS, namespace, name }, patch);',
    "await client['jsonPatch']({ resource: APPLICATIONS, namespace, name }, patch);",
    'await client?.apply({ resource: APPLICATIONS, namespace, name }, text);',
    'const patch = client.mergePatch.bind(client);\nawait patch({ resource: APPLICATIONS }, text);',
    'const { mergePatch } = client;\nawait mergePatch.call(client, { resource: APPLICATIONS }, patch);',
    'const { delete: remove } = client;\nawait remove.call(client, { resource: APPLICATIONS });',
    'function of({ create }: KubeClient) { return create({ resource: APPLICATIONS }, object); }',
    'const path = { resource: APPLICATIONS, namespace, name };\nawait server.delete(path);',
    'const path = pathOf(APPLICATIONS, name);\nawait options.client.delete(path);',
    'await parts.home.delete(pathOf(APPLICATIONS, name));',
    'await server.delete(pathOf(APPLICATIONS, name), { signal });',
    'await client.create({ resource: { group, version, plural: "applications" } }, object);',
    'await client.create({ resource: { group, version, plural: `applications` } }, object);',
    "const plural = 'applications';\nawait client.create({ resource: { group, version, plural } }, object);",
    "import { APPLICATIONS as MEANT } from './a.ts';\nawait client.create({ resource: MEANT }, object);",
  ];
  for (const code of refused) {
    const [said = ''] = otherWriters('operator/controller/a.ts', code);
    assert.match(said, /^operator\/controller\/a\.ts:\d: /, code);
    assert.deepEqual(otherWriters('operator/controller/a.test.ts', code), []);
  }
  for (const code of [
    'await home.get({ resource: APPLICATIONS, namespace, name });\nknown.delete(name);',
    'await client.create({ resource: SECRETS, namespace }, secret);',
    'Object.create(null); APPLICATIONS;',
    'const { key } = { resource: APPLICATIONS }; entries.delete(key);',
    '// plural: applications\nawait client.create({ resource: SECRETS }, secret);',
  ])
    assert.deepEqual(otherWriters('operator/controller/a.ts', code), [], code);
});

test('what the rule looks for is how the writer itself does it', () => {
  const source = readFileSync(join(import.meta.dirname, '..', WRITER), 'utf8');
  assert.deepEqual(otherWriters(WRITER, source), []);
  assert.notDeepEqual(otherWriters('operator/controller/application/status/other.ts', source), []);
});
