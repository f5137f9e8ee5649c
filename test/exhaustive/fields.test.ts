import assert from 'node:assert/strict';
import { test } from 'node:test';
import { environmentOf } from '../harness/target.ts';
import { eventually } from '../harness/wait.ts';
import { configMap, messageOf, newSteps, reasonOf, type TestObject } from '../integration/steps.ts';

function deployment(name: string, spec: Record<string, unknown> = {}): TestObject {
  const labels = { app: name };
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name },
    spec: {
      replicas: 1,
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: { containers: [{ name: 'web', image: 'web:1' }] } },
      ...spec,
    },
  };
}

/** Scales the Deployment of its own name. */
const autoscaler = (name: string): TestObject => ({
  apiVersion: 'autoscaling/v2',
  kind: 'HorizontalPodAutoscaler',
  metadata: { name },
  spec: {
    minReplicas: 1,
    maxReplicas: 4,
    scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name },
  },
});

test('who decides a field', async (t) => {
  const { stage, deploy, change, live, push } = await newSteps(t);

  await t.test(
    'sync.ignore: what somebody sets is never reset, also when it is left out of Git later',
    async () => {
      const sync = {
        ignore: [{ group: 'apps', kind: 'Deployment', name: 'ignored', paths: ['/spec/replicas'] }],
      };
      await deploy('ignored', [deployment('ignored')], { sync });
      assert.equal((await live('deployment', 'ignored'))?.spec?.['replicas'], 1, "Git's is the first value");
      await stage.kubectl('scale', 'deployment', 'ignored', '--replicas=2');
      await change('ignored', [deployment('ignored', { replicas: 3, minReadySeconds: 1 })]);
      assert.equal((await live('deployment', 'ignored'))?.spec?.['replicas'], 2);
      await change('ignored', [deployment('ignored', { replicas: undefined, minReadySeconds: 0 })]);
      assert.equal((await live('deployment', 'ignored'))?.spec?.['replicas'], 2);
    },
  );

  await t.test('sync.ignore: a rule that comes later leaves the value that Git had', async () => {
    await deploy('later', [configMap('later', { a: '1', b: '1' })]);
    const sync = { ignore: [{ group: '', kind: 'ConfigMap', name: 'later', paths: ['/data/a'] }] };
    await stage.application('later', { source: { path: 'later' }, sync });
    await stage.until('later', (one) => reasonOf(one) === 'Synced', 'the rule to be taken up');
    await change('later', [configMap('later', { b: '2' })]);
    assert.deepEqual((await live('configmap', 'later'))?.data, { a: '1', b: '2' });
  });

  await t.test(
    'sync.ignore: a second rule forgets nothing of the first, and a rule that goes gives the field back',
    async () => {
      const path = { source: { path: 'rules' } };
      const ignore = (...paths: string[]) => [{ group: '', kind: 'ConfigMap', name: 'rules', paths }];
      const data = async () => (await live('configmap', 'rules'))?.data;
      const before = configMap('rules', { a: '1', b: '1', c: '1' });
      await deploy('rules', [before], { sync: { ignore: ignore('/data/a') } });
      await stage.application('rules', { ...path, sync: { ignore: ignore('/data/a', '/data/b') } });
      await change('rules', [configMap('rules', { c: '2' })]);
      assert.deepEqual(await data(), { a: '1', b: '1', c: '2' });
      await stage.application('rules', { ...path, sync: { ignore: ignore('/data/b') } });
      await change('rules', [configMap('rules', { a: '3', c: '3' })]);
      assert.deepEqual(await data(), { a: '3', b: '1', c: '3' });
      await change('rules', [configMap('rules', { c: '4' })]);
      assert.deepEqual(await data(), { b: '1', c: '4' });
      // A rule that goes while Git does not name the field: leaving it out still resets nothing.
      await stage.application('rules', { ...path, sync: { ignore: [] } });
      await change('rules', [configMap('rules', { c: '5' })]);
      assert.deepEqual(await data(), { b: '1', c: '5' });
    },
  );

  await t.test(
    'sync.ignore: inside an atomic list, which is owned as a whole, others decide too',
    async () => {
      const ingress = (host: string, service: string): TestObject => ({
        apiVersion: 'networking.k8s.io/v1',
        kind: 'Ingress',
        metadata: { name: 'atomic' },
        spec: {
          rules: [
            {
              host,
              http: {
                paths: [
                  {
                    path: '/',
                    pathType: 'Prefix',
                    backend: { service: { name: service, port: { number: 80 } } },
                  },
                ],
              },
            },
          ],
        },
      });
      const ignore = [
        { group: 'networking.k8s.io', kind: 'Ingress', name: 'atomic', paths: ['/spec/rules/0/host'] },
      ];
      const found = async () => {
        const [rule] = ((await live('ingress', 'atomic'))?.spec?.['rules'] ?? []) as {
          host?: string;
          http: { paths: { backend: { service: { name: string } } }[] };
        }[];
        return [rule?.host, rule?.http.paths[0]?.backend.service.name];
      };
      await deploy('atomic', [ingress('git.example.com', 'one')], { sync: { ignore } });
      assert.deepEqual(await found(), ['git.example.com', 'one'], "Git's is the first value");
      const patch = JSON.stringify([
        { op: 'replace', path: '/spec/rules/0/host', value: 'mine.example.com' },
      ]);
      await stage.kubectl('patch', 'ingress', 'atomic', '--type=json', '-p', patch);
      await change('atomic', [ingress('git.example.com', 'two')]);
      assert.deepEqual(await found(), ['mine.example.com', 'two']);
    },
  );

  await t.test('sync.ignore: a field of one container, found by its name', async () => {
    const withImage = (image: string) => {
      const object = deployment('sized');
      const resources = { limits: { cpu: '1' } };
      const containers = [
        { name: 'side', image },
        { name: 'web', image, resources },
      ];
      const template = { metadata: { labels: { app: 'sized' } }, spec: { containers } };
      return { ...object, spec: { ...(object['spec'] as object), template } };
    };
    const paths = ['/spec/template/spec/containers/1/resources'];
    const sync = { ignore: [{ group: 'apps', kind: 'Deployment', name: 'sized', paths }] };
    await deploy('sized', [withImage('web:1')], { sync });
    await stage.kubectl('set', 'resources', 'deployment', 'sized', '-c=web', '--limits=cpu=2');
    await change('sized', [withImage('web:2')]);
    const found = await stage.kubectl(
      ...['get', 'deployment', 'sized', '-o'],
      'jsonpath={range .spec.template.spec.containers[*]}{.name} {.image} {.resources.limits.cpu};{end}',
    );
    assert.equal(found, 'side web:2 ;web web:2 2;');
  });

  await t.test(
    "a Deployment's replicas are left alone where a HorizontalPodAutoscaler scales it",
    async () => {
      await push('scaled', [deployment('scaled'), autoscaler('scaled')]);
      await stage.application('scaled', { source: { path: 'scaled' } });
      await eventually(() => live('deployment', 'scaled'), { describe: 'the Deployment' });
      await stage.until('scaled', ({ status }) => environmentOf(status)?.objects === 2, 'both objects');
      await stage.kubectl('scale', 'deployment', 'scaled', '--replicas=3');
      const commit = await push('scaled', [
        deployment('scaled', { minReadySeconds: 1 }),
        autoscaler('scaled'),
      ]);
      await stage.until('scaled', ({ status }) => environmentOf(status)?.revision === commit, 'the change');
      await eventually(async () => (await live('deployment', 'scaled'))?.spec?.['minReadySeconds'] === 1, {
        describe: 'the change applied',
      });
      assert.equal((await live('deployment', 'scaled'))?.spec?.['replicas'], 3);
    },
  );

  await t.test(
    'replicas that Git does not name any more stay as they are when the autoscaler goes',
    async () => {
      const replicas = async () => (await live('deployment', 'unscaled'))?.spec?.['replicas'];
      await deploy('unscaled', [deployment('unscaled', { replicas: 2 })]);
      const until = (commit: string) =>
        stage.until('unscaled', ({ status }) => environmentOf(status)?.revision === commit, 'the change');
      await until(
        await push('unscaled', [deployment('unscaled', { replicas: undefined }), autoscaler('unscaled')]),
      );
      assert.equal(await replicas(), 2);
      await change('unscaled', [deployment('unscaled', { replicas: undefined })]);
      assert.equal(await live('horizontalpodautoscaler', 'unscaled'), undefined);
      assert.equal(await replicas(), 2);
      await change('unscaled', [deployment('unscaled', { replicas: 1 })]);
      assert.equal(await replicas(), 1);
    },
  );

  await t.test(
    'an immutable field is refused with what to do; with the annotation replace it is made anew',
    async () => {
      const frozen = (value: string, annotations: Record<string, string> = {}) => ({
        ...configMap('frozen', { value }, annotations),
        immutable: true,
      });
      await deploy('frozen', [frozen('1')]);
      const before = await live('configmap', 'frozen');
      await push('frozen', [frozen('2')]);
      const held = await stage.until('frozen', ({ status }) => status?.sync === 'Quarantined', 'the refusal');
      assert.equal(reasonOf(held), 'ImmutableField');
      assert.match(messageOf(held), /towpath\.dev\/replace: "true"/);
      assert.equal((await live('configmap', 'frozen'))?.metadata.uid, before?.metadata.uid);
      await change('frozen', [frozen('2', { 'towpath.dev/replace': 'true' })]);
      const after = await live('configmap', 'frozen');
      assert.equal(after?.data?.['value'], '2');
      assert.notEqual(after?.metadata.uid, before?.metadata.uid);
    },
  );

  await t.test(
    'the API server echoes the whole template of a Job: the next step is told all the same',
    async () => {
      const job = (image: string) => ({
        apiVersion: 'batch/v1',
        kind: 'Job',
        metadata: { name: 'once' },
        spec: {
          template: { spec: { restartPolicy: 'Never', containers: [{ name: 'run', image }] } },
        },
      });
      await deploy('once', [job('one')]);
      await push('once', [job('two')]);
      const held = await stage.until('once', ({ status }) => status?.sync === 'Quarantined', 'the refusal');
      assert.equal(reasonOf(held), 'ImmutableField');
      assert.match(
        messageOf(held),
        /Job .*once: spec\.template\.spec\.containers\[0\]\.image: field is immutable\. Put the old value back/,
      );
      assert.match(messageOf(held), /towpath\.dev\/replace: "true"/);
      assert.match(
        held.status?.quarantine?.errors?.[0]?.message ?? '',
        /^spec\.template\.spec\.containers\[0\]\.image: field is immutable\. Put the old value back.*towpath\.dev\/replace: "true"/,
        'each error by itself, too',
      );
    },
  );

  await t.test('two wrong types are told on one line', async () => {
    const wrong = { ...configMap('wrong'), data: 3, immutable: 'no' };
    await push('wrong', [wrong]);
    await stage.application('wrong', { source: { path: 'wrong' } });
    const held = await stage.until('wrong', ({ status }) => status?.sync === 'Quarantined', 'the refusal');
    assert.match(messageOf(held), /ConfigMap .*wrong: \.data: .*; \.immutable: /);
    assert.doesNotMatch(messageOf(held), /\n/);
  });

  await t.test('a Service keeps its port when it is replaced', async () => {
    const service = (spec: object) => ({
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'door', annotations: { 'towpath.dev/replace': 'true' } },
      spec: { type: 'NodePort', selector: { a: 'b' }, ...spec },
    });
    await deploy('door', [service({ ports: [{ port: 80 }] })]);
    const nodePortOf = (object: typeof before) => {
      const ports = object?.spec?.['ports'];
      return Array.isArray(ports) ? ports[0]?.nodePort : undefined;
    };
    const before = await live('service', 'door');
    assert.ok(nodePortOf(before) > 0);
    const nodePort = nodePortOf(before);
    // An address that is free: a Service that is gone had it.
    await stage.kubectl('create', 'service', 'clusterip', 'spare', '--tcp=80');
    const other = String((await live('service', 'spare'))?.spec?.['clusterIP']);
    await stage.kubectl('delete', 'service', 'spare');
    await change('door', [service({ ports: [{ port: 80, nodePort }], clusterIP: other })]);
    const after = await live('service', 'door');
    assert.equal(after?.spec?.['clusterIP'], other);
    assert.equal(nodePortOf(after), nodePort);
  });
});

test('D13: adoption takes over what other tools own, so that a field removed from Git goes', async (t) => {
  const { stage, deploy, change, live } = await newSteps(t);
  const old = (name: string) => configMap(name, { kept: 'old', removed: 'old' });
  const patch = async (manager: string, object: TestObject, how: readonly string[]) => {
    const created = await stage.cluster.kubectl(
      ['-n', stage.namespace, ...how, `--field-manager=${manager}`, '-f', '-'],
      { input: JSON.stringify(object) },
    );
    assert.equal(created.code, 0, created.stderr);
  };
  const tools = {
    helm: ['create'],
    'kubectl-client-side-apply': ['apply'],
    kubectl: ['apply', '--server-side'],
  };
  for (const [manager, how] of Object.entries(tools)) {
    await t.test(`D13: of ${manager} (${how.join(' ')}), by the annotation on the object`, async () => {
      const name = `adopts-${how.length}-${manager.slice(0, 4)}`.toLowerCase();
      await patch(manager, old(name), how);
      const adopted = configMap(name, { kept: 'new', removed: 'new' }, { 'towpath.dev/adopt': 'true' });
      await deploy(name, [adopted]);
      await change(name, [configMap(name, { kept: 'new' }, { 'towpath.dev/adopt': 'true' })]);
      assert.deepEqual((await live('configmap', name))?.data, { kept: 'new' });
    });
  }

  await t.test(
    'D13: a field that Git never had goes at once, by the annotation on the Application',
    async () => {
      await patch('helm', old('whole'), ['create']);
      await deploy('whole', [configMap('whole', { kept: 'new' })], {}, { 'towpath.dev/adopt': 'true' });
      assert.deepEqual((await live('configmap', 'whole'))?.data, { kept: 'new' });
    },
  );

  await t.test(
    "D13: what a controller owns stays the controller's, and so does what is ignored",
    async () => {
      await patch('helm', old('mixed'), ['create']);
      await stage.kubectl(
        ...['patch', 'configmap', 'mixed', '--field-manager=ca-injector', '-p', '{"data":{"ca":"injected"}}'],
      );
      const sync = { ignore: [{ group: '', kind: 'ConfigMap', name: 'mixed', paths: ['/data/removed'] }] };
      await deploy('mixed', [configMap('mixed', { kept: 'new' })], { sync }, { 'towpath.dev/adopt': 'true' });
      assert.deepEqual((await live('configmap', 'mixed'))?.data, {
        kept: 'new',
        ca: 'injected',
        removed: 'old',
      });
    },
  );
});
