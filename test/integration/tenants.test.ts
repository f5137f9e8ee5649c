import assert from 'node:assert/strict';
import { after, before, describe, type TestContext, test } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import { type Application, environmentOf } from '../../operator/api/v1alpha1/application.ts';
import { type ControlPlane, startControlPlane } from '../harness/control-plane.ts';
import type { RecordedRequest } from '../harness/fault-proxy.ts';
import { startGitHttp } from '../harness/git-http.ts';
import { fastLease, looks } from '../harness/operator.ts';
import { newProxiedStage, type ProxiedStage } from '../harness/proxied-stage.ts';
import { newEnvironmentOf, newObject, newTenant } from '../harness/tenants.ts';
import { always, eventually } from '../harness/wait.ts';
import { chartOf, claim, configMap, hookJob, type TestObject, toldOf, volumeOf } from './steps.ts';

const RBAC = 'rbac.authorization.k8s.io';
const POD_SECURITY = 'pod-security.kubernetes.io/enforce';
const WRITES = ['apply', 'create', 'patch', 'update', 'delete'] as const;
const ACCESS = /\/(namespaces\/[^/]+|serviceaccounts\/towpath|rolebindings\/towpath-managed|namespaces)$/;

/** What the operator itself asks of the access that it manages, or does to it. */
function isOfAccess({ path, impersonate }: RecordedRequest): boolean {
  return impersonate === '' && ACCESS.test(path);
}

/** The stage, with kubectl in the namespace of a tenant. */
function inNamespace(stage: ProxiedStage['stage'], namespace: string): ProxiedStage['stage'] {
  return { ...stage, kubectl: (...args: string[]) => stage.kubectl('-n', namespace, ...args) };
}

describe('tenants of one cluster', () => {
  // One of its own: the operator looks after every namespace there is.
  let cluster: ControlPlane;
  before(async () => {
    cluster = await startControlPlane();
  });
  after(() => cluster.stop());

  const live = async (path: string) => {
    const { status, body } = await cluster.request('GET', path);
    return status === 404 ? undefined : (JSON.parse(body) as Live);
  };
  const configMapOf = (namespace: string, name: string) =>
    live(`/api/v1/namespaces/${namespace}/configmaps/${name}`);
  const bindingOf = (namespace: string) =>
    live(`/apis/${RBAC}/v1/namespaces/${namespace}/rolebindings/towpath-managed`);
  const label = async (namespace: string, labels: Record<string, string | null>) => {
    const contentType = 'application/merge-patch+json';
    const body = { metadata: { labels } };
    const { status } = await cluster.request('PATCH', `/api/v1/namespaces/${namespace}`, {
      body,
      contentType,
    });
    assert.equal(status, 200);
  };
  const patchEnvironment = async (name: string, spec: object) => {
    const path = `/apis/towpath.dev/v1alpha1/environments/${name}`;
    const contentType = 'application/merge-patch+json';
    const { status, body } = await cluster.request('PATCH', path, { body: { spec }, contentType });
    assert.equal(status, 200, body);
  };
  const stageOf = (t: TestContext, options: Parameters<typeof newProxiedStage>[1] = {}) =>
    newProxiedStage(t, {
      cluster,
      flags: [...fastLease, '--watch-namespace='],
      files: chartOf('web', [configMap('web')]),
      ...options,
    });
  const push = ({ stage }: ProxiedStage, path: string, objects: readonly TestObject[]) =>
    stage.repository.commit(chartOf(path, objects));
  const web = (...environments: string[]) => ({
    source: { path: 'web' },
    environments: environments.map((name) => ({ name })),
  });

  test('S16: managed access is made first, asks for nothing at rest, and comes back when somebody takes it away', async (t) => {
    const on = await stageOf(t);
    const { stage, proxy } = on;
    const shop = await newTenant(t, stage, 'shop');
    await newEnvironmentOf(t, stage, 'staging', { allowedNamespaces: ['shop'] });
    await shop.application('web', web('staging'));
    await shop.ready('web', await stage.repository.revParse('main'));
    t.after(() => cluster.request('DELETE', '/api/v1/namespaces/shop-staging'));

    const namespace = await live('/api/v1/namespaces/shop-staging');
    assert.equal(namespace?.metadata.labels?.['towpath.dev/managed-for'], 'shop');
    assert.equal(namespace?.metadata.labels?.[POD_SECURITY], 'baseline');
    const binding = await bindingOf('shop-staging');
    assert.deepEqual(binding?.roleRef, { apiGroup: RBAC, kind: 'ClusterRole', name: 'edit' });
    assert.deepEqual(binding?.subjects, [
      { kind: 'ServiceAccount', name: 'towpath', namespace: 'shop-staging' },
    ]);
    const writes = proxy.find({ path: /shop-staging\/configmaps/, verb: 'apply' });
    assert.deepEqual(
      [...new Set(writes.map(({ impersonate, status }) => `${impersonate} ${status}`))].sort(),
      ['system:serviceaccount:shop-staging:towpath 201'],
      'none was refused before the access was in effect',
    );

    // A look for a request, and the repair of drift, ask nothing of it.
    proxy.forget();
    await cluster.request('DELETE', '/api/v1/namespaces/shop-staging/configmaps/web');
    // What is told has ended: a repair that the restart cuts short is made again, and looks what may write.
    await toldOf(inNamespace(stage, 'shop'), 'web', 'DriftRepaired');
    assert.ok((await configMapOf('shop-staging', 'web')) !== undefined);
    const asked = () => proxy.find({ where: isOfAccess }).map(({ verb, path }) => `${verb} ${path}`);
    assert.deepEqual(asked(), []);
    // Nor does a restart; what may write after it looks once whether all is as it was.
    await stage.restart();
    await eventually(async () => (await looks(stage)) > 0, { describe: 'a look after the restart' });
    assert.deepEqual(asked(), []);
    await shop.application('web', web('staging'), { 'towpath.dev/sync-requested': '1' });
    await shop.until('web', ({ status }) => status?.handledSyncRequest === '1', 'the request to be handled');
    assert.deepEqual(
      asked().filter((one) => !one.startsWith('get ')),
      [],
    );

    // Gone, and back with the repair that needs it.
    const path = `/apis/${RBAC}/v1/namespaces/shop-staging/rolebindings/towpath-managed`;
    await cluster.request('DELETE', path);
    await cluster.request('DELETE', '/api/v1/namespaces/shop-staging/configmaps/web');
    await eventually(() => configMapOf('shop-staging', 'web'), {
      describe: 'the repair without the binding',
    });
    assert.ok((await live(path)) !== undefined);
    // Without the account, which RBAC does not miss, and with another subject, until the next deployment.
    const account = '/api/v1/namespaces/shop-staging/serviceaccounts/towpath';
    await cluster.request('DELETE', account);
    const body = { subjects: [{ kind: 'ServiceAccount', name: 'mallory', namespace: 'default' }] };
    await cluster.request('PATCH', path, { body, contentType: 'application/merge-patch+json' });
    // Labels are the platform's, once the namespace is there.
    await label('shop-staging', { [POD_SECURITY]: 'privileged' });
    const second = await push(on, 'web', [configMap('web', { is: 'two' })]);
    await shop.ready('web', second);
    assert.deepEqual((await bindingOf('shop-staging'))?.subjects, binding?.subjects);
    assert.ok((await live(account)) !== undefined);
    const relabelled = await live('/api/v1/namespaces/shop-staging');
    assert.equal(relabelled?.metadata.labels?.[POD_SECURITY], 'privileged');

    // Another role is another binding.
    await patchEnvironment('staging', { access: { clusterRole: 'view' } });
    const listed = 'ClusterRoleNotListed';
    assert.match(await shop.blocked('web', listed), /managedAccess: \{clusterRoles: \[edit, view\]\}/);
    assert.equal((await configMapOf('shop-staging', 'web'))?.data?.['is'], 'two', 'what runs stays');
    await eventually(
      async () => {
        const staging = await live('/apis/towpath.dev/v1alpha1/environments/staging');
        return staging?.status?.conditions?.some(
          ({ type, reason, status }) => type === 'Stalled' && reason === listed && status === 'True',
        );
      },
      { describe: 'the Environment to say so, too' },
    );
    await patchEnvironment('staging', { access: { clusterRole: 'edit' } });
    await shop.ready('web', second);

    await shop.delete('web');
    assert.equal(await configMapOf('shop-staging', 'web'), undefined);
    // With the Environment, too, nobody names the namespace any more.
    const environment = '/apis/towpath.dev/v1alpha1/environments/staging';
    await cluster.request('DELETE', environment);
    await eventually(async () => (await live(environment)) === undefined, {
      describe: 'the Environment to be gone',
    });
    const left = await live('/api/v1/namespaces/shop-staging');
    assert.equal(left?.metadata.uid, namespace?.metadata.uid, 'the namespace stays');
    assert.equal(left?.metadata.deletionTimestamp, undefined);
    assert.deepEqual(
      proxy.find({ verb: 'delete', path: /^\/api\/v1\/namespaces\/[^/]+$/ }).map(({ path }) => path),
      [],
    );
  });

  test('S16, B13: the end of an Application puts right the access that it needs, and makes no namespace for it', async (t) => {
    const { stage } = await stageOf(t);
    const shop = await newTenant(t, stage, 'shop-ends');
    await newEnvironmentOf(t, stage, 'ending', { allowedNamespaces: ['*'] });
    const landing = '/api/v1/namespaces/shop-ends-ending';
    await shop.application('web', web('ending'));
    await shop.ready('web', await stage.repository.revParse('main'));
    await cluster.request('DELETE', `${landing}/serviceaccounts/towpath`);
    await shop.delete('web');
    assert.equal(await configMapOf('shop-ends-ending', 'web'), undefined);

    await shop.application('web', web('ending'));
    await shop.ready('web', await stage.repository.revParse('main'));
    await cluster.request('DELETE', landing);
    await shop.delete('web');
    await eventually(async () => (await live(landing)) === undefined, {
      describe: 'the namespace to be gone',
    });
    await always(
      () => live(landing),
      (found) => assert.equal(found, undefined),
      500,
    );
  });

  test('S16: a namespace that is being deleted is waited for, and made again', async (t) => {
    const { stage } = await stageOf(t);
    const shop = await newTenant(t, stage, 'shop-again');
    await newEnvironmentOf(t, stage, 'again', { allowedNamespaces: ['*'] });
    const landing = '/api/v1/namespaces/shop-again-again';
    await newObject(t, stage, '/api/v1/namespaces', {
      metadata: { name: 'shop-again-again', labels: { 'towpath.dev/managed-for': 'shop-again' } },
    });
    await newObject(t, stage, `${landing}/configmaps`, {
      metadata: { name: 'holds', finalizers: ['example.com/holds'] },
    });
    await cluster.request('DELETE', landing);
    await shop.application('web', web('again'));
    assert.match(await shop.blocked('web', 'NamespaceTerminating'), /shop-again-again .* is being deleted/);
    const released = performance.now();
    const body = { metadata: { finalizers: null } };
    const contentType = 'application/merge-patch+json';
    await cluster.request('PATCH', `${landing}/configmaps/holds`, { body, contentType });
    await shop.ready('web', await stage.repository.revParse('main'));
    atOnce(released);
    t.after(() => cluster.request('DELETE', landing));
  });

  test('S16: what stands in a namespace of others is not theirs: by the names of Kubernetes and of the operator, without the label, and with the label of others', async (t) => {
    const { stage, proxy } = await stageOf(t);
    const shop = await newTenant(t, stage, 'names');
    await newEnvironmentOf(t, stage, 'by-name', { allowedNamespaces: ['names'], namespace: '{name}' });
    const theirs = await newTenant(t, stage, 'theirs');
    const names = ['kube-system', 'kube-public', 'default', 'kube-later', stage.namespace, theirs.namespace];
    for (const name of names) await shop.application(name, web('by-name'));
    for (const name of names) {
      const told = await shop.blocked(name, 'NamespaceNotManaged');
      assert.ok(told.includes(name), told);
    }
    const touched = (namespace: string) =>
      proxy.find({
        path: new RegExp(`/namespaces/${namespace}/(serviceaccounts|rolebindings|configmaps)`),
        verb: ['apply', 'create', 'patch'],
        // The archive is in the operator's namespace: also of an Application of a test before that ends now.
        where: ({ path, body }) => !`${path} ${body}`.includes('towpath-ledger.'),
      });
    for (const name of names) {
      assert.deepEqual(touched(name), [], name);
      assert.equal(await bindingOf(name), undefined, name);
    }
    assert.equal(await live('/api/v1/namespaces/kube-later'), undefined);

    // The platform's label opens a namespace, and none of Kubernetes.
    t.after(() => label('kube-system', { 'towpath.dev/managed-for': null }));
    await label('kube-system', { 'towpath.dev/managed-for': 'names' });
    const labelled = performance.now();
    await label('theirs', { 'towpath.dev/managed-for': 'somebody' });
    assert.match(await shop.blocked('kube-system', 'NamespaceNotManaged'), /whatever its labels say/);
    await shop.until(
      'theirs',
      ({ status }) => /managed for the Applications of somebody/.test(JSON.stringify(status)),
      'whose it is to be told',
    );
    await label('theirs', { 'towpath.dev/managed-for': 'names' });
    await shop.ready('theirs', await stage.repository.revParse('main'));
    atOnce(labelled);
    assert.equal(await bindingOf('kube-system'), undefined);
  });

  test('S16: in a namespace that is labelled for others after it was made nothing is written any more, by a commit, a hook or a repair, and what runs stays', async (t) => {
    const on = await stageOf(t);
    const { stage } = on;
    const shop = await newTenant(t, stage, 'moves');
    await newEnvironmentOf(t, stage, 'moving', { allowedNamespaces: ['moves'] });
    const landing = '/api/v1/namespaces/moves-moving';
    t.after(() => cluster.request('DELETE', landing));
    const labelFor = (tenant: string | null) => label('moves-moving', { 'towpath.dev/managed-for': tenant });
    const hook = configMap('hook', {}, { 'helm.sh/hook': 'post-install' });
    const first = await push(on, 'web', [configMap('web'), claim('dumps'), hook]);
    await shop.application('web', web('moving'));
    const isUnderWay = ({ status }: Application) =>
      /dumps/.test(environmentOf(status, 'moving')?.message ?? '');
    await shop.until('web', isUnderWay, 'the deployment to wait for its claim');

    // Of a process that comes later nobody looked at it: the hook would be the next that is written.
    await stage.operator.stop('SIGKILL');
    await labelFor('others');
    await newObject(t, stage, '/api/v1/persistentvolumes', volumeOf('moves-moving', 'dumps'));
    await stage.restart();
    const others = /moves-moving is managed for the Applications of others /;
    assert.match(await shop.blocked('web', 'NamespaceNotManaged'), others);
    assert.equal(await configMapOf('moves-moving', 'hook'), undefined);
    await labelFor('moves');
    await shop.ready('web', first);
    assert.ok((await configMapOf('moves-moving', 'hook')) !== undefined);

    await labelFor('others');
    const objects = [configMap('web', { is: 'two' }), claim('dumps'), hook];
    const second = await push(on, 'web', objects);
    assert.match(await shop.blocked('web', 'NamespaceNotManaged'), others);
    assert.equal((await configMapOf('moves-moving', 'web'))?.data?.['key'], 'value', 'what runs stays');
    await labelFor('moves');
    await shop.ready('web', second);

    await stage.operator.stop('SIGKILL');
    await labelFor(null);
    await cluster.request('DELETE', `${landing}/configmaps/web`);
    await stage.restart();
    assert.match(await shop.blocked('web', 'NamespaceNotManaged'), /is not managed for moves/);
    assert.equal(await configMapOf('moves-moving', 'web'), undefined);
    await labelFor('moves');
    await eventually(() => configMapOf('moves-moving', 'web'), { describe: 'the repair' });
  });

  test('S16: in a namespace that is labelled for others no hook is run when its Application is deleted, or an entry removed, also by a process that begins with that', async (t) => {
    const on = await stageOf(t);
    const { stage } = on;
    const shop = await newTenant(t, stage, 'ends');
    const names = ['known', 'unseen'];
    const landing = (name: string) => `ends-${name}`;
    for (const name of names) {
      await newEnvironmentOf(t, stage, name, { allowedNamespaces: ['ends'] });
      t.after(() => cluster.request('DELETE', `/api/v1/namespaces/${landing(name)}`));
    }
    const labelFor = (name: string, tenant: string) =>
      label(landing(name), { 'towpath.dev/managed-for': tenant });
    const there = async (name: string) => {
      const found = ['web', 'farewell'].map(async (one) =>
        (await configMapOf(landing(name), one)) === undefined ? [] : [one],
      );
      return (await Promise.all(found)).flat();
    };
    const objects = (is: string) => [
      configMap('web', { is }),
      configMap('farewell', {}, { 'helm.sh/hook': 'pre-delete' }),
    ];
    const first = await push(on, 'web', objects('one'));
    await shop.application('web', web(...names));
    await shop.ready('web', first);

    // An entry that is removed, with consent to that: what is there is not touched before the label is back.
    await shop.application('web', web('known'));
    const asked = await shop.until(
      'web',
      ({ status }) => environmentOf(status, 'unseen')?.pendingPrune,
      'the question',
    );
    const digest = environmentOf(asked.status, 'unseen')?.pendingPrune?.digest;
    await stage.operator.stop('SIGKILL');
    await labelFor('unseen', 'others');
    await shop.application('web', web('known'), { 'towpath.dev/prune-consent': `unseen=${digest}` });
    await stage.restart();
    const refused = await shop.until(
      'web',
      ({ status }) => environmentOf(status, 'unseen')?.blockedBy?.[0]?.reason === 'DeletionFailed',
      'the refusal to be told',
    );
    const { message = '' } = environmentOf(refused.status, 'unseen') ?? {};
    assert.match(message, /ends-unseen is managed for the Applications of others /);
    assert.match(message, /To leave the objects: annotate towpath\.dev\/abandon=unseen/);
    assert.deepEqual(await there('unseen'), ['web']);
    await labelFor('unseen', 'ends');
    await shop.until(
      'web',
      ({ status }) => environmentOf(status, 'unseen') === undefined,
      'the environment to go',
    );
    assert.deepEqual(await there('unseen'), ['farewell'], 'its hook was run');

    // Where a commit had noticed it before the Application is deleted, and where nobody had.
    const untilLeft = async (name: string, count: number) => {
      const left = await toldOf(inNamespace(stage, 'ends'), 'web', 'HooksLeft', count);
      const words = `without its hook ConfigMap ${landing(name)}/farewell (pre-delete): `;
      assert.ok(left.length === count && left.some((one) => one.includes(words)), left.join());
    };
    await labelFor('known', 'others');
    await push(on, 'web', objects('two'));
    await shop.blocked('web', 'NamespaceNotManaged', 'known');
    await shop.delete('web');
    await untilLeft('known', 1);
    await cluster.request('DELETE', `/api/v1/namespaces/${landing('unseen')}/configmaps/farewell`);
    await shop.application('web', web('unseen'));
    await shop.ready('web', await stage.repository.revParse('main'));
    await stage.operator.stop('SIGKILL');
    await labelFor('unseen', 'others');
    await cluster.request('DELETE', '/apis/towpath.dev/v1alpha1/namespaces/ends/applications/web');
    await stage.restart();
    await shop.delete('web');
    await untilLeft('unseen', 2);
    for (const name of names) assert.deepEqual(await there(name), [], 'what is recorded is deleted');
  });

  test('S16: in a namespace that is labelled for others no Job of a check is made', async (t) => {
    const { stage } = await stageOf(t);
    const shop = await newTenant(t, stage, 'checks');
    const names = ['checked', 'entered'];
    for (const name of names) {
      await newEnvironmentOf(t, stage, name, { allowedNamespaces: ['checks'] });
      t.after(() => cluster.request('DELETE', `/api/v1/namespaces/checks-${name}`));
    }
    await shop.application('web', web('checked'));
    await shop.ready('web', await stage.repository.revParse('main'));
    await stage.operator.stop('SIGKILL');
    await label('checks-checked', { 'towpath.dev/managed-for': 'others' });
    const template = { spec: { containers: [{ name: 'smoke', image: 'example.com/smoke:1' }] } };
    const checks = [{ name: 'smoke', job: { spec: { template } } }];
    await newObject(t, stage, '/apis/towpath.dev/v1alpha1/namespaces/checks/promotionpolicies', {
      apiVersion: 'towpath.dev/v1alpha1',
      kind: 'PromotionPolicy',
      metadata: { name: 'checked' },
      spec: {
        selector: {},
        stages: [
          { name: 'first', environments: ['checked'] },
          { name: 'second', after: ['first'], environments: ['entered'], gates: { checks } },
        ],
      },
    });
    await shop.application('web', web(...names));
    await stage.restart();
    const jobs = async () => {
      const { body } = await cluster.request('GET', '/apis/batch/v1/namespaces/checks-checked/jobs');
      return (JSON.parse(body) as { items: unknown[] }).items.length;
    };
    await shop.blocked('web', 'NamespaceNotManaged', 'checked');
    assert.equal(await jobs(), 0);
    await label('checks-checked', { 'towpath.dev/managed-for': 'checks' });
    await eventually(async () => (await jobs()) > 0, { describe: 'the Job of the check' });
  });

  test('S16: of two tenants whose names make the same namespace, the second is refused', async (t) => {
    const { stage } = await stageOf(t);
    const [one, other] = [await newTenant(t, stage, 'store'), await newTenant(t, stage, 'store-staging')];
    await newEnvironmentOf(t, stage, 'staging-eu', { allowedNamespaces: ['*'] });
    await newEnvironmentOf(t, stage, 'eu', { allowedNamespaces: ['*'] });
    const revision = await stage.repository.revParse('main');
    await one.application('web', web('staging-eu'));
    await one.ready('web', revision);
    t.after(() => cluster.request('DELETE', '/api/v1/namespaces/store-staging-eu'));
    await other.application('intruder', web('eu'));
    const told = await other.blocked('intruder', 'NamespaceNotManaged');
    assert.match(
      told,
      /store-staging-eu is managed for the Applications of store .*not for those of store-staging/,
    );
    await one.ready('web', revision);
  });

  test('S16: two Environments that land in one namespace do not undo what the other one bound', async (t) => {
    const { stage } = await stageOf(t, {
      flags: [...fastLease, '--watch-namespace=', '--managed-cluster-roles=edit,view'],
    });
    const shop = await newTenant(t, stage, 'both');
    const shared = { allowedNamespaces: ['both'], namespace: 'both-land' };
    t.after(() => cluster.request('DELETE', '/api/v1/namespaces/both-land'));
    await newEnvironmentOf(t, stage, 'editing', shared);
    await newEnvironmentOf(t, stage, 'viewing', { ...shared, access: { clusterRole: 'view' } });
    const revision = await stage.repository.revParse('main');
    await shop.application('web', web('editing'));
    await shop.ready('web', revision);
    await shop.application('other', web('viewing'));
    const told = await shop.blocked('other', 'NamespaceNotManaged');
    assert.match(told, /has managed access of Environment editing already/);
    assert.deepEqual((await bindingOf('both-land'))?.roleRef, {
      apiGroup: RBAC,
      kind: 'ClusterRole',
      name: 'edit',
    });
    // With the same one they share it, and only their objects meet.
    await patchEnvironment('viewing', { access: { clusterRole: 'edit' } });
    await shop.blocked('other', 'NotOwned');

    // Narrowed while no operator ran: it holds from its start on, and waits for no deployment.
    await stage.operator.stop('SIGKILL');
    for (const name of ['editing', 'viewing'])
      await patchEnvironment(name, { access: { clusterRole: 'view' } });
    await stage.restart();
    const role = { apiGroup: RBAC, kind: 'ClusterRole', name: 'view' };
    await eventually(async () => isDeepStrictEqual((await bindingOf('both-land'))?.roleRef, role), {
      describe: 'the narrower role to be bound',
    });
  });

  test('S16: who suspends an Application does not keep a ClusterRole that the platform replaces by a narrower one, and nothing else is made there', async (t) => {
    const { stage, proxy } = await stageOf(t, {
      flags: [...fastLease, '--watch-namespace=', '--managed-cluster-roles=edit,view'],
    });
    const shop = await newTenant(t, stage, 'keeps');
    t.after(() => cluster.request('DELETE', '/api/v1/namespaces/keeps-wide'));
    await newEnvironmentOf(t, stage, 'wide', { allowedNamespaces: ['keeps'] });
    await shop.application('web', web('wide'));
    await shop.ready('web', await stage.repository.revParse('main'));
    await shop.application('web', { ...web('wide'), suspend: true });
    const isSuspended = ({ status }: Application) => environmentOf(status, 'wide')?.sync === 'Suspended';
    await shop.until('web', isSuspended, 'web to be suspended');
    await cluster.request('DELETE', '/api/v1/namespaces/keeps-wide/configmaps/web');
    const role = (name: string) => ({ apiGroup: RBAC, kind: 'ClusterRole', name });

    await patchEnvironment('wide', { access: { clusterRole: 'view' } });
    await eventually(async () => isDeepStrictEqual((await bindingOf('keeps-wide'))?.roleRef, role('view')), {
      describe: 'the narrower role to be bound',
    });
    assert.equal(await configMapOf('keeps-wide', 'web'), undefined, 'nothing is repaired');

    // Where there is nothing to narrow, nothing is made.
    await cluster.request('DELETE', '/api/v1/namespaces/keeps-wide');
    await eventually(async () => (await live('/api/v1/namespaces/keeps-wide')) === undefined, {
      describe: 'the namespace to be gone',
    });
    proxy.forget();
    await patchEnvironment('wide', { access: { clusterRole: 'edit' } });
    const isOfRecord = ({ path }: RecordedRequest) =>
      path.startsWith(`/api/v1/namespaces/${stage.namespace}/secrets`);
    await eventually(() => Promise.resolve(proxy.find({ verb: WRITES, where: isOfRecord }).length > 0), {
      describe: 'the other role to be noted',
    });
    assert.deepEqual(proxy.find({ verb: WRITES, where: isOfAccess }), []);
    await shop.application('web', web('wide'));
    await shop.ready('web', await stage.repository.revParse('main'));
    assert.deepEqual((await bindingOf('keeps-wide'))?.roleRef, role('edit'));
  });

  test('S16: a tenant acts as a named account in no namespace of others, whatever its names make, until the platform labels it', async (t) => {
    const on = await stageOf(t);
    const { stage, proxy } = on;
    const [team, other] = [await newTenant(t, stage, 'team'), await newTenant(t, stage, 'team-prod')];
    const accountIn = async (namespace: string) => {
      const metadata = { name: 'towpath' };
      await newObject(t, stage, `/api/v1/namespaces/${namespace}/serviceaccounts`, { metadata });
      await newObject(t, stage, `/apis/${RBAC}/v1/namespaces/${namespace}/rolebindings`, {
        metadata,
        roleRef: { apiGroup: RBAC, kind: 'ClusterRole', name: 'edit' },
        subjects: [{ kind: 'ServiceAccount', name: 'towpath', namespace }],
      });
    };
    const reserved = ['kube-system', stage.namespace];
    // The operator's own namespace has one already.
    for (const namespace of ['team-prod', 'kube-system']) await accountIn(namespace);
    const named = { allowedNamespaces: ['team', 'team-prod'], access: { serviceAccountName: 'towpath' } };
    await newEnvironmentOf(t, stage, 'prod', named);
    await newEnvironmentOf(t, stage, 'prod-by-name', { ...named, namespace: '{name}' });
    const head = await push(on, 'intruder', [configMap('intruder')]);
    await other.application('own', { source: { path: 'web' } });
    await other.ready('own', head);
    proxy.forget();

    const intruder = (environment: string) => ({
      source: { path: 'intruder' },
      environments: [{ name: environment }],
    });
    t.after(() => label('kube-system', { 'towpath.dev/managed-for': null }));
    await label('kube-system', { 'towpath.dev/managed-for': 'team' });
    await team.application('by-pattern', intruder('prod'));
    for (const name of ['team-prod', ...reserved]) await team.application(name, intruder('prod-by-name'));
    for (const name of ['by-pattern', 'team-prod'])
      assert.match(
        await team.blocked(name, 'NamespaceNotManaged'),
        /kubectl label namespace team-prod towpath.dev\/managed-for=team$/,
      );
    for (const name of reserved)
      assert.match(await team.blocked(name, 'NamespaceNotManaged'), /whatever its labels say/);
    for (const namespace of ['team-prod', ...reserved])
      assert.equal(await configMapOf(namespace, 'intruder'), undefined, namespace);
    assert.deepEqual(proxy.find({ path: /intruder/, verb: ['apply', 'create'] }), [], 'not even asked about');

    // Of two that make the same object there the first would have it.
    await team.delete('team-prod');
    // The platform says for whom it is, and takes it back: what runs stays, and nothing new comes.
    await label('team-prod', { 'towpath.dev/managed-for': 'team' });
    await team.ready('by-pattern', head);
    await label('team-prod', { 'towpath.dev/managed-for': 'somebody' });
    assert.match(await team.blocked('by-pattern', 'NamespaceNotManaged'), /Applications of somebody/);
    await push(on, 'intruder', [configMap('intruder', { is: 'two' })]);
    await other.ready('own', await stage.repository.revParse('main'));
    assert.equal((await configMapOf('team-prod', 'intruder'))?.data?.['is'], undefined);
    assert.ok((await configMapOf('team-prod', 'intruder')) !== undefined);
    await label('team-prod', { 'towpath.dev/managed-for': 'team' });
    await team.delete('by-pattern');
  });

  test('S3: nothing is written outside of the target namespace, by hooks neither, and another environment goes on', async (t) => {
    const on = await stageOf(t);
    const { stage, proxy } = on;
    const shop = await newTenant(t, stage, 'bounds');
    await newTenant(t, stage, 'bounds-other');
    for (const name of ['one', 'two'])
      await newEnvironmentOf(t, stage, name, { allowedNamespaces: ['bounds'] });
    t.after(() => cluster.request('DELETE', '/api/v1/namespaces/bounds-one'));
    t.after(() => cluster.request('DELETE', '/api/v1/namespaces/bounds-two'));
    const elsewhere = (object: TestObject, namespace: string) => ({
      ...object,
      metadata: { ...object.metadata, namespace },
    });
    const cases: Record<string, TestObject> = {
      'another-namespace': elsewhere(configMap('taken'), 'bounds-other'),
      'a-secret': {
        apiVersion: 'v1',
        kind: 'Secret',
        metadata: { name: 'taken', namespace: 'bounds-other' },
      } as TestObject,
      'its-other-environment': elsewhere(configMap('taken'), 'bounds-two'),
      'a-hook': elsewhere(hookJob('taken', 'pre-install'), 'bounds-other'),
      'a-role': {
        apiVersion: `${RBAC}/v1`,
        kind: 'ClusterRole',
        metadata: { name: 'taken' },
        rules: [],
      } as unknown as TestObject,
      'its-namespace': {
        apiVersion: 'v1',
        kind: 'Namespace',
        metadata: { name: 'bounds-one' },
      } as TestObject,
      // A21: what would escape the Environment's limits.
      'an-application': {
        apiVersion: 'towpath.dev/v1alpha1',
        kind: 'Application',
        metadata: { name: 'taken' },
        spec: { source: { repoURL: 'https://git.example.com/evil' } },
      } as unknown as TestObject,
      'a-promotion': {
        apiVersion: 'towpath.dev/v1alpha1',
        kind: 'Promotion',
        metadata: { name: 'taken' },
        spec: { type: 'Promote', application: 'web', environment: 'one', historyID: 1, requestedBy: 'anna' },
      } as unknown as TestObject,
      'an-approval': {
        apiVersion: 'towpath.dev/v1alpha1',
        kind: 'Approval',
        metadata: { name: 'taken' },
        spec: { application: 'web', environment: 'one', digest: 'x', decision: 'Approve', by: 'anna' },
      } as unknown as TestObject,
      'a-policy': {
        apiVersion: 'towpath.dev/v1alpha1',
        kind: 'PromotionPolicy',
        metadata: { name: 'taken' },
        spec: { selector: {}, stages: [{ name: 'all', environments: ['one'] }] },
      } as unknown as TestObject,
      'an-environment': {
        apiVersion: 'towpath.dev/v1alpha1',
        kind: 'Environment',
        metadata: { name: 'taken' },
        spec: { allowedNamespaces: ['*'] },
      } as unknown as TestObject,
    };
    for (const [path, object] of Object.entries(cases)) {
      await push(on, path, [configMap(path), object]);
      await shop.application(path, { source: { path }, environments: [{ name: 'one' }] });
    }
    for (const [path, { kind }] of Object.entries(cases)) {
      const told = await shop.blocked(path, 'OutOfBounds');
      assert.ok(told.startsWith(kind), told);
      assert.equal(await configMapOf('bounds-one', path), undefined, 'nor anything else of it');
    }
    assert.deepEqual(proxy.find({ path: /taken/, verb: ['apply', 'create'] }), [], 'not even asked about');

    // The same chart with a value that only one environment has.
    await stage.repository.commit({
      'both/Chart.yaml': 'apiVersion: v2\nname: both\nversion: 1.0.0\n',
      'both/templates/a.yaml':
        'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: both, namespace: {{ .Values.in }} }\n',
    });
    const head = await stage.repository.revParse('main');
    await shop.application('both', {
      source: { path: 'both' },
      environments: [
        { name: 'one', values: { in: 'bounds-other' } },
        { name: 'two', values: { in: 'bounds-two' } },
      ],
    });
    await shop.blocked('both', 'OutOfBounds', 'one');
    await shop.until(
      'both',
      ({ status }) => status?.environments?.find(({ name }) => name === 'two')?.revision === head,
      'the other environment to be deployed',
    );
    assert.ok((await configMapOf('bounds-two', 'both')) !== undefined);
  });

  test('S3: a kind outside of namespaces is allowed where the Environment lists it, as far as the account may, and no longer when it is taken out', async (t) => {
    const on = await stageOf(t);
    const { stage } = on;
    const shop = await newTenant(t, stage, 'classes');
    const classes = '/apis/scheduling.k8s.io/v1/priorityclasses';
    const access = (clusterScoped: object[]) => ({
      access: { serviceAccountName: 'deployer', clusterScoped },
    });
    const listed = [{ group: 'scheduling.k8s.io', kind: 'PriorityClass' }];
    await newEnvironmentOf(t, stage, 'classy', {
      namespace: '{namespace}',
      allowedNamespaces: ['classes'],
      ...access(listed),
    });
    const priority = (name: string, value: number) =>
      ({
        apiVersion: 'scheduling.k8s.io/v1',
        kind: 'PriorityClass',
        metadata: { name },
        value,
      }) as unknown as TestObject;
    const first = await push(on, 'classes', [configMap('classes'), priority('classes-a', 1)]);
    await shop.application('classes', {
      source: { path: 'classes' },
      environments: [{ name: 'classy' }],
    });
    const missing = await shop.blocked('classes', 'ServiceAccountMissing');
    assert.match(missing, /kubectl -n classes create serviceaccount deployer/);
    await newObject(t, stage, '/api/v1/namespaces/classes/serviceaccounts', {
      metadata: { name: 'deployer' },
    });
    await newObject(t, stage, `/apis/${RBAC}/v1/namespaces/classes/rolebindings`, {
      metadata: { name: 'deployer' },
      roleRef: { apiGroup: RBAC, kind: 'ClusterRole', name: 'edit' },
      subjects: [{ kind: 'ServiceAccount', name: 'deployer', namespace: 'classes' }],
    });
    // The API server's own words, and the rule to add; in full in the event.
    const told = await shop.blocked('classes', 'Forbidden');
    assert.match(
      told,
      /: User "system:serviceaccount:classes:deployer" cannot \w+ resource "priorityclasses"/,
    );
    assert.match(
      told,
      /\{apiGroups: \["scheduling.k8s.io"\], resources: \[priorityclasses\], verbs: \["\*"\]\}$/,
    );
    assert.equal(await live(`${classes}/classes-a`), undefined);
    const yaml = (await toldOf(inNamespace(stage, 'classes'), 'classes', 'Forbidden', 2)).join('\n');
    const from = yaml.indexOf('apiVersion:');
    assert.ok(from > 0, yaml);
    const document = yaml.slice(from, yaml.indexOf('subjects:')) + /subjects: .*/.exec(yaml)?.[0];
    const granted = await cluster.kubectl(['apply', '-f', '-'], { input: document });
    assert.equal(granted.code, 0, `${granted.stderr}\n${document}`);
    t.after(() => cluster.kubectl(['delete', 'clusterrole,clusterrolebinding', 'deployer-priorityclasses']));
    await shop.ready('classes', first);
    assert.ok((await live(`${classes}/classes-a`)) !== undefined);

    // Narrowed: told, the object stays, and nothing is written.
    await patchEnvironment('classy', access([]));
    assert.match(await shop.blocked('classes', 'OutOfBounds'), /PriorityClass classes-a/);
    assert.ok((await live(`${classes}/classes-a`)) !== undefined);
    await cluster.request('DELETE', '/api/v1/namespaces/classes/configmaps/classes');
    const out = await push(on, 'classes', [configMap('classes', { is: 'later' })]);
    await shop.ready('classes', out);
    assert.equal(await live(`${classes}/classes-a`), undefined, 'what left Git is pruned, being ours');
  });

  test('S3: an object of a kind that turns out to stand in no namespace is never made', async (t) => {
    const on = await stageOf(t);
    const { stage } = on;
    const shop = await newTenant(t, stage, 'unknown');
    await newEnvironmentOf(t, stage, 'unknown', { namespace: '{namespace}', allowedNamespaces: ['unknown'] });
    await label('unknown', { 'towpath.dev/managed-for': 'unknown' });
    await push(on, 'gadgets', [
      { apiVersion: 'example.com/v1', kind: 'Gadget', metadata: { name: 'taken' } } as TestObject,
    ]);
    await shop.application('gadgets', { source: { path: 'gadgets' }, environments: [{ name: 'unknown' }] });
    await shop.blocked('gadgets', 'KindMissing');
    await newObject(t, stage, '/apis/apiextensions.k8s.io/v1/customresourcedefinitions', {
      metadata: { name: 'gadgets.example.com' },
      spec: {
        group: 'example.com',
        scope: 'Cluster',
        names: { plural: 'gadgets', kind: 'Gadget' },
        versions: [
          {
            name: 'v1',
            served: true,
            storage: true,
            schema: { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } },
          },
        ],
      },
    });
    assert.match(await shop.blocked('gadgets', 'OutOfBounds'), /Gadget taken stands in no namespace/);
    const gadgets = await eventually(
      async () => {
        const { status, body } = await cluster.request('GET', '/apis/example.com/v1/gadgets');
        return status === 200 ? (JSON.parse(body) as { items: unknown[] }) : undefined;
      },
      { describe: 'the kind to be served' },
    );
    assert.deepEqual(gadgets.items, []);
  });

  test('S1: a tenant writes with the rights of its own account alone, and the rule that is missing is told', async (t) => {
    const on = await stageOf(t);
    const { stage } = on;
    const shop = await newTenant(t, stage, 'rights');
    await newEnvironmentOf(t, stage, 'rightful', { allowedNamespaces: ['rights'] });
    t.after(() => cluster.request('DELETE', '/api/v1/namespaces/rights-rightful'));
    // To get at what others may do, by a role of its own, or a binding of another's account.
    await push(on, 'rights', [
      configMap('rights'),
      {
        apiVersion: `${RBAC}/v1`,
        kind: 'Role',
        metadata: { name: 'all' },
        rules: [{ apiGroups: ['*'], resources: ['*'], verbs: ['*'] }],
      } as unknown as TestObject,
    ]);
    await shop.application('rights', { source: { path: 'rights' }, environments: [{ name: 'rightful' }] });
    const told = await shop.blocked('rights', 'Forbidden');
    assert.match(told, /: User "system:serviceaccount:rights-rightful:towpath" cannot \w+ resource "roles"/);
    assert.match(
      told,
      /Add to ClusterRole edit: \{apiGroups: \["rbac.authorization.k8s.io"\], resources: \[roles\]/,
    );
    assert.equal(await configMapOf('rights-rightful', 'rights'), undefined);

    // Another's account cannot be named.
    await assert.rejects(
      shop.application('other', { ...web('rightful'), serviceAccountName: 'deployer' }),
      /each Environment says whose rights a write has/,
    );
  });

  test('S2: an Environment is for those whom it names, by name or by label, and for what it takes; what is narrowed stays as it is', async (t) => {
    const on = await stageOf(t);
    const { stage } = on;
    const shop = await newTenant(t, stage, 'chosen', { team: 'chosen' });
    const other = await newTenant(t, stage, 'unchosen');
    await newEnvironmentOf(t, stage, 'labelled', { namespaceSelector: { matchLabels: { team: 'chosen' } } });
    await newEnvironmentOf(t, stage, 'governed', { allowedNamespaces: ['*'], requirePolicy: true });
    for (const namespace of ['chosen-labelled', 'unchosen-labelled'])
      t.after(() => cluster.request('DELETE', `/api/v1/namespaces/${namespace}`));
    const first = await stage.repository.revParse('main');
    await shop.application('web', web('labelled'));
    await other.application('web', web('labelled'));
    await shop.ready('web', first);
    const told = await other.blocked('web', 'NamespaceNotAllowed');
    assert.match(told, /kubectl label namespace unchosen team=chosen$/);
    assert.equal(await live('/api/v1/namespaces/unchosen-labelled'), undefined, 'nothing is made for it');
    await label('unchosen', { team: 'chosen' });
    await other.ready('web', first);

    // Without the label again: no write, nothing pruned.
    await label('unchosen', { team: null });
    await other.blocked('web', 'NamespaceNotAllowed');
    const second = await push(on, 'web', [configMap('web', { is: 'two' })]);
    await shop.ready('web', second);
    assert.equal((await configMapOf('unchosen-labelled', 'web'))?.data?.['is'], undefined);
    assert.ok((await configMapOf('unchosen-labelled', 'web')) !== undefined);

    // From repositories that it does not take nothing comes; nor where it asks for a policy.
    const here = new URL(stage.repoURL).origin;
    await patchEnvironment('labelled', { allowedRepositories: [`${here}/other/*`] });
    await shop.blocked('web', 'RepositoryNotAllowed');
    await push(on, 'web', [configMap('web', { is: 'three' })]);
    assert.equal((await configMapOf('chosen-labelled', 'web'))?.data?.['is'], 'two');
    await patchEnvironment('labelled', { allowedRepositories: [`${here}/*`] });
    const third = await stage.repository.revParse('main');
    await shop.ready('web', third);
    await shop.application('web-governed', web('governed'));
    await shop.blocked('web-governed', 'NoPolicy');
  });

  test('D14: a repository that one tenant can read is not served to another in the same Environment', async (t) => {
    const { stage } = await stageOf(t);
    const [one, other] = [await newTenant(t, stage, 'reader'), await newTenant(t, stage, 'stranger')];
    await newEnvironmentOf(t, stage, 'shared', { allowedNamespaces: ['*'] });
    for (const namespace of ['reader-shared', 'stranger-shared'])
      t.after(() => cluster.request('DELETE', `/api/v1/namespaces/${namespace}`));
    const basic = { username: 'reader', password: 'correct horse' };
    const git = await startGitHttp({ root: stage.repository.root, basic });
    t.after(() => git.stop());
    await newObject(t, stage, '/api/v1/namespaces/reader/secrets', {
      metadata: { name: 'git' },
      stringData: basic,
    });
    const source = { repoURL: git.url(stage.repository.name), path: 'web' };
    const environments = [{ name: 'shared' }];
    const withSecret = { source: { ...source, secretRef: { name: 'git' } }, environments };
    await one.application('web', withSecret);
    await one.ready('web', await stage.repository.revParse('main'));
    await other.application('without', { source, environments });
    await other.application('web', withSecret);
    await other.blocked('without', 'AuthenticationFailed');
    await other.blocked('web', 'SecretMissing');
    assert.equal(await configMapOf('stranger-shared', 'web'), undefined);
  });
});

interface Live {
  metadata: { uid: string; deletionTimestamp?: string; labels?: Record<string, string> };
  data?: Record<string, string>;
  status?: { conditions?: { type: string; status: string; reason: string }[] };
  roleRef?: unknown;
  subjects?: unknown;
}

/** Long before what cannot be done is tried again by itself, after 30 s. */
function atOnce(since: number): void {
  const took = performance.now() - since;
  assert.ok(took < 15_000, `${took} ms`);
}
