import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { inParallel } from '../bench/applications.ts';
import { parseExposition, sumOf } from '../harness/exposition.ts';
import type { FaultProxy } from '../harness/fault-proxy.ts';
import { newStage } from '../harness/operator.ts';
import {
  makeLanding,
  newLanding,
  newRemoteEnvironment,
  OPERATORS,
  poseAs,
  useOtherCluster,
} from '../harness/other-cluster.ts';
import { newProxiedStage } from '../harness/proxied-stage.ts';
import { eventually } from '../harness/wait.ts';
import { deployFleet, newLink, statusWrites, untilAll } from './remote.ts';

const MIB = 2 ** 20;

const chart = (objects: readonly string[]) => ({
  'chart/Chart.yaml': 'apiVersion: v2\nname: one\nversion: 1.0.0\n',
  'chart/templates/all.yaml': objects.join('---\n'),
});
const named = (apiVersion: string, kind: string, rest = '') =>
  `apiVersion: ${apiVersion}\nkind: ${kind}\nmetadata: {name: "{{ .Release.Name }}"}\n${rest}`;
const CONFIG_MAP = named('v1', 'ConfigMap', 'data: {is: one}\n');

const events = (proxy: FaultProxy) => proxy.find({ path: /\/events(\/|$)/, where: isWriteOfAny }).length;
const isWriteOfAny = ({ method }: { method: string }) => method !== 'GET';

test('A14, B18: a link that flaps is told once of 100 Applications, and costs no write after that', async (t) => {
  const COUNT = 100;
  const FLAPS = 4;
  const HALF_MS = 6_000;
  const fleet = { prefix: 'far', count: COUNT };
  const other = await useOtherCluster();
  const { stage, proxy: home } = await newProxiedStage(t, { files: chart([CONFIG_MAP]) });
  const there = await newRemoteEnvironment(t, stage, 'there');
  await newLanding(t, other, there.namespace);
  const far = await newLink(t, stage, 'there');
  await deployFleet(stage, fleet, [there]);
  await untilAll(stage, fleet, 'Synced');
  home.forget();
  await far.refuseConnections();
  await untilAll(stage, fleet, 'ClusterUnreachable');
  await far.acceptConnections();
  await untilAll(stage, fleet, 'Synced');
  const first = { statuses: statusWrites(home), events: events(home) };
  assert.ok(first.statuses <= 2 * COUNT + 10, `${first.statuses} writes of a status`);
  home.forget();
  for (let count = 0; count < FLAPS; count += 1) {
    await far.refuseConnections();
    // A link is down for that long: it is time itself that is tested.
    await delay(HALF_MS);
    await far.acceptConnections();
    await delay(HALF_MS);
  }
  const later = { statuses: statusWrites(home), events: events(home) };
  t.diagnostic(JSON.stringify({ first, later }));
  assert.deepEqual(later, { statuses: 0, events: 0 });
  // It is looked after all the same.
  await other.request('DELETE', `/api/v1/namespaces/${there.namespace}/configmaps/far-0`);
  await eventually(
    async () =>
      (await other.request('GET', `/api/v1/namespaces/${there.namespace}/configmaps/far-0`)).status === 200,
    { describe: 'drift to be repaired' },
  );
});

/** Six kinds, Secrets one of them; none waits for a controller. */
const KINDS = [
  CONFIG_MAP,
  named('v1', 'Secret', 'stringData: {is: one}\n'),
  named('v1', 'Service', 'spec: {ports: [{port: 80}]}\n'),
  named('v1', 'ServiceAccount'),
  named('networking.k8s.io/v1', 'NetworkPolicy', 'spec: {podSelector: {}}\n'),
  named(
    'batch/v1',
    'CronJob',
    'spec: {schedule: "0 0 1 1 *", suspend: true, jobTemplate: {spec: {template: {spec: {restartPolicy: Never, containers: [{name: one, image: one}]}}}}}\n',
  ),
];

test('B17: 100 namespaces with 6 kinds in another cluster are 107 watches with view and 701 without, as docs/clusters.md says', async (t) => {
  const COUNT = 100;
  const other = await useOtherCluster();
  const stage = await newStage(t, { files: chart(KINDS) });
  for (const [prefix, roles, watches] of [
    ['seen', undefined, 107],
    ['blind', [OPERATORS], 701],
  ] as const) {
    const landing = `${stage.namespace}-{name}`;
    const environment = await newRemoteEnvironment(t, stage, prefix, prefix, landing);
    const namespaces = Array.from({ length: COUNT }, (_, index) => `${stage.namespace}-${prefix}-${index}`);
    await inParallel(namespaces, 16, (namespace) => makeLanding(other, namespace));
    t.after(() =>
      inParallel(namespaces, 16, (namespace) => other.request('DELETE', `/api/v1/namespaces/${namespace}`)),
    );
    const proxy = await newLink(t, stage, prefix, roles);
    await deployFleet(stage, { prefix, count: COUNT }, [environment]);
    const took = await untilAll(stage, { prefix, count: COUNT }, 'Synced');
    await eventually(() => proxy.openWatches() === watches, {
      within: 30_000,
      describe: `${watches} watches; ${proxy.openWatches()} are open`,
    });
    const memory = sumOf(parseExposition(await stage.operator.metrics()), 'towpath_resident_memory_bytes');
    t.diagnostic(
      `${prefix}: ${proxy.openWatches()} watches, all Synced after ${took} ms, ${Math.round(memory / MIB)} MiB`,
    );
  }
});

const CLUSTERS = 20;
const DEFINITIONS = 200;

/** A definition with a schema as long as those of operators are. */
function definition(index: number): object {
  const plural = `things${index}`;
  const group = `g${index % 20}.scale.example.com`;
  const properties = Object.fromEntries(
    Array.from({ length: 60 }, (_, field) => [
      `field${field}`,
      { type: 'string', description: `Says what field ${field} of this is for. `.repeat(6) },
    ]),
  );
  const schema = { type: 'object', properties: { spec: { type: 'object', properties } } };
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.${group}` },
    spec: {
      group,
      scope: 'Namespaced',
      names: { plural, singular: `thing${index}`, kind: `Thing${index}`, listKind: `Thing${index}List` },
      versions: [{ name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: schema } }],
    },
  };
}

test('B17: 20 clusters with 200 definitions each take the operator less than 80 MiB', async (t) => {
  const other = await useOtherCluster();
  const definitions = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
  const all = Array.from({ length: DEFINITIONS }, (_, index) => definition(index));
  await inParallel(all, 8, async (body) => {
    const { status, body: text } = await other.request('POST', definitions, { body });
    assert.equal(status, 201, text);
  });
  t.after(() =>
    inParallel(all, 8, (body) =>
      other.request('DELETE', `${definitions}/${(body as { metadata: { name: string } }).metadata.name}`),
    ),
  );
  const stage = await newStage(t, { files: chart([CONFIG_MAP]) });
  const memory = async () => {
    const families = parseExposition(await stage.operator.metrics());
    return Math.round(sumOf(families, 'towpath_resident_memory_bytes') / MIB);
  };
  const environments: { name: string }[] = [];
  const grown: number[] = [];
  await stage.deployed('near', { source: { path: 'chart' } });
  grown.push(await memory());
  for (let index = 0; index < CLUSTERS; index += 1) {
    const suffix = `c${index}`;
    const environment = await newRemoteEnvironment(t, stage, suffix);
    await newLanding(t, other, environment.namespace);
    const proxy = await newLink(t, stage, suffix);
    const uid = `00000000-0000-4000-8000-${String(index).padStart(12, '0')}`;
    poseAs(proxy, uid);
    environments.push(environment);
  }
  await deployFleet(stage, { prefix: 'far', count: 1 }, environments);
  await untilAll(stage, { prefix: 'far', count: 1 }, 'Synced');
  grown.push(await memory());
  // A definition that changes is told by all of them, and what is served is asked anew.
  const [first] = all as { metadata: { name: string } }[];
  for (let count = 0; count < 5; count += 1)
    await other.request('PATCH', `${definitions}/${first?.metadata.name}`, {
      body: { metadata: { labels: { count: String(count) } } },
      contentType: 'application/merge-patch+json',
    });
  await stage.repository.commit({ 'chart/templates/all.yaml': CONFIG_MAP.replace('is: one', 'is: two') });
  await stage.requestSync('far-0');
  await stage.untilReadyAt('far-0', await stage.repository.revParse('main'));
  grown.push(await memory());
  t.diagnostic(
    `MiB with no other cluster, ${CLUSTERS} of ${DEFINITIONS} definitions, and after these changed: ${grown.join(', ')}`,
  );
  assert.ok(Math.max(...grown) - (grown[0] ?? 0) < 80, grown.join(', '));
});
