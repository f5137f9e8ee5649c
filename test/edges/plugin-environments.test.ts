import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import {
  type Application,
  type EnvironmentStatus,
  environmentOf,
} from '../../operator/api/v1alpha1/application.ts';
import { cloneOf } from '../harness/clone.ts';
import { newEnvironment } from '../harness/environments.ts';
import { startFaultProxy } from '../harness/fault-proxy.ts';
import { newStage, type StageOptions } from '../harness/operator.ts';
import { kubeconfigWith } from '../harness/operator-rights.ts';
import { poseAs } from '../harness/other-cluster.ts';
import { newPluginShell } from '../harness/plugin.ts';
import { temporaryDirectory } from '../harness/process.ts';
import { eventually } from '../harness/wait.ts';

/** A chart that shows which layers of values it got. */
const files = {
  'web/Chart.yaml': 'apiVersion: v2\nname: web\nversion: 1.2.3\n',
  'web/values.yaml': 'from: chart\nsize: 1\nid: 0\nregion: none\n',
  'web/values-prod.yaml': 'size: 3\n',
  'web/templates/config.yaml':
    'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\ndata: {values: {{ pick .Values "from" "size" "id" "region" "tier" | toJson | quote }} }\n',
  'other/Chart.yaml': 'apiVersion: v2\nname: other\nversion: 1.0.0\n',
  'other/templates/config.yaml': 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: other}\n',
};

async function newGround(t: TestContext, options: StageOptions = {}) {
  const stage = await newStage(t, { files, ...options });
  const { cluster, namespace } = stage;
  const staging = await newEnvironment(t, stage, 'staging', { values: { region: 'eu', tier: 'low' } });
  const prod = await newEnvironment(t, stage, 'prod', { values: { region: 'eu', tier: 'high' } });
  const shell = await newPluginShell(t, cluster, { namespace });
  const change = (environment: { name: string }, spec: object) =>
    stage.kubectl('patch', 'environment', environment.name, '--type=merge', '-p', JSON.stringify({ spec }));
  const spec = {
    source: { path: 'web' },
    helm: { values: { from: 'application' } },
    environments: [
      { name: staging.name, values: { id: 5 } },
      {
        name: prod.name,
        valuesFiles: ['values-prod.yaml'],
        valuesFrom: [{ kind: 'ConfigMap', name: 'of-prod' }],
      },
    ],
  };
  await stage.kubectl('create', 'configmap', 'of-prod', '--from-literal=values.yaml=tier: highest');
  return { stage, staging, prod, shell, change, spec, clone: await cloneOf(stage.repository) };
}

test('kubectl towpath tells of each environment of an Application by itself', async (t) => {
  const { stage, staging, prod, shell, change, spec } = await newGround(t);
  const { towpath, complete } = shell;
  const first = await stage.deployed('web', spec);
  await change(prod, { allowedNamespaces: [] });
  const second = await stage.repository.commit({ 'web/values.yaml': 'from: chart\nsize: 2\n' });
  await stage.until(
    'web',
    ({ status }) =>
      environmentOf(status, staging.name)?.revision === second &&
      environmentOf(status, prod.name)?.sync === 'Blocked',
    'one environment to follow and the other to be blocked',
  );

  await t.test('status is a tree of them, in which each thing is said once', async () => {
    const { code, stdout } = await towpath('status', 'web');
    assert.equal(code, 0);
    const [name, ofStaging, ofProd, blocked, ...more] = stdout.trimEnd().split('\n');
    assert.match(name ?? '', /^web {2}main@[0-9a-f]{7} {2}Blocked, Healthy$/);
    const [one, two] = [second, first].map((revision) => revision.slice(0, 7));
    assert.equal(ofStaging, `├─ ${staging.name}  Synced, Healthy  web-1.2.3  ${one}  1 object`);
    assert.equal(ofProd, `└─ ${prod.name}  Blocked, Healthy  web-1.2.3  ${two}  1 object`);
    assert.match(blocked ?? '', /^ {3}└─ blocked by NamespaceNotAllowed \(since .*\): Environment prod-/);
    assert.deepEqual(more, []);
    const only = await towpath('status', 'web', staging.name);
    assert.doesNotMatch(only.stdout, new RegExp(prod.name));
  });

  await t.test(
    'why names the environment that is in the way, and says of the others that nothing is',
    async () => {
      const all = await towpath('why', 'web');
      assert.match(
        all.stdout,
        new RegExp(`\\n${prod.name}: NamespaceNotAllowed \\(since .*\\): Environment`),
      );
      assert.match(all.stdout, /\n {2}→ Ask who runs the Environment to add the namespace/);
      assert.equal((await towpath('why', 'web', prod.name)).stdout.match(/NamespaceNotAllowed/g)?.length, 1);
      const { stdout } = await towpath('why', 'web', staging.name);
      assert.match(stdout, new RegExp(`/web in ${staging.name} {2}Synced, Healthy\\nNothing: Revision `));
    },
  );

  await t.test('wait answers for one of them, or for all', async () => {
    const candidate = (await stage.get('web')).status?.source?.candidate ?? '';
    const only = await towpath('wait', 'web', staging.name, '--revision', second);
    assert.equal(only.code, 0, only.stdout);
    const all = await towpath('wait', 'web', '--revision', second, '--timeout', '2s');
    assert.equal(all.code, 3, all.stdout);
    const apart = await towpath('wait', 'web', '--candidate', candidate);
    assert.equal(apart.code, 2, apart.stdout);
    assert.match(apart.stderr, / of the same files and values, .* ConfigMap of-prod key values\.yaml/);
    assert.equal(apart.stderr.match(/values of its Environment/g)?.length, 2, apart.stderr);
  });

  await t.test('history lists each with its environment, or one', async () => {
    const { stdout } = await towpath('history', 'web');
    const column = (text: string) =>
      text
        .trimEnd()
        .split('\n')
        .slice(1)
        .map((line) => line.split(/\s+/)[0]);
    assert.deepEqual(column(stdout), [staging.name, staging.name, prod.name]);
    assert.deepEqual(column((await towpath('history', 'web', prod.name)).stdout), [prod.name]);
  });

  await t.test(
    'D8: one that it does not have is told with those that it has, and completed are these',
    async () => {
      for (const [command, ...flags] of [
        ['status'],
        ['status', '--watch'],
        ['why'],
        ['history'],
        ['sync'],
      ] as const) {
        const { code, stderr } = await towpath(command, 'web', 'nowhere', ...flags);
        assert.equal(code, 1);
        assert.match(stderr, new RegExp(`no environment nowhere; it has ${staging.name}, ${prod.name}\\.`));
      }
      assert.deepEqual(await complete('freeze', staging.name), [staging.name]);
      assert.deepEqual(await complete('--namespace', stage.namespace, 'why', 'web', ''), [
        staging.name,
        prod.name,
      ]);
    },
  );

  /** Of what prod has no value of its own. */
  const push = (id: number) =>
    stage.repository.commit({ 'web/values.yaml': `from: chart\nsize: 2\nid: ${id}\n` });
  const inProd = (is: (entry: EnvironmentStatus) => boolean, what: string) =>
    stage.until('web', ({ status }) => is(environmentOf(status, prod.name) ?? prod), what);
  const freezes = [{ from: '2026-01-01T00:00:00Z', reason: 'year end' }];

  await t.test(
    'D4: a sync where an Environment is suspended or frozen says so, and 8 where that is all',
    async () => {
      await change(prod, { allowedNamespaces: [stage.namespace], suspend: true });
      await stage.until(
        'web',
        ({ status }) => environmentOf(status, prod.name)?.sync === 'Suspended',
        'the suspension',
      );
      const suspended = await towpath('sync', 'web', prod.name);
      assert.equal(suspended.code, 8, suspended.stderr);
      assert.match(suspended.stdout, /would do nothing\. prod-\S+: Environment prod-\S+ is suspended/);
      assert.equal((await towpath('wait', 'web', prod.name, '--revision', second)).code, 8);
      const both = await towpath('sync', 'web');
      assert.equal(both.code, 0, both.stderr);
      assert.match(
        both.stdout,
        /^Asked for a sync of .* Not in all: prod-\S+: Environment prod-\S+ is suspended/,
      );

      await change(prod, { suspend: false, freezes });
      await stage.until(
        'web',
        ({ status }) => environmentOf(status, prod.name)?.blockedBy?.[0]?.reason === 'Frozen',
        'the freeze',
      );
      const frozen = await towpath('sync', 'web', prod.name);
      assert.equal(frozen.code, 8, frozen.stderr);
      assert.match(frozen.stdout, /would do nothing\. .* is frozen until its freeze is lifted: year end\./);
    },
  );

  const poll = async (interval: string) => {
    const patch = JSON.stringify({ spec: { source: { interval } } });
    await stage.kubectl('patch', 'application', 'web', '--type=merge', '-p', patch);
    const isSeen = ({ metadata, status }: Application) => status?.observedGeneration === metadata.generation;
    await stage.until('web', isSeen, `the interval of ${interval}`);
  };

  await t.test('D4: a sync right after a push into what is frozen says so, too', async () => {
    // Or a poll finds the push before the sync is asked for, and the status says already that it waits.
    await poll('1h');
    await change(prod, { freezes: [] });
    await inProd(({ sync, revision }) => sync === 'Synced' && revision === second, 'the end of the freeze');
    await change(prod, { freezes });
    const isFrozen = ['wait', 'environment', prod.name, '--for=jsonpath={.status.frozenUntil}=lifted'];
    await stage.kubectl(...isFrozen, '--timeout=60s');
    const nothing = await towpath('sync', 'web', prod.name);
    assert.equal(nothing.code, 0, 'nothing new is there that it would keep out');
    await push(3);
    const { code, stdout } = await towpath('sync', 'web', prod.name);
    assert.equal(code, 8, stdout);
    assert.match(
      stdout,
      /^Asked for .* for now nothing new enters there\. .* is frozen until .*: year end\./,
    );
  });

  await t.test('A3: wait says of what never had its turn that something newer took its place', async (t) => {
    await poll('1s');
    const waits = await push(4);
    await inProd(({ desiredRevision }) => desiredRevision === waits, 'the commit to wait');
    const asked = { namespace: stage.namespace, hangsAt: 'leases.coordination.k8s.io' };
    const { towpath, hanging } = await newPluginShell(t, stage.cluster, asked);
    const waiting = towpath('wait', 'web', prod.name, '--revision', waits, '--timeout', '2m');
    // The second time it asks who leads it has seen the status.
    await eventually(() => hanging() > 1, { describe: 'the first answer' });
    const next = await push(5);
    await inProd(({ desiredRevision }) => desiredRevision === next, 'the next commit to wait');
    await change(prod, { freezes: [] });
    const { code, stdout } = await waiting;
    assert.equal(code, 6, stdout);
    assert.match(stdout, new RegExp(`a newer one, ${next.slice(0, 7)}, took its place before its turn came`));
  });
});

interface Found {
  environment: string;
  namespace: string;
  objects?: { metadata: { namespace: string }; data?: { values: string } }[];
  differences?: { change: string; object: { name: string; namespace: string }; message?: string }[];
  warnings: string[];
  unknown: string[];
}

test('kubectl towpath render and diff take path, ref, values and namespace of the environment', async (t) => {
  const { stage, staging, prod, shell, change, spec, clone } = await newGround(t);
  const ask = async (command: string, environment: string, ...args: string[]) => {
    const local = ['--local', clone.directory, '-o', 'json', ...args];
    const { code, stdout, stderr } = await shell.towpath(command, 'web', environment, ...local);
    return { code, stderr, found: () => JSON.parse(stdout) as Found };
  };
  await stage.deployed('web', spec);

  await t.test('the layers: Environment, spec.helm, and the entry above both', async () => {
    for (const [{ name, namespace }, values] of [
      [staging, '{"from":"application","id":5,"region":"eu","size":1,"tier":"low"}'],
      [prod, '{"from":"application","id":0,"region":"eu","size":3,"tier":"highest"}'],
    ] as const) {
      const rendered = await ask('render', name);
      assert.equal(rendered.code, 0, rendered.stderr);
      const [config] = rendered.found().objects ?? [];
      assert.equal(config?.data?.values, values);
      assert.equal(config?.metadata.namespace, namespace);
      const compared = await ask('diff', name);
      assert.equal(compared.code, 0, compared.stderr);
      assert.equal(compared.found().namespace, namespace);
    }
  });

  await t.test('integers keep all their digits, the Environment’s and the entry’s', async () => {
    await stage.kubectl(
      ...['patch', 'environment', staging.name, '--type=merge'],
      ...['-p', '{"spec":{"values":{"region":9007199254740993}}}'],
    );
    const entry = `[{"op":"replace","path":"/spec/environments/0/values/id","value":9007199254740995}]`;
    await stage.kubectl('patch', 'application', 'web', '--type=json', '-p', entry);
    const [config] = (await ask('render', staging.name)).found().objects ?? [];
    assert.match(config?.data?.values ?? '', /"id":9007199254740995,"region":9007199254740993,/);
  });

  await t.test('without ENV the environments are named', async () => {
    for (const command of ['render', 'diff']) {
      const { code, stderr } = await shell.towpath(command, 'web', '--local', clone.directory);
      assert.equal(code, 2);
      assert.match(stderr, new RegExp(`several environments: name one of ${staging.name}, ${prod.name}\\.`));
    }
  });

  await t.test('a path of its own is rendered, a ref of its own is only named', async () => {
    await stage.kubectl(
      'patch',
      'application',
      'web',
      '--type=json',
      '-p',
      JSON.stringify([
        { op: 'add', path: '/spec/environments/1/path', value: 'other' },
        { op: 'add', path: '/spec/environments/1/ref', value: { branch: 'release' } },
        { op: 'remove', path: '/spec/environments/1/valuesFiles' },
      ]),
    );
    const { found } = await ask('render', prod.name);
    assert.deepEqual(
      (found().objects ?? []).map(({ metadata }) => metadata),
      [{ name: 'other', namespace: prod.namespace }],
    );
    assert.match(
      found().warnings.join('\n'),
      /^prod-\S+ follows branch release, and the clone is at branch main: /m,
    );
    const { code, found: differences } = await ask(
      'diff',
      prod.name,
      `--operator-namespace=${stage.namespace}`,
    );
    assert.equal(code, 9);
    assert.deepEqual(
      differences().differences?.map(({ change, object }) => `${change} ${object.namespace}/${object.name}`),
      [`Created ${prod.namespace}/other`, `Deleted ${prod.namespace}/web`],
    );
  });

  await t.test('S3: what is out of bounds of the Environment would be refused', async () => {
    clone.write(
      'web/templates/class.yaml',
      '{apiVersion: scheduling.k8s.io/v1, kind: PriorityClass, metadata: {name: mine}, value: 7}\n',
    );
    clone.write(
      'web/templates/outside.yaml',
      '{apiVersion: v1, kind: ConfigMap, metadata: {name: outside, namespace: default}}\n',
    );
    await clone.git('add', '.');
    const { code, found } = await ask('diff', staging.name);
    assert.equal(code, 9);
    const refused = (found().differences ?? []).filter(({ change }) => change === 'Refused');
    assert.deepEqual(refused.map(({ object }) => object.name).sort(), ['mine', 'outside']);
    assert.match(refused.map(({ message }) => message).join('\n'), /spec\.access\.clusterScoped: /);
    await clone.git('reset', '--quiet', '--hard');
  });

  await t.test('10: who may not read the Environment is told what is not known', async () => {
    const name = `user-${randomBytes(4).toString('hex')}`;
    await stage.kubectl('create', 'serviceaccount', name);
    await stage.kubectl(
      'create',
      'rolebinding',
      name,
      '--clusterrole=edit',
      `--serviceaccount=${stage.namespace}:${name}`,
    );
    await stage.kubectl('create', 'role', name, '--verb=get,list', '--resource=applications.towpath.dev');
    await stage.kubectl(
      'create',
      'rolebinding',
      `${name}-2`,
      `--role=${name}`,
      `--serviceaccount=${stage.namespace}:${name}`,
    );
    const token = (await stage.kubectl('create', 'token', name)).trim();
    const kubeconfigPath = kubeconfigWith(stage.cluster, token);
    const user = await newPluginShell(t, stage.cluster, { namespace: stage.namespace, kubeconfigPath });
    const of = ['web', staging.name, '--local', clone.directory];
    const rendered = await user.towpath('render', ...of, '-o', 'json');
    assert.equal(rendered.code, 10, rendered.stderr);
    const { unknown, objects } = JSON.parse(rendered.stdout) as Found;
    assert.match(
      unknown.join('\n'),
      /^Environment staging-\S+ cannot be read with your rights: which values/,
    );
    assert.match(objects?.[0]?.data?.values ?? '', /"region":"none"/);
    const compared = await user.towpath('diff', ...of);
    assert.equal(compared.code, 10, compared.stderr);
    assert.match(compared.stderr, /where its Applications land, is not known/);
  });

  await t.test('one that is missing is told as what a sync would wait for', async () => {
    const added = [{ op: 'add', path: '/spec/environments/-', value: { name: 'nowhere-at-all' } }];
    await stage.kubectl('patch', 'application', 'web', '--type=json', '-p', JSON.stringify(added));
    const { code, stderr } = await ask('render', 'nowhere-at-all');
    assert.equal(code, 1);
    assert.match(stderr, /^Environment nowhere-at-all, which spec\.environments names, does not exist: /);
  });
  await change(staging, { values: null });
});

test('kubectl towpath diff asks the cluster that an Environment is in, by a context of the user', async (t) => {
  const { stage, shell, clone } = await newGround(t, { startOperator: false });
  const kubeConfig = { secretRef: { name: 'elsewhere' } };
  const elsewhere = await newEnvironment(t, stage, 'elsewhere', { cluster: { kubeConfig } });
  await stage.application('web', { source: { path: 'web' }, environments: [{ name: elsewhere.name }] });
  const of = ['web', '--local', clone.directory];
  const rendered = await shell.towpath('render', ...of);
  assert.equal(rendered.code, 10, rendered.stderr);
  assert.match(
    rendered.stderr,
    /\nUnknown: Environment elsewhere-\S+ is another cluster: .*--target-context=CONTEXT\.\n/,
  );
  const refused = await shell.towpath('diff', ...of);
  assert.equal(refused.code, 10, refused.stderr);
  assert.match(refused.stderr, /^Environment elsewhere-\S+ is another cluster: /);

  const current = (await stage.kubectl('config', 'current-context')).trim();
  const there = await shell.towpath('diff', ...of, '--target-context', current);
  assert.equal(there.code, 9, there.stderr);
  assert.match(
    there.stdout,
    /\nUnknown: It is not known whether the context \S+ reaches the cluster of elsewhere-/,
  );
  assert.match(there.stdout, new RegExp(`\\n\\+ ConfigMap ${elsewhere.namespace}/web would be created\\n`));

  const tell = (uid: string) =>
    stage.kubectl(
      ...['patch', 'environment', elsewhere.name, '--subresource=status', '--type=merge'],
      ...['-p', JSON.stringify({ status: { cluster: { uid } } })],
    );
  await tell(await stage.kubectl('get', 'namespace', 'kube-system', '-o', 'jsonpath={.metadata.uid}'));
  assert.equal((await shell.towpath('diff', ...of, '--target-context', current)).code, 9);
  await tell('of-another-cluster');
  const wrong = await shell.towpath('diff', ...of, '--target-context', current);
  assert.equal(wrong.code, 1, wrong.stdout);
  assert.match(wrong.stderr, /^The context \S+ is another cluster than Environment elsewhere-/);
});

test('kubectl towpath diff takes no context of another cluster where the objects are in the one with the Application', async (t) => {
  const { stage, staging, clone } = await newGround(t, { startOperator: false });
  const proxy = await startFaultProxy(stage.cluster);
  t.after(() => proxy.stop());
  poseAs(proxy, 'of-another-cluster');
  const kubeconfigPath = bothOf(stage.cluster.kubeconfigPath, proxy.kubeconfigPath);
  const shell = await newPluginShell(t, stage.cluster, { kubeconfigPath, namespace: stage.namespace });
  await stage.application('web', { source: { path: 'web' }, environments: [{ name: staging.name }] });
  const diff = (context: string) =>
    shell.towpath('diff', 'web', '--local', clone.directory, '--target-context', context);
  const wrong = await diff('other');
  assert.equal(wrong.code, 1, wrong.stdout);
  assert.match(
    wrong.stderr,
    /^The objects of environment staging-\S+ are in the cluster with the Application, and the context other is another one: /,
  );
  const right = await diff('towpath');
  assert.equal(right.code, 9, right.stderr);
  const unknown = await diff('nowhere');
  assert.equal(unknown.code, 2, unknown.stdout);
  assert.match(
    unknown.stderr,
    /^--target-context=nowhere is no context of your kubeconfig; there are: .*other/,
  );
});

test('kubectl towpath status --watch shows no more what was deleted while the API server was away', async (t) => {
  const stage = await newStage(t, { startOperator: false });
  const proxy = await startFaultProxy(stage.cluster);
  t.after(() => proxy.stop());
  const { kubeconfigPath } = proxy;
  const shell = await newPluginShell(t, stage.cluster, { kubeconfigPath, namespace: stage.namespace });
  for (const name of ['one', 'two']) await stage.application(name, { source: { path: name } });
  const watching = shell.startWatching('status', '--watch');
  const shows = (names: readonly string[]) => {
    const last = watching.text().trimEnd().split('\n\n').at(-1) ?? '';
    return isDeepStrictEqual(last.match(/^\w+(?= )/gm), names);
  };
  await eventually(() => shows(['one', 'two']), { describe: 'the two Applications' });
  await proxy.refuseConnections();
  await stage.kubectl('delete', 'application', 'one');
  await proxy.acceptConnections();
  await eventually(() => shows(['two']), { describe: 'the one that is left' });
  await stage.application('three', { source: { path: 'three' } });
  await eventually(() => shows(['three', 'two']), { describe: 'a new one' });
  assert.equal(await watching.interrupt(), 130);
});

/** A kubeconfig with the contexts of two others, of which the second one is named `other`. */
function bothOf(first: string, second: string): string {
  const [one, two] = [first, second].map((path) => JSON.parse(readFileSync(path, 'utf8')));
  const name = 'other';
  const path = join(temporaryDirectory('contexts'), 'kubeconfig');
  const both = {
    ...one,
    clusters: [...one.clusters, { ...two.clusters[0], name }],
    users: [...one.users, { ...two.users[0], name }],
    contexts: [...one.contexts, { name, context: { cluster: name, user: name } }],
  };
  writeFileSync(path, JSON.stringify(both), { mode: 0o600 });
  return path;
}
