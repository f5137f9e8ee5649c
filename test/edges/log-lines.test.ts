import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { shortCandidate } from '../../operator/controller/candidate/revision.ts';
import { startGitHttp } from '../harness/git-http.ts';
import { conditionOf, fastLease, type Stage } from '../harness/operator.ts';
import { environmentOf } from '../harness/target.ts';
import { eventually } from '../harness/wait.ts';
import { chartOf, configMap, hookJob, newSteps, podOf } from '../integration/steps.ts';

const flags = [...fastLease, '--log-level=info'];

type Line = { msg: string; application?: string } & Record<string, unknown>;

/** What the operator has logged about Applications so far. */
function logged({ operator }: Stage): Line[] {
  return readFileSync(operator.logPath, 'utf8')
    .split('\n')
    .filter((text) => text.startsWith('{'))
    .map((text) => JSON.parse(text) as Line)
    .filter(({ application }) => application !== undefined);
}

/** A line in few words: the sentence, then what a test can know beforehand. */
function inWords({ msg, deployment, trigger, outcome, reason, object, objects, errors }: Line): string {
  const fields = { deployment, trigger, outcome, reason, object, objects, errors };
  return [msg, ...Object.values(fields).filter((value) => value !== undefined)].join(' ');
}

test('at level info the operator logs one line for each thing that happens to an Application, and none at rest', async (t) => {
  const { stage, push, deploy, change, ready, sync } = await newSteps(t, { flags });
  const seen: Line[] = [];
  const expectLines = async (...expected: string[]) => {
    const said = await eventually(
      () => {
        const lines = logged(stage).slice(seen.length);
        return lines.length >= expected.length && lines;
      },
      { describe: `the lines ${expected.join(' | ')}` },
    );
    assert.deepEqual(said.map(inWords), expected);
    seen.push(...said);
  };
  const name = (object: string) => `ConfigMap ${stage.namespace}/${object}`;
  const spec = { source: { path: 'web' } };
  const both = [configMap('web'), configMap('goes')];

  await deploy('web', both);
  await expectLines('A deployment began. 1 Commit', 'A deployment ended. 1 Commit Succeeded');
  const [begun, ended] = seen;
  const { status } = await stage.get('web');
  const { revision, candidate } = environmentOf(status)?.history?.[0] ?? {};
  const about = {
    application: `${stage.namespace}/web`,
    environment: 'default',
    revision,
    candidate: shortCandidate(candidate ?? ''),
  };
  for (const line of [begun, ended]) assert.deepEqual({ ...line, ...about }, line);
  assert.equal(typeof ended?.['seconds'], 'number');

  for (let count = 0; count < 5; count += 1) {
    const value = await stage.requestSync('web');
    await stage.until('web', (one) => one.status?.handledSyncRequest === value, 'the request');
  }
  await expectLines();

  await change('web', [configMap('web', { key: 'two' }), configMap('goes')]);
  await expectLines('A deployment began. 2 Commit', 'A deployment ended. 2 Commit Succeeded');

  await stage.kubectl('patch', 'configmap', 'web', '-p', '{"data":{"key":"mine"}}');
  await expectLines(`Drift was repaired. ${name('web')} 1`);

  await change('web', [configMap('web', { key: 'two' })]);
  await expectLines(
    'A deployment began. 3 Commit',
    `Objects that left Git were deleted. ${name('goes')} 1`,
    'A deployment ended. 3 Commit Succeeded',
  );

  await stage.repository.commit({ 'web/objects.yaml': 'kind: [' });
  await sync('web', 'Quarantined');
  await expectLines('A candidate is quarantined. ManifestInvalid 1');

  await push('web', []);
  await expectLines('Pruning waits for consent. 1');

  const slow = hookJob('slow', 'pre-upgrade', {}, 'runs');
  await stage.repository.commit({ 'web/objects.yaml': null, ...chartOf('web', [configMap('web'), slow]) });
  await podOf(stage, 'slow');
  await expectLines('A deployment began. 4 Commit');
  const failing = hookJob('failing', 'pre-upgrade', {}, 'fails');
  await stage.application('web', { ...spec, sync: { retries: { limit: 0 } } });
  await stage.repository.commit(chartOf('web', [configMap('web'), failing]));
  await sync('web', 'Failed');
  await expectLines(
    'A deployment began. 5 Commit',
    'A deployment ended. 4 Commit Superseded',
    'A deployment ended. 5 Commit Failed',
  );

  const last = await stage.repository.commit(chartOf('web', [configMap('web', { key: 'last' })]));
  await ready('web', last);
  await expectLines('A deployment began. 6 Commit', 'A deployment ended. 6 Commit Succeeded');

  await stage.git.stop();
  await expectLines('The repository cannot be read. ConnectionRefused');
  const again = await startGitHttp({ root: stage.repository.root, port: stage.git.port });
  t.after(() => again.stop());
  await expectLines('The repository can be read again.');

  await stage.application('web', { ...spec, suspend: true });
  await sync('web', 'Suspended');
  await expectLines('The Application is suspended.');
  await stage.application('web', spec);
  await stage.until('web', (one) => conditionOf(one, 'Ready')?.status === 'True', 'Ready');
  await expectLines('The Application is resumed.');

  await stage.kubectl('delete', 'applications.towpath.dev', 'web', '--timeout=60s');
  await expectLines('The Application is gone. 0');
});

test('a deployment that an earlier process began is logged as taken up', async (t) => {
  const { stage, ready } = await newSteps(t, { flags });
  const commit = await stage.repository.commit(
    chartOf('web', [configMap('web'), hookJob('slow', 'pre-install', {}, 'runs')]),
  );
  await stage.application('web', { source: { path: 'web' } });
  const pod = await podOf(stage, 'slow');
  await stage.restart('SIGKILL');
  await eventually(() => logged(stage).some(({ msg }) => msg === 'A deployment is taken up.'), {
    describe: 'the line',
  });
  const status = JSON.stringify({ status: { phase: 'Succeeded' } });
  await stage.kubectl('patch', 'pod', pod, '--subresource=status', '-p', status);
  await ready('web', commit);
  await eventually(() => logged(stage).length === 2, { describe: 'the end' });
  assert.deepEqual(logged(stage).map(inWords), [
    'A deployment is taken up. 1 Commit',
    'A deployment ended. 1 Commit Succeeded',
  ]);
});

test('S5: no line has a value of a Secret, not even where a chart names an object after it', async (t) => {
  const { stage, ready } = await newSteps(t, { flags });
  const secret = 'hunter2-is-secret';
  await stage.kubectl('create', 'secret', 'generic', 'values', `--from-literal=values.yaml=name: ${secret}`);
  const commit = await stage.repository.commit(chartOf('web', [configMap('{{ .Values.name }}')]));
  const valuesFrom = [{ kind: 'Secret', name: 'values' }];
  await stage.application('web', { source: { path: 'web' }, helm: { valuesFrom } });
  await ready('web', commit);
  await stage.kubectl('patch', 'configmap', secret, '-p', '{"data":{"key":"mine"}}');
  const isRepaired = () => logged(stage).some(({ msg }) => msg === 'Drift was repaired.');
  await eventually(isRepaired, { describe: 'the line' });
  assert.ok(!readFileSync(stage.operator.logPath, 'utf8').includes(secret));
});
