import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Slices } from '../../observe/event-loop-slices.ts';
import { type Origin, Origins } from './origins.ts';

test('A4: the commit is told also where the chart’s repository does not say which version there is', async () => {
  const options = { slices: new Slices() } as unknown as ConstructorParameters<typeof Origins>[0];
  const origins = new Origins(options);
  const repository = {
    advertisement: {},
    resolve: () => ({ commit: 'c2', ref: 'refs/heads/main' }),
    newest: async (resolved: object) => resolved,
  };
  const away = new Error('The chart repository does not answer.');
  const range = { resolve: () => Promise.reject(away) };
  const origin = { repository, chart: { version: '^1', range } } as unknown as Origin;
  const input = {
    key: 'shop/web',
    application: { metadata: {}, spec: { helm: {} } },
    target: { name: 'shop/web/default', overlay: { ref: {} } },
    kept: [],
    lookNow: undefined,
  } as unknown as Parameters<Origins['resolve']>[0];
  const known: string[] = [];
  const resolving = origins.resolve(
    input,
    origin,
    { onCommit: (commit) => known.push(commit) },
    new AbortController().signal,
  );
  await assert.rejects(resolving, away);
  assert.deepEqual(known, ['c2']);
});
