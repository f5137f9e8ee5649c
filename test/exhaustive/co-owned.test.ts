import assert from 'node:assert/strict';
import { test } from 'node:test';
import { definition } from '../harness/definition.ts';
import { environmentOf } from '../harness/target.ts';
import { eventually } from '../harness/wait.ts';
import { messageOf, newSteps, reasonOf, type Steps, type TestObject, toldOf } from '../integration/steps.ts';

type Container = Record<string, unknown> & { name: string };

function lamp(name: string, containers: Container[], pod: Record<string, unknown> = {}): TestObject {
  const labels = { app: name };
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name },
    spec: {
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: { containers, ...pod } },
    },
  };
}

const container = (more: Record<string, unknown> = {}): Container => ({
  name: 'l',
  image: 'example.com/l:1',
  env: [{ name: 'A', value: '1' }],
  ...more,
});

const map = (name: string, data: Record<string, string>, metadata: object = {}): TestObject => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, ...metadata },
  data,
});

function service(name: string, ports: object[], spec: object = {}): TestObject {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name },
    spec: { selector: { app: name }, ports, ...spec },
  };
}

function podSpecOf(
  live: Awaited<ReturnType<Steps['live']>>,
): Record<string, unknown> & { containers: Container[] } {
  const template = live?.spec?.['template'] as {
    spec: Record<string, unknown> & { containers: Container[] };
  };
  return template.spec;
}

async function applyBy({ stage }: Steps, object: TestObject, ...options: string[]): Promise<void> {
  const args = ['-n', stage.namespace, 'apply', '-f', '-', ...options];
  const applied = await stage.cluster.kubectl(args, { input: JSON.stringify(object) });
  assert.equal(applied.code, 0, applied.stderr);
}

const patch = (value: object) => ['--type=strategic', '-p', JSON.stringify(value)];
const mergePatch = (kind: string, name: string, value: object) => [
  'patch',
  kind,
  name,
  '--type=merge',
  '-p',
  JSON.stringify(value),
];
const podPatch = (value: object) => patch({ spec: { template: { spec: value } } });

/** Ways to set a field by hand, each on an object of its own, what Git has then, and what shows it. */
const BY_HAND: readonly {
  how: string;
  before: TestObject;
  by(steps: Steps): Promise<unknown>;
  with: TestObject;
  shows(live: Awaited<ReturnType<Steps['live']>>): unknown;
}[] = [
  {
    how: 'kubectl patch: a key of a ConfigMap',
    before: map('patched', { a: '1' }),
    by: ({ stage }) =>
      stage.kubectl(
        'patch',
        'configmap',
        'patched',
        ...patch({ data: { debug: 'on' } }).slice(1),
        '--type=merge',
      ),
    with: map('patched', { a: '1', debug: 'on' }),
    shows: (live) => live?.data?.['debug'],
  },
  {
    how: 'kubectl set env: an item of a keyed list',
    before: lamp('set-env', [container()]),
    by: ({ stage }) => stage.kubectl('set', 'env', 'deployment/set-env', 'DEBUG=on'),
    with: lamp('set-env', [
      container({
        env: [
          { name: 'A', value: '1' },
          { name: 'DEBUG', value: 'on' },
        ],
      }),
    ]),
    shows: (live) => podSpecOf(live).containers[0]?.['env'],
  },
  {
    how: 'kubectl apply --server-side under another name',
    before: map('applied', { a: '1' }),
    by: (steps) =>
      applyBy(steps, map('applied', { debug: 'on' }), '--server-side', '--field-manager=night-shift'),
    with: map('applied', { a: '1', debug: 'on' }),
    shows: (live) => live?.data?.['debug'],
  },
  {
    how: 'kubectl apply of a client',
    before: map('client-side', { a: '1' }),
    by: ({ stage }) => stage.apply(map('client-side', { a: '1', debug: 'on' })),
    with: map('client-side', { a: '1', debug: 'on' }),
    shows: (live) => live?.data?.['debug'],
  },
  {
    how: 'kubectl label',
    before: map('labelled', { a: '1' }),
    by: ({ stage }) => stage.kubectl('label', 'configmap', 'labelled', 'tier=web'),
    with: map('labelled', { a: '1' }, { labels: { tier: 'web' } }),
    shows: (live) => live?.metadata.labels?.['tier'],
  },
  {
    how: 'kubectl scale',
    before: lamp('scaled', [container()]),
    by: ({ stage }) => stage.kubectl('scale', 'deployment/scaled', '--replicas=2'),
    with: {
      ...lamp('scaled', [container()]),
      spec: { ...(lamp('scaled', [container()])['spec'] as object), replicas: 2 },
    },
    shows: (live) => live?.spec?.['replicas'],
  },
  {
    how: 'a port of a Service',
    before: service('ported', [{ name: 'web', port: 80 }]),
    by: ({ stage }) =>
      stage.kubectl(
        'patch',
        'service',
        'ported',
        ...patch({ spec: { ports: [{ name: 'more', port: 81 }] } }),
      ),
    with: service('ported', [
      { name: 'web', port: 80 },
      { name: 'more', port: 81 },
    ]),
    shows: (live) => live?.spec?.['ports'],
  },
  {
    how: 'volume, mount, toleration and arguments of a Pod template',
    before: lamp('mounted', [container()]),
    by: ({ stage }) =>
      stage.kubectl(
        ...['patch', 'deployment', 'mounted'],
        ...podPatch({
          volumes: [{ name: 'dump', emptyDir: { sizeLimit: '1Gi' } }],
          tolerations: [{ key: 'slow', operator: 'Exists' }],
          containers: [
            {
              name: 'l',
              args: ['-v'],
              ports: [{ containerPort: 80 }],
              volumeMounts: [{ name: 'dump', mountPath: '/dump' }],
            },
          ],
        }),
      ),
    with: lamp(
      'mounted',
      [
        container({
          args: ['-v'],
          ports: [{ containerPort: 80 }],
          volumeMounts: [{ name: 'dump', mountPath: '/dump' }],
        }),
      ],
      {
        volumes: [{ name: 'dump', emptyDir: { sizeLimit: '1024Mi' } }],
        tolerations: [{ key: 'slow', operator: 'Exists' }],
      },
    ),
    shows: (live) => {
      const { containers, volumes, tolerations } = podSpecOf(live);
      const { args, ports, volumeMounts } = containers[0] ?? container();
      return [volumes, tolerations, args, ports, volumeMounts].map((one) => one !== undefined);
    },
  },
];

test('fields set by hand that Git came to set, too, go when Git no longer has them', async (t) => {
  const steps = await newSteps(t);
  const { stage, deploy, change, live, push, ready } = steps;
  const kindOf = ({ kind }: TestObject) => kind.toLowerCase();

  for (const { how, before, by, with: withIt, shows } of BY_HAND) {
    await t.test(`D16: ${how}`, async () => {
      const { name } = before.metadata;
      const look = async () => shows(await live(kindOf(before), name));
      await deploy(name, [before]);
      const without = await look();
      await by(steps);
      await change(name, [withIt]);
      assert.notDeepEqual(await look(), without);
      await change(name, [before]);
      assert.deepEqual(await look(), without);
    });
  }

  await t.test('D16: suspended, mended by hand, committed, resumed', async () => {
    const path = { source: { path: 'resumed' } };
    const fixed = [
      { name: 'A', value: '2' },
      { name: 'DEBUG', value: 'on' },
    ];
    await deploy('resumed', [lamp('resumed', [container()])]);
    await stage.application('resumed', { ...path, suspend: true });
    await steps.sync('resumed', 'Suspended');
    await stage.kubectl('set', 'env', 'deployment/resumed', 'A=2', 'DEBUG=on');
    const commit = await push('resumed', [lamp('resumed', [container({ env: fixed })])]);
    await stage.application('resumed', { ...path, suspend: false });
    await ready('resumed', commit);
    await change('resumed', [lamp('resumed', [container()])]);
    assert.deepEqual(podSpecOf(await live('deployment', 'resumed')).containers[0]?.['env'], [
      { name: 'A', value: '1' },
    ]);
  });

  await t.test('D16: set by another tool after Git had set it, over a restart', async () => {
    await deploy('late', [map('late', { a: '1', b: '1' })]);
    await applyBy(steps, map('late', { b: '1' }), '--server-side', '--field-manager=helm');
    await stage.restart();
    await change('late', [map('late', { a: '1' })]);
    assert.deepEqual((await live('configmap', 'late'))?.data, { a: '1' });
  });

  await t.test('D16: a container in which somebody set a field goes as a whole', async () => {
    const side = { name: 'side', image: 'example.com/side:1' };
    await deploy('sides', [lamp('sides', [container(), side])]);
    await stage.kubectl('set', 'resources', 'deployment/sides', '-c=side', '--limits=cpu=2');
    await change('sides', [lamp('sides', [container()])]);
    assert.deepEqual(
      podSpecOf(await live('deployment', 'sides')).containers.map(({ name }) => name),
      ['l'],
    );
  });

  await t.test('what others add beside, and what controllers decide, stays', async () => {
    const both = { a: '1', decided: 'yes' };
    await deploy('stays', [map('stays', { a: '1' })]);
    await stage.kubectl('patch', 'configmap', 'stays', '--type=merge', '-p', '{"data":{"added":"1"}}');
    await applyBy(steps, map('stays', { decided: 'yes' }), '--server-side', '--field-manager=sum-controller');
    await change('stays', [map('stays', both)]);
    await change('stays', [map('stays', { a: '2' })]);
    assert.deepEqual((await live('configmap', 'stays'))?.data, { a: '2', added: '1', decided: 'yes' });
  });

  await t.test('a field that sync.ignore leaves to others stays theirs', async () => {
    const ignore = [{ group: '', kind: 'ConfigMap', name: 'left', paths: ['/data/b'] }];
    await deploy('left', [map('left', { a: '1', b: '1' })], { sync: { ignore } });
    await stage.kubectl('patch', 'configmap', 'left', '--type=merge', '-p', '{"data":{"b":"2"}}');
    await change('left', [map('left', { a: '2', b: '1' })]);
    await change('left', [map('left', { a: '3' })]);
    assert.deepEqual((await live('configmap', 'left'))?.data, { a: '3', b: '2' });
  });
});

/** Fields of Git that are changed by hand, and then given up by Git while the change still stands. */
const GIVEN_UP: readonly {
  how: string;
  before: TestObject;
  by(steps: Steps): Promise<unknown>;
  without: TestObject;
  shows(live: Awaited<ReturnType<Steps['live']>>): unknown;
}[] = [
  {
    how: 'kubectl patch: a key of a ConfigMap',
    before: map('up-patched', { a: '1', debug: 'on' }),
    by: ({ stage }) =>
      stage.kubectl(...mergePatch('configmap', 'up-patched', { data: { debug: 'loud', more: '1' } })),
    without: map('up-patched', { a: '1' }),
    shows: (live) => [live?.data?.['debug'], live?.data?.['more']],
  },
  {
    how: 'another tool by a forced apply',
    before: map('up-applied', { a: '1', debug: 'on' }),
    by: (steps) =>
      applyBy(
        steps,
        map('up-applied', { debug: 'loud' }),
        ...['--server-side', '--force-conflicts', '--field-manager=night-shift'],
      ),
    without: map('up-applied', { a: '1' }),
    shows: (live) => live?.data,
  },
  {
    how: 'kubectl label',
    before: map('up-labelled', { a: '1' }, { labels: { tier: 'web' } }),
    by: ({ stage }) => stage.kubectl('label', '--overwrite', 'configmap', 'up-labelled', 'tier=night'),
    without: map('up-labelled', { a: '1' }),
    shows: (live) => live?.metadata.labels?.['tier'],
  },
  {
    how: 'kubectl set env and a list that is one value',
    before: lamp('up-set', [
      container({
        args: ['-q'],
        env: [
          { name: 'A', value: '1' },
          { name: 'DEBUG', value: 'on' },
        ],
      }),
    ]),
    by: async ({ stage }) => {
      await stage.kubectl('set', 'env', 'deployment/up-set', 'DEBUG=loud');
      await stage.kubectl(
        ...['patch', 'deployment', 'up-set'],
        ...podPatch({ containers: [{ name: 'l', args: ['-v'] }] }),
      );
    },
    without: lamp('up-set', [container()]),
    shows: (live) => [podSpecOf(live).containers[0]?.['env'], podSpecOf(live).containers[0]?.['args']],
  },
  {
    how: 'many writers after it',
    before: map('up-many', { a: '1', debug: 'on' }),
    by: async (steps) => {
      await steps.stage.kubectl(...mergePatch('configmap', 'up-many', { data: { debug: 'loud' } }));
      await writeAsControllers(steps, 'up-many');
    },
    without: map('up-many', { a: '1' }),
    shows: (live) => live?.data,
  },
  {
    how: 'what a controller took over stays',
    before: map('up-taken', { a: '1', decided: 'no' }),
    by: ({ stage }) =>
      stage.kubectl(
        ...mergePatch('configmap', 'up-taken', { data: { decided: 'yes' } }),
        '--field-manager=sum-controller',
      ),
    without: map('up-taken', { a: '1' }),
    shows: (live) => live?.data,
  },
];

/** What each of them shows at the end. */
const LEFT_OF_GIVEN_UP = [
  [undefined, '1'],
  { a: '1' },
  undefined,
  [[{ name: 'A', value: '1' }], undefined],
  { a: '1' },
  { a: '1', decided: 'yes' },
];

/** More of them than are remembered of an object, each with an annotation of its own. */
async function writeAsControllers({ stage, live }: Steps, name: string): Promise<void> {
  const written = (await live('configmap', name))?.metadata.managedFields ?? [];
  const last = Math.max(...written.map(({ time = '' }) => Date.parse(time)));
  // managedFields have whole seconds.
  await eventually(async () => Date.parse(await serverTime(stage)) > last, { describe: 'the next second' });
  for (let index = 0; index < 6; index++)
    await stage.kubectl(
      ...['annotate', 'configmap', name, `example.com/c${index}=1`, `--field-manager=c${index}-controller`],
    );
}

/** By the clock of the API server. */
async function serverTime({ cluster }: Steps['stage']): Promise<string> {
  const { headers } = await cluster.request('GET', '/version');
  return String(headers['date']);
}

test('a field of Git that a hand changed goes with Git, also where nothing put it back before', async (t) => {
  const steps = await newSteps(t);
  const { stage, deploy, push, ready, live } = steps;
  const before = GIVEN_UP.map((one) => one.before);
  const without = GIVEN_UP.map((one) => one.without);
  const path = { source: { path: 'up' } };
  const changeByHand = async () => {
    for (const { by } of GIVEN_UP) await by(steps);
  };
  const shown = () =>
    Promise.all(
      GIVEN_UP.map(async ({ shows, before: { kind, metadata } }) =>
        shows(await live(kind.toLowerCase(), metadata.name)),
      ),
    );
  const leftAlone = async (sync: object) => {
    await stage.application('up', { ...path, sync });
    await stage.until('up', (one) => one.status?.observedGeneration === one.metadata.generation, 'a look');
    await changeByHand();
    await stage.until('up', (one) => one.status?.sync === 'OutOfSync', 'the drift to be told');
    return push('up', without);
  };
  const situations: Record<string, () => Promise<string>> = {
    'the operator was down': async () => {
      await stage.operator.stop();
      await changeByHand();
      const commit = await push('up', without);
      await stage.restart();
      return commit;
    },
    'drift is only reported': () => leftAlone({ drift: 'Report' }),
    'mode Manual': async () => {
      const commit = await leftAlone({ mode: 'Manual' });
      await stage.requestSync('up');
      return commit;
    },
  };
  for (const [situation, run] of Object.entries(situations)) {
    await t.test(`D16: ${situation}`, async (t) => {
      t.after(() => stage.kubectl('delete', 'applications.towpath.dev', 'up', '--timeout=30s'));
      await deploy('up', before);
      await ready('up', await run());
      const now = await shown();
      for (const [index, { how }] of GIVEN_UP.entries())
        assert.deepEqual(now[index], LEFT_OF_GIVEN_UP[index], how);
    });
  }

  await t.test('D16: set by hand, and many others wrote since, before Git came to set it', async () => {
    await deploy('crowd', [map('crowd', { a: '1' })]);
    await stage.kubectl(...mergePatch('configmap', 'crowd', { data: { debug: 'on' } }));
    await writeAsControllers(steps, 'crowd');
    await steps.change('crowd', [map('crowd', { a: '1', debug: 'on' })]);
    await steps.change('crowd', [map('crowd', { a: '1' })]);
    assert.deepEqual((await live('configmap', 'crowd'))?.data, { a: '1' });
  });

  await t.test('what sync.ignore leaves to others stays theirs when Git gives it up', async () => {
    const ignore = [{ group: '', kind: 'ConfigMap', name: 'up-left', paths: ['/data/b'] }];
    await deploy('up-left', [map('up-left', { a: '1', b: '1', c: '1' })], {
      sync: { ignore, drift: 'Report' },
    });
    await stage.kubectl(...mergePatch('configmap', 'up-left', { data: { b: '2', c: '2' } }));
    await steps.change('up-left', [map('up-left', { a: '1' })]);
    assert.deepEqual((await live('configmap', 'up-left'))?.data, { a: '1', b: '2' });
  });
});

/** Lists with an item by hand in place of Git's that the API server refuses beside it. */
const IN_PLACE: readonly {
  what: string;
  git(version: number): TestObject;
  hand: TestObject;
  shows: string;
}[] = [
  {
    what: 'the port of a Service',
    git: (version) => service('till', [{ name: 'web', port: 78 + version, targetPort: 8080 }]),
    hand: service('till', [{ name: 'web', port: 90, targetPort: 8080 }]),
    shows: '{.spec.ports[*].port}',
  },
  {
    what: 'the port of a container',
    git: (version) => lamp('till', [container({ ports: [{ name: 'web', containerPort: 78 + version }] })]),
    hand: lamp('till', [container({ ports: [{ name: 'web', containerPort: 90 }] })]),
    shows: '{.spec.template.spec.containers[*].ports[*].containerPort}',
  },
  {
    what: 'the port of a Service of another protocol',
    git: (version) => service('names', [{ name: 'dns', port: 53, targetPort: 8080 + version }]),
    hand: service('names', [{ name: 'dns', port: 53, targetPort: 90, protocol: 'UDP' }]),
    shows: '{.spec.ports[*].targetPort}',
  },
  {
    what: 'the port of a container of another protocol',
    git: (version) => lamp('names', [container({ ports: [{ name: 'dns', containerPort: 52 + version }] })]),
    hand: lamp('names', [container({ ports: [{ name: 'dns', containerPort: 53, protocol: 'UDP' }] })]),
    shows: '{.spec.template.spec.containers[*].ports[*].containerPort}',
  },
  {
    what: 'the name of a container with the same port on the host',
    git: (version) =>
      lamp('tills', [{ name: `l${version}`, image: 'l', ports: [{ containerPort: 80, hostPort: 81 }] }]),
    hand: lamp('tills', [{ name: 'hand', image: 'l', ports: [{ containerPort: 80, hostPort: 81 }] }]),
    shows: '{.spec.template.spec.containers[*].name}',
  },
  {
    what: 'a mount of the same path',
    git: (version) => {
      const mount = { name: `v${version}`, mountPath: '/d' };
      return lamp('mounts', [container({ volumeMounts: [mount] })], {
        volumes: [{ name: mount.name, emptyDir: {} }],
      });
    },
    hand: lamp('mounts', [container({ volumeMounts: [{ name: 'hand', mountPath: '/d' }] })], {
      volumes: [{ name: 'hand', emptyDir: {} }],
    }),
    shows: '{.spec.template.spec.containers[*].volumeMounts[*].name}',
  },
];

test('a list item by hand in place of one of Git is no fault of Git', async (t) => {
  const { stage, deploy, live, push, ready, sync } = await newSteps(t);
  for (const { what, git, hand, shows } of IN_PLACE) {
    await t.test(what, async () => {
      const { kind, metadata } = hand;
      const application = `${kind}-${metadata.name}`.toLowerCase();
      const items = () => stage.kubectl('get', kind, metadata.name, '-o', `jsonpath=${shows}`);
      await deploy(application, [git(1)]);
      const wanted = await items();
      const byHand = async () => {
        const now = await live(kind.toLowerCase(), metadata.name);
        const spec = { ...now?.spec, ...(hand['spec'] as object) };
        const object = { ...hand, metadata: { ...now?.metadata, managedFields: undefined }, spec };
        const args = ['-n', stage.namespace, 'replace', '-f', '-', '--field-manager=night-shift'];
        const replaced = await stage.cluster.kubectl(args, { input: JSON.stringify(object) });
        assert.equal(replaced.code, 0, replaced.stderr);
      };
      await byHand();
      const [told] = await toldOf(stage, application, 'DriftRepaired');
      assert.match(told ?? '', /after a change by night-shift\.$/);
      await stage.until(application, (one) => reasonOf(one) === 'Synced', 'the repair');
      assert.equal(await items(), wanted);

      await stage.application(application, { source: { path: application }, suspend: true });
      await sync(application, 'Suspended');
      await byHand();
      const commit = await push(application, [git(2)]);
      await stage.application(application, { source: { path: application }, suspend: false });
      await ready(application, commit);
      assert.notEqual(await items(), wanted);
      assert.equal((await items()).split(' ').length, 1);
    });
  }

  await t.test('what is wrong in Git is told of Git, and takes nothing away', async () => {
    await deploy('wrong', [service('wrong', [{ name: 'web', port: 80 }])]);
    const more = JSON.stringify({ spec: { ports: [{ name: 'more', port: 81 }] } });
    await stage.kubectl('patch', 'service', 'wrong', '--type=strategic', '-p', more);
    await push('wrong', [service('wrong', [{ name: 'web', port: 80, targetPort: 'no port' }])]);
    const refused = await sync('wrong', 'Quarantined');
    assert.match(messageOf(refused), /targetPort.*Correct it in Git\./);
    const ports = '{.spec.ports[*].port}';
    const left = await stage.kubectl('get', 'service', 'wrong', '-o', `jsonpath=${ports}`);
    assert.deepEqual(left.split(' ').sort(), ['80', '81']);
  });
});

test('a list item by hand that a key with a default of its kind tells from one of Git stays beside it', async (t) => {
  const { stage, deploy, change, admin } = await newSteps(t);
  const group = `${stage.namespace}.example.com`;
  const zone = { type: 'string', default: 'a' };
  const row = {
    type: 'object',
    required: ['name'],
    properties: { name: { type: 'string' }, zone, size: { type: 'integer' } },
  };
  const rows = {
    type: 'array',
    items: row,
    'x-kubernetes-list-type': 'map',
    'x-kubernetes-list-map-keys': ['name', 'zone'],
  };
  const crd = definition('tables', group, 'Table');
  const spec = { type: 'object', properties: { rows } };
  for (const { schema } of crd.spec.versions) Object.assign(schema.openAPIV3Schema.properties, { spec });
  await stage.apply(crd);
  t.after(() => stage.kubectl('delete', 'crd', crd.metadata.name, '--wait=false'));
  const table = (...of: object[]): TestObject => ({
    apiVersion: `${group}/v1`,
    kind: 'Table',
    metadata: { name: 'table' },
    spec: { rows: of },
  });
  await deploy('table', [table({ name: 'x', size: 1 })], { serviceAccountName: await admin(t) });
  const byHand = JSON.stringify([
    { op: 'add', path: '/spec/rows/-', value: { name: 'x', zone: 'b', size: 5 } },
  ]);
  await stage.kubectl('patch', `tables.${group}`, 'table', '--type=json', '-p', byHand);
  await change('table', [table({ name: 'x', size: 2 })]);
  const sizes = '{range .spec.rows[*]}{.zone}{.size} {end}';
  const shown = await stage.kubectl('get', `tables.${group}`, 'table', '-o', `jsonpath=${sizes}`);
  assert.equal(shown.trim(), 'a2 b5');
});

test('who changed an object is told, also who scaled it', async (t) => {
  const { stage, deploy } = await newSteps(t);
  const withReplicas = lamp('scaled', [container()]);
  const spec = { ...(withReplicas['spec'] as object), replicas: 1 };
  await deploy('scaled', [{ ...withReplicas, spec }]);
  await stage.kubectl('scale', 'deployment/scaled', '--replicas=3');
  const [told] = await toldOf(stage, 'scaled', 'DriftRepaired');
  assert.match(told ?? '', /after a change by kubectl\.$/);
  const drift = await eventually(async () => environmentOf((await stage.get('scaled')).status)?.drift, {
    describe: 'the drift in the status',
  });
  assert.equal(drift.lastBy, 'kubectl');
});

test('what is put back again and again is told, if it is slow', async (t) => {
  const { stage, deploy, live } = await newSteps(t);
  await deploy('fought', [map('fought', { a: '1' })]);
  for (const value of ['2', '3', '4']) {
    const data = JSON.stringify({ data: { a: value } });
    await stage.kubectl(
      ...['patch', 'configmap', 'fought', '--type=merge', '-p', data],
      '--field-manager=night-shift',
    );
    await eventually(async () => (await live('configmap', 'fought'))?.data?.['a'] === '1', {
      describe: 'the repair',
    });
  }
  const [told] = await toldOf(stage, 'fought', 'DriftContested');
  assert.match(
    told ?? '',
    /changed by night-shift \(data\.a\) and put back again and again: .*spec\.sync\.ignore/,
  );
});
