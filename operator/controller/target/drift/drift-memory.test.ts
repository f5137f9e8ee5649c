import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DriftMemory } from './drift-memory.ts';

const FIRST = '2026-01-01T10:00:00Z';
const SECOND = '2026-01-01T10:05:00Z';
const THIRD = '2026-01-01T10:10:00Z';

const id = (name: string) => ({ group: '', kind: 'ConfigMap', namespace: 'shop', name });
const edited = (name: string, manager: string, time: string) => ({
  object: id(name),
  isGone: false,
  by: { manager, time },
});
const gone = (name: string) => ({ object: id(name), isGone: true });
const told = (name: string, lastAt: string, more: object = {}) => ({
  lastAt,
  lastObject: id(name),
  isGone: false,
  ...more,
});

test('a deletion after an edit is the newest, with the time it was noticed', () => {
  const memory = new DriftMemory();
  const edit = edited('a', 'kubectl', FIRST);
  assert.deepEqual(memory.note([edit], FIRST), told('a', FIRST, { count: 1, lastBy: 'kubectl' }));
  const both = told('b', SECOND, { count: 2, isGone: true });
  assert.deepEqual(memory.note([edit, gone('b')], SECOND), both);
  assert.deepEqual(memory.note([edit, gone('b')], THIRD), both, 'what stays is told the same way');
});

test('the name and the time of a change belong together', () => {
  const memory = new DriftMemory();
  memory.note([edited('a', 'first', FIRST)], FIRST);
  assert.deepEqual(
    memory.note([edited('a', 'second', SECOND)], THIRD),
    told('a', SECOND, { count: 1, lastBy: 'second' }),
  );
});

test('A14: a manager that goes on changing an object is told with its first change', () => {
  const memory = new DriftMemory();
  const first = memory.note([edited('a', 'flapper', FIRST)], FIRST);
  assert.deepEqual(memory.note([edited('a', 'flapper', SECOND)], SECOND), first);
  memory.clear();
  assert.equal(memory.note([edited('a', 'flapper', THIRD)], THIRD)?.lastAt, THIRD);
});

test('a restart tells what was told', () => {
  const before = { count: 2, lastAt: SECOND, lastObject: 'ConfigMap shop/b' };
  const memory = new DriftMemory(before);
  const all = [gone('a'), gone('b'), edited('c', 'kubectl', FIRST)];
  assert.deepEqual(memory.note(all, THIRD), told('b', SECOND, { count: 3, isGone: true }));
  assert.equal(memory.note([...all, gone('d')], THIRD)?.lastObject.name, 'd');
});

test('what was changed again since is no newer after a restart', () => {
  const memory = new DriftMemory({ count: 2, lastAt: SECOND, lastObject: 'ConfigMap shop/b' });
  const again = [edited('a', 'flapper', THIRD), gone('b')];
  assert.deepEqual(memory.note(again, THIRD), told('b', SECOND, { count: 2, isGone: true }));
  const restarted = new DriftMemory({ count: 1, lastAt: SECOND, lastObject: 'ConfigMap shop/b' });
  assert.equal(restarted.note(again, THIRD)?.lastObject.name, 'a', 'one more is told');
});

test('drift that was over before the restart says nothing of new drift', () => {
  const memory = new DriftMemory({ count: 0, lastAt: FIRST, lastObject: 'ConfigMap shop/a' });
  assert.equal(memory.note([gone('a')], THIRD)?.lastAt, THIRD);
});
