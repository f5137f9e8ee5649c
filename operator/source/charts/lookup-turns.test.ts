import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { LookupTurns } from './lookup-turns.ts';

const never = new AbortController().signal;

/** Turns, and those that were begun, in their order, each of which lasts until it is ended. */
function turns() {
  const of = new LookupTurns();
  const begun: string[] = [];
  const ends = new Map<string, () => void>();
  const take = (name: string, tenants: ReadonlySet<string>, signal = never) =>
    of.take(tenants, signal, async () => {
      begun.push(name);
      await new Promise<void>((resolve) => ends.set(name, resolve));
    });
  const end = async (name: string) => {
    ends.get(name)?.();
    await turn();
  };
  return { take, end, begun, serve: () => of.serve() };
}

test('A3: two lookups are under way at once, one for each namespace, and namespaces take turns', async () => {
  const { take, end, begun } = turns();
  const greedy = ['greedy-1', 'greedy-2', 'greedy-3'].map((name) => take(name, new Set(['greedy'])));
  await turn();
  assert.deepEqual(begun, ['greedy-1']);
  const others = ['one', 'two', 'three'].map((name) => take(name, new Set([name])));
  await turn();
  assert.deepEqual(begun, ['greedy-1', 'one']);
  await end('greedy-1');
  await end('one');
  assert.deepEqual(begun.slice(2), ['two', 'three'], 'who had none comes first');
  for (const name of ['two', 'greedy-2', 'three', 'greedy-3']) await end(name);
  assert.deepEqual(begun.slice(4), ['greedy-2', 'greedy-3']);
  await Promise.all([...greedy, ...others]);
});

test('A3: what several wait for has the turn of whichever of them is first, of those that came later too', async () => {
  const { take, end, begun, serve } = turns();
  const first = take('first', new Set(['greedy']));
  const waiting = Array.from({ length: 10 }, (_, at) => take(`greedy-${at}`, new Set(['greedy'])));
  const tenants = new Set(['greedy']);
  const shared = take('shared', tenants);
  await turn();
  assert.deepEqual(begun, ['first']);
  tenants.add('modest');
  serve();
  await turn();
  assert.deepEqual(begun, ['first', 'shared']);
  for (const name of ['first', 'shared', ...waiting.map((_, at) => `greedy-${at}`)]) await end(name);
  await Promise.all([first, shared, ...waiting]);
});

test('A4: what nobody waits for by now has a turn, and whoever began it goes on', async () => {
  const { take, end, begun } = turns();
  const running = [take('one', new Set(['a'])), take('two', new Set(['b']))];
  const left = [take('left', new Set()), take('left as well', new Set())];
  await turn();
  for (const name of ['one', 'two', 'left', 'left as well']) await end(name);
  await Promise.all([...running, ...left]);
  assert.deepEqual(begun, ['one', 'two', 'left', 'left as well']);
});

test('what is given up has no turn, and what fails gives its place back', async () => {
  const { take, end, begun } = turns();
  const running = take('running', new Set(['a']));
  const gone = new AbortController();
  const waiting = take('waiting', new Set(['a']), gone.signal);
  gone.abort(new Error('gone'));
  await assert.rejects(waiting, /gone/);
  await assert.rejects(take('late', new Set(['a']), gone.signal), /gone/);
  await end('running');
  await running;
  const failing = new LookupTurns();
  for (let times = 0; times < 5; times++)
    await assert.rejects(
      failing.take(new Set(['a']), never, () => Promise.reject(new Error('failed'))),
      /failed/,
    );
  assert.deepEqual(begun, ['running']);
});
