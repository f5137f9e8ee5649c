import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { parseAllDocuments } from 'yaml';
import { METADATA_SUBNETS } from '../../operator/source/transport/address.ts';
import { CHART, only, podsOf, type Rendered, rendered, selects, valuesFile } from '../harness/chart.ts';
import { helm } from '../harness/helm.ts';

/** Value sets that together switch everything on. */
const FULL = {
  labels: { team: 'platform', 'helm.sh/chart': 'mine' },
  podLabels: { 'app.kubernetes.io/name': 'other', tier: 'gitops' },
  podAnnotations: { a: 'b' },
  imagePullSecrets: [{ name: 'registry' }],
  image: { repository: 'registry.example.com/towpath', digest: `sha256:${'0a'.repeat(32)}` },
  priorityClassName: 'system-cluster-critical',
  nodeSelector: { 'example.com/pool': 'infra' },
  tolerations: [{ key: 'infra', operator: 'Exists' }],
  affinity: { nodeAffinity: {} },
  proxy: { http: 'http://proxy:3128', https: 'http://proxy:3128', bypass: 'git.internal' },
  extraArgs: ['--render-processes=4'],
  extraEnv: [{ name: 'A', value: 'b' }],
  extraVolumes: [{ name: 'more', emptyDir: {} }],
  extraVolumeMounts: [{ name: 'more', mountPath: '/more' }],
  metrics: {
    serviceMonitor: {
      enabled: true,
      labels: { release: 'prometheus' },
      relabelings: [{ action: 'drop' }],
    },
    prometheusRule: { enabled: true, labels: { release: 'prometheus' } },
    dashboard: { enabled: true, annotations: { folder: 'gitops' } },
  },
  networkPolicy: { enabled: true },
  certificateAuthorities: { secret: 'authorities', key: 'bundle.pem' },
  global: { anything: { goes: true } },
};
const withPodMonitor = { metrics: { podMonitor: { enabled: true, interval: '' } } };

const readme = readFileSync(join(CHART, 'README.md'), 'utf8');
const examples = [...readme.matchAll(/^### ([^\n]{1,200})\n[^\n]{1,500}\n```yaml\n([^`]{1,2000})```$/gm)].map(
  ([, title = '', values = '']) => ({ title, values }),
);
const SETS: readonly (readonly [string, unknown])[] = [
  ['nothing', {}],
  ['everything', FULL],
  ['a PodMonitor', withPodMonitor],
  ...examples.map(({ title, values }) => [`README: ${title}`, values] as const),
];

test('the chart passes helm lint, with every set of values', async () => {
  for (const [what, values] of SETS) {
    const { code, stdout } = await helm('lint', CHART, '--strict', `--values=${valuesFile(values)}`);
    assert.equal(code, 0, `${what}: ${stdout}`);
  }
});

test('I2: rendering needs no cluster, and twice is the same to the byte', async () => {
  assert.equal(examples.length, readme.match(/^```yaml$/gm)?.length, 'the examples of the README');
  for (const [what, values] of SETS) {
    const render = () =>
      helm('template', 'a', CHART, '--kubeconfig=/nowhere', `--values=${valuesFile(values)}`);
    const [one, two] = await Promise.all([render(), render()]);
    assert.equal(one.code, 0, `${what}: ${one.stderr}`);
    assert.equal(one.stdout, two.stdout, what);
    assert.ok(!/Release\.IsUpgrade|helm\.sh\/hook: (?!test)/.test(one.stdout), what);
  }
});

// Selectors are immutable: were they to change, or to hold what changes, no release could be upgraded.
test('selectors are what they have always been, whatever labels are added, and select our Pods alone', async () => {
  const selector = { 'app.kubernetes.io/name': 'towpath', 'app.kubernetes.io/instance': 'towpath' };
  // Only one of the monitors may be on at a time.
  const full = { ...FULL, webhooks: { enabled: true } };
  const objects = await rendered(full);
  const others = await rendered({ ...full, ...withPodMonitor });
  const found = [...objects, ...others].flatMap(({ kind, metadata, spec = {} }) => {
    const either = spec['selector'] ?? spec['podSelector'];
    if (either === undefined) return [];
    const labels = (either as { matchLabels?: object }).matchLabels ?? either;
    return [[`${kind} ${metadata.name}`, labels] as const];
  });
  assert.deepEqual(Object.fromEntries(found), {
    'Deployment towpath': selector,
    'NetworkPolicy towpath': selector,
    'PodDisruptionBudget towpath': selector,
    'PodMonitor towpath': selector,
    'Service towpath-metrics': selector,
    'Service towpath-webhooks': selector,
    'ServiceMonitor towpath': { 'towpath.dev/scrape': 'towpath' },
  });
  const { spec: template } = podsOf([only(objects, 'Deployment')])[0] ?? {};
  const spreads = template?.['topologySpreadConstraints'] as { labelSelector: { matchLabels: object } }[];
  assert.deepEqual(
    spreads.map(({ labelSelector }) => labelSelector.matchLabels),
    [selector],
  );
  const [operator, test] = podsOf(objects).sort(
    (a, b) => Number(selects(selector, b.labels)) - Number(selects(selector, a.labels)),
  );
  assert.ok(operator !== undefined && selects(selector, operator.labels));
  assert.ok(test !== undefined && !selects(selector, test.labels), "helm test's Pod is no replica");
});

test("labels of one's own are on every object, and never in place of the chart's", async () => {
  for (const { kind, metadata } of await rendered(FULL)) {
    const { labels = {} } = metadata;
    assert.equal(labels['team'], 'platform', `${kind} ${metadata.name}`);
    assert.match(labels['helm.sh/chart'] ?? '', /^towpath-/);
    assert.equal(labels['app.kubernetes.io/managed-by'], 'Helm');
  }
});

test("the labels of one kind of object count before those of all, and the chart's own before both", async () => {
  const mine = { 'helm.sh/chart': 'mine', 'app.kubernetes.io/instance': 'mine' };
  const labels = { release: 'mine', team: 'platform', ...mine };
  const special = { labels: { release: 'kps', none: '', ...mine }, enabled: true };
  const values = (monitor: string) => ({
    labels: { ...labels, none: 'some' },
    podLabels: special.labels,
    metrics: { [monitor]: special, prometheusRule: special, dashboard: special },
  });
  const objects = [
    ...(await rendered(values('serviceMonitor'))),
    ...(await rendered(values('podMonitor'))).filter(({ kind }) => kind === 'PodMonitor'),
  ];
  const dashboard = objects.find(({ metadata }) => metadata.name === 'towpath-dashboard');
  const [pod] = podsOf([only(objects, 'Deployment')]);
  for (const [what, found] of [
    ...['ServiceMonitor', 'PodMonitor', 'PrometheusRule'].map(
      (kind) => [kind, only(objects, kind).metadata.labels] as const,
    ),
    ['the dashboard', dashboard?.metadata.labels],
    ['the Pod', pod?.labels],
  ] as const) {
    const { release, none, team } = found ?? {};
    assert.deepEqual({ release, none, team }, { release: 'kps', none: '', team: 'platform' }, what);
    assert.match(found?.['helm.sh/chart'] ?? '', /^towpath-/, what);
    assert.equal(found?.['app.kubernetes.io/instance'], 'towpath', what);
  }
  assert.equal(only(objects, 'Deployment').metadata.labels?.['release'], 'mine');
});

test('a PodDisruptionBudget keeps all replicas but one, and no drain waits for one that is not ready', async () => {
  const { maxUnavailable, unhealthyPodEvictionPolicy } = only(await rendered(), 'PodDisruptionBudget')
    .spec as Record<string, unknown>;
  assert.deepEqual(
    { maxUnavailable, unhealthyPodEvictionPolicy },
    { maxUnavailable: 1, unhealthyPodEvictionPolicy: 'AlwaysAllow' },
  );
  for (const none of [{ replicaCount: 1 }, { podDisruptionBudget: { enabled: false } }])
    assert.ok(!(await rendered(none)).some(({ kind }) => kind === 'PodDisruptionBudget'));
});

test('replicas keep out of the zone of others, unless it is said how they are spread', async () => {
  const placeWith = async (values: object) => {
    const [{ spec } = { spec: undefined }] = podsOf([only(await rendered(values), 'Deployment')]);
    const { podAntiAffinity, nodeAffinity } = (spec?.['affinity'] ?? {}) as Record<string, unknown>;
    return { podAntiAffinity, nodeAffinity };
  };
  const { podAntiAffinity } = await placeWith({});
  assert.match(JSON.stringify(podAntiAffinity), /topology\.kubernetes\.io\/zone/);
  const nodeAffinity = {};
  assert.deepEqual(await placeWith({ affinity: { nodeAffinity } }), { podAntiAffinity, nodeAffinity });
  assert.deepEqual(await placeWith({ affinity: { podAntiAffinity: {} } }), {
    podAntiAffinity: {},
    nodeAffinity: undefined,
  });
  const constraint = {
    maxSkew: 1,
    topologyKey: 'rack',
    whenUnsatisfiable: 'DoNotSchedule',
    labelSelector: {},
  };
  assert.deepEqual(await placeWith({ topologySpreadConstraints: [constraint] }), {
    podAntiAffinity: undefined,
    nodeAffinity: undefined,
  });
});

test('a ServiceMonitor finds the rendered Service and its port, a PodMonitor the Pods and theirs', async () => {
  const objects = await rendered(FULL);
  const monitor = only(objects, 'ServiceMonitor');
  const service = only(objects, 'Service');
  const { selector, endpoints } = monitor.spec as {
    selector: { matchLabels: Record<string, string> };
    endpoints: { port: string; path: string }[];
  };
  assert.ok(selects(selector.matchLabels, service.metadata.labels ?? {}));
  // Tools that apply charts write that one over with their own.
  assert.ok(!('app.kubernetes.io/instance' in selector.matchLabels));
  const ports = (service.spec as { ports: { name: string; targetPort: string }[] }).ports;
  const port = ports.find(({ name }) => name === endpoints[0]?.port);
  const [pod] = podsOf([only(objects, 'Deployment')]);
  const containerPorts = pod?.spec.containers[0]?.ports ?? [];
  assert.ok(containerPorts.some(({ name }) => name === port?.targetPort));
  assert.equal(monitor.metadata.labels?.['release'], 'prometheus');

  const other = only(await rendered(withPodMonitor), 'PodMonitor');
  const { podMetricsEndpoints } = other.spec as {
    podMetricsEndpoints: { port: string; interval?: string }[];
  };
  assert.ok(containerPorts.some(({ name }) => name === podMetricsEndpoints[0]?.port));
  assert.equal(podMetricsEndpoints[0]?.interval, undefined);
});

test('I1: every Pod of the chart has the image, the registry, the place and the restrictions', async () => {
  const pods = podsOf(await rendered(FULL));
  assert.equal(pods.length, 2);
  for (const { spec } of pods) {
    for (const field of ['imagePullSecrets', 'priorityClassName', 'nodeSelector', 'tolerations'] as const)
      assert.deepEqual(spec[field], FULL[field], field);
    assert.deepEqual(spec['securityContext'], {
      runAsNonRoot: true,
      seccompProfile: { type: 'RuntimeDefault' },
    });
    for (const container of spec.containers as unknown as Record<string, unknown>[]) {
      assert.equal(container['image'], `${FULL.image.repository}@${FULL.image.digest}`);
      assert.deepEqual(container['securityContext'], {
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ['ALL'] },
      });
    }
  }
});

test("only the operator's container has the proxy, the private authorities and what is added; that of helm test asks in the cluster alone", async () => {
  const objects = await rendered(FULL);
  const containers = podsOf(objects).flatMap(({ spec }) =>
    [...spec.containers, ...((spec['initContainers'] ?? []) as typeof spec.containers)].map((container) => ({
      name: container.name,
      env: container.env?.map(({ name }) => name),
      mounts: container.volumeMounts?.map(({ name }) => name),
      volumes: spec.volumes?.map(({ name }) => name),
    })),
  );
  assert.deepEqual(
    containers.toSorted((one, other) => one.name.localeCompare(other.name)),
    [
      {
        name: 'reached',
        env: ['SERVICE', 'PROBES_PORT', 'METRICS_PORT', 'WITHIN_SECONDS'],
        mounts: undefined,
        volumes: undefined,
      },
      {
        name: 'towpath',
        env: ['HTTPS_PROXY', 'HTTP_PROXY', 'NO_PROXY', 'A'],
        mounts: ['tmp', 'authorities', 'more'],
        volumes: ['tmp', 'authorities', 'more'],
      },
    ],
  );
  // Why it needs neither: it asks a Service of the release, by plain HTTP.
  const [asks] = podsOf([only(objects, 'Pod')]);
  assert.deepEqual(asks?.spec.containers[0]?.env?.[0], {
    name: 'SERVICE',
    value: 'towpath-metrics.towpath-system.svc',
  });
  const script = readFileSync(join(CHART, 'files/reached.mjs'), 'utf8');
  assert.deepEqual(script.match(/[a-z]+:\/\//g), ['http://']);
});

for (const [what, certificateAuthorities, volume, key] of [
  ['a ConfigMap', { configMap: 'authorities' }, { configMap: { name: 'authorities' } }, 'ca.crt'],
  ['a Secret', { secret: 'ca', key: 'all.pem' }, { secret: { secretName: 'ca' } }, 'all.pem'],
] as const)
  test(`private authorities of ${what} are mounted, as a directory that follows it, and given to the operator`, async () => {
    const [pod] = podsOf([only(await rendered({ certificateAuthorities }), 'Deployment')]);
    const [container] = pod?.spec.containers ?? [];
    assert.ok(pod !== undefined && container !== undefined);
    const { volumes } = pod.spec as unknown as { volumes: object[] };
    const { volumeMounts } = container as unknown as { volumeMounts: object[] };
    const name = 'authorities';
    assert.deepEqual(volumes[1], { name, ...volume });
    // With a subPath kubelet would never bring what changed.
    assert.deepEqual(volumeMounts[1], { name, mountPath: '/etc/towpath/authorities', readOnly: true });
    assert.ok(container.args.includes(`--ca-file=/etc/towpath/authorities/${key}`));
  });

test('without private authorities there is no volume of theirs, and no flag', async () => {
  const text = JSON.stringify(await rendered());
  assert.doesNotMatch(text, /authorities|--ca-file/);
});

test("the README's proxy that wants a password has its address from a Secret, which the Deployment does not show", async () => {
  const { values } = examples.find(({ title }) => title === 'Behind a proxy that wants a password') ?? {};
  const [pod] = podsOf([only(await rendered(values), 'Deployment')]);
  const env = pod?.spec.containers[0]?.env ?? [];
  assert.deepEqual(
    env.filter(({ name }) => name.endsWith('PROXY')),
    [
      { name: 'NO_PROXY', value: 'git.internal.example.com' },
      { name: 'HTTPS_PROXY', valueFrom: { secretKeyRef: { name: 'proxy', key: 'url' } } },
    ],
  );
});

test('webhooks have a Service, a port and an opening where they are on, and nothing where they are not', async () => {
  const webhooks = { enabled: true, secret: 'hooks', hostAliases: 'a.example.com=b.example.com' };
  const objects = await rendered({ webhooks, networkPolicy: { enabled: true } });
  const service = objects.find(({ metadata }) => metadata.name === 'towpath-webhooks');
  assert.ok(service !== undefined, 'the Service');
  const { ports } = service.spec as { ports: { targetPort: string }[] };
  const container = podsOf([only(objects, 'Deployment')])[0]?.spec.containers[0];
  assert.ok(container?.ports?.some(({ name }) => name === ports[0]?.targetPort));
  const flags = [
    '--webhook-address=:8083',
    '--webhook-secret=hooks',
    `--webhook-host-aliases=${webhooks.hostAliases}`,
  ];
  for (const flag of flags) assert.ok(container?.args.includes(flag), flag);
  const { ingress } = only(objects, 'NetworkPolicy').spec as { ingress: object[] };
  assert.deepEqual(ingress[1], { ports: [{ port: 'webhooks' }] });
  const without = await rendered({ networkPolicy: { enabled: true } });
  // The image itself would listen.
  const { args = [] } = podsOf([only(without, 'Deployment')])[0]?.spec.containers[0] ?? {};
  assert.deepEqual(
    args.filter((arg) => arg.includes('webhook')),
    ['--webhook-address='],
  );
  assert.doesNotMatch(JSON.stringify(without), /"webhooks"|-webhooks"/);
});

test('a NetworkPolicy opens DNS, the API server and Git, and no address where clouds serve credentials', async () => {
  const { policyTypes, egress, ingress } = only(await rendered(FULL), 'NetworkPolicy').spec as {
    policyTypes: string[];
    egress: { ports: { port: number; protocol: string }[]; to?: unknown[] }[];
    ingress: { ports: { port: string }[]; from?: unknown[] }[];
  };
  // What it does not name is not shut.
  assert.deepEqual(policyTypes, ['Ingress', 'Egress']);
  assert.deepEqual(
    egress.map(({ ports }) => ports.map(({ port, protocol }) => `${port} ${protocol}`)),
    [
      ['53 UDP', '53 TCP'],
      ['443 TCP', '6443 TCP'],
      ['22 TCP', '443 TCP'],
      // The proxy of these values.
      ['3128 TCP'],
    ],
  );
  const [names, ...others] = egress;
  assert.deepEqual(names?.to, [
    {
      namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'kube-system' } },
      podSelector: { matchLabels: { 'k8s-app': 'kube-dns' } },
    },
    // NodeLocal DNSCache.
    { ipBlock: { cidr: '169.254.20.10/32' } },
  ]);
  for (const { to } of others)
    assert.deepEqual(to, [
      { ipBlock: { cidr: '0.0.0.0/0', except: METADATA_SUBNETS.ipv4 } },
      { ipBlock: { cidr: '::/0', except: METADATA_SUBNETS.ipv6 } },
    ]);
  const [scraped, tested, ...more] = ingress;
  assert.deepEqual([scraped, more], [{ ports: [{ port: 'metrics' }] }, []]);
  assert.deepEqual(tested?.ports, [{ port: 'probes' }], 'for `helm test` alone');
  assert.equal(tested?.from?.length, 1);

  const narrow = { enabled: true, git: { cidrs: ['192.0.2.10/32'] }, metricsFrom: [{ podSelector: {} }] };
  const resolver = { ipBlock: { cidr: '192.0.2.53/32' } };
  const policy = only(await rendered({ networkPolicy: narrow }), 'NetworkPolicy').spec as {
    egress: { to?: object[] }[];
    ingress: { from: { podSelector: { matchLabels: Record<string, string> } }[] }[];
  };
  assert.deepEqual(policy.egress[2]?.to, [{ ipBlock: { cidr: '192.0.2.10/32' } }]);
  const proxies = { http: 'http://proxy.example.com', https: 'http://[2001:db8::1]:3128/' };
  const proxied = only(await rendered({ networkPolicy: narrow, proxy: proxies }), 'NetworkPolicy');
  assert.deepEqual((proxied.spec as typeof policy).egress[3], {
    ports: [
      { port: 80, protocol: 'TCP' },
      { port: 3128, protocol: 'TCP' },
    ],
    to: egress[2]?.to,
  });
  const narrower = {
    ...narrow,
    clusters: { ports: [8443], cidrs: ['192.0.2.41/32'] },
    dns: { ports: [53, 5353], to: [resolver] },
    proxy: { cidrs: ['192.0.2.31/32'] },
  };
  const narrowest = only(await rendered({ networkPolicy: narrower, proxy: proxies }), 'NetworkPolicy');
  assert.deepEqual(
    (narrowest.spec as typeof policy).egress.map(({ to }) => to),
    [
      [resolver],
      egress[1]?.to,
      [{ ipBlock: { cidr: '192.0.2.41/32' } }],
      [{ ipBlock: { cidr: '192.0.2.10/32' } }],
      [{ ipBlock: { cidr: '192.0.2.31/32' } }],
    ],
  );
  assert.deepEqual((narrowest.spec as { egress: typeof egress }).egress[2]?.ports, [
    { port: 8443, protocol: 'TCP' },
  ]);
  assert.deepEqual((narrowest.spec as { egress: typeof egress }).egress[0]?.ports, [
    { port: 53, protocol: 'UDP' },
    { port: 53, protocol: 'TCP' },
    { port: 5353, protocol: 'UDP' },
    { port: 5353, protocol: 'TCP' },
  ]);
  const allowed = { networkPolicy: { enabled: true }, git: { allowLinkLocal: true } };
  const open = only(await rendered(allowed), 'NetworkPolicy').spec as typeof policy;
  assert.deepEqual(
    open.egress.map(({ to }) => to === undefined),
    [false, false, true],
    'link-local Git servers that are allowed are reached',
  );
  const test = only(await rendered(), 'Pod').metadata.labels ?? {};
  assert.ok(
    selects(policy.ingress[0]?.from[1]?.podSelector.matchLabels ?? { no: 'one' }, test),
    'helm test may ask',
  );
});

test('every alert has its section in the docs, and alerts and dashboard ask for metrics that there are', async () => {
  const rulesOf = (all: readonly Rendered[]) => {
    const { groups } = only(all, 'PrometheusRule').spec as {
      groups: { rules: { alert: string; expr: string; annotations: Record<string, string> }[] }[];
    };
    return groups.flatMap((group) => group.rules);
  };
  const objects = await rendered(FULL);
  const rules = rulesOf(objects);
  const runbookUrl = 'https://docs.example.com/towpath';
  const metricsLinked = { prometheusRule: { enabled: true, runbookUrl } };
  const linked = new Map(
    rulesOf(await rendered({ metrics: metricsLinked })).map(({ alert, annotations }) => [alert, annotations]),
  );
  const docs = (page: string) => readFileSync(join(CHART, '../../docs', page), 'utf8');
  for (const { alert, annotations } of rules) {
    const section = `#${alert.toLowerCase()}`;
    // Nobody knows where the docs are served, until somebody says so.
    assert.equal(annotations['runbook'], `docs/monitoring.md${section}`);
    assert.equal(annotations['runbook_url'], undefined);
    assert.equal(linked.get(alert)?.['runbook_url'], `https://docs.example.com/towpath${section}`);
    assert.equal(linked.get(alert)?.['runbook'], undefined);
    assert.ok(docs('monitoring.md').includes(`### ${alert}\n`), alert);
  }
  const dashboard = objects.find(({ metadata }) => metadata.labels?.['grafana_dashboard'] === '1');
  const asked = `${rules.map(({ expr }) => expr).join(' ')} ${dashboard?.data?.['towpath.json']}`;
  const metrics = docs('reference/metrics.md');
  const names = /(?:towpath|workqueue|controller_runtime|rest_client|leader_election|process)_[a-z_]{1,80}/g;
  const found = [...asked.matchAll(names)];
  assert.ok(found.length > 30);
  for (const [name] of found)
    assert.ok(metrics.includes(`\`${name.replace(/_(bucket|count|sum)$/, '')}\``), name);
});

test('the series of single Applications are served, and are left out on request', async () => {
  const argsOf = async (values: unknown) =>
    podsOf([only(await rendered(values), 'Deployment')])[0]?.spec.containers[0]?.args ?? [];
  const flag = '--omit-application-metrics';
  assert.ok(!(await argsOf({})).includes(flag));
  assert.ok((await argsOf({ metrics: { applications: false } })).includes(flag));
});

test('what the chart makes outside of its namespace is found by one label', async () => {
  const mutating = ['--api-versions=admissionregistration.k8s.io/v1/MutatingAdmissionPolicy'];
  const all = (values: object) => rendered(values, undefined, undefined, undefined, mutating);
  const objects = [...(await all({})), ...(await all({ watchNamespace: 'shop' }))];
  const outside = objects.filter(
    ({ kind, metadata }) =>
      kind.startsWith('ClusterRole') ||
      /^(Validating|Mutating)AdmissionPolicy/.test(kind) ||
      (metadata.namespace ?? 'towpath-system') !== 'towpath-system',
  );
  assert.deepEqual(
    new Set(outside.map(({ kind }) => kind)),
    new Set([
      ...['ClusterRole', 'ClusterRoleBinding', 'Role', 'RoleBinding'],
      ...['ValidatingAdmissionPolicy', 'ValidatingAdmissionPolicyBinding'],
      ...['MutatingAdmissionPolicy', 'MutatingAdmissionPolicyBinding'],
    ]),
  );
  for (const { kind, metadata } of outside)
    if (!isForPeople(metadata.labels ?? {}))
      assert.equal(
        metadata.labels?.['towpath.dev/installed-in'],
        'towpath-system',
        `${kind} ${metadata.name}`,
      );
});

test('S15: who does not let it upgrade its definitions gives it no right to write any', async () => {
  const rules = (await rendered({ crds: { upgrade: false } })).flatMap((object) => object.rules ?? []);
  const ofDefinitions = rules.filter(({ resources }) => resources.includes('customresourcedefinitions'));
  assert.deepEqual(
    ofDefinitions.map(({ verbs }) => verbs),
    [['get', 'list', 'watch']],
  );
});

test("S15: the operator's own roles have no wildcard, and write nothing but its own", async () => {
  const objects = await rendered({ impersonate: ['towpath', 'deployer'] });
  const rules = objects.flatMap((object) => object.rules ?? []);
  assert.ok(!rules.some((rule) => [...rule.apiGroups, ...rule.resources, ...rule.verbs].includes('*')));
  const writes = clusterRoles(objects)
    .filter(({ metadata }) => !isForPeople(metadata.labels ?? {}) && !isBoundToNobody(metadata.name))
    .flatMap((role) => role.rules ?? [])
    .filter(({ verbs }) => verbs.some((verb) => !['get', 'list', 'watch'].includes(verb)))
    .map(({ resources, verbs, resourceNames }) => ({
      resources,
      verbs,
      ...(resourceNames && { resourceNames }),
    }));
  assert.deepEqual(writes, [
    { resources: ['environments'], verbs: ['get', 'list', 'watch', 'patch'] },
    { resources: ['environments/status'], verbs: ['patch'] },
    { resources: ['promotions'], verbs: ['record'] },
    {
      resources: ['customresourcedefinitions'],
      verbs: ['patch'],
      resourceNames: [
        'applications.towpath.dev',
        'environments.towpath.dev',
        'promotionpolicies.towpath.dev',
        'approvals.towpath.dev',
        'promotions.towpath.dev',
      ],
    },
    {
      resources: ['customresourcedefinitions'],
      verbs: ['create'],
      resourceNames: [
        'environments.towpath.dev',
        'promotionpolicies.towpath.dev',
        'approvals.towpath.dev',
        'promotions.towpath.dev',
      ],
    },
    { resources: ['applications'], verbs: ['get', 'list', 'watch', 'patch'] },
    { resources: ['applications/status'], verbs: ['patch'] },
    { resources: ['approvals'], verbs: ['list', 'watch', 'delete'] },
    { resources: ['approvals/status'], verbs: ['patch'] },
    { resources: ['promotions'], verbs: ['get', 'list', 'watch', 'create', 'delete'] },
    { resources: ['promotions/status'], verbs: ['patch'] },
    { resources: ['promotionpolicies/status'], verbs: ['patch'] },
    { resources: ['events'], verbs: ['create', 'patch'] },
    { resources: ['serviceaccounts'], verbs: ['impersonate'], resourceNames: ['towpath', 'deployer'] },
    ...MANAGED,
  ]);
});

const MANAGED = [
  { resources: ['namespaces'], verbs: ['create'] },
  { resources: ['serviceaccounts'], verbs: ['create', 'patch'], resourceNames: ['towpath'] },
  {
    resources: ['rolebindings'],
    verbs: ['get', 'create', 'patch', 'delete'],
    resourceNames: ['towpath-managed'],
  },
  { resources: ['clusterroles'], verbs: ['bind'], resourceNames: ['edit'] },
];

for (const [how, values] of [
  ['without ClusterRoles that may be bound', { managedAccess: { clusterRoles: [] } }],
  ['that watches one namespace', { watchNamespace: 'shop' }],
  ['that may not write as the ServiceAccount that has it', { impersonate: ['deployer'] }],
] as const)
  test(`S15: an installation ${how} may make no access, and needs no policy that bounds it`, async () => {
    const objects = await rendered(values);
    const rules = clusterRoles(objects).flatMap((role) => role.rules ?? []);
    assert.ok(!rules.some(({ verbs }) => verbs.includes('bind')));
    assert.ok(
      !rules.some(({ resources, verbs }) => resources.includes('namespaces') && verbs.includes('create')),
    );
    const names = objects.map(({ metadata }) => metadata.name);
    assert.ok(!names.some((name) => /\.managed-(access|namespaces)$/.test(name)));
    assert.ok(names.includes('towpath-system.towpath.approvals'), 'who approves is proven all the same');
  });

for (const [podSecurity, levels] of [
  ['baseline', ['baseline', 'restricted']],
  ['restricted', ['restricted']],
  ['', ['', 'baseline', 'restricted']],
  ['privileged', undefined],
] as const)
  test(`S15: with the level of Pod Security "${podSecurity}" the operator is told it, and its policy demands it`, async () => {
    const objects = await rendered({ managedAccess: { podSecurity } });
    const [pod] = podsOf([only(objects, 'Deployment')]);
    assert.ok(pod?.spec.containers[0]?.args.includes(`--managed-pod-security=${podSecurity}`));
    const policies = objects.filter(({ metadata }) => metadata.name.endsWith('.managed-namespaces'));
    assert.deepEqual(
      policies.map(({ kind }) => kind),
      ['ValidatingAdmissionPolicy', 'ValidatingAdmissionPolicyBinding'],
    );
    const { validations, matchConditions } = (policies[0]?.spec ?? {}) as {
      validations: { expression: string }[];
      matchConditions: { expression: string }[];
    };
    const account = pod?.spec['serviceAccountName'];
    assert.deepEqual(
      matchConditions.map(({ expression }) => expression),
      [`request.userInfo.username == 'system:serviceaccount:towpath-system:${account}'`],
    );
    const lists = validations.flatMap(({ expression }) => /in (\[[^\]]*\])/.exec(expression)?.[1] ?? []);
    assert.deepEqual(lists, levels === undefined ? [] : [JSON.stringify(levels)]);
  });

test('view reads our kinds, edit writes Applications, and nothing else is added to a ClusterRole of people', async () => {
  const found = clusterRoles(await rendered()).flatMap(({ metadata, rules = [] }) =>
    Object.keys(metadata.labels ?? {})
      .filter((label) => label.startsWith(AGGREGATED))
      .map((label) => [label.slice(AGGREGATED.length), rules] as const),
  );
  assert.deepEqual(Object.fromEntries(found), {
    view: [
      {
        apiGroups: ['towpath.dev'],
        resources: ['applications', 'promotionpolicies', 'approvals', 'promotions'],
        verbs: ['get', 'list', 'watch'],
      },
    ],
    edit: [
      {
        apiGroups: ['towpath.dev'],
        resources: ['applications'],
        verbs: ['create', 'update', 'patch', 'delete', 'deletecollection'],
      },
    ],
  });
  const without = clusterRoles(await rendered({ rbac: { aggregate: false } }));
  assert.ok(!without.some(({ metadata }) => isForPeople(metadata.labels ?? {})));
});

test('S14: the operator counts what the policy of its chart proves, and the role of approvers is bound to nobody', async () => {
  const objects = await rendered();
  const [pod] = podsOf(objects);
  const flag = '--approval-policy=towpath-system.towpath.approvals';
  assert.ok(pod?.spec.containers[0]?.args.includes(flag));
  const policies = objects.filter(({ metadata }) => flag.endsWith(`=${metadata.name}`));
  assert.deepEqual(
    policies.map(({ kind }) => kind),
    ['ValidatingAdmissionPolicy', 'ValidatingAdmissionPolicyBinding'],
    'as far as the API server is known to have them',
  );
  const bound = objects.filter(({ kind }) => kind.endsWith('RoleBinding') || kind === 'ClusterRoleBinding');
  assert.doesNotMatch(JSON.stringify(bound), new RegExp(APPROVER));
  assert.ok(clusterRoles(objects).some(({ metadata }) => metadata.name.endsWith(APPROVER)));
});

test('S14: policies about Promotions and Approvals hold in the namespace that is watched, and leave those of other installations alone', async () => {
  const scopes = async (more: readonly string[]) => {
    const { code, stdout, stderr } = await helm(
      ...['template', 'towpath', CHART, '--namespace=towpath-system', ...more],
      '--api-versions=admissionregistration.k8s.io/v1/MutatingAdmissionPolicy',
    );
    assert.equal(code, 0, stderr);
    return parseAllDocuments(stdout)
      .map((document) => document.toJS() as Rendered | null)
      .flatMap((object) => {
        if (object === null || !/\.(approvals|promotions|promotions-deletion)$/.test(object.metadata.name))
          return [];
        const { matchConstraints } = object.spec as { matchConstraints?: { namespaceSelector?: object } };
        return matchConstraints === undefined ? [] : [matchConstraints.namespaceSelector];
      });
  };
  const shop = { matchLabels: { 'kubernetes.io/metadata.name': 'shop' } };
  assert.deepEqual(await scopes(['--set=watchNamespace=shop']), Array(5).fill(shop));
  assert.deepEqual(await scopes([]), Array(5).fill(undefined));
});

for (const [role, verbs] of [
  ['promoter', ['promote', 'retry']],
  ['on-call', ['rollback', 'retry']],
] as const)
  test(`A20: the role ${role} has ${verbs.join(' and ')}, never override, and is bound to nobody`, async () => {
    const objects = await rendered();
    const [pod] = podsOf(objects);
    assert.ok(pod?.spec.containers[0]?.args.includes('--promotion-policy=towpath-system.towpath.promotions'));
    const found = clusterRoles(objects).find(({ metadata }) => metadata.name.endsWith(`:${role}`));
    const granted = found?.rules?.filter(({ resources }) => resources.includes('promotions')) ?? [];
    assert.deepEqual(
      granted.flatMap((rule) => rule.verbs),
      ['get', 'list', 'watch', 'create', ...verbs],
    );
    const bound = objects.filter(({ kind }) => kind.endsWith('RoleBinding') || kind === 'ClusterRoleBinding');
    assert.doesNotMatch(JSON.stringify(bound), new RegExp(`:${role}`));
  });

const APPROVER = ':approver';

function isBoundToNobody(role: string): boolean {
  return [APPROVER, ':promoter', ':on-call'].some((ending) => role.endsWith(ending));
}

const AGGREGATED = 'rbac.authorization.k8s.io/aggregate-to-';

function isForPeople(labels: Readonly<Record<string, string>>): boolean {
  return Object.keys(labels).some((label) => label.startsWith(AGGREGATED));
}

function clusterRoles(objects: readonly Rendered[]): Rendered[] {
  return objects.filter(({ kind }) => kind === 'ClusterRole');
}
