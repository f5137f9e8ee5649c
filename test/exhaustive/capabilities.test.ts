import assert from 'node:assert/strict';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import type { Application } from '../../operator/api/v1alpha1/application.ts';
import { newCertificates } from '../harness/certificates.ts';
import { definition } from '../harness/definition.ts';
import { newStage, type Stage } from '../harness/operator.ts';
import { untilPolled } from '../harness/polls.ts';
import { environmentOf } from '../harness/target.ts';
import { always, eventually } from '../harness/wait.ts';

const chart = (name: string) => `apiVersion: v2\nname: ${name}\nversion: 1.0.0\n`;

/** A ConfigMap with something random, which tells renders apart, and whether the API is there. */
const asking = (question: string, when = '') =>
  `apiVersion: v1
kind: ConfigMap
metadata: {name: "{{ .Release.Name }}"}
data: {has: "${question}", random: {{ randAlphaNum 20 }}}
${when}`;

const dataOf = async (stage: Stage, name: string): Promise<{ has: string; random: string }> =>
  JSON.parse(await stage.kubectl('get', 'configmap', name, '-o', 'jsonpath={.data}'));

/** The candidate, and the manifests that the environment's cluster makes of it. */
const idOf = ({ status }: Application) => ({
  candidate: status?.source?.candidate,
  manifests: environmentOf(status)?.digest,
});

/** Serves `widgets` of a group as an aggregated API does, until it is stopped; the API server comes to it. */
async function aggregated(t: TestContext, stage: Stage, group: string) {
  const { serverKey, serverCert } = await newCertificates(['localhost']);
  const server = createServer({ key: serverKey, cert: serverCert }, (request, response) => {
    const isVersion = request.url?.startsWith(`/apis/${group}/v1`) === true;
    response.writeHead(isVersion ? 200 : 404, { 'content-type': 'application/json' }).end(
      JSON.stringify({
        kind: 'APIResourceList',
        apiVersion: 'v1',
        groupVersion: `${group}/v1`,
        resources: [
          {
            name: 'widgets',
            singularName: 'widget',
            namespaced: true,
            kind: 'Widget',
            verbs: ['get', 'list'],
          },
        ],
      }),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const stop = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  t.after(stop);
  const { port } = server.address() as AddressInfo;
  await stage.apply({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'widgets' },
    spec: { type: 'ExternalName', externalName: 'localhost', ports: [{ port }] },
  });
  const register = () =>
    stage.apply({
      apiVersion: 'apiregistration.k8s.io/v1',
      kind: 'APIService',
      metadata: { name: `v1.${group}` },
      spec: {
        group,
        version: 'v1',
        groupPriorityMinimum: 100,
        versionPriority: 10,
        insecureSkipTLSVerify: true,
        service: { name: 'widgets', namespace: stage.namespace, port },
      },
    });
  await register();
  t.after(() => stage.kubectl('delete', 'apiservice', `v1.${group}`, '--ignore-not-found'));
  return { register, stop };
}

/** What the API server says of a group: how fresh it is, and how many resources it has. */
async function discovered(
  stage: Stage,
  group: string,
): Promise<{ freshness?: string; resources?: unknown[] }> {
  const accept = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList';
  const { body } = await stage.cluster.request('GET', '/apis', { accept });
  const { items } = JSON.parse(body) as {
    items: { metadata: { name: string }; versions: { freshness: string; resources?: unknown[] }[] }[];
  };
  return items.find(({ metadata }) => metadata.name === group)?.versions[0] ?? {};
}

test('what a render read of the capabilities is an input of it, and nothing else of them is', async (t) => {
  const probes = `probes${Date.now()}.example.com`;
  const has = `{{ .Capabilities.APIVersions.Has "${probes}/v1/Probe" }}`;
  const stage = await newStage(t, {
    files: {
      'asks/Chart.yaml': chart('asks'),
      'asks/templates/a.yaml': asking(
        has,
        `{{- if .Capabilities.APIVersions.Has "${probes}/v1" }}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: more}
{{- end }}
`,
      ),
      'lists/Chart.yaml': chart('lists'),
      'lists/templates/a.yaml': asking(`{{ has "${probes}/v1/Probe" .Capabilities.APIVersions }}`),
      'other/Chart.yaml': chart('other'),
      'other/templates/a.yaml': asking('{{ .Capabilities.APIVersions.Has "nothing.example.com/v1" }}'),
      'versions/Chart.yaml': `${chart('versions')}kubeVersion: ">=1.20"\n`,
      'versions/templates/a.yaml': asking('{{ .Capabilities.KubeVersion.Major }}'),
    },
  });
  const names = ['asks', 'lists', 'other', 'versions'];
  for (const name of names) await stage.deployed(name, { source: { path: name } });
  const state = async () =>
    Object.fromEntries(
      await Promise.all(
        names.map(async (name) => [name, { ...(await dataOf(stage, name)), ...idOf(await stage.get(name)) }]),
      ),
    );
  // What lists all kinds is rendered anew by each definition that comes or goes, also those of other tests meanwhile.
  const quiet = async () => {
    const { lists, ...others } = await state();
    return { ...others, lists: lists.has };
  };
  const before = await state();
  assert.deepEqual([before.asks.has, before.lists.has], ['false', 'false']);
  const crd = definition('probes', probes, 'Probe');
  t.after(() => stage.kubectl('delete', 'crd', crd.metadata.name, '--ignore-not-found'));

  await t.test(
    'a definition that appears later renders those again that asked about it, within seconds',
    async () => {
      await stage.apply(crd);
      for (const name of ['asks', 'lists'])
        await eventually(async () => (await dataOf(stage, name)).has === 'true', {
          describe: `${name} to be rendered again`,
          within: 10_000,
        });
      assert.equal(await stage.kubectl('get', 'configmap', 'more', '-o', 'name'), 'configmap/more\n');
      const { other, versions } = await state();
      assert.deepEqual({ other, versions }, { other: before.other, versions: before.versions });
    },
  );

  await t.test('an empty commit and a request render nothing, also after a restart', async () => {
    const now = await quiet();
    const settled = async () => {
      const head = await stage.repository.git(['rev-parse', 'main']);
      for (const name of names) {
        await stage.requestSync(name);
        await stage.untilReadyAt(name, head.trim());
      }
      await untilPolled(stage, 2);
    };
    await stage.repository.commit({ README: 'nothing that is rendered' });
    await settled();
    assert.deepEqual(await quiet(), now);
    await stage.restart('SIGTERM');
    await stage.repository.commit({ README: 'again' });
    await settled();
    assert.deepEqual(await quiet(), now);
  });

  await t.test('a definition that is replaced takes nothing away; one that stays away does', async () => {
    const now = await quiet();
    await stage.kubectl('delete', 'crd', crd.metadata.name);
    await stage.apply(crd);
    await always(quiet, (seen) => assert.deepEqual(seen, now), 2_000);
    await stage.kubectl('delete', 'crd', crd.metadata.name);
    const gone = (one: Application) => idOf(one).manifests !== now.asks.manifests;
    const told = await stage.until('asks', gone, 'other manifests of asks');
    assert.equal(
      idOf(told).candidate,
      now.asks.candidate,
      'what a cluster answers is no part of a candidate',
    );
    await eventually(async () => (await dataOf(stage, 'asks')).has === 'false', {
      describe: 'it to be deployed',
    });
    assert.deepEqual((await state()).other, now.other);
  });
});

test('D6: an aggregated API that does not answer takes nothing away from what runs', async (t) => {
  const group = `flaky${Date.now()}.example.com`;
  const when = `{{- if .Capabilities.APIVersions.Has "${group}/v1/Widget" }}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: for-widgets}
data: {note: NOTE}
{{- end }}
`;
  const files = (note: string) => ({
    'Chart.yaml': chart('asks'),
    'templates/a.yaml': asking(
      `{{ .Capabilities.APIVersions.Has "${group}/v1/Widget" }}`,
      when.replace('NOTE', note),
    ),
  });
  const stage = await newStage(t, { files: files('one'), startOperator: false });
  const { register, stop } = await aggregated(t, stage, group);
  await eventually(async () => ((await discovered(stage, group)).resources ?? []).length > 0, {
    describe: 'the aggregated API to be there',
  });
  await stage.restart();
  await stage.deployed('asks');
  const before = await stage.kubectl('get', 'configmap', 'for-widgets', '-o', 'jsonpath={.metadata.uid}');
  assert.equal((await dataOf(stage, 'asks')).has, 'true');
  const { has, random } = await dataOf(stage, 'asks');

  // Its server goes, and is registered anew: nobody knows any more what it served.
  await stop();
  await stage.kubectl('delete', 'apiservice', `v1.${group}`);
  await register();
  await eventually(
    async () => {
      const { freshness, resources = [] } = await discovered(stage, group);
      return freshness === 'Stale' && resources.length === 0;
    },
    { describe: 'the aggregated API to be stale' },
  );
  await stage.restart();
  await stage.requestSync('asks');
  await untilPolled(stage, 2);
  assert.deepEqual(await dataOf(stage, 'asks'), { has, random }, 'it is not rendered again');

  const commit = await stage.repository.commit(files('two'));
  await stage.untilReadyAt('asks', commit);
  assert.equal((await dataOf(stage, 'asks')).has, 'true', 'nor does a commit take it away');
  assert.equal(
    await stage.kubectl('get', 'configmap', 'for-widgets', '-o', 'jsonpath={.metadata.uid} {.data.note}'),
    `${before} two`,
  );
});
