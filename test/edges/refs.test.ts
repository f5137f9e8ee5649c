import assert from 'node:assert/strict';
import { test } from 'node:test';
import { conditionOf, looks, newStage } from '../harness/operator.ts';
import { polls, untilPolled } from '../harness/polls.ts';
import { environmentOf } from '../harness/target.ts';
import { always } from '../harness/wait.ts';

const configMap = (message: string) =>
  `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: {{ .Release.Name }}}\ndata: {message: "${message}"}\n`;
const chart = 'apiVersion: v2\nname: web\nversion: 1.0.0\n';

test('a tag, a range of versions and a commit are deployed, and only the range moves on', async (t) => {
  const stage = await newStage(t, {
    files: { 'Chart.yaml': chart, 'templates/web.yaml': configMap('one') },
  });
  const { repository } = stage;
  const messageOf = (name: string) =>
    stage.kubectl('get', 'configmap', name, '-o', 'jsonpath={.data.message}');
  const commitOf = (message: string) => repository.commit({ 'templates/web.yaml': configMap(message) });
  const one = await repository.revParse('main');
  const oneTag = await repository.tag('v1.0.0', { annotated: true, commit: one });
  assert.notEqual(oneTag, one, 'the tag is an object of its own');
  const two = await commitOf('two');
  await repository.tag('v1.1.0', { commit: two });
  const three = await commitOf('three');
  await repository.tag('v2.0.0', { annotated: true, commit: three });
  await repository.tag('v1.2.0-rc.1', { commit: three });

  await stage.application('tag', { source: { ref: { tag: 'v1.0.0' } } });
  await stage.application('range', { source: { ref: { semver: '>=1.0 <2' } } });
  await stage.application('commit', { source: { ref: { commit: two } } });
  for (const [name, revision, ref, message] of [
    ['tag', one, 'refs/tags/v1.0.0', 'one'],
    ['range', two, 'refs/tags/v1.1.0', 'two'],
    ['commit', two, '', 'two'],
  ] as const) {
    const deployed = await stage.untilReadyAt(name, revision);
    assert.equal(await messageOf(name), message, name);
    assert.equal(deployed.status?.source?.ref ?? '', ref, name);
  }

  await t.test('a higher tag inside the range is followed, also an annotated one', async () => {
    const four = await commitOf('four');
    await repository.tag('v1.10.0', { annotated: true, commit: four });
    const moved = await stage.untilReadyAt('range', four);
    assert.equal(moved.status?.source?.ref, 'refs/tags/v1.10.0');
    assert.equal(await messageOf('range'), 'four');
    assert.equal(await messageOf('tag'), 'one');
    assert.equal(await messageOf('commit'), 'two');
  });

  await t.test('a tag that was moved is followed', async () => {
    await repository.tag('v1.0.0', { annotated: true, commit: three });
    await stage.untilReadyAt('tag', three);
    assert.equal(await messageOf('tag'), 'three');
  });

  await t.test('a higher tag of the same commit is told, and what brought it', async () => {
    const { status } = await stage.get('range');
    await repository.tag('v1.11.0', { commit: status?.source?.revision ?? '' });
    const told = await stage.until(
      'range',
      ({ status }) => status?.source?.ref === 'refs/tags/v1.11.0',
      'the new name of the same commit',
      5_000,
    );
    assert.match(told.status?.summary?.revision ?? '', /^v1\.11\.0/);
    await stage.application('range', { source: { ref: { branch: 'main' } } });
    const main = await repository.revParse('main');
    await stage.application('range', { source: { ref: { tag: 'v2.0.0' } } });
    const moved = await stage.untilReadyAt('range', three);
    assert.notEqual(main, three);
    assert.equal(environmentOf(moved.status)?.history?.[0]?.trigger, 'Spec');
  });

  await t.test("a tag's own id is no commit, and is told so", async () => {
    const id = await repository.revParse('refs/tags/v1.0.0');
    await stage.application('mistaken', { source: { ref: { commit: id } } });
    const told = await stage.until(
      'mistaken',
      (each) => conditionOf(each, 'Stalled')?.reason === 'RefNotFound',
      'the mistake to be told',
    );
    assert.match(conditionOf(told, 'Stalled')?.message ?? '', /is the id of an annotated tag/);
    // A range that no tag is in: then the revision of the ref before is not what is wanted.
    await stage.application('mistaken', { source: { ref: { semver: '>99' } } });
    await stage.until(
      'mistaken',
      ({ status }) => status?.summary?.revision === undefined,
      'the revision of an earlier ref to be gone',
    );
  });
});

test('of tags whose versions are equal the newest commit is followed: 1.2.3+9, +10, +11', async (t) => {
  const stage = await newStage(t, {
    files: { 'Chart.yaml': chart, 'templates/web.yaml': configMap('nine') },
  });
  const { repository } = stage;
  const time = Date.parse('2030-01-01T00:00:00Z') / 1000;
  const commitAt = (message: string, seconds: number) =>
    repository.commit({ 'templates/web.yaml': configMap(message) }, { time: time + seconds });
  await repository.tag('1.2.3+9');
  await stage.application('range', { source: { ref: { semver: '1.x' } } });
  await stage.untilReadyAt('range', await repository.revParse('main'));
  for (const [tag, seconds, annotated] of [
    ['1.2.3+10', 10, false],
    ['1.2.3+11', 11, true],
    // Neither the name nor the order of the build metadata decides.
    ['v1.2.3+2', 60, false],
  ] as const) {
    const commit = await commitAt(tag, seconds);
    await repository.tag(tag, { annotated, commit });
    const ready = await stage.untilReadyAt('range', commit);
    assert.equal(ready.status?.source?.ref, `refs/tags/${tag}`);
  }
  const newest = await stage.get('range');

  await t.test('and an older commit with a later name is left alone, also after a restart', async () => {
    const older = await commitAt('older', 20);
    await repository.tag('1.2.3+99', { commit: older });
    await untilPolled(stage, 2);
    await stage.restart('SIGTERM');
    await stage.requestSync('range');
    const settled = await stage.until(
      'range',
      ({ status }) => status?.handledSyncRequest !== newest.status?.handledSyncRequest,
      'a look after the restart',
    );
    assert.deepEqual(settled.status?.source, newest.status?.source);
    assert.equal(
      await stage.kubectl('get', 'configmap', 'range', '-o', 'jsonpath={.data.message}'),
      'v1.2.3+2',
    );
  });
});

test('an Application that is made after a push begins with what was pushed', async (t) => {
  const stage = await newStage(t, {
    files: { 'Chart.yaml': chart, 'templates/web.yaml': configMap('one') },
  });
  await stage.deployed('early', { source: { interval: '1h' } });
  // Longer ago than what many that are made at once share; nobody asked Git since.
  const before = polls(stage);
  await always(
    () => polls(stage),
    (count) => assert.equal(count, before),
    1_100,
  );
  const second = await stage.repository.commit({ 'templates/web.yaml': configMap('two') });
  await stage.application('late', { source: { interval: '1h' } });
  const ready = await stage.untilReadyAt('late', second);
  assert.equal(environmentOf(ready.status)?.history?.length, 1);
});

test('a push to another branch of the repository wakes nobody who follows this one', async (t) => {
  const stage = await newStage(t, {
    files: { 'Chart.yaml': chart, 'templates/web.yaml': configMap('one') },
  });
  await stage.deployed('web', { source: { ref: { branch: 'main' } } });
  // Two polls later whatever a push does has been done.
  await untilPolled(stage, 2);
  const before = await looks(stage);
  assert.ok(before > 0, 'looks are counted');
  await stage.repository.branch('feature');
  await untilPolled(stage, 2);
  assert.equal(await looks(stage), before, 'nothing was looked at');
  const second = await stage.repository.commit({ 'templates/web.yaml': configMap('two') });
  await stage.untilReadyAt('web', second);
});
