import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Application, environmentOf } from '../../operator/api/v1alpha1/application.ts';
import { newEnvironment } from '../harness/environments.ts';
import { conditionOf, newStage, timesLogged } from '../harness/operator.ts';
import { eventually } from '../harness/wait.ts';
import { toldOf } from '../integration/steps.ts';

const FILES = { 'web.yaml': 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\n' };

test('D3, D11: towpath.dev/abandon that is older than what was deployed lets go of nothing: the removal asks for consent; said anew it does, and that is told', async (t) => {
  const stage = await newStage(t, { files: FILES });
  const staging = await newEnvironment(t, stage, 'staging');
  const prod = await newEnvironment(t, stage, 'prod');
  const name = (one: { name: string }) => ({ name: one.name });
  const forgotten = { 'towpath.dev/abandon': `${staging.name}, ${prod.name}` };
  await stage.application('web', { environments: [staging, prod].map(name) }, forgotten);
  await stage.until('web', (one) => conditionOf(one, 'Ready')?.status === 'True', 'both to be Ready');
  const marked = async () => {
    const path = `/api/v1/namespaces/${prod.namespace}/configmaps/web`;
    const { status, body } = await stage.cluster.request('GET', path);
    assert.equal(status, 200, body);
    const { metadata } = JSON.parse(body) as { metadata: { labels?: Record<string, string> } };
    return metadata.labels?.['towpath.dev/target'] !== undefined;
  };

  await stage.application('web', { environments: [name(staging)] }, forgotten);
  await stage.until('web', (one) => environmentOf(one.status, prod.name)?.pendingPrune, 'the question');
  await stage.restart('SIGKILL');
  const request = await stage.requestSync('web');
  const held = await stage.until('web', ({ status }) => status?.handledSyncRequest === request, 'a look');
  assert.ok(environmentOf(held.status, prod.name)?.pendingPrune, 'it asks still');
  assert.ok(await marked());

  const anew = `towpath.dev/abandon=${prod.name}=${new Date().toISOString()}`;
  await stage.kubectl('annotate', '--overwrite', 'tapp', 'web', anew);
  await stage.until('web', ({ status }) => environmentOf(status, prod.name) === undefined, 'it to be let go');
  assert.equal(await marked(), false, 'it stays, and is nobody’s');
  const note = await eventually(async () => (await toldOf(stage, 'web', 'EnvironmentLeft'))[0], {
    describe: 'the event',
  });
  assert.match(note, /Nothing was deleted in .*, as towpath\.dev\/abandon asked: what is there stays/);
  assert.equal(timesLogged(stage.operator, /Objects are left behind\./), 1);
});

test('D3, D11: an Application that is deleted while towpath.dev/abandon counts no more waits, until a person takes it away or says it anew', async (t) => {
  const file = (name: string) => FILES['web.yaml'].replace('name: web', `name: ${name}`);
  const stage = await newStage(t, { files: { 'go/go.yaml': file('go'), 'stay/stay.yaml': file('stay') } });
  const there = (name: string) => stage.kubectl('get', 'configmap', name, '--ignore-not-found', '-o', 'name');
  const ended = (name: string) => stage.kubectl('wait', '--for=delete', `tapp/${name}`, '--timeout=20s');
  const revision = await stage.repository.revParse('main');
  for (const name of ['go', 'stay']) {
    // What is deployed by this comes after the annotation.
    await stage.application(name, { source: { path: name } }, { 'towpath.dev/abandon': 'default' });
    await stage.untilReadyAt(name, revision);
    await stage.kubectl('delete', 'tapp', name, '--wait=false');
  }
  const waits = async (name: string) => {
    const stalled = (one: Application) => conditionOf(one, 'Stalled')?.reason === 'DeletionFailed';
    const told = await stage.until(name, stalled, 'the deletion to wait for a person');
    return conditionOf(told, 'Stalled')?.message ?? '';
  };
  const message = await waits('stay');
  await waits('go');
  assert.ok((await there('go')) !== '' && (await there('stay')) !== '', 'nothing is deleted');

  await stage.kubectl('annotate', 'tapp', 'go', 'towpath.dev/abandon-');
  await ended('go');
  assert.equal(await there('go'), '');
  const [, value = ''] = /To leave the objects, write (\S+) there instead/.exec(message) ?? [];
  await stage.kubectl('annotate', '--overwrite', 'tapp', 'stay', `towpath.dev/abandon=${value}`);
  await ended('stay');
  assert.notEqual(await there('stay'), '', message);
});
