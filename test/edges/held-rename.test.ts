import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { environmentOf } from '../../operator/api/v1alpha1/application.ts';
import { newEnvironment } from '../harness/environments.ts';
import { fastLease, newStage } from '../harness/operator.ts';
import {
  ask,
  became,
  configMap,
  installPromotionPolicies,
  letCommand,
  OLGA,
  taken,
} from '../harness/promotions.ts';

test('D12, B4: an entry that is renamed while a person holds what runs there lets nothing in by that, nor by a restart; what was left stays rejected when it is let go of', async (t) => {
  const policy = `promotions-${randomBytes(5).toString('hex')}`;
  const flags = [...fastLease, `--promotion-policy=${policy}`];
  const stage = await newStage(t, { files: configMap('one'), flags });
  const { cluster, namespace, repository } = stage;
  await installPromotionPolicies(t, cluster, 'Validating', { name: policy, namespace });
  const here = { namespace: '{namespace}', access: { serviceAccountName: 'towpath' } };
  const blue = await newEnvironment(t, stage, 'blue', here);
  const green = await newEnvironment(t, stage, 'green', here);
  await letCommand(cluster, namespace, OLGA, blue.name, ['rollback']);
  await letCommand(cluster, namespace, OLGA, green.name, ['rollback', 'retry']);
  const web = async () => {
    const { body } = await cluster.request('GET', `/api/v1/namespaces/${namespace}/configmaps/web`);
    const { metadata, data } = JSON.parse(body) as { metadata: { uid: string }; data: { message: string } };
    return { uid: metadata.uid, message: data.message };
  };
  const keptOut = (revision: string, reason: string) =>
    stage.until(
      'web',
      ({ status }) => {
        const entry = environmentOf(status, green.name);
        return entry?.desiredRevision === revision && entry.blockedBy?.[0]?.reason === reason;
      },
      `${revision.slice(0, 7)} to be kept out of it by ${reason}`,
    );
  const application = (environment: string) => ({ environments: [{ name: environment }] });
  await stage.deployed('web', application(blue.name));
  const { uid } = await web();
  await stage.untilReadyAt('web', await repository.commit(configMap('two')));
  const of = { application: 'web', environment: blue.name };
  const back = taken(await ask(cluster, namespace, OLGA, { type: 'Rollback', historyID: 1, ...of }));
  await became(cluster, namespace, back, 'Succeeded');

  const patch = JSON.stringify({ spec: application(green.name) });
  await stage.kubectl('patch', 'applications.towpath.dev', 'web', '--type=merge', '-p', patch);
  await keptOut(await repository.commit(configMap('three')), 'Held');
  await stage.restart('SIGKILL');
  const two = await repository.commit(configMap('two'));
  await keptOut(two, 'Held');
  assert.deepEqual(await web(), { uid, message: 'one' });

  const resume = { type: 'Resume', application: 'web', environment: green.name, promotion: back };
  await became(cluster, namespace, taken(await ask(cluster, namespace, OLGA, resume)), 'Succeeded');
  await keptOut(two, 'Rejected');
  await stage.untilReadyAt('web', await repository.commit(configMap('four')));
  assert.deepEqual(await web(), { uid, message: 'four' });
});
