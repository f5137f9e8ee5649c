import assert from 'node:assert/strict';
import { test } from 'node:test';
import { archiveOf } from '../harness/ledger.ts';
import { fastLease, type Stage } from '../harness/operator.ts';
import { newPluginShell } from '../harness/plugin.ts';
import { isOfLedger, newProxiedStage } from '../harness/proxied-stage.ts';

const NAMES = ['pruned', 'orphaned', 'killed-at-request', 'killed-at-response', 'refused'];
const FILES = Object.fromEntries(
  NAMES.map((name) => [
    `${name}/web.yaml`,
    `apiVersion: v1
kind: ConfigMap
metadata: {name: ${name}}
`,
  ]),
);

const removalsOf = async (stage: Stage) =>
  (await archiveOf(stage))
    .filter(({ type }) => type === 'Remove')
    .map(({ application }) => application)
    .sort();

const comes = (stage: Stage, name: string, deletionPolicy = 'Prune') =>
  stage.deployed(name, { source: { path: name }, deletionPolicy });

const goes = (stage: Stage, ...names: string[]) =>
  stage.kubectl('delete', 'applications.towpath.dev', ...names, '--timeout=30s');

test('D7, D11: however an Application ends, and whenever the operator is killed, the ledger says that it runs no more', async (t) => {
  // No batch comes to help.
  const flags = [...fastLease, '--archive-interval=1h'];
  const { stage, proxy } = await newProxiedStage(t, { files: FILES, flags });
  await comes(stage, 'pruned');
  await comes(stage, 'orphaned', 'Orphan');

  await t.test('killed as soon as it is gone, whatever became of its objects', async () => {
    await goes(stage, 'pruned', 'orphaned');
    await stage.operator.stop('SIGKILL');
    assert.deepEqual(await removalsOf(stage), ['orphaned', 'pruned']);
    await stage.restart();
  });

  await t.test('killed before that is written, and before anybody hears that it is', async () => {
    for (const at of ['request', 'response'] as const) {
      await comes(stage, `killed-at-${at}`);
      const held = proxy.hold({
        at,
        where: (one) => isOfLedger(one) && /towpath-ledger/.test(one.path) && one.method === 'PATCH',
      });
      const gone = goes(stage, `killed-at-${at}`);
      gone.catch(() => undefined);
      await held.seen;
      await stage.operator.stop('SIGKILL');
      held.drop();
      await stage.restart();
      await gone;
    }
    const { towpath } = await newPluginShell(t, stage.cluster, { namespace: stage.namespace });
    for (const name of ['killed-at-request', 'killed-at-response']) {
      const { code, stdout, stderr } = await towpath(
        'at',
        name,
        '--time=1h..',
        `--operator-namespace=${stage.namespace}`,
      );
      assert.equal(code, 0, stderr);
      assert.equal(stdout.match(/removed/g)?.length, 1, stdout);
    }
  });

  await t.test('where the archive cannot be written nobody is held up', async () => {
    await comes(stage, 'refused');
    const refused = proxy.fail({
      where: (one) => isOfLedger(one) && one.method !== 'GET',
      fault: { status: 403 },
    });
    await goes(stage, 'refused');
    refused.remove();
    await stage.operator.stop();
    assert.ok((await removalsOf(stage)).includes('refused'), 'written with the last batch');
    await stage.restart();
  });
});
