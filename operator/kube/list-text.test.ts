import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { scaled } from '../../test/harness/slowness.ts';
import { Slices } from '../observe/event-loop-slices.ts';
import { Turns } from '../observe/turns.ts';
import { parseList } from './list-text.ts';

const text = '"]}, [{ \\ of strings \u0000 and \\" é 𝒳';
const objects = Array.from({ length: 2_000 }, (_, index) => ({
  metadata: { name: `object-${index}`, uid: `${index}`, resourceVersion: '1', annotations: { [text]: text } },
  spec: { items: [index, -1.5e-7, true, false, null, text, [], {}, [[['deep']]], { items: [{}] }] },
  text: text.repeat(10),
}));
const head = {
  kind: 'ThingList',
  apiVersion: 'example.com/v1',
  metadata: { resourceVersion: '7', continue: '' },
};

for (const [name, list] of Object.entries({
  'the items last': { ...head, items: objects },
  'the items first': { items: objects, ...head },
  'text that looks like items before them': {
    note: '"items":[{}]',
    inner: { items: [1, 2] },
    ...head,
    items: objects,
  },
  'no items': { ...head, more: objects },
  'items that are none': { ...head, items: null, more: objects },
  'an empty array of items': { ...head, items: [], more: objects },
})) {
  test(`a long list with ${name} is parsed as JSON.parse does`, async () => {
    for (const indent of [0, 2]) {
      const written = JSON.stringify(list, undefined, indent);
      assert.deepEqual(await parseList(written, new Slices()), JSON.parse(written));
    }
  });
}

test('a long list that is cut off, or none, is refused', async () => {
  const written = JSON.stringify({ ...head, items: objects });
  for (const cut of [written.length - 1, written.length - 2, written.length >> 1, 400_001])
    await assert.rejects(parseList(written.slice(0, cut), new Slices()), SyntaxError);
  await assert.rejects(parseList('x'.repeat(1 << 20), new Slices()), SyntaxError);
  await assert.rejects(parseList(`{"items":[${'"'.repeat(1 << 20)}`, new Slices()), SyntaxError);
});

test('A15: a list of 32 MiB holds up nobody', async (t) => {
  const large = JSON.stringify({ ...head, items: Array.from({ length: 30 }, () => objects).flat() });
  assert.ok(large.length > 24 << 20, `${large.length}`);
  const turns = new Turns(() => undefined);
  t.after(() => turns.stop());
  turns.start();
  await turn();
  const { items } = await parseList(large, new Slices());
  await turn();
  assert.equal(items?.length, 60_000);
  assert.ok(turns.longest < scaled(100), `${turns.longest} ms`);
});
