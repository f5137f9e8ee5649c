import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { PROMOTION_TYPES } from '../api/v1alpha1/promotion.ts';
import type { Command } from './command.ts';
import { commandedBy, type Given } from './commands.ts';

function command(promotion: string, type: Command['type'], about?: string): Command {
  return {
    uid: promotion,
    promotion,
    type,
    application: 'web',
    environment: 'prod',
    requestedAt: new Date(0),
    by: 'anna',
    skipGates: [],
    reason: '',
    ...(about === undefined ? {} : { about }),
  };
}

const waiting = (promotion: string, type: Command['type'], about?: string): Given => ({
  command: command(promotion, type, about),
  is: 'Waiting',
});

function outcome(given: readonly Given[]) {
  const { waits, takesBack, ended } = commandedBy(given);
  return {
    waits: waits?.promotion,
    takesBack: takesBack?.about,
    ended: Object.fromEntries(ended.map((one) => [one.command.promotion, one.phase])),
  };
}

/** What an earlier Promote is in, and what comes then. */
type Row = readonly [before: Given['is'], type: Command['type'], expected: ReturnType<typeof outcome>];
const TABLE: readonly Row[] = [
  ...(['Promote', 'Rollback', 'Resume', 'Retry'] as const).flatMap((type): Row[] => [
    ['Waiting', type, { waits: 'new', takesBack: undefined, ended: { old: 'Superseded' } }],
    // It ends when the new one is begun: nothing was done for that yet.
    ['UnderWay', type, { waits: 'new', takesBack: undefined, ended: {} }],
    ['Over', type, { waits: 'new', takesBack: undefined, ended: {} }],
  ]),
  [
    'Waiting',
    'Cancel',
    { waits: undefined, takesBack: undefined, ended: { old: 'Cancelled', new: 'Succeeded' } },
  ],
  ['UnderWay', 'Cancel', { waits: undefined, takesBack: 'old', ended: {} }],
  ['Over', 'Cancel', { waits: undefined, takesBack: undefined, ended: { new: 'Failed' } }],
];

for (const [before, type, expected] of TABLE)
  test(`A3, A5: ${type} where an earlier Promote is ${before}`, () => {
    const old = { command: command('old', 'Promote'), is: before };
    const about = type === 'Promote' || type === 'Rollback' ? undefined : 'old';
    assert.deepEqual(outcome([old, waiting('new', type, about)]), expected);
  });

for (const type of ['Rollback', 'Retry'] as const)
  test(`S14, A26: what goes back by a ${type} is taken back by who asked for it, and by nobody else, whose Cancel says what to do`, () => {
    const old: Given = { command: command('old', type), is: 'UnderWay', goesBack: true };
    const cancel = waiting('new', 'Cancel', 'old');
    assert.equal(outcome([old, cancel]).takesBack, 'old');
    const others = { ...cancel, command: { ...cancel.command, by: 'ben' } };
    assert.deepEqual(outcome([old, others]), {
      waits: undefined,
      takesBack: undefined,
      ended: { new: 'Failed' },
    });
    assert.match(
      commandedBy([old, others]).ended[0]?.message ?? '',
      /^anna goes back there by Promotion old, .*kubectl towpath rollback web prod --to ID/,
    );
    // Neither does it end one that is anna's.
    assert.equal(outcome([old, cancel, others]).takesBack, 'old');
  });

test('A3: what goes on without a person having asked for it is taken back, too, by the newest Cancel', () => {
  const given = [waiting('a', 'Cancel', 'web-prod-7'), waiting('b', 'Cancel', 'web-prod-7')];
  const { takesBack, ended } = commandedBy(given, ({ about }) =>
    about === 'web-prod-7' ? 'UnderWay' : 'Over',
  );
  assert.equal(takesBack?.promotion, 'b');
  assert.deepEqual(
    ended.map((one) => [one.command.promotion, one.phase]),
    [['a', 'Superseded']],
  );
});

test('D7: a Cancel that is done is not said to have come too late', () => {
  const old: Given = { command: command('old', 'Promote'), is: 'Over' };
  const done: Given = { command: command('new', 'Cancel', 'old'), is: 'Over' };
  assert.deepEqual(outcome([old, done]), { waits: undefined, takesBack: undefined, ended: {} });
});

test('A3: one that waits ends where a newer one was begun, also when that is over', () => {
  for (const is of ['UnderWay', 'Over'] as const) {
    const newer = { command: command('newer', 'Promote'), is };
    assert.deepEqual(outcome([waiting('older', 'Promote'), newer]), {
      waits: undefined,
      takesBack: undefined,
      ended: { older: 'Superseded' },
    });
  }
});

test('A3: a Cancel that waits is no Promotion that another one could cancel, and says so', () => {
  const given = [waiting('a', 'Cancel', 'b'), waiting('c', 'Cancel', 'a')];
  assert.deepEqual(outcome(given).ended, { a: 'Failed', c: 'Failed' });
});

test('A3: what is refused takes no place, and what one that may be refused took can be taken back', () => {
  const refused: Given = { command: command('no', 'Resume', 'x'), is: 'Refused' };
  assert.deepEqual(outcome([waiting('old', 'Rollback'), refused]), {
    waits: 'old',
    takesBack: undefined,
    ended: {},
  });
  const given = [waiting('old', 'Rollback'), waiting('new', 'Retry', 'x')];
  assert.deepEqual(
    commandedBy(given).ended.map(({ unless }) => unless),
    ['Refused'],
  );
  assert.deepEqual(outcome([...given, waiting('back', 'Cancel', 'old')]), {
    waits: 'new',
    takesBack: undefined,
    ended: { old: 'Cancelled', back: 'Succeeded' },
  });
});

test('A5: who took it back and why is in what is told of it', () => {
  const { ended } = commandedBy([
    waiting('old', 'Promote'),
    { command: { ...command('new', 'Cancel', 'old'), by: 'ben', reason: 'wrong day' }, is: 'Waiting' },
  ]);
  assert.match(ended[0]?.message ?? '', /^ben took it back .* Promotion new: wrong day$/);
});

const sequences = fc
  .array(
    fc.record({
      type: fc.constantFrom(...PROMOTION_TYPES),
      is: fc.constantFrom<Given['is']>('Waiting', 'UnderWay', 'Over'),
      about: fc.nat({ max: 7 }),
    }),
    { maxLength: 8 },
  )
  .map((all) =>
    all.map(
      ({ type, is, about }, index): Given => ({
        command: command(
          `p${index}`,
          type,
          type === 'Promote' || type === 'Rollback' ? undefined : `p${about}`,
        ),
        // A Cancel is done at once, or waits for what it takes back.
        is: type === 'Cancel' ? 'Waiting' : is,
      }),
    ),
  );

test('A33: without all that was cancelled, superseded or failed the answer is the same, and each is in one place', () => {
  fc.assert(
    fc.property(sequences, (given) => {
      const { waits, takesBack, ended } = commandedBy(given);
      const over = new Set(ended.map((one) => one.command));
      const rest = commandedBy(given.filter((one) => !over.has(one.command)));
      assert.deepEqual(rest, {
        ...(waits === undefined ? {} : { waits }),
        ...(takesBack === undefined ? {} : { takesBack }),
        ended: [],
      });
      assert.equal(over.size, ended.length, 'nothing ends twice');
      for (const { command: one, is } of given) {
        const places = [over.has(one), one === waits, one === takesBack, is !== 'Waiting'];
        assert.equal(places.filter(Boolean).length, 1, one.promotion);
      }
    }),
  );
});

test('A3: what waits is the newest of all that were not taken back', () => {
  fc.assert(
    fc.property(sequences, (given) => {
      const { waits, ended } = commandedBy(given);
      if (waits === undefined) return;
      const at = given.findIndex((one) => one.command === waits);
      const newer = given.slice(at + 1).filter((one) => one.command.type !== 'Cancel');
      assert.ok(
        newer.every((one) => ended.some((end) => end.command === one.command && end.phase === 'Cancelled')),
      );
    }),
  );
});
