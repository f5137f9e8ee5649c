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

/** What anna decides of an environment: the digest, what she is told, and how it ends. */
async function decided(
  { run }: typeof approve,
  entry: Omit<EnvironmentStatus, 'name'>,
  flags: Context['flags'],
) {
  const made: { spec: { digest: string; decision: string } }[] = [];
  const [out, err]: [string[], string[]] = [[], []];
  const metadata = { name: 'web', namespace: 'shop', uid: 'u', resourceVersion: '1', generation: 1 };
  const application = {
    apiVersion: 'towpath.dev/v1alpha1',
    kind: 'Application',
    metadata,
    spec: { source: { repoURL: 'https://git.example.com/web' }, environments: [{ name: 'prod' }] },
    status: { environments: [{ name: 'prod', ...entry }] },
  };
  const context = {
    kubectl: {
      json: (args: readonly string[]) =>
        Promise.resolve(args[0] === 'auth' ? { status: { userInfo: { username: 'anna' } } } : application),
      jsonIfAny: () => Promise.resolve(undefined),
      create: (object: (typeof made)[number]) => Promise.resolve(made.push(object)),
    },
    words: ['web', 'prod'],
    flags,
    now: () => new Date(),
    signal: new AbortController().signal,
    out: { width: 200, write: (text: string) => out.push(text) },
    err: { width: 200, write: (text: string) => err.push(text) },
  } as unknown as Context;
  const code = await run(context).catch((error: unknown) => {
    if (!(error instanceof CommandError)) throw error;
    err.push(error.message);
    return error.code;
  });
  return { code, digest: made[0]?.spec.digest, told: err.join(''), printed: out.join('') };
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
    assert.deepEqual([older.code, older.digest], [0, one('a').digest], older.told);
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
  assert.equal((await decided(reject, soaks, {})).code, 0);
});
