import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { type TestContext, test } from 'node:test';
import type { Application } from '../../operator/api/v1alpha1/application.ts';
import { WATCHED_RIGHTS } from '../../operator/kube/rights.ts';
import { definition } from '../harness/definition.ts';
import { newEnvironment } from '../harness/environments.ts';
import { conditionOf, fastLease, looks, newStage, type Stage, timesLogged } from '../harness/operator.ts';
import { namespaceFor } from '../harness/use-control-plane.ts';
import { eventually } from '../harness/wait.ts';
import {
  chartOf,
  claim,
  configMap,
  endPod,
  hookJob,
  messageOf,
  newProxiedSteps,
  podOf,
  reasonOf,
  type Steps,
  type TestObject,
  volumeFor,
} from './steps.ts';

const HOLD = 'example.com/hold';
const APPLICATIONS = 'applications.towpath.dev';

function namespaceObject(name: string, annotations: Record<string, string> = {}): TestObject {
  return { apiVersion: 'v1', kind: 'Namespace', metadata: { name, annotations } };
}

/** Deleting with a finalizer of ours on one object, so that the test decides when it is gone. */
function holding({ stage }: Steps) {
  const patch = (type: 'merge' | 'json', name: string, text: unknown) =>
    stage.kubectl('patch', 'configmap', name, `--type=${type}`, '-p', JSON.stringify(text));
  return {
    hold: (name: string) => patch('merge', name, { metadata: { finalizers: [HOLD] } }),
    release: (name: string) => patch('json', name, [{ op: 'remove', path: '/metadata/finalizers' }]),
    startDeleting: (name: string) => stage.kubectl('delete', APPLICATIONS, name, '--wait=false'),
    untilGone: (name: string) =>
      stage.kubectl('wait', '--for=delete', `${APPLICATIONS}/${name}`, '--timeout=20s'),
  };
}

const keptIn = ({ status }: Application) =>
  Object.fromEntries(
    (status?.kept ?? [])
      .filter(({ environment }) => environment === 'default')
      .map(({ object, reason }) => [object.name, reason]),
  );

test('deleting an Application', async (t) => {
  const steps = await newProxiedSteps(t, { flags: fastLease });
  const { proxy, stage, deploy, change, live, ready, admin } = steps;
  const { hold, release, startDeleting, untilGone } = holding(steps);
  const serviceAccountName = await admin(t);
  const unique = randomBytes(3).toString('hex');

  await t.test(
    'D11: what was applied last goes first, one after the other, and the progress is told',
    async () => {
      await deploy('order', [
        { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'order-account' } },
        configMap('order-first', {}, { 'towpath.dev/wave': '-1' }),
        configMap('order-base'),
        configMap('order-last', {}, { 'towpath.dev/wave': '1' }),
      ]);
      await hold('order-last');
      proxy.forget();
      await startDeleting('order');
      const deleting = await stage.until(
        'order',
        (one) => reasonOf(one) === 'Deleting' && messageOf(one).includes('order-last'),
        'the progress',
      );
      assert.match(messageOf(deleting), /4 objects are left; .*ConfigMap \S+order-last .*finalizers/);
      assert.equal(conditionOf(deleting, 'Reconciling')?.status, 'True');
      for (const name of ['order-first', 'order-base']) {
        const waiting = await live('configmap', name);
        assert.ok(waiting !== undefined && waiting.metadata.deletionTimestamp === undefined, name);
      }
      const released = performance.now();
      await release('order-last');
      await untilGone('order');
      const deletions = proxy.find({ verb: 'delete', path: /order-/ });
      assert.deepEqual(
        deletions.map(({ path }) => path.split('/').at(-1)),
        ['order-last', 'order-base', 'order-first', 'order-account'],
        'rights go last of all',
      );
      for (const { path, at } of deletions.slice(1))
        assert.ok(at > released, `${path} was deleted before the wave after it was gone`);
    },
  );

  await t.test(
    'D11: an object in another namespace goes too, and nothing else of that namespace',
    async (t) => {
      const other = await namespaceFor(t, stage.cluster);
      const inside = async (name: string) =>
        stage.kubectl('-n', other, 'get', 'configmap', name, '--ignore-not-found', '-o', 'name');
      const there = configMap('elsewhere');
      const elsewhere = { ...there, metadata: { ...there.metadata, namespace: other } };
      await deploy('elsewhere', [configMap('elsewhere'), elsewhere], { serviceAccountName });
      await stage.kubectl('-n', other, 'create', 'configmap', 'neighbour');
      assert.match(await inside('elsewhere'), /elsewhere/);
      await stage.kubectl('delete', APPLICATIONS, 'elsewhere', '--timeout=20s');
      assert.equal(await inside('elsewhere'), '');
      assert.equal(await live('configmap', 'elsewhere'), undefined);
      assert.match(await inside('neighbour'), /neighbour/);
    },
  );

  const deployChart = async (name: string, objects: readonly TestObject[], spec: object = {}) => {
    const commit = await stage.repository.commit(chartOf(name, objects));
    await stage.application(name, { source: { path: name }, ...spec });
    await ready(name, commit);
  };

  await t.test('D11: a pre-delete hook that fails is told with the way out, and tried again', async () => {
    await deployChart('fails', [configMap('fails'), hookJob('fails', 'pre-delete', {}, 'fails')], {
      sync: { retries: { backoff: '100ms', maxBackoff: '200ms' } },
    });
    await startDeleting('fails');
    const told = await stage.until('fails', (one) => reasonOf(one) === 'DeletionFailed', 'the failure');
    assert.match(
      messageOf(told),
      /The hook Job \S+fails failed: .* it is run again\..*towpath\.dev\/abandon=default/s,
    );
    assert.equal(conditionOf(told, 'Stalled')?.reason, 'DeletionFailed');
    assert.equal(told.status?.summary?.environments, '0/1');
    assert.ok(await live('configmap', 'fails'), 'nothing goes before its hook has run');
    // As often as the spec allows: with the longest pause of other failures there are five tries in that time at most.
    const tries = new Set<string | undefined>();
    await eventually(async () => tries.add((await live('job', 'fails'))?.metadata.uid).size > 6, {
      within: 12_000,
      describe: 'the hook to be run again and again',
    });
    await stage.kubectl('annotate', APPLICATIONS, 'fails', 'towpath.dev/abandon=default');
    await untilGone('fails');
    assert.ok(await live('configmap', 'fails'), 'abandoned, its objects stay');
  });

  await t.test(
    'D11: a pre-delete hook that failed rests as spec.sync.retries says, and that is told',
    async () => {
      await deployChart('rests', [configMap('rests'), hookJob('rests', 'pre-delete', {}, 'fails')], {
        sync: { retries: { backoff: '10m', maxBackoff: '10m' } },
      });
      await startDeleting('rests');
      const told = await stage.until('rests', (one) => reasonOf(one) === 'DeletionFailed', 'the failure');
      assert.equal(told.status?.retry?.attempts, 1);
      assert.equal(told.status?.retry?.environment, 'default');
      assert.ok(Date.parse(told.status?.retry?.nextAt ?? '') > Date.now() + 60_000, 'the next try is told');
      const first = (await live('job', 'rests'))?.metadata.uid;
      // Each of these wakes the deletion, as the hook's own Job does while it ends.
      for (const label of ['a', 'b', 'c']) await stage.kubectl('label', 'configmap', 'rests', `${label}=1`);
      await stage.restart();
      await eventually(async () => (await looks(stage)) > 0, { describe: 'the restarted operator to look' });
      await stage.until('rests', (one) => reasonOf(one) === 'DeletionFailed', 'the deletion to rest');
      assert.equal((await live('job', 'rests'))?.metadata.uid, first, 'it is not run again before its time');
      await stage.requestSync('rests');
      await eventually(async () => (await live('job', 'rests'))?.metadata.uid !== first, {
        describe: 'the hook to be run again as asked for',
      });
      const again = await stage.until(
        'rests',
        ({ status }) => status?.retry?.attempts === 2,
        'the second failure',
      );
      assert.equal(reasonOf(again), 'DeletionFailed');
      await stage.kubectl('annotate', APPLICATIONS, 'rests', 'towpath.dev/abandon=default');
      await untilGone('rests');
    },
  );

  await t.test('D11: a pre-delete hook that never ends holds nobody for ever', async () => {
    const endless = (name: string) => [configMap(name), hookJob(name, 'pre-delete', {}, 'runs')];
    await deployChart('slow', endless('slow'), { sync: { timeout: '2s' } });
    await startDeleting('slow');
    const told = await stage.until('slow', (one) => reasonOf(one) === 'DeletionFailed', 'the time-out');
    assert.match(messageOf(told), /did not end within spec\.sync\.timeout/);
    // Then its end is what it waits for.
    await endPod(stage, await podOf(stage, 'slow'));
    await untilGone('slow');
    assert.equal(await live('configmap', 'slow'), undefined);

    await deployChart('stuck', endless('stuck'));
    await startDeleting('stuck');
    await eventually(() => live('job', 'stuck'), { describe: 'the hook to be under way' });
    await stage.kubectl('annotate', APPLICATIONS, 'stuck', 'towpath.dev/abandon=default');
    await untilGone('stuck');
  });

  await t.test(
    'D4: a CustomResourceDefinition and a Namespace are kept when they leave Git, until they allow it',
    async (t) => {
      const name = `${stage.namespace}-kept`;
      const group = `d${unique}.example.com`;
      const crd = `keeps.${group}`;
      t.after(() =>
        stage.cluster.kubectl(['delete', 'namespace', name, '--wait=false', '--ignore-not-found']),
      );
      t.after(() => stage.cluster.kubectl(['delete', 'crd', crd, '--wait=false', '--ignore-not-found']));
      const both = (annotations: Record<string, string> = {}) => [
        configMap('kinds'),
        namespaceObject(name, annotations),
        definition('keeps', group, 'Keep', { annotations }),
      ];
      await deploy('kinds', both(), { serviceAccountName });
      const kept = keptIn(await change('kinds', [configMap('kinds')]));
      assert.match(kept[name] ?? '', /A Namespace is pruned only with .*towpath\.dev\/prune: enabled/);
      assert.match(kept[crd] ?? '', /A CustomResourceDefinition is pruned only with .*prune: enabled/);
      assert.ok(await live('namespace', name));
      assert.ok(await live('crd', crd));

      await change('kinds', both({ 'towpath.dev/prune': 'enabled' }));
      const after = await change('kinds', [configMap('kinds')]);
      assert.deepEqual(keptIn(after), {});
      const isGoing = async (kind: string, name: string) => {
        const found = await live(kind, name);
        return found === undefined || found.metadata.deletionTimestamp !== undefined;
      };
      assert.ok(await isGoing('namespace', name));
      assert.ok(await isGoing('crd', crd));
    },
  );

  await t.test(
    'D4: all three kinds are kept when the Application goes, which says so first; and go where they allow it',
    async (t) => {
      const space = (which: string) => `${stage.namespace}-${which}`;
      const group = `e${unique}.example.com`;
      const objects = (which: string, annotations: Record<string, string> = {}) => [
        configMap(`${which}-held`),
        namespaceObject(space(which), annotations),
        definition(`${which}s`, group, `K${which}`, { annotations }),
        claim(which, annotations),
      ];
      for (const which of ['stays', 'goes']) {
        const names = [`namespace/${space(which)}`, `crd/${which}s.${group}`];
        t.after(() => stage.cluster.kubectl(['delete', ...names, '--wait=false', '--ignore-not-found']));
        await volumeFor(t, stage, which);
      }
      const left = async (which: string) => {
        const all = [
          await live('namespace', space(which)),
          await live('crd', `${which}s.${group}`),
          await live('pvc', which),
        ];
        return all.filter(
          (object) => object !== undefined && object.metadata.deletionTimestamp === undefined,
        );
      };

      await deploy('stays', objects('stays'), { serviceAccountName });
      await hold('stays-held');
      await startDeleting('stays');
      const deleting = await stage.until('stays', (one) => messageOf(one).includes('held'), 'the progress');
      const kept = keptIn(deleting);
      for (const [kind, name] of [
        ['Namespace', space('stays')],
        ['CustomResourceDefinition', `stayss.${group}`],
        ['PersistentVolumeClaim', 'stays'],
      ] as const)
        assert.match(kept[name] ?? 'not told', new RegExp(`A ${kind} is pruned only with`), kind);
      await release('stays-held');
      await untilGone('stays');
      const remaining = await left('stays');
      assert.equal(remaining.length, 3);
      for (const object of remaining)
        assert.equal(object?.metadata.labels?.['towpath.dev/target'], undefined, 'free for others');

      await deploy('goes', objects('goes', { 'towpath.dev/prune': 'enabled' }), { serviceAccountName });
      await stage.kubectl('delete', APPLICATIONS, 'goes', '--timeout=40s');
      assert.deepEqual(await left('goes'), []);
    },
  );
});

test('D11: a namespace that goes, with the ServiceAccount gone before, takes the Application along; what an Environment has elsewhere stays, and the log says where', async (t) => {
  const data = 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\n';
  // As it is installed: with the Lease in the namespace that goes, it could lose the lead before its work is done.
  const own = await namespaceFor(t);
  const stage = await newStage(t, {
    files: { 'web.yaml': data },
    flags: [...fastLease, `--namespace=${own}`],
  });
  await grantEverywhere(t, stage, own);
  await stage.application('web');
  const there = await newEnvironment(t, stage, 'there');
  await stage.application('far', { environments: [{ name: there.name }] });
  for (const name of ['web', 'far'])
    await stage.until(name, (one) => reasonOf(one) === 'Synced', `${name} to be Ready`);
  await stage.kubectl('delete', 'serviceaccount,rolebinding', 'towpath');
  assert.equal(
    await stage.kubectl('get', 'serviceaccount', 'towpath', '--ignore-not-found', '-o', 'name'),
    '',
  );
  assert.ok((await stage.get('web')).metadata.finalizers.length > 0, 'it is held by our finalizer');
  await stage.cluster.kubectl(['delete', 'namespace', stage.namespace, '--wait=false']);
  // What else is in the namespace goes when the namespace controller looks again, 15 s later.
  const gone = await stage.cluster.kubectl([
    ...['-n', stage.namespace, 'wait', '--for=delete', `${APPLICATIONS}/web`, `${APPLICATIONS}/far`],
    '--timeout=60s',
  ]);
  assert.equal(gone.code, 0, `${gone.stderr} ${stage.operator.process.logTail(10)}`);
  const { status, body } = await stage.cluster.request(
    'GET',
    `/api/v1/namespaces/${there.namespace}/configmaps/web`,
  );
  assert.equal(status, 200, body);
  assert.doesNotMatch(body, /towpath\.dev\/target/, 'free for others');
  const where = `"environment":"${there.name}","namespaces":"${there.namespace}","why":"Leaving"`;
  await eventually(() => timesLogged(stage.operator, new RegExp(where)) === 1, {
    describe: `the log to say what was left behind; ${stage.operator.process.logTail(10)}`,
  });
  assert.equal(
    timesLogged(stage.operator, /Objects are left behind\./),
    1,
    'what goes with its namespace is none',
  );
});

/** As the chart does without watchNamespace: what the operator may in the namespace does not go with it. */
async function grantEverywhere(t: TestContext, stage: Stage, own: string): Promise<void> {
  const metadata = { name: `towpath-test-${randomBytes(4).toString('hex')}` };
  const kind = (name: string) => ({ apiVersion: 'rbac.authorization.k8s.io/v1', kind: name, metadata });
  t.after(() =>
    stage.cluster.kubectl(['delete', 'clusterrolebinding,clusterrole', metadata.name, '--ignore-not-found']),
  );
  await stage.apply({ ...kind('ClusterRole'), rules: WATCHED_RIGHTS.map(({ why: _, ...rule }) => rule) });
  await stage.apply({
    ...kind('ClusterRoleBinding'),
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: metadata.name },
    subjects: [{ kind: 'ServiceAccount', name: 'towpath-operator', namespace: own }],
  });
}
