import assert from 'node:assert/strict';
import { test } from 'node:test';
import { podAnnotation } from '../../hack/nodes/pod.ts';
import { conditionOf } from '../harness/operator.ts';
import { environmentOf } from '../harness/target.ts';
import { eventually } from '../harness/wait.ts';
import {
  configMap,
  eventsOf,
  messageOf,
  newProxiedSteps,
  reasonOf,
  type TestObject,
  toldOf,
} from './steps.ts';

function job(name: string, pod: 'runs' | 'fails', annotations: Record<string, string> = {}): TestObject {
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { name, annotations },
    spec: {
      backoffLimit: 0,
      template: {
        metadata: { annotations: { [podAnnotation]: pod } },
        spec: { restartPolicy: 'Never', containers: [{ name: 'run', image: 'hook' }] },
      },
    },
  };
}

function chart(directory: string, objects: readonly TestObject[]): Record<string, string> {
  return {
    [`${directory}/Chart.yaml`]: `apiVersion: v2\nname: ${directory}\nversion: 1.0.0\n`,
    [`${directory}/templates/all.yaml`]: objects.map((object) => JSON.stringify(object)).join('\n---\n'),
  };
}

const failingHook = (name: string) => job(name, 'fails', { 'helm.sh/hook': 'post-install,post-upgrade' });

test('deployments that fail', async (t) => {
  const { proxy, stage, push, ready, deploy, live } = await newProxiedSteps(t);
  const jobs = async (name: string) => (await eventsOf(stage, name, 'SuccessfulCreate')).length;

  await t.test('a Job that failed ends the sync at once: Degraded, with the object and why', async () => {
    await push('broken', [configMap('broken'), job('broken', 'fails')]);
    await stage.application('broken', { source: { path: 'broken' }, sync: { timeout: '1h' } });
    const failed = await stage.until('broken', ({ status }) => status?.sync === 'Failed', 'the end');
    assert.equal(reasonOf(failed), 'Degraded');
    assert.match(messageOf(failed), /Job .*broken: it failed/);
    assert.equal(failed.status?.health, 'Degraded');
    assert.equal(environmentOf(failed.status)?.history?.[0]?.outcome, 'Failed');
  });

  await t.test('what was applied of a failed deployment is still enforced', async () => {
    await stage.repository.commit(
      chart('kept', [configMap('kept', { by: 'git' }), failingHook('kept-after')]),
    );
    await stage.application('kept', { source: { path: 'kept' }, sync: { retries: { limit: 0 } } });
    await stage.until('kept', ({ status }) => status?.sync === 'Failed', 'the failure');
    await stage.kubectl('patch', 'configmap', 'kept', '-p', '{"data":{"by":"somebody"}}');
    await eventually(async () => (await live('configmap', 'kept'))?.data?.['by'] === 'git', {
      describe: 'the drift to be repaired',
    });
    await stage.kubectl('delete', 'configmap', 'kept');
    await eventually(() => live('configmap', 'kept'), { describe: 'it to be back' });
    const still = await stage.get('kept');
    assert.equal(still.status?.sync, 'Failed');
    assert.equal(environmentOf(still.status)?.history?.length, 1);
  });

  await t.test(
    'a failing hook is tried as often as spec.sync.retries says, also while the next commit is held',
    async () => {
      const retries = { limit: 2, backoff: '500ms', maxBackoff: '500ms' };
      await stage.repository.commit(chart('stuck', [configMap('stuck'), failingHook('stuck-after')]));
      await stage.application('stuck', { source: { path: 'stuck' }, sync: { retries } });
      await stage.until('stuck', ({ status }) => (status?.retry?.attempts ?? 0) >= 1, 'the first failure');
      await stage.repository.commit({ 'stuck/templates/bad.yaml': '{{ fail "held" }}' });
      const held = await stage.until(
        'stuck',
        ({ status }) => status?.sync === 'Quarantined',
        'the quarantine',
      );
      assert.match(messageOf(held), /held/);
      const ended = await stage.until(
        'stuck',
        ({ status }) => environmentOf(status)?.history?.[0]?.outcome === 'Failed',
        'the end of its retries',
      );
      assert.equal(ended.status?.sync, 'Quarantined');
      const made = await eventually(async () => (await jobs('stuck-after')) || undefined, {
        describe: 'events of the Jobs',
      });
      assert.ok(made <= 3, `${made} Jobs were made`);
      // Whatever wakes it later makes none again.
      await stage.kubectl('patch', 'configmap', 'stuck', '-p', '{"data":{"key":"other"}}');
      await eventually(async () => (await live('configmap', 'stuck'))?.data?.['key'] === 'value', {
        describe: 'the drift to be repaired',
      });
      assert.equal(await jobs('stuck-after'), made);
    },
  );

  await t.test("failures that are not the candidate's own do not use up its retries", async () => {
    const refusal = { verb: 'apply', path: /configmaps\/foreign\?/ } as const;
    const rule = proxy.fail({ ...refusal, fault: { status: 503 } });
    await stage.repository.commit(
      chart('foreign', [
        configMap('foreign'),
        job('foreign-before', 'fails', { 'helm.sh/hook': 'pre-install' }),
      ]),
    );
    const retries = { limit: 1, backoff: '1s', maxBackoff: '1s' };
    await stage.application('foreign', { source: { path: 'foreign' }, sync: { retries } });
    await stage.until('foreign', ({ status }) => (status?.retry?.attempts ?? 0) >= 2, 'two foreign failures');
    rule.remove();
    const tried = await stage.until(
      'foreign',
      (one) => reasonOf(one) === 'HookFailed' && one.status?.sync === 'Syncing',
      "the first failure of the hook's own",
    );
    assert.equal(tried.status?.retry?.attempts, 1);
    await stage.until('foreign', ({ status }) => status?.sync === 'Failed', 'the end of its retries');
  });

  await t.test(
    'after a first deployment that timed out and recovered, the next one is an upgrade',
    async () => {
      const stuck = (selector?: string): TestObject => ({
        apiVersion: 'apps/v1',
        kind: 'Deployment',
        metadata: { name: 'grown' },
        spec: {
          selector: { matchLabels: { app: 'grown' } },
          template: {
            metadata: { labels: { app: 'grown' } },
            spec: {
              ...(selector === undefined ? {} : { nodeSelector: { where: selector } }),
              containers: [{ name: 'main', image: 'example.com/main:1' }],
            },
          },
        },
      });
      const hooks = [
        job('grown-install', 'runs', { 'helm.sh/hook': 'pre-install' }),
        job('grown-upgrade', 'runs', { 'helm.sh/hook': 'pre-upgrade' }),
      ].map((hook) => ({ ...hook, kind: 'ConfigMap', apiVersion: 'v1', spec: undefined }));
      await stage.repository.commit(chart('grown', [stuck('nowhere'), ...hooks]));
      await stage.application('grown', { source: { path: 'grown' }, sync: { timeout: '2s' } });
      await stage.until('grown', (one) => reasonOf(one) === 'TimedOut', 'the time-out');
      await stage.kubectl('scale', 'deployment', 'grown', '--replicas=0');
      await stage.until('grown', (one) => conditionOf(one, 'Ready')?.status === 'True', 'the recovery');
      const install = await live('configmap', 'grown-install');
      assert.equal(await live('configmap', 'grown-upgrade'), undefined);
      await ready('grown', await stage.repository.commit(chart('grown', [stuck(), ...hooks])));
      assert.ok(await live('configmap', 'grown-upgrade'));
      assert.equal((await live('configmap', 'grown-install'))?.metadata.uid, install?.metadata.uid);
    },
  );

  await t.test('what a dry-run cannot tell is a warning, and decided by the apply', async (t) => {
    const name = `undecided-${stage.namespace}`;
    await stage.apply({
      apiVersion: 'admissionregistration.k8s.io/v1',
      kind: 'ValidatingWebhookConfiguration',
      metadata: { name },
      webhooks: [
        {
          name: 'undecided.example.com',
          sideEffects: 'None',
          failurePolicy: 'Fail',
          admissionReviewVersions: ['v1'],
          clientConfig: { url: 'https://127.0.0.1:9/none' },
          rules: [{ apiGroups: [''], apiVersions: ['v1'], resources: ['configmaps'], operations: ['*'] }],
          namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': stage.namespace } },
        },
      ],
    });
    t.after(() => stage.kubectl('delete', 'validatingwebhookconfiguration', name, '--ignore-not-found'));
    await eventually(
      async () => {
        const probe = ['-n', stage.namespace, 'create', 'configmap', 'probe', '--dry-run=server'];
        return /failed calling webhook/.test((await stage.cluster.kubectl(probe)).stderr);
      },
      { describe: 'the webhook to be asked' },
    );
    const commit = await push('undecided', [configMap('undecided')]);
    await stage.application('undecided', { source: { path: 'undecided' } });
    const blocked = await stage.until(
      'undecided',
      (one) => reasonOf(one) === 'WebhookUnavailable',
      'the apply',
    );
    assert.match(messageOf(blocked), /^apply ConfigMap .*undecided: .*failed calling webhook/);
    assert.equal(conditionOf(blocked, 'Stalled'), undefined);
    const told = (await toldOf(stage, 'undecided', 'WebhookUnavailable', 2)).join('\n');
    assert.match(told, /^dry-run of ConfigMap .*undecided/m, 'the warning');
    assert.match(told, /^apply ConfigMap .*undecided/m, 'what is waited for');
    await stage.kubectl('delete', 'validatingwebhookconfiguration', name);
    await ready('undecided', commit);
  });

  await t.test('drift names who changed a field of Git, not who added one of their own', async () => {
    await deploy('blame', [configMap('blame', { a: '1' })], { sync: { drift: 'Report' } });
    await stage.kubectl('label', 'configmap', 'blame', 'x=y', '--field-manager=labeller');
    const remove = JSON.stringify([{ op: 'remove', path: '/data/a' }]);
    await stage.kubectl(
      'patch',
      'configmap',
      'blame',
      '--type=json',
      '-p',
      remove,
      '--field-manager=nameless',
    );
    const told = await stage.until('blame', ({ status }) => status?.sync === 'OutOfSync', 'the drift');
    assert.equal(environmentOf(told.status)?.drift?.lastBy, undefined);
  });
});
