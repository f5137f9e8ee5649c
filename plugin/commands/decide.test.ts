import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { EnvironmentStatus } from '../../operator/api/v1alpha1/application.ts';
import { CommandError } from '../exit-codes.ts';
import type { Context } from './command.ts';
import { approve, refuseOthers, reject } from './decide.ts';

const one = (letter: string) => ({ revision: letter.repeat(40), digest: `sha256:${letter.repeat(64)}` });
const { revision: desiredRevision, digest: desiredDigest } = one('c');

test('A2: who names another commit, or other manifests, than those that wait is told of these, and who names one of them is not', () => {
  const entry = { desiredRevision, desiredDigest, waiting: [one('a')] };
  for (const letter of ['c', 'a']) {
    refuseOthers({ revision: letter.repeat(12) }, entry);
    refuseOthers({ candidate: one(letter).digest }, entry);
  }
  refuseOthers({}, entry);
  refuseOthers({ revision: 'bbbbbbb' }, {});
  assert.throws(
    () => refuseOthers({ revision: 'bbbbbbb' }, entry),
    /^CommandError: What waits is of revision c{12} or a{12}, not of bbbbbbb:/,
  );
  assert.throws(
    () => refuseOthers({ candidate: 'bbbbbbb' }, entry),
    /^CommandError: What waits is sha256:c{12} \(revision c{7}\) or sha256:a{12} \(revision a{7}\), not bbbbbbb:/,
  );
});

type Entry = Omit<EnvironmentStatus, 'name'>;

interface Circumstances {
  /** What the status says then, look by look, the last for ever. */
  readonly after?: readonly Entry[];
  /** What was decided before, of the newest that waits. */
  readonly before?: readonly { decision: 'Approve' | 'Reject'; by?: string }[];
}

/** What anna decides of an environment: the digest, what she is told, and how it ends. */
async function decided(
  { run }: typeof approve,
  entry: Entry,
  flags: Context['flags'],
  { after = [entry], before = [] }: Circumstances = {},
) {
  const made: { spec: { digest: string; decision: string } }[] = [];
  const [out, err]: [string[], string[]] = [[], []];
  const metadata = { name: 'web', namespace: 'shop', uid: 'u', resourceVersion: '1', generation: 1 };
  const left = [...after];
  const application = () => ({
    apiVersion: 'towpath.dev/v1alpha1',
    kind: 'Application',
    metadata,
    spec: { source: { repoURL: 'https://git.example.com/web' }, environments: [{ name: 'prod' }] },
    status: {
      environments: [
        { name: 'prod', ...(made.length === 0 ? entry : left.length > 1 ? left.shift() : left[0]) },
      ],
    },
  });
  const about = { application: 'web', environment: 'prod', digest: desiredDigest };
  const approvals = before.map(({ decision, by = 'anna' }, index) => ({
    apiVersion: 'towpath.dev/v1alpha1',
    kind: 'Approval',
    metadata: { ...metadata, name: `web-${index}`, creationTimestamp: '2026-11-30T10:00:00Z' },
    spec: { ...about, decision, by },
  }));
  let clock = Date.parse('2026-11-30T10:00:00Z');
  const context = {
    kubectl: {
      json: (args: readonly string[]) =>
        Promise.resolve(args[0] === 'auth' ? { status: { userInfo: { username: 'anna' } } } : application()),
      jsonIfAny: ([, resource]: readonly string[]) =>
        Promise.resolve(resource === 'approvals.towpath.dev' ? { items: approvals } : undefined),
      create: (object: (typeof made)[number]) => Promise.resolve(made.push(object)),
    },
    words: ['web', 'prod'],
    flags,
    now: () => {
      clock += 3_000;
      return new Date(clock);
    },
    signal: new AbortController().signal,
    out: { width: 200, write: (text: string) => out.push(text) },
    err: { width: 200, write: (text: string) => err.push(text) },
  } as unknown as Context;
  const code = await run(context).catch((error: unknown) => {
    if (!(error instanceof CommandError)) throw error;
    err.push(error.message);
    return error.code;
  });
  const [
    {
      spec: { digest, decision },
    } = { spec: { digest: undefined, decision: undefined } },
  ] = made;
  return { code, digest, decision, told: err.join(''), printed: out.join('') };
}

/** Of one commit two wait, since the spec changed, and one of another. */
const ENTRY = {
  revision: 'f'.repeat(40),
  desiredRevision,
  desiredDigest,
  changes: { added: 1 },
  blockedBy: [{ reason: 'AwaitingApproval', message: 'Somebody has to say yes.' }],
  waiting: [
    { revision: desiredRevision, digest: one('a').digest, changes: { changed: 7 } },
    { ...one('b'), changes: { pruned: 3 } },
  ],
};

for (const command of [approve, reject])
  test(`A2, A22: ${command.usage.split(' ')[0]} names one of what waits by its digest, also of one commit, and tells the others`, async () => {
    const older = await decided(command, ENTRY, { candidate: 'aaaaaaa' });
    // Who said no to what waits behind something newer no status tells.
    const code = command === approve ? 0 : 10;
    assert.deepEqual([older.code, older.digest], [code, one('a').digest], older.told);
    assert.match(
      older.printed,
      /Others wait, too \(--candidate\): sha256:c{12} \(revision c{7}\), sha256:b{12} \(revision b{7}\)\./,
    );
    assert.equal((await decided(command, ENTRY, {})).digest, desiredDigest, 'without one the newest');
    const several = await decided(command, ENTRY, { revision: desiredRevision });
    assert.deepEqual([several.code, several.digest], [2, undefined]);
    assert.match(several.told, /--candidate=sha256:c{12} or --candidate=sha256:a{12}/);
    const both = await decided(command, ENTRY, { revision: desiredRevision, candidate: desiredDigest });
    assert.deepEqual([both.code, both.digest], [2, undefined]);
    const none = await decided(command, ENTRY, { candidate: 'ddddddd' });
    assert.deepEqual([none.code, none.digest], [11, undefined]);
  });

test('who says yes is shown first what exactly these manifests change, in JSON too', async () => {
  const { told } = await decided(approve, ENTRY, { revision: one('b').revision });
  assert.match(told, /^Commit: f{7} → b{7}\nChanges: 0 changed, 0 added, 3 deleted\./);
  const { printed } = await decided(approve, ENTRY, { candidate: one('a').digest, output: 'json' });
  const { changes } = JSON.parse(printed) as { changes: object };
  assert.deepEqual(changes, { changed: 7, revision: { from: ENTRY.revision, to: desiredRevision } });
});

test('a yes to the newest is taken where it waits for one, and to what waits besides in any case', async () => {
  const soaks = { ...ENTRY, blockedBy: [{ reason: 'Soak', message: 'It soaks.' }] };
  assert.equal((await decided(approve, soaks, {})).code, 11);
  assert.equal((await decided(approve, soaks, { candidate: desiredDigest })).code, 11);
  assert.equal((await decided(approve, soaks, { candidate: one('a').digest })).code, 0);
});

const gate = (message: string, whose = '') => ({ reason: 'AwaitingApproval', message: `${message}${whose}` });
const awaiting = (...names: string[]): Entry => ({
  ...ENTRY,
  blockedBy: [
    gate(
      `${names.length} of 2 approvals of manifests sha256:cccccccccccc${names.length === 0 ? '' : ` (by ${names.join(', ')})`}, by sre: kubectl towpath approve web prod -n shop`,
    ),
  ],
});
const heldBy = (...names: string[]): Entry => ({
  ...ENTRY,
  blockedBy: [
    {
      reason: 'Rejected',
      message: `Environment prod holds back manifests sha256:cccccccccccc: rejected by ${names.join(', ')}. A newer commit may enter; who rejected it may: kubectl towpath approve web prod -n shop`,
    },
  ],
});
/** As once it entered. */
const ENTERED: Entry = { revision: desiredRevision, digest: desiredDigest };

test('A4: a yes is refused as said already where each gate that asks counts it, and nowhere else', async () => {
  const before = [{ decision: 'Approve' }] as const;
  const counted = await decided(approve, awaiting('ben', 'anna'), {}, { before });
  assert.deepEqual([counted.code, counted.decision], [11, undefined]);
  assert.match(counted.told, /You have approved these manifests \(sha256:c{64}\) already, as anna\./);
  const table: [string, Entry][] = [
    [
      'validFor is over, it is older than the admission policy, or she was put into the group since',
      awaiting(),
    ],
    ['the same, while somebody else approved', awaiting('ben')],
    [
      'one of two gates counts it',
      { ...ENTRY, blockedBy: [...(awaiting('anna').blockedBy ?? []), ...(awaiting().blockedBy ?? [])] },
    ],
  ];
  for (const [why, entry] of table) {
    const again = await decided(approve, entry, {}, { before, after: [entry, awaiting('ben', 'anna')] });
    assert.deepEqual([again.code, again.decision], [0, 'Approve'], why);
    assert.match(again.printed, /You approved manifests sha256:c{64} of shop\/web in prod/, why);
  }
  const behind = await decided(approve, ENTRY, { candidate: one('a').digest }, { before });
  assert.equal(behind.code, 0, 'of what waits behind it no status tells who approved it');
  const others = await decided(approve, awaiting(), {}, { before: [{ decision: 'Approve', by: 'ben' }] });
  assert.equal(others.decision, 'Approve');
});

test('a yes ends well once the status counts it, or what it is about entered, and else says that nobody counts it', async () => {
  for (const after of [
    awaiting('anna'),
    ENTERED,
    { ...ENTRY, blockedBy: [{ reason: 'Frozen', message: '' }] },
  ])
    assert.equal((await decided(approve, awaiting(), {}, { after: [awaiting(), after] })).code, 0);
  const late = await decided(approve, awaiting(), {});
  assert.deepEqual([late.code, late.decision], [3, 'Approve']);
  assert.match(
    late.printed,
    /within 10 seconds the status does not count it; a yes counts only of who is asked\. It says: 0 of 2 approvals .*, by sre/,
  );
  const { counted } = JSON.parse((await decided(approve, awaiting(), { output: 'json' })).printed) as {
    counted: boolean;
  };
  assert.equal(counted, false);
});

test('A2: a yes that the status does not name is not told as counted: where the list is cut, another yes met a gate, or something newer came', async () => {
  const answer = async (entry: Entry, ...after: readonly Entry[]) => {
    const { code, printed } = await decided(approve, entry, { output: 'json' }, { after });
    const { counted, message } = JSON.parse(printed) as { counted: boolean; message: string };
    return [code, counted, message.split('as anna.')[1]] as const;
  };
  const gates = (...messages: string[]): Entry => ({
    ...ENTRY,
    blockedBy: messages.map((message) => gate(message)),
  });
  const [first, second] = [
    '0 of 1 approval of manifests sha256:cccccccccccc, by sre: x',
    '0 of 1, by dba: …',
  ];
  const [code, counted, words = ''] = await answer(gates(first, second), gates(first));
  assert.deepEqual([code, counted], [0, false]);
  assert.match(words, /fewer gates ask by now, because of this yes or of another one/);

  const cut = awaiting('ben', 'cleo and 2 more');
  const perhaps = await answer(awaiting('ben'), cut);
  assert.deepEqual(perhaps.slice(0, 2), [0, false]);
  assert.match(perhaps[2] ?? '', /does not name all who approved/);
  assert.deepEqual((await answer(awaiting('ben'), cut, awaiting('anna', 'ben'))).slice(0, 2), [0, true]);

  const newer: Entry = { ...ENTRY, desiredDigest: one('d').digest, desiredRevision: one('d').revision };
  const gone = await answer(awaiting(), { ...newer, waiting: [] });
  assert.deepEqual(gone.slice(0, 2), [11, false]);
  assert.match(gone[2] ?? '', /something newer took their place/);
  const later = await answer(awaiting(), { revision: 'f'.repeat(40) }, ENTERED);
  assert.deepEqual(later.slice(0, 2), [0, true], 'it enters a moment later');

  const no = await decided(reject, awaiting(), {}, { after: [heldBy('ben', 'cleo and 2 more')] });
  assert.equal(no.code, 10);
  assert.match(no.printed, /held back there: .* Whether by this no, too, the status does not say/);
});

test('a no ends well once the status says that it holds these manifests back, and only then', async () => {
  const soaks = { ...ENTRY, blockedBy: [{ reason: 'Soak', message: 'It soaks.' }] };
  const held = await decided(reject, soaks, {}, { after: [soaks, heldBy('anna')] });
  assert.deepEqual([held.code, held.decision], [0, 'Reject']);
  assert.match(
    held.printed,
    /You rejected .* They are held back there: .*: rejected by anna\. A newer commit/,
  );

  const notAsked = await decided(reject, awaiting(), {}, { after: [heldBy('ben')] });
  assert.equal(notAsked.code, 3, 'somebody else holds it back, and may let it go');
  const nobody = await decided(reject, soaks, {});
  assert.equal(nobody.code, 3);
  assert.match(
    nobody.printed,
    /within 10 seconds the status does not say that it holds them back, and they may enter; .* It says: It soaks\./,
  );
  const entered = await decided(reject, soaks, {}, { after: [soaks, ENTERED] });
  assert.equal(entered.code, 11);
  assert.match(
    entered.printed,
    /But they have entered meanwhile\. To go back: kubectl towpath rollback web prod -n shop\./,
  );
  const other: Entry = { revision: 'f'.repeat(40), digest: one('f').digest };
  const overtaken = await decided(reject, soaks, {}, { after: [other] });
  assert.equal(overtaken.code, 11);
  assert.match(overtaken.printed, /something newer took their place/);
});

test('A2: what is on its way in, its hooks before all else, is not told as overtaken', async () => {
  // Nothing of it waits, and what ran before is still what runs.
  const { desiredDigest: _, desiredRevision: __, waiting: ___, blockedBy: ____, ...runs } = ENTRY;
  const yes = await decided(approve, awaiting(), { output: 'json' }, { after: [runs] });
  assert.equal(yes.code, 0);
  const { counted, message } = JSON.parse(yes.printed) as { counted: boolean; message: string };
  assert.equal(counted, false);
  assert.match(message, /They do not wait there any more; what becomes of them the status does not say yet/);
  assert.equal((await decided(approve, awaiting(), {}, { after: [runs, ENTERED] })).code, 0);
  const no = await decided(reject, awaiting(), {}, { after: [runs] });
  assert.equal(no.code, 10);
  assert.equal((await decided(reject, awaiting(), {}, { after: [runs, ENTERED] })).code, 11);
});

test('a no is refused as said already where it holds these manifests back', async () => {
  const before = [{ decision: 'Reject' }] as const;
  assert.equal((await decided(reject, heldBy('anna'), {}, { before })).code, 11);
  const again = await decided(reject, heldBy('ben'), {}, { before, after: [heldBy('ben', 'anna')] });
  assert.deepEqual([again.code, again.decision], [0, 'Reject'], 'it counted for nothing before');
});

test('who said no, and says yes now, is answered when the no is lifted', async () => {
  const before = [{ decision: 'Reject' }] as const;
  const lifted = await decided(
    approve,
    heldBy('anna'),
    {},
    { before, after: [heldBy('anna'), awaiting('anna')] },
  );
  assert.deepEqual([lifted.code, lifted.decision], [0, 'Approve']);
  const others = await decided(approve, heldBy('ben'), {});
  assert.equal(others.code, 0);
  assert.match(others.printed, /They are held back there: .* rejected by ben/);
});
