import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { changesAt, decide } from '../decide.ts';
import type { ApprovalsOf, Decision, Entry } from '../gate.ts';
import { settledBy } from './approvals.ts';

const NOW = new Date('2026-12-01T12:00:00Z');
const ENFORCED = { is: 'Enforced', since: new Date('2026-01-01T00:00:00Z') } as const;
const DIGEST = `sha256:${'ab'.repeat(32)}`;

const minutesAgo = (minutes: number) => new Date(NOW.getTime() - minutes * 60_000);
let count = 0;
const given = (by: string, changes: Partial<Decision> = {}): Decision => {
  count += 1;
  return { uid: `uid-${count}`, by, groups: ['sre'], decision: 'Approve', at: minutesAgo(10), ...changes };
};
const entry = (changes: Partial<ApprovalsOf>, now = NOW): Entry => ({
  environment: 'prod',
  now,
  freezes: [],
  openings: [],
  dependencies: [],
  approvals: [
    {
      whose: 'Environment prod',
      gate: { required: 2, groups: ['sre', 'release-managers'] },
      how: 'web prod -n shop',
      digest: DIGEST,
      decisions: [],
      admission: ENFORCED,
      ...changes,
    },
  ],
});
const reasons = (of: Entry) => decide(of).map(({ reason }) => reason);

/** Decisions, and how many of two approvals they are; `no`: they hold it back. */
const ROWS: readonly [what: string, decisions: Decision[], counts: number | 'no'][] = [
  ['nobody', [], 0],
  ['one person', [given('anna')], 1],
  ['two persons', [given('anna'), given('ben', { groups: ['release-managers'] })], 2],
  ['one person twice', [given('anna'), given('anna', { at: minutesAgo(1) })], 1],
  ['one in none of the groups', [given('anna'), given('eve', { groups: ['developers'] })], 1],
  [
    'a ServiceAccount, whatever its groups',
    [given('anna'), given('system:serviceaccount:shop:towpath', { groups: ['sre'] })],
    1,
  ],
  ['what has the group of ServiceAccounts', [given('bot', { groups: ['sre', 'system:serviceaccounts'] })], 0],
  ['one before the admission policy', [given('anna'), given('ben', { at: ENFORCED.since })], 1],
  ['a no', [given('anna'), given('ben'), given('carl', { decision: 'Reject' })], 'no'],
  [
    'a no of somebody whom nobody asked',
    [given('anna'), given('ben'), given('eve', { decision: 'Reject', groups: [] })],
    2,
  ],
  [
    'a yes after a no of the same person',
    [given('anna', { decision: 'Reject', at: minutesAgo(20) }), given('anna'), given('ben')],
    2,
  ],
  [
    'a no after a yes of the same person',
    [given('anna', { at: minutesAgo(20) }), given('anna', { decision: 'Reject' }), given('ben')],
    'no',
  ],
  [
    'a no, by none of the groups, after a yes of the same person',
    [
      given('anna', { at: minutesAgo(20) }),
      given('anna', { decision: 'Reject', groups: ['developers'] }),
      given('ben'),
    ],
    1,
  ],
  [
    'a no, by none of the groups, before a yes of the same person',
    [given('anna', { decision: 'Reject', groups: [], at: minutesAgo(20) }), given('anna'), given('ben')],
    2,
  ],
  [
    'a yes, by none of the groups, after a no of the same person',
    [
      given('anna', { decision: 'Reject', at: minutesAgo(20) }),
      given('anna', { groups: ['developers'] }),
      given('ben'),
      given('carl'),
    ],
    'no',
  ],
  ['both in one second', [given('anna', { decision: 'Reject' }), given('anna'), given('ben')], 'no'],
];

test('A4, S14: a quorum of persons, of each the newest decision, of those who are asked', async (t) => {
  for (const [what, decisions, counts] of ROWS)
    await t.test(what, () => {
      for (const order of [decisions, decisions.toReversed()]) {
        const of = entry({ decisions: order });
        const [blocked] = decide(of);
        if (counts === 'no') assert.equal(blocked?.reason, 'Rejected');
        else if (counts === 2) assert.equal(blocked, undefined);
        else
          assert.match(
            blocked?.message ?? '',
            new RegExp(`^${counts} of 2 approvals of manifests sha256:abab`),
          );
        if (blocked !== undefined) assert.equal(blocked.standing, 'Waiting', 'it is no fault');
      }
    });
});

test('A21: a ServiceAccount that the gate names decides as a person does, whatever its groups, and no other does', () => {
  const bot = given('system:serviceaccount:ci:release-bot', { groups: ['system:serviceaccounts'] });
  const others = [
    given('system:serviceaccount:ci:other'),
    given('system:serviceaccount:shop:release-bot'),
    given('ci:release-bot', { groups: ['system:serviceaccounts', 'sre'] }),
  ];
  const gate = {
    required: 2,
    groups: ['sre'],
    serviceAccounts: [{ namespace: 'ci', name: 'release-bot' }],
  };
  assert.deepEqual(reasons(entry({ gate, decisions: [bot, given('anna')] })), []);
  const [blocked] = decide(entry({ gate, decisions: [bot, ...others] }));
  assert.match(blocked?.message ?? '', /^1 of 2 approvals .*, by sre, ci\/release-bot: kubectl/);
  assert.deepEqual(reasons(entry({ gate, decisions: [{ ...bot, decision: 'Reject' }] })), ['Rejected']);
});

test('what is missing says of what, by whom and how', () => {
  const [blocked] = decide(entry({ decisions: [given('anna')] }));
  assert.equal(
    blocked?.message,
    '1 of 2 approvals of manifests sha256:abababababab (by anna), by sre, release-managers: kubectl towpath approve web prod -n shop',
  );
  const [rejected] = decide(entry({ decisions: [given('ben', { decision: 'Reject' })] }));
  assert.match(rejected?.message ?? '', /rejected by ben\..*kubectl towpath approve web prod -n shop$/);
});

test('A5, A9: a yes counts to the instant at which it expires, and it is looked at again then', () => {
  const gate = { required: 2, validFor: '1h' };
  const decisions = [given('anna', { at: minutesAgo(50) }), given('ben', { at: minutesAgo(20) })];
  const of = entry({ gate, decisions });
  assert.deepEqual(reasons(of), []);
  const expiry = new Date('2026-12-01T12:10:00Z');
  assert.deepEqual(changesAt(of, decide(of)), expiry, 'also where nothing is in the way');
  const before = entry({ gate, decisions }, new Date(expiry.getTime() - 1));
  assert.deepEqual(reasons(before), []);
  const after = entry({ gate, decisions }, expiry);
  assert.match(decide(after)[0]?.message ?? '', /^1 of 2 /);
  assert.deepEqual(changesAt(after, decide(after)), new Date('2026-12-01T12:40:00Z'));
  const rejected = entry({ gate, decisions: [given('anna', { decision: 'Reject', at: minutesAgo(90) })] });
  assert.deepEqual(reasons(rejected), ['Rejected'], 'a no does not expire');
});

test('of what is used up those are told apart that let it in', () => {
  const program = given('system:serviceaccount:shop:ci');
  const [earlier, later] = [given('anna', { at: minutesAgo(9) }), given('anna', { at: minutesAgo(5) })];
  const settled = settledBy(entry({ decisions: [earlier, later, program] }).approvals, NOW);
  assert.deepEqual(
    settled.map(({ counts }) => counts),
    [false, true, false],
  );
});

test('S14: without the admission policy nothing counts, and what cannot be seen lets nothing in', () => {
  const decisions = [given('anna'), given('ben')];
  const missing = entry({ decisions, admission: { is: 'Missing', what: 'ValidatingAdmissionPolicy x' } });
  assert.deepEqual(reasons(missing), ['AdmissionPolicyMissing']);
  assert.deepEqual(settledBy(missing.approvals, NOW), []);
  const counting = decisions.map((one) => ({ ...one, counts: true }));
  assert.deepEqual(settledBy(entry({ decisions }).approvals, NOW), counting, 'and with it all are used up');
  assert.deepEqual(reasons(entry({ decisions, admission: { is: 'Unknown', why: 'No.' } })), [
    'ApprovalsUnknown',
  ]);
  assert.deepEqual(reasons(entry({ decisions, digest: undefined })), ['AwaitingApproval']);
});

test('S14: nothing enters without its quorum, whoever says what in whatever order', () => {
  const decision = fc.record({
    uid: fc.uuid(),
    by: fc.constantFrom('anna', 'ben', 'carl', 'system:serviceaccount:shop:towpath'),
    groups: fc.subarray(['sre', 'developers']),
    decision: fc.constantFrom('Approve' as const, 'Reject' as const),
    at: fc.integer({ min: 0, max: 200 }).map(minutesAgo),
  });
  const property = fc.property(
    fc.uniqueArray(decision, { maxLength: 8, selector: ({ at }) => at.getTime() }),
    fc.integer({ min: 1, max: 3 }),
    fc.constantFrom(undefined, '1h'),
    (decisions, required, validFor) => {
      const gate = { required, groups: ['sre'], ...(validFor === undefined ? {} : { validFor }) };
      const blocked = decide(entry({ decisions, gate }));
      const last = ['anna', 'ben', 'carl'].flatMap(
        (person) =>
          decisions
            .filter(({ by, groups }) => by === person && groups.includes('sre'))
            .toSorted((a, b) => b.at.getTime() - a.at.getTime())
            .slice(0, 1) ?? [],
      );
      const isRejected = last.some((one) => one.decision === 'Reject');
      const yes = last.filter(
        (one) =>
          one.decision === 'Approve' &&
          (validFor === undefined || one.at > minutesAgo(60)) &&
          // A later no of the same person, whoever is asked.
          !decisions.some(({ by, at, decision: said }) => by === one.by && at > one.at && said === 'Reject'),
      );
      assert.equal(blocked.length === 0, !isRejected && yes.length >= required);
      for (const { message } of blocked) assert.notEqual(message, '');
    },
  );
  fc.assert(property, { numRuns: 500 });
});

test('A4: the yes of who asks for it counts where the gate says so alone, and a no of theirs counts everywhere', () => {
  const decisions = [given('anna'), given('ben')];
  assert.deepEqual(reasons(entry({ decisions })), []);
  assert.deepEqual(reasons(entry({ decisions, requester: 'anna' })), ['AwaitingApproval']);
  assert.match(
    decide(entry({ decisions, requester: 'anna' }))[0]?.message ?? '',
    /^1 of 2 approvals .*by ben.*not by anna, who asks for it/,
  );
  const gate = { required: 2, byRequester: true };
  assert.deepEqual(reasons(entry({ decisions, requester: 'anna', gate })), []);
  const no = [given('anna', { decision: 'Reject' }), given('ben'), given('carl')];
  assert.deepEqual(reasons(entry({ decisions: no, requester: 'anna' })), ['Rejected']);
});
