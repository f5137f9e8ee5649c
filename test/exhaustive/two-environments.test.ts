import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { type TestContext, test } from 'node:test';
import { Targets } from '../../operator/controller/application/targets.ts';
import { decode, RecordIndex } from '../../operator/controller/record/kept-manifest-index.ts';
import {
  type Candidate,
  candidateId,
  candidateKey,
  type Deployment,
  type Manifests,
  manifestsDigest,
  namedIn,
  newRecord,
} from '../../operator/controller/record/record.ts';
import { applicationSecret, targetSecret } from '../../operator/controller/record/secrets.ts';
import { RecordStore } from '../../operator/controller/record/store.ts';
import type { TargetIdentity } from '../../operator/controller/record/target.ts';
import { KubeClient } from '../../operator/kube/client.ts';
import { sha256 } from '../../operator/manifest/digest.ts';
import { Slices } from '../../operator/observe/event-loop-slices.ts';
import { startFaultProxy } from '../harness/fault-proxy.ts';
import { isWrite } from '../harness/proxied-stage.ts';
import { NO_ENVIRONMENTS } from '../harness/target.ts';
import { namespaceFor, useControlPlane } from '../harness/use-control-plane.ts';
import { eventually } from '../harness/wait.ts';

const INSTALLATION = 'two/towpath';
/** More than are kept, so that the first ones go again. */
const RELEASES = [1, 2, 3, 4, 5, 6];
/** Of these the candidate only waits in prod, until the next one replaces it. */
const PARKED = [2, 3];
const ENVIRONMENTS = ['staging', 'prod'];

/** So large that they take chunks. They differ by release and environment; one text is shared by all. */
const BYTES: Readonly<Record<string, number>> = { staging: 20_000, prod: 400_000 };

interface Release {
  candidate: Omit<Candidate, 'digest'>;
  renderings: Record<string, { digest: string; reads: Record<string, string>; manifests: Manifests }>;
}

function manifestsOf(texts: Readonly<Record<string, string>>): Manifests {
  const objects = Object.entries(texts).map(([name, data]) => {
    const text = JSON.stringify({ kind: 'ConfigMap', metadata: { name }, data: { data } });
    const identity = { group: '', kind: 'ConfigMap', namespace: 'shop', name, apiVersion: 'v1' };
    return { ...identity, text, digest: sha256(text), annotations: {} };
  });
  return { objects, hooks: [] };
}

function newRelease(release: number): Release {
  const inputs = sha256(`inputs ${release}`);
  const request = sha256('request');
  const place = { revision: `${release}`.repeat(40), ref: 'refs/heads/main' };
  const renderings = ENVIRONMENTS.map((environment) => {
    const large = randomBytes((BYTES[environment] ?? 0) / 2).toString('hex');
    const manifests = manifestsOf({ shared: 'all', small: `${release} ${environment}`, large });
    const reads = { 'has batch/v1': environment };
    return [environment, { digest: manifestsDigest(manifests), reads, manifests }] as const;
  });
  const candidate = { id: candidateId(inputs, request), inputs, request, ...place };
  return { candidate, renderings: Object.fromEntries(renderings) };
}

const ALL: ReadonlyMap<number, Release> = new Map(RELEASES.map((release) => [release, newRelease(release)]));

function deploymentOf(id: number, candidate: Candidate): Deployment {
  return {
    id,
    candidate,
    trigger: 'Commit',
    generation: 1,
    startedAt: '2026-01-01T00:00:00Z',
    clusterStartedAt: '2026-01-01T00:00:00Z',
    install: id === 1,
    hooks: [],
    deferred: [],
    applied: false,
  };
}

/** What an operator does with an Application that has two environments; begun anew, it goes on where it was. */
class Story {
  readonly targets: readonly TargetIdentity[];
  /** Whether the Application is being deleted. */
  #isDeleted = false;

  constructor(application: string) {
    const options = { installation: INSTALLATION, impersonate: true, environments: NO_ENVIRONMENTS };
    const target = new Targets(options).named(application);
    this.targets = ENVIRONMENTS.map((environment, index) => ({
      application,
      environment,
      id: `${index}${target.id.slice(1)}`,
      name: `${application}/${environment}`,
    }));
  }

  async run(store: RecordStore): Promise<void> {
    for (const release of this.#isDeleted ? [] : RELEASES) await this.release(store, release);
    this.#isDeleted = true;
    for (const target of this.targets) await store.remove(store.get(target) ?? newRecord(target));
  }

  async release(store: RecordStore, release: number): Promise<void> {
    const [{ application } = { application: '' }] = this.targets;
    const { candidate, renderings } = this.releaseOf(release);
    const isThrough = this.targets.every((target) => (store.get(target)?.deployment?.id ?? 0) > release);
    if (isThrough) return;
    const isBegun = this.targets.some((target) =>
      store.candidatesOf(target).some(({ revision }) => Number(revision.slice(0, 1)) >= release),
    );
    if (!isBegun) await store.accept(application, candidate, renderings);
    for (const target of this.targets) await this.#deploy(store, target, release);
  }

  /** As a look does it: accepted once more with the write-ahead, and the outcome. */
  async #deploy(store: RecordStore, target: TargetIdentity, release: number): Promise<void> {
    const record = store.get(target) ?? newRecord(target);
    const candidate = this.candidateOf(release, target.environment);
    const { manifests } = this.renderingOf(release, target.environment);
    if ((record.deployment?.id ?? 0) > release) return;
    if (PARKED.includes(release) && target.environment === 'prod') {
      if (record.pending?.id === candidate.id) return;
      record.pending = candidate;
      return store.save(record, { accepted: { candidate, manifests } });
    }
    if (record.deployment?.id !== release) {
      record.deployment = deploymentOf(release, candidate);
      delete record.pending;
      await store.save(record, { accepted: { candidate, manifests } });
    }
    if (record.succeeded === candidateKey(candidate)) return;
    record.deployment = { ...deploymentOf(release, candidate), applied: true, outcome: 'Succeeded' };
    record.succeeded = candidateKey(candidate);
    await store.save(record);
  }

  candidateOf(release: number, environment: string): Candidate {
    const { manifests: _, ...rendering } = this.renderingOf(release, environment);
    return { ...this.releaseOf(release).candidate, ...rendering };
  }

  renderingOf(release: number, environment: string): Release['renderings'][string] {
    const rendering = this.releaseOf(release).renderings[environment];
    assert.ok(rendering);
    return rendering;
  }

  releaseOf(release: number): Release {
    const found = ALL.get(release);
    assert.ok(found);
    return found;
  }

  /** What must hold in each state that a restart may find. */
  async audit(store: RecordStore, when: string): Promise<void> {
    const known = this.targets.map((target) => store.candidatesOf(target).map(({ id }) => id));
    assert.deepEqual(known[0], known[1], `both know the same candidates, ${when}`);
    // Of an Application of which nothing runs any more the bytes go first.
    if (this.targets.every((target) => store.get(target) === undefined) && this.#isDeleted) return;
    for (const target of this.targets) {
      const record = store.get(target) ?? newRecord(target);
      const kept = store.candidatesOf(target);
      const keys = kept.map(candidateKey);
      for (const named of namedIn(record))
        assert.ok(keys.includes(named), `${target.name} lacks one, ${when}`);
      for (const { digest, revision } of kept) {
        const manifests = await store.manifests(record, { digest });
        const { manifests: accepted } = this.renderingOf(Number(revision.slice(0, 1)), target.environment);
        assert.deepEqual(manifests, accepted, `the bytes of release ${revision.slice(0, 1)}, ${when}`);
      }
    }
  }

  /** Of every Secret that has what is told of. */
  async secretsInUse(client: KubeClient, namespace: string): Promise<string[]> {
    const [first, second] = this.targets;
    assert.ok(first && second);
    const own = applicationSecret(INSTALLATION, first.application);
    const at = (name: string) => ({
      resource: { group: '', version: 'v1', plural: 'secrets' },
      namespace,
      name,
    });
    const dataOf = async (name: string) =>
      ((await client.get(at(name))) as { data?: Record<string, string> }).data ?? {};
    const index = await RecordIndex.read((await dataOf(own)).index, dataOf, new Slices());
    assert.ok(index, 'an index');
    assert.ok(
      await decode((await dataOf(own))['target.staging']),
      'the record of the first target is a member',
    );
    return [own, targetSecret(INSTALLATION, second), ...index.secrets(own)].sort();
  }
}

async function arrange(t: TestContext) {
  const cluster = await useControlPlane();
  const namespace = await namespaceFor(t, cluster);
  const proxy = await startFaultProxy(cluster);
  const far = KubeClient.fromKubeConfig(cluster.kubeconfigPath);
  t.after(async () => {
    await far.close();
    await proxy.stop();
  });
  const newStore = (client: KubeClient) =>
    new RecordStore(client, {
      namespace,
      installation: INSTALLATION,
      slices: new Slices(),
      onUntrusted: (secret, why) => assert.fail(`${secret} is not trusted: ${why}`),
    });
  const loaded = async () => {
    const store = newStore(far);
    await store.load(AbortSignal.timeout(30_000));
    return store;
  };
  const secrets = async () => {
    const path = `/api/v1/namespaces/${namespace}/secrets`;
    const { items } = JSON.parse((await cluster.request('GET', path)).body) as {
      items: { metadata: { name: string } }[];
    };
    return items.map(({ metadata }) => metadata.name).sort();
  };
  /** Runs the story until its nth write is on its way or was carried out, and ends like a process that is killed. */
  const runUntil = async (story: Story, write: number, at: 'request' | 'response') => {
    const client = KubeClient.fromKubeConfig(proxy.kubeconfigPath);
    let seen = 0;
    const held = proxy.hold({ at, where: (request) => isWrite(request) && ++seen === write });
    const over = story.run(newStore(client)).then(
      () => true,
      () => false,
    );
    const isOver = await Promise.race([over, held.seen.then(() => false)]);
    const dead = proxy.fail({ fault: 'reset' });
    held.drop();
    await over;
    await client.close();
    dead.remove();
    return isOver;
  };
  return { namespace, far, loaded, secrets, runUntil };
}

for (const at of ['request', 'response'] as const) {
  const when = at === 'request' ? 'before' : 'after';
  test(`D7: killed ${when} each write of an Application's records in two environments, both know the same candidates, and no bytes are lost that either names`, async (t) => {
    const { namespace, loaded, secrets, runUntil } = await arrange(t);
    let write = 0;
    for (let isOver = false; !isOver; ) {
      write += 1;
      const where = `killed ${when} write ${write}`;
      const story = new Story(`${namespace}/web-${write}`);
      isOver = await runUntil(story, write, at);
      const store = await loaded();
      await story.audit(store, where);
      await story.run(store);
      await eventually(async () => (await secrets()).length === 0, {
        describe: `no Secret to be left, ${where}`,
      });
    }
    assert.ok(write > 40, `${write} writes`);
  });
}

test('bytes that no target names any more go, and every Secret that is there is in use', async (t) => {
  const { namespace, far, loaded, secrets } = await arrange(t);
  const story = new Story(`${namespace}/web`);
  const store = await loaded();
  for (const release of RELEASES) {
    await story.release(store, release);
    await story.audit(await loaded(), `after release ${release}`);
    // The sweep of the store that was loaded meanwhile finds nothing to delete, either.
    assert.deepEqual(await secrets(), await story.secretsInUse(far, namespace), `after release ${release}`);
  }
  const [staging, prod] = story.targets.map((target) => store.get(target));
  assert.equal(staging?.ran.length, 4);
  assert.deepEqual(
    prod?.ran,
    [6, 5, 4, 1].map((release) => candidateKey(story.candidateOf(release, 'prod'))),
    'what only waited took the place of none that ran',
  );
  const kept = story.targets.map((target) =>
    store.candidatesOf(target).map(({ revision }) => Number(revision.slice(0, 1))),
  );
  assert.deepEqual(kept, [
    [6, 5, 4, 3, 1],
    [6, 5, 4, 3, 1],
  ]);
});

test('what two targets of one Application write at once is no conflict', async (t) => {
  const { namespace, loaded } = await arrange(t);
  const story = new Story(`${namespace}/web`);
  const store = await loaded();
  for (const release of [1, 2, 3])
    await Promise.all(
      story.targets.map(async (target) => {
        const { environment } = target;
        const record = store.get(target) ?? newRecord(target);
        const candidate = story.candidateOf(release, environment);
        record.deployment = deploymentOf(release, candidate);
        const { manifests } = story.renderingOf(release, environment);
        await store.save(record, { accepted: { candidate, manifests } });
        await store.save(record);
      }),
    );
  const anew = await loaded();
  await story.audit(anew, 'after all');
  assert.deepEqual(
    story.targets.map((target) => anew.get(target)?.ran.length),
    [3, 3],
  );
});
