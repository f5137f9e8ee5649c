import assert from 'node:assert/strict';
import { test } from 'node:test';
import { newPluginShell } from '../harness/plugin.ts';
import { BEN, configMap, installPromotionPolicies, newGuardedStage, OLGA } from '../harness/promotions.ts';

const oneLine = (text: string) => text.replaceAll(/\s+/g, ' ');

test('A26, D12: who goes back twice comes to the version before, not to the one that was just left, and no further than there is one', async (t) => {
  const { stage, policy, prod, waiting, runs } = await newGuardedStage(t);
  const { cluster, namespace, repository } = stage;
  await installPromotionPolicies(t, cluster, 'Validating', { name: policy, namespace });
  const { towpath } = await newPluginShell(t, cluster, { namespace });
  const isThrough = async (asked: Awaited<ReturnType<typeof towpath>>, revision: string) => {
    assert.equal(asked.code, 0, asked.stderr);
    const { promotion } = JSON.parse(asked.stdout) as { promotion: string };
    assert.equal((await towpath('wait', '--promotion', promotion, '--for=deployed')).code, 0);
    await runs(revision);
  };
  const revisions = [await repository.revParse('main')];
  for (const message of ['two', 'three', '']) {
    const revision = revisions.at(-1) ?? '';
    await waiting(revision);
    const flags = [`--as=${BEN.user}`, '--skip-gates=windows', '-o', 'json'];
    await isThrough(await towpath('promote', 'web', prod.name, ...flags), revision);
    if (message !== '') revisions.push(await repository.commit(configMap(message)));
  }
  const back = () => towpath('rollback', 'web', prod.name, `--as=${OLGA.user}`, '-o', 'json');
  const [first = '', second = ''] = revisions;
  for (const revision of [second, first]) await isThrough(await back(), revision);
  const none = await back();
  assert.equal(none.code, 11, none.stderr);
  assert.match(oneLine(none.stderr), /but what was gone back from; name one with --to/);
});
