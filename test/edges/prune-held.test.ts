import assert from 'node:assert/strict';
import { test } from 'node:test';
import { conditionOf, newStage } from '../harness/operator.ts';
import { environmentOf } from '../harness/target.ts';
import { configMap, isReady, messageOf } from '../integration/message.ts';

test('D2: a render of nothing, a vanished path and a deleted branch prune nothing; consent to the exact plan does', async (t) => {
  const stage = await newStage(t, { files: { 'app/web.yaml': configMap('web', 'one'), 'README.md': 'x' } });
  await stage.repository.branch('release');
  await stage.deployed('web', { source: { path: 'app', ref: { branch: 'release' } } });
  const first = await stage.repository.revParse('release');

  await stage.repository.commit({ 'app/web.yaml': '# nothing left\n' }, { branch: 'release' });
  const held = await stage.until(
    'web',
    ({ status }) => environmentOf(status)?.pendingPrune,
    'the held prune',
  );
  assert.equal(conditionOf(held, 'Stalled')?.reason, 'PruneHeld');
  assert.equal(environmentOf(held.status)?.pendingPrune?.count, 1);
  assert.equal(await messageOf(stage, 'web'), 'one');
  assert.equal(environmentOf(held.status)?.revision, first, 'the last good one is what runs');
  await stage.kubectl('patch', 'configmap', 'web', '-p', '{"data":{"message":"mine"}}');
  await stage.until('web', async () => (await messageOf(stage, 'web')) === 'one', 'it to be enforced still');

  await stage.repository.commit({ app: null }, { branch: 'release' });
  const vanished = await stage.until(
    'web',
    ({ status }) => status?.sync === 'Quarantined',
    'the vanished path',
  );
  assert.equal(conditionOf(vanished, 'Stalled')?.reason, 'PathNotFound');
  assert.equal(await messageOf(stage, 'web'), 'one');

  await stage.repository.deleteRef('refs/heads/release');
  const gone = await stage.until(
    'web',
    (application) => conditionOf(application, 'Stalled')?.reason === 'RefNotFound',
    'the deleted branch',
  );
  assert.match(conditionOf(gone, 'Stalled')?.message ?? '', /release/);
  assert.equal(await messageOf(stage, 'web'), 'one');

  await stage.repository.branch('release');
  await stage.until('web', isReady, 'the branch to be back');
  await stage.repository.commit({ 'app/web.yaml': '# nothing left\n' }, { branch: 'release' });
  const again = await stage.until(
    'web',
    ({ status }) => environmentOf(status)?.pendingPrune,
    'the held prune again',
  );
  const digest = environmentOf(again.status)?.pendingPrune?.digest ?? '';
  assert.match(conditionOf(again, 'Stalled')?.message ?? '', new RegExp(`prune-consent=default=${digest}$`));
  const other = digest.slice(0, -1) + (digest.endsWith('0') ? '1' : '0');
  const consentTo = (consent: string) =>
    stage.kubectl(
      ...['annotate', '--overwrite', 'applications.towpath.dev', 'web'],
      `towpath.dev/prune-consent=default=${consent}`,
    );
  // S18: the beginning of the digest is no consent, nor is another one that begins alike.
  for (const consent of [digest.slice(0, 'sha256:'.length + 12), digest.slice(0, -1), other]) {
    await consentTo(consent);
    const request = await stage.requestSync('web');
    const refused = await stage.until(
      'web',
      ({ status }) => status?.handledSyncRequest === request,
      `a look that saw the wrong consent ${consent}`,
    );
    assert.equal(conditionOf(refused, 'Stalled')?.reason, 'PruneHeld');
    assert.equal(environmentOf(refused.status)?.pendingPrune?.digest, digest);
    assert.equal(await messageOf(stage, 'web'), 'one');
  }
  await consentTo(digest);
  const pruned = await stage.until('web', isReady, 'the consented prune');
  assert.equal(environmentOf(pruned.status)?.objects, 0);
  assert.equal((await stage.cluster.kubectl(['-n', stage.namespace, 'get', 'configmap', 'web'])).code, 1);
});

test('D2: a force-push is a candidate like any other: deployed, and held where it would delete everything', async (t) => {
  const stage = await newStage(t, {
    files: { 'web.yaml': configMap('web', 'one'), 'gone.yaml': configMap('gone', 'one') },
  });
  const root = await stage.deployed('web');
  const second = await stage.repository.commit({ 'web.yaml': configMap('web', 'two') });
  await stage.untilReadyAt('web', second);

  // History is rewritten: the branch goes back, and on to a commit that does not descend from what runs.
  await stage.repository.branch('main', root);
  await stage.untilReadyAt('web', root);
  const other = await stage.repository.commit({ 'web.yaml': configMap('web', 'three'), 'gone.yaml': null });
  const done = await stage.untilReadyAt('web', other);
  assert.equal(await messageOf(stage, 'web'), 'three');
  assert.equal(await stage.kubectl('get', 'configmap', 'gone', '--ignore-not-found', '-o', 'name'), '');
  assert.deepEqual(
    environmentOf(done.status)?.history?.map((entry) => [entry.revision, entry.outcome]),
    [other, root, second, root].map((revision) => [revision, 'Succeeded']),
  );

  const nothing = await stage.repository.commit({ 'web.yaml': null, README: 'nothing' });
  const held = await stage.until('web', ({ status }) => environmentOf(status)?.pendingPrune, 'the guard');
  assert.equal(held.status?.source?.revision, nothing);
  assert.equal(await messageOf(stage, 'web'), 'three');
});
