import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { podAnnotation } from '../../hack/nodes/pod.ts';
import { eventually } from '../harness/wait.ts';
import {
  configMap,
  endPod,
  messageOf,
  newSteps,
  podOf,
  type TestObject,
  toldOf,
} from '../integration/steps.ts';

type Annotations = Record<string, string>;

function job(
  name: string,
  events: string,
  more: { annotations?: Annotations; pod?: string; account?: string } = {},
) {
  const { annotations = {}, pod = '', account = 'default' } = more;
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { name, annotations: { ...(events === '' ? {} : { 'helm.sh/hook': events }), ...annotations } },
    spec: {
      backoffLimit: 0,
      template: {
        metadata: { annotations: pod === '' ? {} : { [podAnnotation]: pod } },
        spec: {
          restartPolicy: 'Never',
          serviceAccountName: account,
          containers: [{ name: 'run', image: 'hook' }],
        },
      },
    },
  } satisfies TestObject;
}

function chart(directory: string, objects: readonly TestObject[]): Record<string, string> {
  return {
    [`${directory}/Chart.yaml`]: `apiVersion: v2\nname: ${directory}\nversion: 1.0.0\n`,
    [`${directory}/templates/all.yaml`]: objects.map((object) => JSON.stringify(object)).join('\n---\n'),
  };
}

test("Helm's delete policies, and objects that become hooks or cease to be", async (t) => {
  const { stage, ready, live, admin } = await newSteps(t);
  const deploy = async (name: string, objects: readonly TestObject[], spec: Record<string, unknown> = {}) => {
    const commit = await stage.repository.commit(chart(name, objects));
    await stage.application(name, { source: { path: name }, ...spec });
    return ready(name, commit);
  };
  const change = async (name: string, objects: readonly TestObject[]) =>
    ready(name, await stage.repository.commit(chart(name, objects)));

  await t.test('hook-succeeded lets hooks go after all of their event, not one by one', async () => {
    const policy = { 'helm.sh/hook-delete-policy': 'before-hook-creation,hook-succeeded' };
    const account: TestObject = {
      apiVersion: 'v1',
      kind: 'ServiceAccount',
      metadata: {
        name: 'helper',
        annotations: { 'helm.sh/hook': 'pre-install', 'helm.sh/hook-weight': '-1', ...policy },
      },
    };
    const needs = job('needs', 'pre-install', { annotations: policy, account: 'helper' });
    await deploy('together', [configMap('together'), account, needs]);
    await eventually(async () => (await live('job', 'needs')) === undefined, { describe: 'the Job to go' });
    assert.equal(await live('serviceaccount', 'helper'), undefined);
  });

  await t.test('a definition that is a hook is never deleted: its objects stay', async (t) => {
    const serviceAccountName = await admin(t);
    const group = `t${randomBytes(4).toString('hex')}.example.com`;
    const definition = (extra: object): TestObject => ({
      apiVersion: 'apiextensions.k8s.io/v1',
      kind: 'CustomResourceDefinition',
      metadata: { name: `widgets.${group}`, annotations: { 'helm.sh/hook': 'pre-install,pre-upgrade' } },
      spec: {
        group,
        scope: 'Namespaced',
        names: { kind: 'Widget', plural: 'widgets', singular: 'widget' },
        versions: [
          {
            name: 'v1',
            served: true,
            storage: true,
            schema: { openAPIV3Schema: { type: 'object', properties: { ...extra } } },
          },
        ],
      },
    });
    t.after(() => stage.kubectl('delete', 'crd', `widgets.${group}`, '--ignore-not-found'));
    await deploy('defining', [configMap('defining'), definition({ a: { type: 'string' } })], {
      serviceAccountName,
    });
    await eventually(
      () =>
        stage
          .apply({ apiVersion: `${group}/v1`, kind: 'Widget', metadata: { name: 'dear' }, a: 'mine' })
          .then(() => true),
      { describe: 'the kind to be served' },
    );
    await change('defining', [
      configMap('defining', { key: 'two' }),
      definition({ a: { type: 'string' }, b: { type: 'string' } }),
    ]);
    const widget = JSON.parse(await stage.kubectl('get', `widgets.${group}`, 'dear', '-o', 'json')) as {
      a: string;
    };
    assert.equal(widget.a, 'mine');
    const schema = await stage.kubectl(
      'get',
      'crd',
      `widgets.${group}`,
      '-o',
      'jsonpath={.spec.versions[0].schema}',
    );
    assert.match(schema, /"b":/, 'the new definition is in force');
  });

  await t.test('a plain object becomes a hook, and a hook a plain object', async () => {
    await deploy('roles', [configMap('roles'), job('turns', '')]);
    await change('roles', [configMap('roles', { key: 'two' }), job('turns', 'pre-upgrade')]);
    const hook = await live('job', 'turns');
    assert.match(hook?.metadata.managedFields?.map(({ manager }) => manager).join() ?? '', /towpath-hook-/);
    await change('roles', [configMap('roles', { key: 'three' }), job('turns', '')]);
    assert.equal((await live('job', 'turns'))?.metadata.uid, hook?.metadata.uid, 'the same object');
    await stage.kubectl('delete', 'applications.towpath.dev', 'roles', '--timeout=20s');
    assert.equal(await live('job', 'turns'), undefined, 'pruned like any other');
  });

  await t.test('hooks of an Application that went are free for another one', async () => {
    const hook = job('shared', 'pre-install');
    await deploy('first', [configMap('first'), hook]);
    await stage.kubectl('delete', 'applications.towpath.dev', 'first', '--timeout=20s');
    assert.equal((await live('job', 'shared'))?.metadata.labels?.['towpath.dev/target'], undefined);
    await deploy('second', [configMap('second'), hook]);
  });

  await t.test('what waits for a delete hook is told meanwhile', async () => {
    await deploy('parting', [configMap('parting'), job('farewell', 'pre-delete', { pod: 'runs' })]);
    await stage.kubectl('delete', 'applications.towpath.dev', 'parting', '--wait=false');
    const told = await stage.until(
      'parting',
      (one) => /farewell/.test(messageOf(one)),
      'the hook to be told',
    );
    assert.match(messageOf(told), /waiting for the hook Job .*farewell \(pre-delete\)/);
    assert.ok(await live('configmap', 'parting'), 'nothing went before the hook ended');
    await endPod(stage, await podOf(stage, 'farewell'));
    await stage.kubectl('wait', '--for=delete', 'applications.towpath.dev/parting', '--timeout=20s');
  });

  await t.test(
    'delete hooks that are lost with the kept manifests are told, and hold nothing up',
    async () => {
      await deploy('lost', [configMap('lost'), job('lost-before', 'pre-delete')]);
      const selector = ['-l', 'towpath.dev/record', '-o', 'json'];
      const { items } = JSON.parse(await stage.kubectl('get', 'secrets', ...selector)) as {
        items: { metadata: { name: string }; data: Record<string, string> }[];
      };
      for (const { metadata, data } of items) {
        const gone = Object.fromEntries(
          Object.keys(data)
            .filter((key) => key.startsWith('m.'))
            .map((key) => [key, null]),
        );
        await stage.kubectl('patch', 'secret', metadata.name, '-p', JSON.stringify({ data: gone }));
      }
      await stage.kubectl('delete', 'applications.towpath.dev', 'lost', '--timeout=20s');
      assert.equal(await live('job', 'lost-before'), undefined);
      const told = await toldOf(stage, 'lost', 'RecordDamaged', 2);
      assert.match(told.join('\n'), /hooks of pre-delete that they may have had were not run/);
    },
  );
});
