import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  candidateKey,
  type Deployment,
  namedIn,
  newRecord,
  type TargetRecord,
  type Waiting,
} from './record.ts';
import {
  cameTo,
  MOST_WAITING,
  stillWaiting,
  waitingAfter,
  waitingBeside,
  withAsk,
  withWaiting,
} from './waiting.ts';

const one = (asked: string, digest = asked): Waiting => ({ id: `id of ${digest}`, digest, asked });
const askedOf = (waiting: readonly { asked: string }[]) => waiting.map(({ asked }) => asked).join('');
const nowhere = () => false;

test('what waits stands in the order in which it was seen, and what is seen again is the newest', () => {
  let waiting: readonly Waiting[] = [];
  for (const asked of ['a', 'b', 'c', 'a']) waiting = withWaiting(waiting, one(asked), nowhere);
  assert.equal(askedOf(waiting), 'bca');
});

test('of too many the oldest goes that runs nowhere else, never the newest: what soaks is not starved by commits', () => {
  let waiting: readonly Waiting[] = [];
  for (const asked of 'abcdefghijkl')
    waiting = withWaiting(waiting, one(asked), (it) => it === 'a' || it === 'c');
  assert.equal(waiting.length, MOST_WAITING);
  assert.equal(askedOf(waiting), 'acghijkl');
  for (const asked of 'mnopqrstuv') waiting = withWaiting(waiting, one(asked), () => true);
  assert.equal(askedOf(waiting), 'opqrstuv');
});

test('A14: what passed is waited with still after many commits that change nothing, where all of them run elsewhere', () => {
  let waiting: readonly Waiting[] = [one('a', 'same')];
  for (const asked of 'bcdefghijkl') waiting = withWaiting(waiting, one(asked, 'same'), () => true);
  assert.equal(askedOf(waiting), 'afghijkl');
});

test('what enters takes with it all that came before it', () => {
  const waiting = ['a', 'b', 'c'].map((asked) => one(asked));
  for (const whence of ['Newest', 'OnceMore'] as const) {
    assert.equal(askedOf(waitingAfter(waiting, one('b'), whence)), 'c');
    assert.equal(askedOf(waitingAfter(waiting, one('c'), whence)), '');
  }
  assert.equal(askedOf(waitingAfter(waiting, one('d'), 'Newest')), '');
  const twice = [one('a'), one('b', 'same'), one('c', 'same'), one('d')];
  assert.equal(askedOf(waitingAfter(twice, one('b', 'same'), 'Newest')), 'd');
});

test('A2: what ran before all that waits, and a person has enter once more, takes nothing of that with it', () => {
  const waiting = ['a', 'b', 'c'].map((asked) => one(asked));
  assert.equal(askedOf(waitingAfter(waiting, one('older'), 'OnceMore')), 'abc');
});

test('A2: what a deployment on its way took the place of is waited with still, but for itself, and no more once it ended', () => {
  const record = newRecord({ id: 'i', name: 's/a/prod', application: 's/a', environment: 'prod' });
  const waiting = [one('d')];
  const entering = { candidate: one('c'), displaced: { waiting: ['b', 'c'].map((asked) => one(asked)) } };
  const at = (more: Partial<Deployment>): TargetRecord => ({
    ...record,
    waiting,
    deployment: { ...entering, ...more } as unknown as Deployment,
  });
  const verify = { forMs: 1, onFailure: 'Keep', ms: 0 } as const;
  for (const onItsWay of [{}, { outcome: 'Succeeded', verify }] as const) {
    assert.equal(askedOf(stillWaiting(at(onItsWay))), 'bcd');
    assert.equal(askedOf(waitingBeside(at(onItsWay))), 'bd');
    assert.ok(
      namedIn({ ...at(onItsWay), ran: [] }).includes(candidateKey(one('b'))),
      'its manifests are kept',
    );
  }
  const over = at({ outcome: 'Succeeded' });
  assert.equal(askedOf(stillWaiting(over)), 'd');
  assert.ok(!namedIn(over).includes(candidateKey(one('b'))));
});

test('what was asked for is kept while others wait with it, and the latest in any case', () => {
  const record = newRecord({ id: 'i', name: 's/a/staging', application: 's/a', environment: 'staging' });
  const other: TargetRecord = { ...record, waiting: [one('b')] };
  let asks = record.asks ?? [];
  for (const asked of 'abcdefgh') asks = withAsk(asks, { asked, digest: asked.toUpperCase() }, [other]);
  assert.equal(askedOf(asks), 'befgh');
  const entering = { candidate: one('c'), displaced: { waiting: [one('b')] } } as unknown as Deployment;
  let others = record.asks ?? [];
  for (const asked of 'abcdefgh')
    others = withAsk(others, { asked, digest: asked }, [{ ...record, deployment: entering }]);
  assert.equal(askedOf(others), 'befgh', 'what may wait again is waited with');
  assert.equal(cameTo({ ...record, asks }, 'b'), 'B');
  assert.equal(cameTo({ ...record, asks }, 'a'), undefined);
  assert.equal(cameTo(record, 'b'), undefined);
});

test('A14: after a hundred commits that change nothing it is known of what waits that it came to what runs in the stage before', () => {
  const staging = newRecord({ id: 'i', name: 's/a/staging', application: 's/a', environment: 'staging' });
  let waiting: readonly Waiting[] = [];
  let asks = staging.asks ?? [];
  for (let commit = 0; commit < 100; commit += 1) {
    const asked = `commit ${commit}`;
    waiting = withWaiting(waiting, one(asked, 'same'), () => true);
    asks = withAsk(asks, { asked, digest: 'runs' }, [{ ...staging, waiting }]);
  }
  assert.equal(waiting.at(-1)?.asked, 'commit 99');
  for (const { asked } of waiting) assert.equal(cameTo({ ...staging, asks }, asked), 'runs', asked);
});
