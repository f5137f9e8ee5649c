import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import type { RecordedRequest } from '../harness/fault-proxy.ts';
import { conditionOf, fastLease, newStage, startOperator } from '../harness/operator.ts';
import { environmentOf } from '../harness/target.ts';
import { namespaceFor, useControlPlane } from '../harness/use-control-plane.ts';
import { eventually } from '../harness/wait.ts';
import { chartOf, configMap, hookJob, messageOf, newProxiedSteps, reasonOf } from './steps.ts';

const secret = {
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name: 'token' },
  stringData: { key: 's3cret' },
};
const APPLICATIONS = 'applications.towpath.dev';

test('writes are made as the ServiceAccount of the Application', async (t) => {
  const { proxy, stage, deploy, push, live } = await newProxiedSteps(t);

  await t.test('S1: every write of an object impersonates it', async () => {
    proxy.forget();
    await deploy('writes', [configMap('writes'), secret]);
    const user = `system:serviceaccount:${stage.namespace}:towpath`;
    const writes = proxy.find({
      verb: ['apply', 'create', 'update', 'patch', 'delete'],
      path: /writes|token/,
    });
    const ofObjects = writes.filter(
      ({ path }) => !path.includes('towpath.dev') && !path.includes('towpath-application'),
    );
    assert.ok(ofObjects.length >= 4, 'a dry-run and an apply of each');
    assert.deepEqual([...new Set(ofObjects.map(({ impersonate }) => impersonate))], [user]);
  });

  await t.test(
    "S1: without rights on Secrets an Application with one fails with the API server's words",
    async () => {
      const role = `limited-${randomBytes(3).toString('hex')}`;
      await stage.kubectl('create', 'serviceaccount', 'limited');
      await stage.kubectl('create', 'role', role, '--verb=*', '--resource=configmaps');
      await stage.kubectl(
        ...['create', 'rolebinding', role, `--role=${role}`, `--serviceaccount=${stage.namespace}:limited`],
      );
      proxy.forget();
      await push('limits', [configMap('limits'), { ...secret, metadata: { name: 'limits' } }]);
      await stage.application('limits', { source: { path: 'limits' }, serviceAccountName: 'limited' });
      const refused = await stage.until('limits', (one) => reasonOf(one) === 'Forbidden', 'the refusal');
      assert.match(
        messageOf(refused),
        /secrets is forbidden: User "system:serviceaccount:.*:limited" cannot/,
      );
      assert.equal(conditionOf(refused, 'Ready')?.status, 'False');
      assert.equal(await live('configmap', 'limits'), undefined, 'nothing was written');
      const written = proxy.find({
        where: ({ impersonate, dryRun, method }) => impersonate !== '' && !dryRun && method !== 'GET',
      });
      assert.deepEqual(written, [], 'the rest of the cluster is untouched');
      await stage.kubectl(
        'patch',
        'role',
        role,
        '--type=json',
        '-p',
        JSON.stringify([{ op: 'replace', path: '/rules/0/resources', value: ['configmaps', 'secrets'] }]),
      );
      await stage.requestSync('limits');
      await stage.until('limits', (one) => reasonOf(one) === 'Synced', 'the right to help');
    },
  );

  await t.test(
    'S1: a right that is taken away ends what it allowed, and is told; given back, work goes on',
    async () => {
      await deploy('taken', [configMap('taken', { by: 'git' }), { ...secret, metadata: { name: 'taken' } }]);
      await stage.kubectl('delete', 'rolebinding', 'towpath');
      proxy.forget();
      await stage.kubectl('patch', 'configmap', 'taken', '-p', '{"data":{"by":"somebody"}}');
      const refused = await stage.until('taken', (one) => reasonOf(one) === 'Forbidden', 'the refusal');
      assert.match(messageOf(refused), /User "system:serviceaccount:.*:towpath" cannot/);
      assert.equal((await live('configmap', 'taken'))?.data?.by, 'somebody');
      const answers = proxy.find({ verb: 'apply', path: /taken/ });
      assert.deepEqual([...new Set(answers.map(({ status }) => status))], [403]);
      await stage.kubectl(
        ...['create', 'rolebinding', 'towpath', '--clusterrole=edit'],
        `--serviceaccount=${stage.namespace}:towpath`,
      );
      await stage.until('taken', (one) => reasonOf(one) === 'Synced', 'the right to help');
      assert.equal((await live('configmap', 'taken'))?.data?.by, 'git');
    },
  );
});

/** What the operator does as itself: its Lease, its records, events, and the Applications with their status. */
function isOwnBusiness({ path, query }: RecordedRequest, operatorNamespace: string): boolean {
  return (
    // The pushes that a follower heard of, and who else is installed.
    (path === `/api/v1/namespaces/${operatorNamespace}/configmaps` &&
      query.get('fieldSelector') === 'metadata.name=towpath-pushes') ||
    (path.endsWith('/clusterroles') && query.get('labelSelector') === 'towpath.dev/watches') ||
    new RegExp(`/namespaces/${operatorNamespace}/(leases|secrets)(/|$)`).test(path) ||
    /\/events(\/|$)/.test(path) ||
    // The archive of the ledger.
    new RegExp(`/namespaces/${operatorNamespace}/configmaps(/towpath-ledger|$)`).test(path) ||
    /\/apis\/towpath\.dev\//.test(path)
  );
}

test('S1: whatever is done to an object is done as the ServiceAccount, and Secrets are never looked through', async (t) => {
  // Another one than the Application's, so that the operator's own Secrets are told from others.
  const operatorNamespace = await namespaceFor(t);
  const { proxy, stage, deploy, change, ready, live } = await newProxiedSteps(t, {
    flags: [...fastLease, `--namespace=${operatorNamespace}`],
  });
  const user = `system:serviceaccount:${stage.namespace}:towpath`;
  await stage.kubectl('create', 'secret', 'generic', 'values', '--from-literal=values.yaml=a: 1');

  // Hooks, pruning, drift, adoption, replacement, fields left to others, both ends of a life.
  const hook = hookJob('hook', 'pre-install,pre-delete', { 'helm.sh/hook-delete-policy': 'hook-succeeded' });
  const first = await stage.repository.commit(
    chartOf('all', [configMap('all'), { ...secret, metadata: { name: 'all' } }, hook]),
  );
  const spec = {
    source: { path: 'all' },
    helm: { valuesFrom: [{ kind: 'Secret', name: 'values' }] },
    sync: { ignore: [{ kind: 'ConfigMap', name: 'all', paths: ['/data/key'] }] },
  };
  await stage.application('all', spec);
  await ready('all', first);
  await stage.kubectl('delete', 'configmap', 'all');
  await eventually(() => live('configmap', 'all'), { describe: 'the drift to be repaired' });
  const second = await stage.repository.commit(chartOf('all', [configMap('all'), hook]));
  await ready('all', second);
  assert.equal(await live('secret', 'all'), undefined);
  await stage.kubectl('delete', APPLICATIONS, 'all', '--timeout=30s');

  await stage.kubectl('create', 'configmap', 'adopted', '--from-literal=key=theirs');
  await stage.kubectl('create', 'secret', 'generic', 'adopted', '--from-literal=key=theirs');
  const frozen = (value: string) => ({
    ...configMap('frozen', { value }, { 'towpath.dev/replace': 'true' }),
    immutable: true,
  });
  const adopted = [configMap('adopted'), { ...secret, metadata: { name: 'adopted' } }];
  await deploy(
    'adopts',
    [...adopted, frozen('1')],
    { deletionPolicy: 'Orphan' },
    { 'towpath.dev/adopt': 'true' },
  );
  await change('adopts', [...adopted, frozen('2')]);
  await stage.kubectl('delete', APPLICATIONS, 'adopts', '--timeout=30s');
  assert.ok(await live('secret', 'adopted'));

  const others = proxy.requests.filter(
    (request) => request.userAgent.startsWith('towpath') && !isOwnBusiness(request, operatorNamespace),
  );
  const writes = others.filter(({ verb }) =>
    ['create', 'update', 'patch', 'apply', 'delete', 'deletecollection'].includes(verb),
  );
  const happened: [what: string, wrote: (request: RecordedRequest) => boolean][] = [
    ['a dry-run', ({ dryRun }) => dryRun],
    ['an apply', ({ verb, dryRun, path }) => verb === 'apply' && !dryRun && path.endsWith('/configmaps/all')],
    ['a Secret pruned', ({ verb, path }) => verb === 'delete' && path.endsWith('/secrets/all')],
    ['a hook made', ({ verb, path }) => verb === 'create' && path.endsWith('/jobs')],
    ['a hook deleted', ({ verb, path }) => verb === 'delete' && path.endsWith('/jobs/hook')],
    ['an adoption', ({ verb, body }) => verb === 'patch' && body.includes('/metadata/managedFields')],
    ['a release', ({ verb, body }) => verb === 'patch' && body.includes('"towpath.dev/target":null')],
    ['a replacement', ({ verb, path }) => verb === 'delete' && path.endsWith('/configmaps/frozen')],
  ];
  for (const [what, wrote] of happened) assert.ok(writes.some(wrote), `the test must see ${what}`);
  const tell = ({ verb, path, query, impersonate }: RecordedRequest) =>
    `${verb} ${path}?${query} as ${impersonate === '' ? 'the operator' : impersonate}`;
  assert.deepEqual(writes.filter(({ impersonate }) => impersonate !== user).map(tell), []);

  // What is read as the operator: the namespace and the account of an Application, definitions, and by watches
  // metadata, what decides a workload's health, which are autoscaled; of Secrets none but those that the spec names.
  const asOperator = others.filter(({ impersonate, verb }) => impersonate === '' && verb !== 'other');
  const allowed = [
    ({ verb, path }: RecordedRequest) =>
      verb === 'get' &&
      /\/(namespaces\/[^/]+|serviceaccounts\/towpath|applications\.towpath\.dev)$/.test(path),
    ({ path }: RecordedRequest) => path.endsWith('/customresourcedefinitions'),
    // An Environment, if only another test's, may go by the labels of namespaces.
    ({ verb, path }: RecordedRequest) => ['list', 'watch'].includes(verb) && path === '/api/v1/namespaces',
    ({ verb, path }: RecordedRequest) =>
      ['list', 'watch'].includes(verb) && path === '/apis/autoscaling/v2/horizontalpodautoscalers',
    ({ verb, path, query }: RecordedRequest) =>
      ['list', 'watch'].includes(verb) &&
      path === `/api/v1/namespaces/${stage.namespace}/secrets` &&
      query.get('fieldSelector') === 'metadata.name=values',
    ({ verb, path, query, accept }: RecordedRequest) =>
      ['list', 'watch'].includes(verb) &&
      !path.endsWith('/secrets') &&
      /^towpath\.dev\/target(=[0-9a-f]+)?$/.test(query.get('labelSelector') ?? '') &&
      (accept.includes('PartialObjectMetadata') || !path.endsWith('/configmaps')),
  ];
  assert.ok(
    asOperator.some(({ path }) => path.endsWith('/secrets')),
    'the test must see a reference read',
  );
  assert.deepEqual(asOperator.filter((request) => !allowed.some((may) => may(request))).map(tell), []);
});

test('with --insecure-no-impersonation the operator writes as itself, and needs no ServiceAccount', async (t) => {
  const { proxy, stage, deploy, change, live } = await newProxiedSteps(t, {
    serviceAccount: false,
    flags: [...fastLease, '--insecure-no-impersonation'],
  });
  await deploy('alone', [configMap('alone'), { ...secret, metadata: { name: 'alone' } }]);
  await change('alone', [configMap('alone')]);
  assert.equal(await live('secret', 'alone'), undefined);
  await stage.kubectl('delete', APPLICATIONS, 'alone', '--timeout=20s');
  assert.equal(await live('configmap', 'alone'), undefined);
  assert.deepEqual(
    proxy.find({ where: ({ impersonate }) => impersonate !== '' }).map(({ path }) => path),
    [],
  );
});

test('--installation: a reinstall with the same id owns what it owned, one with another id refuses it', async (t) => {
  const cluster = await useControlPlane();
  const object = (name: string, message: string) =>
    `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ${name}}\ndata: {message: "${message}"}\n`;
  const stage = await newStage(t, {
    cluster,
    startOperator: false,
    files: { 'kept.yaml': object('kept', 'one'), 'gone.yaml': object('gone', 'one') },
  });
  const install = async (id: string) => {
    // Its Lease and its records are in a namespace that the next one does not know.
    const namespace = await namespaceFor(t, cluster);
    return startOperator(t, cluster, stage.namespace, {
      flags: [...fastLease, `--namespace=${namespace}`, `--installation=${id}`],
    });
  };
  const message = () => stage.kubectl('get', 'configmap', 'kept', '-o', 'jsonpath={.data.message}');

  const former = await install('shop');
  await stage.deployed('web');
  await former.stop('SIGTERM');

  const stranger = await install('someone-else');
  await stage.repository.commit({ 'kept.yaml': object('kept', 'two') });
  const refused = await stage.until(
    'web',
    (application) => reasonOf(application) === 'NotOwned',
    'the refusal',
  );
  assert.match(messageOf(refused), /was applied for this Application by an installation with another id/);
  assert.equal(await message(), 'one');
  await stranger.stop('SIGTERM');

  await install('shop');
  const three = await stage.repository.commit({ 'kept.yaml': object('kept', 'three'), 'gone.yaml': null });
  const done = await stage.untilReadyAt('web', three);
  assert.equal(await message(), 'three');
  assert.equal(await stage.kubectl('get', 'configmap', 'gone', '--ignore-not-found', '-o', 'name'), '');
  const ids = environmentOf(done.status)?.history?.map(({ id }) => id) ?? [];
  assert.equal(new Set(ids).size, ids.length, `no deployment is told twice: ${ids}`);
});
