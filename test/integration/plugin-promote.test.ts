import assert from 'node:assert/strict';
import { test } from 'node:test';
import { newPluginShell } from '../harness/plugin.ts';
import { BEN, configMap, installPromotionPolicies, newGuardedStage, OLGA } from '../harness/promotions.ts';
import { eventually } from '../harness/wait.ts';

const oneLine = (text: string) => text.replaceAll(/\s+/g, ' ');

test('A3, A25: kubectl towpath promotes with what is in the way first, waits, takes back, and freezes', async (t) => {
  const { stage, policy, prod, waiting, runs } = await newGuardedStage(t);
  const { cluster, namespace, repository } = stage;
  const first = await repository.revParse('main');
  await waiting(first);
  await installPromotionPolicies(t, cluster, 'Validating', { name: policy, namespace });
  const { towpath } = await newPluginShell(t, cluster, { namespace });
  const asBen = `--as=${BEN.user}`;

  const gated = await towpath('promote', 'web', prod.name, asBen, '--reason=a drill');
  assert.equal(gated.code, 0, gated.stderr);
  assert.match(
    oneLine(gated.stderr),
    /In the way now: OutsideWindow: Stage prod of PromotionPolicy standard/,
  );
  assert.match(gated.stderr, /Changes: 0 changed, 1 added, 0 deleted\.\n {2}\+ ConfigMap/);
  assert.doesNotMatch(gated.stdout, /Changes/, 'once is enough');
  assert.match(oneLine(gated.stdout), /It waits for: OutsideWindow: .* Promotion \S+: Gated/);
  const [, name = ''] = /--promotion (\S+)/.exec(oneLine(gated.stdout)) ?? [];
  const late = await towpath('wait', '--promotion', name, '--timeout=8s');
  assert.equal(late.code, 3, late.stderr);
  assert.match(oneLine(late.stdout), /Not within 8s\. Promotion \S+ is Gated\. OutsideWindow: /);
  const taken = await towpath('cancel', name, `--as=${OLGA.user}`, '-o', 'json');
  assert.equal(taken.code, 0, taken.stderr);
  assert.equal((JSON.parse(taken.stdout) as { phase: string }).phase, 'Succeeded');
  const over = await towpath('wait', '--promotion', name);
  assert.equal(over.code, 6, over.stderr);
  assert.match(oneLine(over.stdout), /Cancelled: olga took it back/);
  assert.equal((await towpath('cancel', name, asBen)).code, 11);

  const unknown = await towpath('promote', 'web', prod.name, '--skip-gates=gravity');
  assert.equal(unknown.code, 2, 'before anything is asked of the cluster');
  const past = await towpath('promote', 'web', prod.name, asBen, '--skip-gates=windows', '-o', 'json');
  assert.equal(past.code, 0, past.stderr);
  const { promotion, skipGates } = JSON.parse(past.stdout) as { promotion: string; skipGates: string[] };
  assert.deepEqual(skipGates, ['windows']);
  const done = await towpath('wait', '--promotion', promotion, '--for=deployed');
  assert.equal(done.code, 0, done.stdout);
  await runs(first);
  assert.equal((await towpath('promote', 'web', prod.name, asBen)).code, 11, 'nothing waits');
  assert.equal((await towpath('rollback', 'web', prod.name)).code, 11, 'nothing ran before');
  assert.equal((await towpath('resume', 'web', prod.name)).code, 11, 'nothing holds it');

  const frozen = await towpath('freeze', prod.name, '--until=2h', '--reason=an incident');
  assert.equal(frozen.code, 0, frozen.stderr);
  const second = await repository.commit(configMap('two'));
  await eventually(
    async () => {
      const { stdout } = await towpath('why', 'web', prod.name);
      return /Frozen/.test(stdout) && /an incident \(/.test(oneLine(stdout));
    },
    { describe: `${second} to wait for the freeze, with who set it and why`, every: 500 },
  );
  const lifted = await towpath('unfreeze', prod.name, '-o', 'json');
  assert.equal(lifted.code, 0, lifted.stderr);
  assert.match(lifted.stdout, /is no longer frozen; ended: an incident/);
  const again = await towpath('unfreeze', prod.name);
  assert.match(again.stdout, /is not frozen\./);
});
