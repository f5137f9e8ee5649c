import assert from 'node:assert/strict';
import { cpSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { CHART_VALUES, type ChartGroup } from '../../hack/generate/chart-values.ts';
import { FLAGS } from '../../operator/flags.ts';
import { LOOKUPS } from '../../operator/render/engine-pool.ts';
import { DEFAULT_LIMITS } from '../../operator/render/request.ts';
import { bytesOf, CHART, only, podsOf, rendered, valuesFile } from '../harness/chart.ts';
import { helm, isHelm3 } from '../harness/helm.ts';
import { temporaryDirectory } from '../harness/process.ts';

for (const [what, values, says] of [
  ['a misspelt key', { replicas: 2 }, /replicas/],
  ['a misspelt key inside', { image: { name: 'towpath' } }, /name/],
  ['a misspelt key deep inside', { metrics: { serviceMonitor: { enable: true } } }, /enable/],
  ['a level of Pod Security that there is not', { managedAccess: { podSecurity: 'strict' } }, /podSecurity/],
  ['a log level that there is not', { log: { level: 'verbose' } }, /level/],
  ['a digest that is none', { image: { digest: 'latest' } }, /digest/],
  ['a port as a word', { networkPolicy: { git: { ports: ['ssh'] } } }, /ports/],
  ['a label that is no text', { labels: { a: 1 } }, /labels/],
  [
    'two monitors, by which all would count twice',
    { metrics: { serviceMonitor: { enabled: true }, podMonitor: { enabled: true } } },
    /scraped twice/,
  ],
  [
    'a ConfigMap and a Secret with authorities',
    { certificateAuthorities: { configMap: 'a', secret: 'b' } },
    /certificateAuthorities\.configMap and certificateAuthorities\.secret are both given: keep one/,
  ],
  ...Object.entries({
    limit: { resources: { limit: { memory: '1Gi' } } },
    Limits: { resources: { Limits: {} } },
    effects: { tolerations: [{ key: 'a', effects: 'NoSchedule' }] },
    NoRun: { tolerations: [{ key: 'a', effect: 'NoRun' }] },
    secretName: { imagePullSecrets: [{ name: 'a', secretName: 'a' }] },
    nodeaffinity: { affinity: { nodeaffinity: {} } },
    topologykey: { affinity: { podAntiAffinity: { required: [{ topologykey: 'a' }] } } },
    maxskew: { topologySpreadConstraints: [{ maxskew: 1 }] },
    source_labels: { metrics: { podMonitor: { relabelings: [{ source_labels: ['a'] }] } } },
    namespace_selector: { networkPolicy: { metricsFrom: [{ namespace_selector: {} }] } },
  }).map(([key, values]) => [`the key ${key} that Kubernetes does not know`, values, /schema/] as const),
  ...[
    { networkPolicy: { git: { ports: [] } } },
    { networkPolicy: { git: { ports: null } } },
    { networkPolicy: { git: null } },
    { networkPolicy: { apiServer: { ports: [] } } },
    { networkPolicy: { apiServer: null } },
    { networkPolicy: { clusters: { ports: [] } } },
    { networkPolicy: { clusters: null } },
    { networkPolicy: { dns: { ports: [] } } },
    { networkPolicy: { dns: { to: [] } } },
    { networkPolicy: { dns: { to: null } } },
    { networkPolicy: { dns: null } },
  ].map(
    (values) =>
      [
        `all ports or peers for none, ${JSON.stringify(values)},`,
        values,
        /ports|to|git|apiServer|clusters|dns/,
      ] as const,
  ),
  [
    'a resolver by a key that Kubernetes does not know',
    { networkPolicy: { dns: { to: [{ cidr: '192.0.2.53/32' }] } } },
    /dns/,
  ],
  ['a network of the proxy that is none', { networkPolicy: { proxy: { cidrs: ['10.0.0.0'] } } }, /cidrs/],
  ...Object.entries({
    watchNamespace: ['a: b', 'A', 'a.b', '-a', 'a'.repeat(64)],
    installation: ['a: b', 'a b', '"a'],
    fullnameOverride: ['a.b', 'A', 'a:b', 'a-', 'a'.repeat(54)],
    nameOverride: ['A', 'a b'],
    priorityClassName: ['A', 'a: b'],
  }).flatMap(([name, texts]) =>
    texts.map((text) => [`${name} ${JSON.stringify(text)}`, { [name]: text }, new RegExp(name)] as const),
  ),
  ['a ServiceAccount whose name is none', { serviceAccount: { name: 'a: b' } }, /name/],
  ['aliases of hosts that are none', { webhooks: { hostAliases: 'a.example.com' } }, /hostAliases/],
  ...[
    'proxy.example.com:3128',
    'socks5://proxy.example.com',
    'http://',
    'http://a b',
    'http://proxy:abc',
    'http://:3128',
    'http://proxy:',
    'http://proxy:0',
    'http://proxy:65536',
    'http://proxy:99999',
    'http://proxy/path',
  ].map((https) => [`the proxy ${https}`, { proxy: { https } }, /proxy/] as const),
  ...['http://u:word@proxy', 'https://u@proxy:3128', 'http://@proxy'].flatMap((url) =>
    ['http', 'https'].map(
      (key) =>
        [
          `the user in proxy.${key} ${url}, without telling the password,`,
          { proxy: { [key]: url } },
          new RegExp(`^(?!.*word@).*proxy\\.${key} has a user in it.* Secret.* extraEnv`, 's'),
        ] as const,
    ),
  ),
  ...['300.1.1.1/24', '10.0.0.0/33', '10.0.0.0', '::/129', 'a/8'].map(
    (cidr) => [`the network ${cidr}`, { networkPolicy: { git: { cidrs: [cidr] } } }, /cidrs/] as const,
  ),
  ...['towpath.dev/watches', 'rbac.authorization.k8s.io/aggregate-to-view'].map(
    (label) =>
      [
        `the label ${label}, by which things are found,`,
        { labels: { [label]: '' } },
        new RegExp(label),
      ] as const,
  ),
  ...['docs/monitoring.md', 'https://a b', 'https://a.example.com/#b'].map(
    (runbookUrl) =>
      [
        `the address ${runbookUrl} of runbooks`,
        { metrics: { prometheusRule: { runbookUrl } } },
        /runbookUrl/,
      ] as const,
  ),
  ...(
    [
      ['HTTPS_PROXY', { https: 'http://proxy.example.com:3128' }],
      ['https_proxy', { https: 'http://proxy.example.com:3128' }],
      ['http_proxy', { http: 'http://proxy.example.com:3128' }],
      ['no_proxy', { bypass: 'git.example.com' }],
    ] as const
  ).map(
    ([name, proxy]) =>
      [
        `the environment variable ${name} beside what proxy says`,
        { proxy, extraEnv: [{ name, value: 'x' }] },
        new RegExp(`${name} is in extraEnv and in proxy: keep one`),
      ] as const,
  ),
  [
    'an environment variable twice',
    { extraEnv: ['A', 'B', 'A'].map((name) => ({ name, value: 'x' })) },
    /A is in extraEnv twice: keep one/,
  ],
  ['an environment variable without a name', { extraEnv: [{ value: 'x' }] }, /extraEnv.*name/s],
  ...['a b', '', 'towpath:dev', 'registry:5000/towpath:dev', `towpath@sha256:${'0a'.repeat(32)}`]
    .concat(
      'https://registry/towpath',
      'Towpath',
      'registry:port/towpath',
      'registry/',
      '/towpath',
      'registry./towpath',
      'Registry_1/towpath',
    )
    .map(
      (repository) =>
        [`the image ${JSON.stringify(repository)}`, { image: { repository } }, /repository/] as const,
    ),
  ...['2 Gi', '2GB', '2gi', 'Gi', '', '-1', -1, '1e', '1.2.3', '1Gi '].map(
    (memory) =>
      [
        `the quantity ${JSON.stringify(memory)}`,
        { resources: { limits: { memory } } },
        /resources.*memory/s,
      ] as const,
  ),
  ['a tag that is none', { image: { tag: 'a/b' } }, /tag/],
  ['an interval that is none', { metrics: { podMonitor: { interval: '1 hour' } } }, /interval/],
  ['a name of a ConfigMap that is none', { certificateAuthorities: { configMap: 'A B' } }, /configMap/],
  ['a key that leads elsewhere', { certificateAuthorities: { configMap: 'a', key: '../x' } }, /key/],
  [
    "S16: the operator's own ServiceAccount among those of Applications",
    { impersonate: ['deployer'], serviceAccount: { name: 'deployer' } },
    /deployer/,
  ],
] as const) {
  test(`the chart refuses ${what} in its values`, async () => {
    const result = await helm('template', 'towpath', CHART, '--values', valuesFile(values));
    assert.notEqual(result.code, 0);
    assert.match(result.stderr, says);
  });
}

test('the chart takes what Kubernetes and Prometheus take', async () => {
  const term = {
    topologyKey: 'kubernetes.io/hostname',
    labelSelector: { matchExpressions: [{ key: 'a', operator: 'In', values: ['b'] }] },
  };
  const place = {
    affinity: {
      nodeAffinity: {
        requiredDuringSchedulingIgnoredDuringExecution: {
          nodeSelectorTerms: [{ matchFields: [{ key: 'metadata.name', operator: 'In', values: ['a'] }] }],
        },
      },
      podAntiAffinity: {
        requiredDuringSchedulingIgnoredDuringExecution: [term],
        preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 1, podAffinityTerm: term }],
      },
    },
    tolerations: [{ key: 'a', operator: 'Equal', value: '1', effect: 'NoExecute', tolerationSeconds: 30 }],
    topologySpreadConstraints: [
      { maxSkew: 1, topologyKey: 'zone', whenUnsatisfiable: 'DoNotSchedule', labelSelector: {} },
    ],
    imagePullSecrets: [{ name: 'a.b' }],
  };
  const resources = { limits: { cpu: 1, 'example.com/x': '1' }, claims: [{ name: 'a' }] };
  const objects = await rendered({ ...place, resources });
  const [operator, test] = podsOf(objects);
  const resourcesOf = (pod: typeof operator) =>
    (pod?.spec.containers[0] as { resources?: Record<string, object> } | undefined)?.resources ?? {};
  const usual = resourcesOf(podsOf(await rendered())[0]);
  assert.deepEqual(resourcesOf(operator), {
    ...usual,
    limits: { ...usual['limits'], ...resources.limits },
    claims: resources.claims,
  });
  for (const [field, value] of Object.entries(place)) assert.deepEqual(operator?.spec[field], value, field);
  assert.deepEqual(test?.spec['affinity'], place.affinity, 'the Pod of helm test runs where the others do');
  for (const interval of ['1h', '1m30s', '500ms', '1d12h', '0', '']) {
    const monitor = only(
      await rendered({ metrics: { podMonitor: { enabled: true, interval } } }),
      'PodMonitor',
    );
    const { podMetricsEndpoints } = monitor.spec as { podMetricsEndpoints: { interval?: string }[] };
    assert.equal(podMetricsEndpoints[0]?.interval ?? '', interval);
  }
  // Names in two cases are two names, and these are none that proxy gives.
  const names = ['https_proxy', 'HTTPS_PROXY', 'a', 'A'];
  const extraEnv = names.map((name) => ({ name, value: 'http://proxy.example.com:3128' }));
  const [pod] = podsOf(await rendered({ extraEnv, proxy: { bypass: 'git.example.com' } }));
  assert.deepEqual(
    pod?.spec.containers[0]?.env?.map(({ name }) => name),
    ['NO_PROXY', ...names],
  );
  // Null takes a default away where nothing counts on it.
  const none = await rendered({ resources: { limits: null }, tolerations: null, affinity: null });
  const volumes = podsOf(none)[0]?.spec['volumes'] as object[];
  assert.deepEqual(volumes, [{ name: 'tmp', emptyDir: { sizeLimit: '6Gi' } }]);
});

/** The values whose default is empty, as null: what Helm reads where nothing stands after the colon. */
function withoutEmpty(values: ChartGroup['values']): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(values).flatMap(([key, value]): [string, unknown][] => {
      if ('values' in value) return [[key, withoutEmpty(value.values)]];
      return ['""', '[]', '{}'].includes(JSON.stringify(value.default)) ? [[key, null]] : [];
    }),
  );
}

test('the chart takes images, proxies and quantities in every form that they have', async () => {
  const of = (hosts: readonly string[], rests: readonly string[]) =>
    hosts.flatMap((host) => rests.map((rest) => `${host}${rest}`));
  const registries = [
    '',
    'localhost/',
    'registry:5000/',
    'Registry.example.com:65535/',
    '[2001:db8::1]:5000/',
  ];
  const images = of(registries, ['towpath', 'a/b__c/tow.path--2_x']);
  const hosts = ['proxy', 'proxy.example.com.', 'my_proxy-1', '192.0.2.1', '[2001:db8::1]'];
  const proxies = of(
    hosts.map((host) => `http://${host}`),
    ['', ':1/', ':65535'],
  ).concat('https://proxy:443');
  const quantities = [
    '2Gi',
    '1.5Gi',
    '.5G',
    '2147483648',
    '2e9',
    '1E9',
    '3000000k',
    '2000000000000m',
    2e9,
    0.5,
  ];
  for (const [index, https] of proxies.entries()) {
    assert.notEqual(URL.parse(https), null, https);
    const repository = images[index % images.length] ?? '';
    const memory = quantities[index % quantities.length];
    const values = { image: { repository, tag: 'dev' }, proxy: { https }, resources: { limits: { memory } } };
    const [container] = podsOf(await rendered(values))[0]?.spec.containers ?? [];
    assert.ok(container !== undefined);
    const { image, env } = container;
    const { resources } = container as unknown as { resources: { limits: object } };
    assert.deepEqual(
      { image, env, limits: resources.limits },
      { image: `${repository}:dev`, env: [{ name: 'HTTPS_PROXY', value: https }], limits: { memory } },
    );
  }
  assert.ok(proxies.length >= Math.max(images.length, quantities.length), 'each was rendered');
});

test('a key with nothing after its colon is as if it were not there, each of those that are empty by default', async () => {
  const on = (monitor: string) => ({
    metrics: Object.fromEntries(
      [monitor, 'prometheusRule', 'dashboard'].map((kind) => [kind, { enabled: true }]),
    ),
    webhooks: { enabled: true },
    networkPolicy: { enabled: true },
  });
  const nothing = withoutEmpty(CHART_VALUES);
  for (const key of ['labels', 'podLabels', 'extraEnv', 'extraArgs', 'affinity'])
    assert.equal(nothing[key], null, key);
  for (const monitor of ['serviceMonitor', 'podMonitor']) {
    const file = valuesFile(on(monitor));
    const render = async (...more: string[]) => {
      const result = await helm('template', 'towpath', CHART, '--values', file, ...more);
      assert.equal(result.code, 0, result.stderr);
      return result.stdout;
    };
    assert.ok((await render('--values', valuesFile(nothing))) === (await render()), monitor);
  }
  // This one's default is not empty: null is refused in words of the schema, and no template fails.
  const dashboard = { metrics: { dashboard: { enabled: true, labels: null } } };
  const { code, stderr } = await helm('template', 'towpath', CHART, '--values', valuesFile(dashboard));
  assert.notEqual(code, 0);
  assert.match(stderr, /schema.*labels/s);
});

test('the default limit of memory has room for the greatest that was seen and each engine at its own limit, those for slow renders and for lookups in indexes, too', async () => {
  const [pod] = podsOf([only(await rendered(), 'Deployment')]);
  assert.ok(pod !== undefined);
  const [{ resources }] = pod.spec.containers as unknown as [
    { resources: { requests: { memory: string }; limits: { memory: string } } },
  ];
  const MiB = 2 ** 20;
  // Of `make soak`, 29 November 2026: docs/performance.md.
  const seen = { greatest: 515 * MiB, lastQuarter: 463 * MiB };
  const engines = (2 * Number(FLAGS['render-processes'].default) + LOOKUPS) * DEFAULT_LIMITS.memoryBytes;
  const limit = bytesOf(resources.limits.memory);
  assert.ok(limit >= seen.greatest + engines, `${limit / MiB} MiB`);
  assert.ok(bytesOf(resources.requests.memory) >= seen.lastQuarter, resources.requests.memory);
});

const skip = isHelm3 && 'Helm 3 asks a cluster even before a dry run';

test('what helm says after an install names the commands that tell whether it works, and for which namespaces', {
  skip,
}, async () => {
  const notes = async (values: unknown) => {
    const flags = ['--dry-run=client', '--namespace=gitops', `--values=${valuesFile(values)}`];
    const { code, stdout, stderr } = await helm('install', 'towpath', CHART, ...flags);
    assert.equal(code, 0, stderr);
    return stdout.slice(stdout.indexOf('NOTES:'));
  };
  const all = await notes({});
  for (const line of [
    'looks after the Applications of all namespaces.',
    '  kubectl --namespace gitops rollout status deployment/towpath',
    '  helm --namespace gitops test towpath',
    '  kubectl --namespace gitops logs deployment/towpath',
    'ServiceAccount of its own namespace, named towpath.',
  ])
    assert.ok(all.includes(`${line}\n`), `${line}\n${all}`);
  assert.match(all, /No registry has the image "towpath": .*--set image\.repository=/s);
  const other = await notes({
    image: { repository: 'registry.example.com/platform/towpath' },
    watchNamespace: 'shop',
    impersonate: [],
    test: { enabled: false },
    webhooks: { enabled: true },
  });
  for (const said of ['of shop.', 'nothing can be deployed', 'Secret towpath-webhooks of namespace gitops'])
    assert.ok(other.includes(said), other);
  assert.doesNotMatch(other, /helm --namespace|No registry/);
  const unmanaged =
    /Environments with managed access \(spec\.access\.clusterRole\) deploy nothing in this cluster/;
  assert.match(await notes({ impersonate: ['deployer'] }), unmanaged);
  for (const managed of [
    all,
    await notes({ impersonate: ['deployer'], managedAccess: { clusterRoles: [] } }),
  ])
    assert.doesNotMatch(managed, unmanaged);
});

test('it can be a dependency of another chart, under a condition', async () => {
  const parent = temporaryDirectory('parent-chart');
  mkdirSync(join(parent, 'charts'));
  cpSync(CHART, join(parent, 'charts/towpath'), { recursive: true });
  const dependencies = '[{name: towpath, version: ">=0.0.0", condition: towpath.enabled}]';
  writeFileSync(
    join(parent, 'Chart.yaml'),
    `apiVersion: v2\nname: platform\nversion: 1.0.0\ndependencies: ${dependencies}\n`,
  );
  writeFileSync(
    join(parent, 'values.yaml'),
    'global: {environment: prod}\ntowpath: {enabled: true, replicaCount: 3, tags: {gitops: true}, global: {a: b}}\n',
  );
  assert.equal(only(await rendered({}, 'platform', parent), 'Deployment').spec?.['replicas'], 3);
  const result = await helm('template', 'platform', parent, '--set=towpath.enabled=false');
  assert.equal(result.code, 0, result.stderr);
  assert.equal(result.stdout.trim(), '');
});
