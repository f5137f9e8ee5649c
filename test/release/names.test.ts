import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { CHART, type Rendered, rendered, valuesFile } from '../harness/chart.ts';
import type { Cluster } from '../harness/cluster.ts';
import { helm } from '../harness/helm.ts';
import { useControlPlane } from '../harness/use-control-plane.ts';

let cluster: Cluster;
before(async () => {
  cluster = await useControlPlane();
});

/** Everything that has a name of the values in it. */
const FULL = {
  watchNamespace: 'watched-names',
  priorityClassName: 'system-cluster-critical',
  installation: 'a/b',
  certificateAuthorities: { configMap: 'authorities' },
  imagePullSecrets: [{ name: 'registry' }],
  labels: { team: 'a' },
  podAnnotations: { a: 'b' },
  nodeSelector: { a: 'b' },
  extraArgs: ['--render-processes=4'],
  extraEnv: [{ name: 'A', value: 'b' }],
  impersonate: ['towpath'],
  networkPolicy: { enabled: true, metricsFrom: [{ podSelector: { matchLabels: { a: 'b' } } }] },
  metrics: {
    podMonitor: { enabled: true },
    prometheusRule: { enabled: true },
    dashboard: { enabled: true },
  },
  webhooks: { enabled: true, hostAliases: 'a=b' },
};

/** The same as words that YAML takes for something else where nobody quotes them. */
const odd = (word: string) => ({
  ...FULL,
  nameOverride: word,
  watchNamespace: word,
  priorityClassName: word,
  installation: word,
  serviceAccount: { name: word },
  certificateAuthorities: { configMap: word, key: word },
  imagePullSecrets: [{ name: word }],
  labels: { team: word },
  podAnnotations: { a: word },
  nodeSelector: { a: word },
  extraArgs: [word],
  extraEnv: [{ name: 'A', value: word }],
  impersonate: [`${word}-a`],
  networkPolicy: { enabled: true, metricsFrom: [{ podSelector: { matchLabels: { a: word } } }] },
  webhooks: { enabled: true, secret: word, hostAliases: `${word}=${word}` },
});

const WORDS = ['123', '007', '1e3', '0x1f', '0b1', '0o7', '2024-01-01', 'true', 'null', 'off', 'yes', 'y'];

/** A value with the type of each scalar in its place. */
function shape(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(shape);
  if (value === null || value instanceof Date || typeof value !== 'object')
    return value === null ? 'null' : value instanceof Date ? 'date' : typeof value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, shape(inner)]));
}

const plain = await rendered(FULL);

for (const word of WORDS) {
  test(`names like ${word} stay texts: of the release, the namespace, and in values`, async () => {
    for (const values of [FULL, { ...FULL, fullnameOverride: word }, odd(word)]) {
      const objects = await rendered(values, word, CHART, word);
      assert.deepEqual(shape(objects), shape(plain));
      assert.equal(objects[0]?.metadata.namespace, word);
    }
  });
}

test('I2: an API server takes every object, whatever the names are', async (t) => {
  const cases: readonly (readonly [string, string, object])[] = [
    ...WORDS.map((word) => [word, word, odd(word)] as const),
    ['123', '1234', { fullnameOverride: '77' }],
    ['a.b', 'shop-1', {}],
    ['9'.repeat(53), '9'.repeat(63), {}],
    [`${'a'.repeat(52)}b`, 'shop-2', { nameOverride: 'c'.repeat(53) }],
    [`${'a.'.repeat(26)}b`, 'shop-3', {}],
    ['towpath', 'shop-4', { fullnameOverride: `${'a'.repeat(52)}b` }],
  ];
  const { watchNamespace } = FULL;
  assert.equal((await cluster.kubectl(['create', 'namespace', watchNamespace])).code, 0);
  t.after(() => cluster.kubectl(['delete', 'namespace', watchNamespace, '--wait=false']));
  for (const [release, namespace, values] of cases) {
    const what = `release ${release} in ${namespace} with ${JSON.stringify(values)}`;
    const all = { ...FULL, serviceAccount: {}, ...values, priorityClassName: '' };
    // Kinds that this API server does not know.
    const known = { ...all, metrics: { dashboard: { enabled: true } } };
    const args = [release, CHART, `--namespace=${namespace}`, `--values=${valuesFile(known)}`];
    const { code: rendering, stdout: input, stderr: said } = await helm('template', ...args);
    assert.equal(rendering, 0, said);
    const made = await cluster.kubectl(['create', 'namespace', namespace]);
    assert.equal(made.code, 0, made.stderr);
    t.after(() => cluster.kubectl(['delete', 'namespace', namespace, '--wait=false']));
    const { code, stderr } = await cluster.kubectl(
      ['apply', '--server-side', '--dry-run=server', '--validate=strict', '-f', '-'],
      { input },
    );
    assert.equal(code, 0, `${what}: ${stderr}`);
  }
});

test('the Pod of `helm test` asks the Service that is rendered, whatever the names are', async () => {
  for (const [release, fullnameOverride] of [['123'], ['a.b'], ['towpath', '77']] as const) {
    const objects = await rendered({ ...(fullnameOverride && { fullnameOverride }) }, release);
    const service = objects.find(({ kind }) => kind === 'Service')?.metadata;
    assert.ok(JSON.stringify(objects).includes(`"${service?.name}.${service?.namespace}.svc"`));
  }
});

test('no two releases have a cluster-scoped object in common', async () => {
  const releases = [
    ['a', 'b-towpath'],
    ['a-b', 'towpath'],
    ['a', 'towpath'],
    ['a', 'towpath-reader'],
    ['a', 'towpath-view'],
    ['a', 'towpath-reader-builtin'],
    ['a-towpath', 'reader-towpath'],
  ] as const;
  const all = await Promise.all(
    releases.map(async ([namespace, release]) =>
      clusterScoped(await rendered({}, release, CHART, namespace)),
    ),
  );
  const names = all.flat();
  assert.ok((all[0]?.length ?? 0) > 0);
  assert.equal(names.length, releases.length * (all[0]?.length ?? 0), 'each release has as many');
  assert.equal(names.length, new Set(names).size, names.sort().join('\n'));
});

function clusterScoped(objects: readonly Rendered[]): string[] {
  return objects
    .filter(({ metadata }) => metadata.namespace === undefined)
    .map(({ kind, metadata }) => `${kind} ${metadata.name}`);
}
