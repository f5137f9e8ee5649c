import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually } from '../../../test/harness/wait.ts';
import { Slices } from '../../observe/event-loop-slices.ts';
import type { Repository } from '../../source/sources.ts';
import { CommitWakes, type Moved, type Wake } from './commit-wakes.ts';
import type { Touched } from './touched.ts';

const MANY = 40;

function repositoryWith(changes: Repository['changes']): Repository {
  return { key: 'one', changes } as unknown as Repository;
}

function moved(repository: Repository, index: number, concern?: Moved['concern']): Moved {
  const concernOf = (touched: Touched) => (touched.has(`apps/${index}`) ? 'Yes' : 'No');
  return { application: `shop/${index}`, repository, from: 'a', to: 'b', concern: concern ?? concernOf };
}

test('A3: who is told of as the last of the others are decided on is woken, too', async () => {
  const repository = repositoryWith(async () => ['apps/1/a.yaml']);
  const woken: string[] = [];
  const subject = new CommitWakes({
    slices: new Slices(),
    followersOf: () => MANY,
    wake: (application) => {
      woken.push(application);
      const next = woken.length;
      if (next < 5) queueMicrotask(() => subject.tell(moved(repository, next)));
    },
  });
  subject.tell(moved(repository, 0));
  await eventually(() => woken.length === 5, { describe: 'all five' });
  assert.deepEqual(woken, ['shop/0', 'shop/1', 'shop/2', 'shop/3', 'shop/4']);
});

test('A3: where it cannot be told what a commit changes all are woken in turn, but who has seen it', async () => {
  const repository = repositoryWith(async () => {
    throw new Error('the server does not answer');
  });
  const woken: [string, Wake][] = [];
  const subject = new CommitWakes({
    slices: new Slices(),
    followersOf: () => MANY,
    wake: (application, wake) => woken.push([application, wake]),
  });
  for (let index = 0; index < 3; index += 1) subject.tell(moved(repository, index));
  subject.tell(moved(repository, 3, () => undefined));
  await subject.decided(repository);
  const inTurn = { rank: 'InTurn' };
  assert.deepEqual(woken, [
    ['shop/0', inTurn],
    ['shop/1', inTurn],
    ['shop/2', inTurn],
  ]);
});

test('A14: however many follow a repository, the last whom a commit does not change is woken within a minute', async () => {
  const delays: number[] = [];
  const all = 10_000;
  const subject = new CommitWakes({
    slices: new Slices(),
    followersOf: () => all,
    wake: (_application, { afterMs = 0 }) => delays.push(afterMs),
  });
  const repository = repositoryWith(async () => []);
  for (let index = 0; index < all; index += 1) subject.tell(moved(repository, index));
  await subject.decided(repository);
  assert.equal(delays.length, all);
  assert.ok(Math.max(...delays) <= 60_000, `${Math.max(...delays)} ms`);
});
