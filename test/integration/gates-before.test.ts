import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { podAnnotation } from '../../hack/nodes/pod.ts';
import { type Application, environmentOf } from '../../operator/api/v1alpha1/application.ts';
import { newEnvironment, type StagedEnvironment } from '../harness/environments.ts';
import { conditionOf, fastLease, newStage, type Stage } from '../harness/operator.ts';
import { newPluginShell } from '../harness/plugin.ts';
import {
  ask,
  BEN,
  became,
  configMap,
  installPromotionPolicies,
  letCommand,
  taken,
} from '../harness/promotions.ts';
import { eventually } from '../harness/wait.ts';

/** A check; the simulated nodes make of its Pod what it says. */
function smoke(pod: 'completes' | 'waits'): object {
  const annotations = pod === 'completes' ? {} : { [podAnnotation]: pod };
  const spec = { containers: [{ name: 'smoke', image: 'example.com/smoke:1' }] };
  return { name: 'smoke', job: { spec: { template: { metadata: { annotations }, spec } } } };
}

/** An Application in two Environments, of which prod demands a soak and a check itself. */
async function guarded(stage: Stage, staging: StagedEnvironment, prod: StagedEnvironment) {
  const { cluster, namespace, repository } = stage;
  const inProd = ({ status }: Application) => environmentOf(status, prod.name);
  return {
    inProd,
    runs: (revision: string) =>
      stage.until(
        'web',
        (of) => inProd(of)?.revision === revision && inProd(of)?.history?.[0]?.outcome === 'Succeeded',
        `prod to run ${revision.slice(0, 7)}`,
      ),
    /** Waits until prod is kept from the newest commit by the gates of these reasons. */
    keptOut: async (reasons: string, words: RegExp) => {
      const revision = await repository.revParse('main');
      return stage.until(
        'web',
        (of) => {
          const { desiredRevision, blockedBy = [] } = inProd(of) ?? {};
          const told = blockedBy.map(({ reason }) => reason).join();
          return (
            environmentOf(of.status, staging.name)?.revision === revision &&
            desiredRevision === revision &&
            told === reasons &&
            words.test(blockedBy[0]?.message ?? '')
          );
        },
        `prod to be kept out by ${reasons}: ${words}`,
      );
    },
    demand: async (gates: object) => {
      const { status, body } = await cluster.request(
        'PATCH',
        `/apis/towpath.dev/v1alpha1/environments/${prod.name}`,
        { body: { spec: { gates } }, contentType: 'application/merge-patch+json' },
      );
      assert.equal(status, 200, body);
    },
    asks: async (spec: { type: string } & Record<string, unknown>) => {
      const asked = { application: 'web', environment: prod.name, ...spec };
      const name = taken(await ask(cluster, namespace, BEN, asked));
      return became(cluster, namespace, name, 'Succeeded');
    },
    /** A policy that lets all into prod that runs in staging. */
    lax: () =>
      stage.apply({
        apiVersion: 'towpath.dev/v1alpha1',
        kind: 'PromotionPolicy',
        metadata: { name: 'lax', namespace },
        spec: {
          selector: {},
          stages: [
            { name: 'staging', environments: [staging.name] },
            { name: 'prod', after: ['staging'], environments: [prod.name] },
          ],
        },
      }),
  };
}

test('S14, A21: what an Environment demands of the stage before holds without a policy, by one that asks for nothing, and as it is edited; a rollback passes', async (t) => {
  const policy = `promotions-${randomBytes(5).toString('hex')}`;
  const stage = await newStage(t, {
    files: configMap('one'),
    flags: [...fastLease, `--promotion-policy=${policy}`],
  });
  const { cluster, namespace, repository } = stage;
  const staging = await newEnvironment(t, stage, 'staging');
  const prod = await newEnvironment(t, stage, 'prod', {
    gates: { soak: '1s', checks: [smoke('completes')] },
  });
  await letCommand(cluster, namespace, BEN, prod.name, ['promote', 'override', 'rollback']);
  await installPromotionPolicies(t, cluster, 'Validating', { name: policy, namespace });
  const { inProd, runs, keptOut, demand, asks, lax } = await guarded(stage, staging, prod);
  await stage.application('web', { environments: [{ name: staging.name }, { name: prod.name }] });

  const blocked = await keptOut(
    'Soak',
    /healthy for 1s and passed checks .* no PromotionPolicy selects .*--skip-gates=soak,checks$/,
  );
  assert.equal(inProd(blocked)?.sync, 'Blocked');
  assert.ok(inProd(blocked)?.blockedBy?.every(({ clearsAt }) => clearsAt === undefined));
  assert.equal(conditionOf(blocked, 'Ready')?.status, 'False');
  const { towpath } = await newPluginShell(t, cluster, { namespace });
  const why = (await towpath('why', 'web', prod.name)).stdout.replaceAll(/\s+/g, ' ');
  assert.match(why, /Soak.* takes only what was healthy for 1s and passed checks in the stage before/);
  const one = await repository.revParse('main');
  const candidate = blocked.status?.source?.candidate;
  await asks({ type: 'Promote', candidate, skipGates: ['soak', 'checks'] });
  const [entered] = inProd(await runs(one))?.history ?? [];

  const two = await repository.commit(configMap('two'));
  await keptOut('Soak', /no PromotionPolicy/);
  await lax();
  await runs(two);
  assert.match(await stage.operator.metrics(), /^towpath_checks_total\{outcome="Passed"\} 1$/m);

  await demand({ checks: [smoke('waits')] });
  const three = await repository.commit(configMap('three'));
  const check = new RegExp(`^Check smoke of Environment ${prod.name} runs in environment ${staging.name}`);
  await keptOut('Checks', check);
  await demand({ soak: '720h', checks: null });
  await keptOut('Soak', /for 720h before it enters stage prod .*demand themselves/);
  const jobs = `/apis/batch/v1/namespaces/${staging.namespace}/jobs`;
  await eventually(
    async () => (JSON.parse((await cluster.request('GET', jobs)).body) as { items: [] }).items.length === 0,
    { describe: 'the Job that nobody waits for any more to be gone' },
  );
  await demand({ soak: '1s' });
  await runs(three);

  await demand({ soak: '720h' });
  await asks({ type: 'Rollback', historyID: entered?.id });
  await runs(one);
});
