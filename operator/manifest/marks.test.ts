import assert from 'node:assert/strict';
import { test } from 'node:test';
import { newManifest } from '../../test/harness/manifest.ts';
import { sha256 } from './digest.ts';
import { withMarksOf } from './marks.ts';

test('a manifest gets the marks of another target, and nothing else of it changes', () => {
  const text =
    '{"data":{"id":9007199254740993,"mode":0.10},"metadata":{"annotations":{"towpath.dev/owner":"shop/web/default /ConfigMap/shop/web","towpath.dev/wave":"1"},"labels":{"app":"web","towpath.dev/target":"aa"}}}';
  const marked = withMarksOf(newManifest('web', text), { id: 'bb', name: 'shop/web/home' });
  assert.equal(
    marked.text,
    text
      .replace('"towpath.dev/target":"aa"', '"towpath.dev/target":"bb"')
      .replace('shop/web/default', 'shop/web/home'),
  );
  assert.equal(marked.digest, sha256(marked.text));
  const before = { id: 'aa', name: 'shop/web/default' };
  assert.equal(withMarksOf(marked, before).text, text);
});
