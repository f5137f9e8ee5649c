import assert from 'node:assert/strict';
import { test } from 'node:test';
import { withMetadata, withName } from './metadata-text.ts';

test('members go first into metadata, the rest stays byte for byte', () => {
  for (const [text, expected] of [
    ['{"metadata":{"name":"a"}}', '{"metadata":{"uid":"u","name":"a"}}'],
    ['{"metadata":{}}', '{"metadata":{"uid":"u"}}'],
    ['{"metadata":{ }}', '{"metadata":{"uid":"u"}}'],
    [
      '{"kind":"A","metadata":{"name":"a"},"n":1.0}',
      '{"kind":"A","metadata":{"uid":"u","name":"a"},"n":1.0}',
    ],
    [
      '{"data":{"metadata":{"x":"}\\"{"}},"metadata":{"name":"a"}}',
      '{"data":{"metadata":{"x":"}\\"{"}},"metadata":{"uid":"u","name":"a"}}',
    ],
    ['{"list":[{"metadata":{}},"]"],"metadata":{}}', '{"list":[{"metadata":{}},"]"],"metadata":{"uid":"u"}}'],
  ] as const) {
    assert.deepEqual(JSON.parse(withMetadata(text, { uid: 'u' })), JSON.parse(expected), text);
    assert.equal(withMetadata(text, { uid: 'u' }).replaceAll(' ', ''), expected.replaceAll(' ', ''));
  }
});

test('no members change nothing', () => {
  assert.equal(withMetadata('{"metadata":{"name":"a"}}', {}), '{"metadata":{"name":"a"}}');
});

test('a member that needs escapes is escaped', () => {
  assert.equal(withMetadata('{"metadata":{}}', { a: '"\n' }), '{"metadata":{"a":"\\"\\n"}}');
});

test('a text without a metadata object is refused', () => {
  for (const text of ['{}', '[]', '{"metadata":"x"}', '{"kind":"A"}', '']) {
    assert.throws(() => withMetadata(text, { uid: 'u' }), /the manifest/, text);
  }
});

test('the name is replaced where it stands, not a name elsewhere', () => {
  const text =
    '{"metadata":{"annotations":{"name":"no"},"labels":{"a":"}"},"name":"old","namespace":"n"},"name":1}';
  assert.equal(withName(text, 'new'), text.replace('"name":"old"', '"name":"new"'));
});

test('metadata without a name is refused', () => {
  assert.throws(() => withName('{"metadata":{"namespace":"n"}}', 'new'));
  assert.throws(() => withName('{"metadata":{}}', 'new'));
});
