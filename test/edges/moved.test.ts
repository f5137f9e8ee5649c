import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { startGitHttp } from '../harness/git-http.ts';
import { scaled } from '../harness/slowness.ts';
import { eventually } from '../harness/wait.ts';
import {
  chartOf,
  claim,
  configMap,
  messageOf,
  newSteps,
  reasonOf,
  type TestObject,
  volumeFor,
} from '../integration/steps.ts';

test('an object moves from one Application to another', async (t) => {
  const steps = await newSteps(t);
  const { stage, deploy, change, live, push } = steps;
  const adopted = { 'towpath.dev/adopt': 'true' };
  const uidOf = async (name: string) => (await live('pvc', name))?.metadata.uid;
  const keptOf = async (name: string) => (await stage.get(name)).status?.kept?.[0]?.reason;
  const isSynced = (name: string) =>
    stage.until(name, (one) => reasonOf(one) === 'Synced', `${name} to be Synced`);
  const isRefused = (name: string, how: RegExp) =>
    stage.until(name, (one) => reasonOf(one) === 'NotOwned' && how.test(messageOf(one)), `${name} ${how}`);

  await t.test(
    'D5: a claim that its owner kept is taken over as it is, and no message leads to deleting it',
    async (t) => {
      await volumeFor(t, stage, 'log');
      await deploy('a', [configMap('a'), claim('log')]);
      const uid = await uidOf('log');
      await push('b', [configMap('b'), claim('log')]);
      await stage.application('b', { source: { path: 'b' } });
      const held = await isRefused('b', /belongs to Application/);
      assert.match(messageOf(held), /take it out there and annotate it towpath\.dev\/adopt: "true" here\.$/);
      await change('a', [configMap('a')]);
      assert.match((await keptOf('a')) ?? '', /Another Application takes it over .*towpath\.dev\/adopt/);
      await stage.requestSync('b');
      const left = await isRefused('b', /was left by Application/);
      assert.match(
        messageOf(left),
        new RegExp(`${stage.namespace}/a, which has it no longer in Git\\. Take it over`),
      );
      assert.doesNotMatch(messageOf(left), /delete/i);
      await change('b', [configMap('b'), claim('log', adopted)]);
      assert.equal(await uidOf('log'), uid);
      await eventually(async () => (await keptOf('a')) === undefined, { describe: 'a to tell it no more' });
      await stage.kubectl('delete', 'applications.towpath.dev', 'a', '--timeout=20s');
      assert.equal(await uidOf('log'), uid);
      assert.equal((await live('pvc', 'log'))?.metadata.deletionTimestamp, undefined);
    },
  );

  await t.test('D5: the new owner comes first, and the operator restarts in between', async (t) => {
    await volumeFor(t, stage, 'disk');
    await deploy('from', [configMap('from'), claim('disk')]);
    const uid = await uidOf('disk');
    await push('to', [claim('disk', adopted)]);
    await stage.application('to', { source: { path: 'to' } });
    await isRefused('to', /belongs to Application/);
    assert.match((await live('pvc', 'disk'))?.metadata.annotations?.['towpath.dev/owner'] ?? '', /\/from\//);
    await change('from', [configMap('from')]);
    await stage.restart();
    await isSynced('to');
    assert.equal(await uidOf('disk'), uid);
    // What moves back is the former owner's again, by the same rule.
    await push('from', [configMap('from'), claim('disk', adopted)]);
    await isRefused('from', /belongs to Application/);
    await change('to', [configMap('to')]);
    await stage.requestSync('from');
    await isSynced('from');
    assert.equal(await uidOf('disk'), uid);
  });

  await t.test('D5: the former owner is deleted', async (t) => {
    await volumeFor(t, stage, 'left');
    await deploy('gone', [configMap('gone'), claim('left')]);
    const uid = await uidOf('left');
    await stage.kubectl('delete', 'applications.towpath.dev', 'gone', '--timeout=20s');
    await push('heir', [claim('left')]);
    await stage.application('heir', { source: { path: 'heir' } });
    const refused = await isRefused('heir', /towpath\.dev\/adopt: "true"/);
    assert.doesNotMatch(messageOf(refused), /delete/i);
    await change('heir', [claim('left', adopted)]);
    assert.equal(await uidOf('left'), uid);
  });

  await t.test('D5: what its owner runs still is never taken, whatever Git has by now', async () => {
    await deploy('keeps', [configMap('keeps', { by: 'keeps' })]);
    await stage.application('keeps', { source: { path: 'keeps' }, sync: { mode: 'Manual' } });
    await push('wants', [configMap('keeps', { by: 'wants' }, adopted)]);
    await stage.application('wants', { source: { path: 'wants' } });
    await isRefused('wants', /belongs to Application/);
    await push('keeps', [configMap('other')]);
    await steps.sync('keeps', 'OutOfSync');
    const request = await stage.requestSync('wants');
    await stage.until('wants', ({ status }) => status?.handledSyncRequest === request, 'the look');
    assert.equal((await live('configmap', 'keeps'))?.data?.['by'], 'keeps');
  });

  const ofGit = (name: string, ...objects: TestObject[]) => ({ name, objects });
  type OfGit = ReturnType<typeof ofGit>;
  /** One commit for both, of which the one that gets the objects renders long after the other one has noticed. */
  const move = async (from: OfGit, to: OfGit) => {
    const slow = '{{- range until 400000 }}{{ $_ := . }}{{ end }}';
    return stage.repository.commit({
      [`${from.name}/objects.yaml`]: JSON.stringify({
        apiVersion: 'v1',
        kind: 'List',
        items: from.objects,
      }),
      ...chartOf(to.name, to.objects),
      [`${to.name}/templates/slow.yaml`]: slow,
    });
  };
  const objectUid = async (kind: string, name: string) => (await live(kind, name))?.metadata.uid;

  await t.test(
    'D5: moved in one commit, it stays the same object, whoever is the first to notice',
    async () => {
      await deploy('first', [configMap('first'), configMap('moves'), configMap('anew')]);
      const uid = await objectUid('configmap', 'moves');
      const former = await objectUid('configmap', 'anew');
      await stage.application('second', { source: { path: 'second' } });
      const commit = await move(
        ofGit('first', configMap('first')),
        ofGit('second', configMap('moves', { by: 'second' }, adopted), configMap('anew')),
      );
      await steps.ready('first', commit);
      await steps.ready('second', commit);
      assert.equal(await objectUid('configmap', 'moves'), uid);
      assert.equal((await live('configmap', 'moves'))?.data?.['by'], 'second');
      await eventually(async () => (await keptOf('first')) === undefined, {
        describe: 'first to keep nothing',
      });
      assert.notEqual(await objectUid('configmap', 'anew'), former, 'what nobody adopts is made anew');
    },
  );

  const neighbours = {
    'with a credential': async () => ({ secretRef: { name: 'reader' } }),
    'by another URL': async (t: TestContext) => {
      const git = await startGitHttp({ root: stage.repository.root });
      t.after(() => git.stop());
      return { repoURL: git.url(stage.repository.name) };
    },
  };
  for (const [index, [how, sourceOf]] of Object.entries(neighbours).entries()) {
    await t.test(
      `D5: moved in one commit to one that follows the repository ${how}, and asks rarely by itself, it stays the same object`,
      async (t) => {
        const [from, to] = [`asks-${index}`, `rests-${index}`];
        const moves = `moves-to-${to}`;
        await stage.apply({
          ...{ apiVersion: 'v1', kind: 'Secret', metadata: { name: 'reader' } },
          stringData: { username: 'reader', password: 'of no use here' },
        });
        await push(to, [configMap(to)]);
        await deploy(from, [configMap(from), configMap(moves)]);
        const uid = await objectUid('configmap', moves);
        const source = { path: to, interval: '1h', ...(await sourceOf(t)) };
        await stage.application(to, { source });
        await isSynced(to);
        const items = (...objects: TestObject[]) =>
          JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects });
        const commit = await stage.repository.commit({
          [`${from}/objects.yaml`]: items(configMap(from)),
          [`${to}/objects.yaml`]: items(configMap(to), configMap(moves, { by: to }, adopted)),
        });
        await steps.ready(from, commit);
        await steps.ready(to, commit);
        assert.equal(await objectUid('configmap', moves), uid);
        assert.equal((await live('configmap', moves))?.data?.['by'], to);
      },
    );
  }

  await t.test(
    'A3: a Git server that does not answer another one holds up pruning for a while only',
    async (t) => {
      const git = await startGitHttp({ root: stage.repository.root });
      t.after(() => git.stop());
      await push('hangs', [configMap('hangs')]);
      await deploy('prunes', [configMap('prunes'), configMap('pruned')]);
      const repoURL = git.url(stage.repository.name);
      await stage.application('hangs', { source: { path: 'hangs', interval: '1h', repoURL } });
      await isSynced('hangs');
      const before = git.requests.length;
      const began = performance.now();
      git.hang = true;
      const commit = await push('prunes', [configMap('prunes')]);
      await eventually(() => git.requests.length > before, { describe: 'the other one to be asked' });
      await steps.ready('prunes', commit);
      assert.equal(await live('configmap', 'pruned'), undefined);
      assert.ok(performance.now() - began < scaled(25_000), 'long before that poll ends by itself');
    },
  );

  await t.test('D5: a claim that may be pruned is left also for who does not adopt it yet', async (t) => {
    await volumeFor(t, stage, 'may');
    const may = { 'towpath.dev/prune': 'enabled' };
    await deploy('had', [configMap('had'), claim('may', may)]);
    const uid = await uidOf('may');
    await stage.application('gets', { source: { path: 'gets' } });
    await move(ofGit('had', configMap('had')), ofGit('gets', configMap('gets'), claim('may', may)));
    await isRefused('gets', /was left by Application .*towpath\.dev\/adopt: "true"/);
    const told = /Application .*\/gets has it in Git.*towpath\.dev\/adopt/;
    await eventually(async () => told.test((await keptOf('had')) ?? ''), { describe: 'had to tell who' });
    const commit = await move(
      ofGit('had', configMap('had')),
      ofGit('gets', configMap('gets'), claim('may', { ...may, ...adopted })),
    );
    await steps.ready('gets', commit);
    assert.equal(await uidOf('may'), uid);
  });

  await t.test('D5: who wanted it says so again after a restart, before anything is pruned', async () => {
    await deploy('early', [configMap('early'), configMap('waits')]);
    const uid = await objectUid('configmap', 'waits');
    await push('late', [configMap('waits', { by: 'late' }, adopted)]);
    await stage.application('late', { source: { path: 'late' } });
    await isRefused('late', /belongs to Application/);
    await stage.operator.stop();
    const commit = await push('early', [configMap('early')]);
    await stage.restart();
    await steps.ready('late', commit);
    assert.equal(await objectUid('configmap', 'waits'), uid);
  });

  await t.test('D5: what the other one wants no longer is pruned after all', async () => {
    await deploy('owner', [configMap('owner'), configMap('unwanted')]);
    await push('taker', [configMap('taker'), configMap('unwanted', {}, adopted)]);
    await stage.application('taker', { source: { path: 'taker' }, sync: { mode: 'Manual' } });
    await isRefused('taker', /belongs to Application/);
    await change('owner', [configMap('owner')]);
    assert.match((await keptOf('owner')) ?? '', /\/taker has it in Git/);
    await push('taker', [configMap('taker')]);
    await eventually(async () => (await live('configmap', 'unwanted')) === undefined, {
      describe: 'unwanted to be pruned',
    });
    await eventually(async () => (await keptOf('owner')) === undefined, {
      describe: 'owner to keep nothing',
    });
  });

  await t.test('S1: who may not take it over keeps nothing of another one', async () => {
    await stage.kubectl('create', 'serviceaccount', 'nobody');
    await deploy('mine', [configMap('mine'), configMap('wished')]);
    await push('envious', [configMap('wished', {}, adopted)]);
    await stage.application('envious', { source: { path: 'envious' }, serviceAccountName: 'nobody' });
    await stage.until('envious', (one) => reasonOf(one) === 'Forbidden', 'the refusal');
    await change('mine', [configMap('mine')]);
    assert.equal(await live('configmap', 'wished'), undefined);
  });

  await t.test('D5: the Application that had it is deleted', async () => {
    await deploy('ends', [configMap('ends'), configMap('lives')]);
    const uid = await objectUid('configmap', 'lives');
    await push('successor', [configMap('lives', { by: 'successor' }, adopted)]);
    await stage.application('successor', { source: { path: 'successor' } });
    await isRefused('successor', /belongs to Application/);
    await stage.kubectl('delete', 'applications.towpath.dev', 'ends', '--timeout=20s');
    await isSynced('successor');
    assert.equal(await objectUid('configmap', 'lives'), uid);
    assert.equal(await live('configmap', 'ends'), undefined);
  });
});
