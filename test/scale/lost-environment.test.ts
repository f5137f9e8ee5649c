import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { newEnvironment } from '../harness/environments.ts';
import type { FaultProxy } from '../harness/fault-proxy.ts';
import { createRepository } from '../harness/git-repository.ts';
import type { Stage } from '../harness/operator.ts';
import {
  ENVIRONMENTS,
  newAccount,
  newLanding,
  newRemoteEnvironment,
  OPERATORS,
  useOtherCluster,
} from '../harness/other-cluster.ts';
import { isWrite, newProxiedStage } from '../harness/proxied-stage.ts';
import { median, scaled } from '../harness/slowness.ts';
import { configMap } from '../harness/sync-time.ts';
import { eventually } from '../harness/wait.ts';
import { deployFleet, newLink, statusWrites, untilAll } from './remote.ts';

const COUNT = 500;
const FLEET = { prefix: 'far', count: COUNT };
const SAMPLES = 7;
const UNREST_MS = 150;
const RBAC = '/apis/rbac.authorization.k8s.io/v1';

/** 500 Applications in another cluster, and one beside them that has nothing to do with it. */
interface Ground {
  stage: Stage;
  home: FaultProxy;
  far: FaultProxy;
  other: Awaited<ReturnType<typeof useOtherCluster>>;
  environment: string;
  landing: string;
  /** Of the kubeconfig, in the other cluster. */
  account: string;
  /** Commits something for the neighbour; milliseconds until it is there. */
  sync(): Promise<number>;
}

async function newGround(t: TestContext): Promise<Ground> {
  const other = await useOtherCluster();
  const object =
    'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: "{{ .Release.Name }}"}\ndata: {is: one}\n';
  const files = {
    'chart/Chart.yaml': 'apiVersion: v2\nname: one\nversion: 1.0.0\n',
    'chart/templates/all.yaml': object,
  };
  const { stage, proxy: home } = await newProxiedStage(t, { files });
  const there = await newRemoteEnvironment(t, stage, 'there');
  await newLanding(t, other, there.namespace);
  const far = await newLink(t, stage, 'there');
  const sync = await newNeighbour(t, stage);
  await deployFleet(stage, FLEET, [there]);
  await untilAll(stage, FLEET, 'Synced');
  const { name: environment, namespace: landing } = there;
  return { stage, home, far, other, environment, landing, account: `${stage.namespace}-there`, sync };
}

/** An Application of another repository in an Environment here, and how long a commit of it takes. */
async function newNeighbour(t: TestContext, stage: Stage): Promise<() => Promise<number>> {
  const here = await newEnvironment(t, stage, 'here');
  const repository = await createRepository({
    root: stage.repository.root,
    name: 'neighbour.git',
    files: { 'near.yaml': configMap('near', '0') },
  });
  const spec = { source: { repoURL: stage.git.url(repository.name) }, environments: [{ name: here.name }] };
  await stage.application('near', spec);
  await stage.untilReadyAt('near', await repository.revParse('main'));
  let version = 0;
  const versionHere = async () => {
    const { body } = await stage.cluster.request(
      'GET',
      `/api/v1/namespaces/${here.namespace}/configmaps/near`,
    );
    return (JSON.parse(body) as { data?: { version?: string } }).data?.version;
  };
  const sync = async () => {
    version += 1;
    await repository.commit({ 'near.yaml': configMap('near', String(version)) });
    const asked = performance.now();
    await stage.requestSync('near');
    await eventually(async () => (await versionHere()) === String(version), {
      every: 20,
      describe: `version ${version} here`,
    });
    return performance.now() - asked;
  };
  return sync;
}

async function sampled(sync: () => Promise<number>): Promise<number> {
  const times: number[] = [];
  for (let count = 0; count < SAMPLES; count += 1) times.push(await sync());
  return median(times);
}

/** By name the uid of what runs in the other cluster. */
async function live({ other, landing }: Ground): Promise<Map<string, string>> {
  const { body } = await other.request('GET', `/api/v1/namespaces/${landing}/configmaps`);
  const { items } = JSON.parse(body) as { items: { metadata: { name: string; uid: string } }[] };
  return new Map(
    items
      .filter(({ metadata }) => metadata.name.startsWith('far-'))
      .map(({ metadata: { name, uid } }) => [name, uid]),
  );
}

interface Loss {
  what: string;
  /** Why each of them is not Ready by then. */
  reason: string;
  /** @returns what gives it back. */
  take(ground: Ground): Promise<() => Promise<unknown>>;
}

const LOSSES: readonly Loss[] = [
  {
    what: 'its Secret',
    reason: 'KubeConfigMissing',
    take: async ({ stage }) => {
      const path = `/api/v1/namespaces/${stage.namespace}/secrets/there`;
      const { body } = await stage.cluster.request('GET', path);
      const { data } = JSON.parse(body) as { data: Record<string, string> };
      await stage.kubectl('delete', 'secret', 'there');
      return () => stage.apply({ apiVersion: 'v1', kind: 'Secret', metadata: { name: 'there' }, data });
    },
  },
  {
    what: "the right of its kubeconfig's account to do anything there",
    reason: 'ClusterForbidden',
    take: async ({ other, account, far }) => {
      for (const role of [OPERATORS, 'view'])
        await other.request('DELETE', `${RBAC}/clusterrolebindings/${role}-${account}`);
      // What is open goes on without any right until it ends.
      far.expireWatches();
      return () => newAccount(other, account);
    },
  },
  {
    what: 'the namespace in its allowedNamespaces',
    reason: 'NamespaceNotAllowed',
    take: async (ground) => {
      await allow(ground, []);
      return () => allow(ground, [ground.stage.namespace]);
    },
  },
];

async function allow({ stage, environment }: Ground, allowedNamespaces: readonly string[]): Promise<void> {
  const { status, body } = await stage.cluster.request('PATCH', `${ENVIRONMENTS}/${environment}`, {
    body: { spec: { allowedNamespaces } },
    contentType: 'application/merge-patch+json',
  });
  assert.equal(status, 200, body);
}

test('B11, A3: an Environment of 500 Applications loses what they need of it', async (t) => {
  const ground = await newGround(t);
  assert.equal((await live(ground)).size, COUNT);
  for (const loss of LOSSES)
    await t.test(
      `B11, A3: ${loss.what} goes and comes back: nothing is written or pruned, and another environment goes on`,
      (one) => lost(one, ground, loss),
    );
});

async function lost(t: TestContext, ground: Ground, { reason, take }: Loss): Promise<void> {
  const { stage, home, far, other, landing, sync } = ground;
  const drifted = 'far-7';
  const writes = () => far.find({ where: isWrite }).map(({ verb, path }) => `${verb} ${path}`);
  const uids = await live(ground);
  const before = await sampled(sync);

  far.forget();
  home.forget();
  const giveBack = await take(ground);
  const told = untilAll(stage, FLEET, reason);
  const during = await sampled(sync);
  const toldMs = await told;
  // Something to write, if anything was.
  await other.request('DELETE', `/api/v1/namespaces/${landing}/configmaps/${drifted}`);
  const after = await sampled(sync);
  const written = statusWrites(home);
  uids.delete(drifted);
  assert.deepEqual(writes(), []);
  assert.deepEqual(await live(ground), uids, 'nothing is pruned, and nothing repaired');

  await giveBack();
  const backMs = await untilAll(stage, FLEET, 'Synced');
  await eventually(async () => (await live(ground)).has(drifted), { describe: 'the drift to be repaired' });
  const now = await live(ground);
  now.delete(drifted);
  assert.deepEqual(now, uids, 'the rest is what it was');
  assert.deepEqual(
    writes().filter((one) => !one.endsWith(`/${drifted}`)),
    [],
  );
  t.diagnostic(
    `a sync elsewhere took ${Math.round(before)} ms (median of ${SAMPLES}) before, ${Math.round(during)} while ${COUNT} were told, ${Math.round(after)} after that; told after ${toldMs} ms with ${written} writes of a status, Synced again after ${backMs} ms`,
  );
  assert.ok(written <= COUNT + 4 * SAMPLES + 10, `${written} writes`);
  // For as long as so many are told the API server at home has to take their statuses.
  assert.ok(during < 3 * before + scaled(UNREST_MS), `${during} ms, and ${before} ms before`);
  assert.ok(after < 1.5 * before + scaled(UNREST_MS), `${after} ms, and ${before} ms before`);
}
