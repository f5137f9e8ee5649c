import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { environmentOf } from '../harness/target.ts';
import { eventually } from '../harness/wait.ts';
import {
  configMap,
  hookJob,
  messageOf,
  newProxiedSteps,
  newSteps,
  reasonOf,
  type TestObject,
} from './steps.ts';

const unique = randomBytes(3).toString('hex');

function deployment(name: string, annotations: Record<string, string> = {}): TestObject {
  const labels = { app: name };
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, annotations },
    spec: {
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: { containers: [{ name: 'web', image: 'web:1' }] } },
    },
  };
}

function widgets(plural: string, fields: readonly string[]): TestObject {
  const properties = Object.fromEntries(fields.map((field) => [field, { type: 'string' }]));
  const spec = { type: 'object', properties };
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.test.example.com`, annotations: { 'towpath.dev/prune': 'enabled' } },
    spec: {
      group: 'test.example.com',
      scope: 'Namespaced',
      names: {
        plural,
        singular: plural.slice(0, -1),
        kind: kindOf(plural),
        listKind: `${kindOf(plural)}List`,
      },
      versions: [
        {
          name: 'v1',
          served: true,
          storage: true,
          schema: { openAPIV3Schema: { type: 'object', properties: { spec } } },
        },
      ],
    },
  };
}

function kindOf(plural: string): string {
  return `W${plural.slice(1, -1)}`;
}

test('the order of applying', async (t) => {
  const { proxy, stage, deploy, change, push, ready, live, admin } = await newProxiedSteps(t);
  const serviceAccountName = await admin(t);
  const appliedInOrder = () =>
    proxy
      .find({ verb: 'apply', where: ({ dryRun, impersonate }) => !dryRun && impersonate !== '' })
      .map(({ path }) => path.split('/').slice(-2).join('/'));
  const remove = (name: string) =>
    stage.kubectl('delete', 'applications.towpath.dev', name, '--timeout=30s', '--ignore-not-found');

  await t.test('a wave begins when every object of the one before is Healthy', async () => {
    await deploy('waves', [
      configMap('waves-last', {}, { 'towpath.dev/wave': '2' }),
      deployment('waves-middle', { 'towpath.dev/wave': '1' }),
      configMap('waves-first', {}, { 'towpath.dev/wave': '-1' }),
    ]);
    const middle = await live('deployment', 'waves-middle');
    const conditions = middle?.status?.['conditions'] as { type: string; lastTransitionTime: string }[];
    const available = conditions.find(({ type }) => type === 'Available')?.lastTransitionTime ?? '';
    const last = await live('configmap', 'waves-last');
    const first = await live('configmap', 'waves-first');
    assert.ok(available <= (last?.metadata.creationTimestamp ?? ''), 'the last wave waited for Available');
    assert.ok((first?.metadata.creationTimestamp ?? '') <= (middle?.metadata.creationTimestamp ?? ''));
  });

  await t.test('a wave waits for a Job that is suspended, not for a suspended CronJob', async () => {
    const wave = { 'towpath.dev/wave': '-1' };
    const template = hookJob('waits', 'pre-install', {}).spec;
    const job = ({ suspend }: { suspend: boolean }) => ({
      apiVersion: 'batch/v1',
      kind: 'Job',
      metadata: { name: 'waits', annotations: wave },
      spec: { ...(template as object), suspend },
    });
    const cronJob = {
      apiVersion: 'batch/v1',
      kind: 'CronJob',
      metadata: { name: 'waits', annotations: wave },
      spec: { schedule: '0 0 1 1 *', suspend: true, jobTemplate: { spec: template } },
    };
    await push('waits', [job({ suspend: true }), cronJob, configMap('waits')]);
    // As with an admission queue: when the Job may run is not for Git to say.
    const ignore = [{ group: 'batch', kind: 'Job', name: 'waits', paths: ['/spec/suspend'] }];
    await stage.application('waits', { source: { path: 'waits' }, sync: { ignore } });
    const told = await stage.until(
      'waits',
      (one) => reasonOf(one) === 'Progressing' && messageOf(one).includes('suspended'),
      'the wave to wait',
    );
    assert.match(messageOf(told), /is applied up to a wave that is not healthy yet\. Job \S+waits/);
    assert.equal(await live('configmap', 'waits'), undefined);
    await stage.kubectl('patch', 'job', 'waits', '-p', '{"spec":{"suspend":false}}');
    await stage.until('waits', ({ status }) => status?.sync === 'Synced', 'the next wave');
    assert.ok(await live('configmap', 'waits'));
  });

  await t.test(
    'A10: a CustomResourceDefinition and its custom resource in one sync, also when the schema grows',
    async () => {
      const plural = `wone${unique}s`;
      const widget = (spec: object) => ({
        apiVersion: 'test.example.com/v1',
        kind: kindOf(plural),
        metadata: { name: 'w' },
        spec,
      });
      await deploy('kinds', [widget({ a: '1' }), widgets(plural, ['a'])], { serviceAccountName });
      assert.deepEqual((await live(`${plural}.test.example.com`, 'w'))?.spec, { a: '1' });
      await change('kinds', [widget({ a: '1', b: '2' }), widgets(plural, ['a', 'b'])]);
      assert.deepEqual((await live(`${plural}.test.example.com`, 'w'))?.spec, { a: '1', b: '2' });

      await push('kinds', [widget({ a: '1', c: '3' }), widgets(plural, ['a', 'b', 'd'])]);
      const held = await stage.until('kinds', ({ status }) => status?.sync === 'Quarantined', 'the refusal');
      assert.match(held.status?.quarantine?.errors?.[0]?.message ?? '', /\.spec\.c: is no field/);
      await remove('kinds');
    },
  );

  await t.test('a Namespace and an object in it in one sync', async () => {
    const name = `${stage.namespace}-made`;
    t.after(() => stage.cluster.kubectl(['delete', 'namespace', name, '--wait=false', '--ignore-not-found']));
    const inside = configMap('inside');
    await deploy(
      'spaces',
      [
        { ...inside, metadata: { ...inside.metadata, namespace: name } },
        { apiVersion: 'v1', kind: 'Namespace', metadata: { name } },
      ],
      { serviceAccountName },
    );
    assert.equal(
      await stage.kubectl('-n', name, 'get', 'configmap', 'inside', '-o', 'jsonpath={.data.key}'),
      'value',
    );
    await remove('spaces');
  });

  await t.test('a Role goes before its binding, a webhook configuration last', async () => {
    const webhook = `towpath-test-${unique}`;
    t.after(() =>
      stage.cluster.kubectl(['delete', 'validatingwebhookconfiguration', webhook, '--ignore-not-found']),
    );
    proxy.forget();
    const rbac = 'rbac.authorization.k8s.io';
    await deploy(
      'order',
      [
        {
          apiVersion: 'admissionregistration.k8s.io/v1',
          kind: 'ValidatingWebhookConfiguration',
          metadata: { name: webhook },
          webhooks: [],
        },
        {
          apiVersion: `${rbac}/v1`,
          kind: 'RoleBinding',
          metadata: { name: 'order' },
          roleRef: { apiGroup: rbac, kind: 'Role', name: 'order' },
          subjects: [{ kind: 'ServiceAccount', name: 'order', namespace: stage.namespace }],
        },
        {
          apiVersion: `${rbac}/v1`,
          kind: 'Role',
          metadata: { name: 'order' },
          rules: [{ apiGroups: [''], resources: ['configmaps'], verbs: ['get'] }],
        },
        configMap('order'),
        deployment('order'),
      ],
      { serviceAccountName },
    );
    const order = appliedInOrder();
    const at = (path: string) => order.indexOf(path);
    assert.ok(at('roles/order') < at('rolebindings/order'), order.join());
    assert.ok(at('configmaps/order') < at('deployments/order'), order.join());
    assert.equal(order.at(-1), `validatingwebhookconfigurations/${webhook}`);
    await remove('order');
  });

  await t.test('only what changed is sent, and nothing where nothing changed', async () => {
    const objects = (changed: number) =>
      Array.from({ length: 20 }, (_, index) =>
        configMap(`many-${index}`, { value: index < changed ? `new ${changed}` : 'old' }),
      );
    await deploy('many', objects(0));
    proxy.forget();
    await change('many', objects(3));
    const ofObjects = { path: /configmaps\/many-/ };
    const dryRuns = proxy.find({ ...ofObjects, where: ({ dryRun }) => dryRun });
    const writes = proxy.find({ ...ofObjects, where: ({ dryRun, method }) => !dryRun && method !== 'GET' });
    const reads = proxy.find({ ...ofObjects, method: 'GET' });
    assert.deepEqual([dryRuns.length, writes.length, reads.length], [3, 3, 0]);
    const record = proxy.find({
      verb: ['create', 'patch', 'update'],
      path: /\/secrets\/towpath-application-/,
    });
    assert.equal(record.length, 2, 'the record is written before and after');
    proxy.forget();
    const commit = await stage.repository.commit({ 'elsewhere.txt': 'x' });
    await ready('many', commit);
    await stage.requestSync('many');
    await stage.until(
      'many',
      ({ metadata, status }) =>
        status?.handledSyncRequest === metadata.annotations?.['towpath.dev/sync-requested'],
      'the request',
    );
    assert.deepEqual(proxy.find(ofObjects), []);
  });
});

test('what the API server refuses', async (t) => {
  const { stage, deploy, push, ready, live } = await newSteps(t);

  await t.test('quarantine lists every refusal, and nothing is applied', async () => {
    await push('invalid', [
      configMap('invalid-fine'),
      { ...configMap('invalid-a'), nonsense: 1 },
      { ...deployment('invalid-b'), spec: { replicas: 'two' } },
      {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name: 'invalid-c' },
        spec: { ports: [{ port: 70000 }] },
      },
      { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'invalid-d' }, data: { key: 's3cret!' } },
    ]);
    await stage.application('invalid', { source: { path: 'invalid' } });
    const held = await stage.until(
      'invalid',
      ({ status }) => status?.sync === 'Quarantined',
      'the quarantine',
    );
    const errors = held.status?.quarantine?.errors ?? [];
    assert.deepEqual(errors.map(({ object }) => object?.name).sort(), [
      'invalid-a',
      'invalid-b',
      'invalid-c',
      'invalid-d',
    ]);
    assert.equal(held.status?.quarantine?.total, 4);
    assert.equal(await live('configmap', 'invalid-fine'), undefined);
    assert.doesNotMatch(JSON.stringify(held.status), /s3cret/);
  });

  await t.test('a quota that is used up blocks, and helps when it is raised', async () => {
    const quota = (pods: string) => ({
      apiVersion: 'v1',
      kind: 'ResourceQuota',
      metadata: { name: 'few' },
      spec: { hard: { 'count/secrets': pods } },
    });
    await stage.apply(quota('0'));
    await eventually(async () => (await live('resourcequota', 'few'))?.status?.['hard'], {
      describe: 'the quota',
    });
    await push('quota', [{ apiVersion: 'v1', kind: 'Secret', metadata: { name: 'quota' } }]);
    await stage.application('quota', { source: { path: 'quota' } });
    const blocked = await stage.until('quota', (one) => reasonOf(one) === 'QuotaExceeded', 'the refusal');
    assert.equal(blocked.status?.sync, 'Blocked');
    assert.match(messageOf(blocked), /exceeded quota: few/);
    await stage.kubectl('delete', 'resourcequota', 'few');
    await stage.requestSync('quota');
    await stage.until('quota', (one) => reasonOf(one) === 'Synced', 'the quota gone');
  });

  await t.test(
    "a ValidatingAdmissionPolicy's refusal blocks with its message while the last good one runs",
    async (t) => {
      const name = `towpath-test-${unique}`;
      const kind = (kind: string, spec: object) => ({
        apiVersion: 'admissionregistration.k8s.io/v1',
        kind,
        metadata: { name },
        spec,
      });
      const before = await deploy('policy', [configMap('policy', { key: 'allowed' })]);
      t.after(() =>
        stage.cluster.kubectl(['delete', 'validatingadmissionpolicy,validatingadmissionpolicybinding', name]),
      );
      await stage.apply(
        kind('ValidatingAdmissionPolicy', {
          matchConstraints: {
            resourceRules: [
              { apiGroups: [''], apiVersions: ['v1'], operations: ['*'], resources: ['configmaps'] },
            ],
          },
          validations: [
            { expression: "!has(object.data.key) || object.data.key != 'evil'", message: 'no evil here' },
          ],
        }),
      );
      const namespaceSelector = { matchLabels: { 'kubernetes.io/metadata.name': stage.namespace } };
      await stage.apply(
        kind('ValidatingAdmissionPolicyBinding', {
          policyName: name,
          validationActions: ['Deny'],
          matchResources: { namespaceSelector },
        }),
      );
      await eventually(
        async () => {
          const tried = await stage.cluster.kubectl([
            '-n',
            stage.namespace,
            'create',
            'configmap',
            'probe',
            '--from-literal=key=evil',
            '--dry-run=server',
          ]);
          return /no evil here/.test(tried.stderr);
        },
        { describe: 'the policy to act' },
      );
      await push('policy', [configMap('policy', { key: 'evil' })]);
      const refused = await stage.until(
        'policy',
        (one) => reasonOf(one) === 'AdmissionDenied',
        'the refusal',
      );
      assert.match(messageOf(refused), /no evil here/);
      assert.equal(environmentOf(refused.status)?.revision, environmentOf(before.status)?.revision);
      assert.equal((await live('configmap', 'policy'))?.data?.['key'], 'allowed');
      await ready('policy', await push('policy', [configMap('policy', { key: 'fine' })]));
    },
  );

  await t.test(
    'a webhook that is down is no verdict on the candidate: tried again until it is back',
    async (t) => {
      const name = `towpath-test-${unique}.example.com`;
      t.after(() =>
        stage.cluster.kubectl(['delete', 'validatingwebhookconfiguration', name, '--ignore-not-found']),
      );
      const namespaceSelector = { matchLabels: { 'kubernetes.io/metadata.name': stage.namespace } };
      await stage.apply({
        apiVersion: 'admissionregistration.k8s.io/v1',
        kind: 'ValidatingWebhookConfiguration',
        metadata: { name },
        webhooks: [
          {
            name,
            namespaceSelector,
            admissionReviewVersions: ['v1'],
            sideEffects: 'None',
            failurePolicy: 'Fail',
            timeoutSeconds: 1,
            clientConfig: { url: 'https://127.0.0.1:1/' },
            rules: [{ apiGroups: [''], apiVersions: ['v1'], operations: ['*'], resources: ['services'] }],
          },
        ],
      });
      const spec = { type: 'ExternalName', externalName: 'example.com' };
      const object = { apiVersion: 'v1', kind: 'Service', metadata: { name: 'hooked' }, spec };
      await eventually(
        async () =>
          /failed calling webhook/.test(
            (
              await stage.cluster.kubectl(['-n', stage.namespace, 'create', '--dry-run=server', '-f', '-'], {
                input: JSON.stringify(object),
              })
            ).stderr,
          ),
        { describe: 'the webhook to be asked' },
      );
      await push('hooked', [object]);
      await stage.application('hooked', { source: { path: 'hooked' } });
      const waiting = await stage.until(
        'hooked',
        (one) => reasonOf(one) === 'WebhookUnavailable',
        'the failure',
      );
      assert.notEqual(waiting.status?.sync, 'Quarantined');
      assert.match(messageOf(waiting), /failed calling webhook/);
      await stage.kubectl('delete', 'validatingwebhookconfiguration', name);
      await stage.requestSync('hooked');
      await stage.until('hooked', (one) => reasonOf(one) === 'Synced', 'the webhook gone');
    },
  );

  await t.test('a kind that the cluster does not know blocks, and names what to install', async () => {
    await push('unknown', [{ apiVersion: 'nowhere.example.com/v1', kind: 'Thing', metadata: { name: 'x' } }]);
    await stage.application('unknown', { source: { path: 'unknown' } });
    const blocked = await stage.until('unknown', (one) => reasonOf(one) === 'KindMissing', 'the refusal');
    assert.match(messageOf(blocked), /Thing/);
  });
});
