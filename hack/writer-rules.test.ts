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
  ];
  for (const code of refused) {
    assert.match(
      otherWriters('operator/controller/a.ts', code)[0] ?? '',
      /^operator\/controller\/a\.ts:\d: /,
    );
    assert.deepEqual(otherWriters('operator/controller/a.test.ts', code), []);
  }
  for (const code of [
    'await home.get({ resource: APPLICATIONS, namespace, name });\nknown.delete(name);',
    'await client.create({ resource: SECRETS, namespace }, secret);',
  ])
    assert.deepEqual(otherWriters('operator/controller/a.ts', code), [], code);
});

test('what the rule looks for is how the writer itself does it', () => {
  const source = readFileSync(join(import.meta.dirname, '..', WRITER), 'utf8');
  assert.deepEqual(otherWriters(WRITER, source), []);
  assert.notDeepEqual(otherWriters('operator/controller/application/status/other.ts', source), []);
});
