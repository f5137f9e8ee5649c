import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually } from '../harness/wait.ts';
import { claim, configMap, messageOf, newSteps, reasonOf, volumeFor } from './steps.ts';

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
});
