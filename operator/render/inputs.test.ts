import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MemoryTree } from '../../test/harness/memory-tree.ts';
import { configMap, request, TestRenderer } from '../../test/harness/render.ts';

const engine = new TestRenderer();

test('what a render waits for of the repository ends when nobody waits for the render any more', async () => {
  const tree = new MemoryTree({ 'web/a.yaml': configMap('a', 'x') });
  const begun = Promise.withResolvers<void>();
  const ended = Promise.withResolvers<unknown>();
  tree.stat = (_path: string, signal?: AbortSignal) => {
    begun.resolve();
    return new Promise((_, reject) => {
      signal?.addEventListener('abort', () => {
        ended.resolve(signal.reason);
        reject(signal.reason);
      });
    });
  };
  const aborts = [new AbortController(), new AbortController()];
  const waiting = aborts.map(({ signal }) =>
    assert.rejects(engine.renderer.render(tree, request('web'), signal), /given up/),
  );
  await begun.promise;
  aborts[0]?.abort(new Error('given up by one'));
  await waiting[0];
  aborts[1]?.abort(new Error('given up by both'));
  await waiting[1];
  assert.match(String(await ended.promise), /given up by both/);
});
