import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { environmentOf } from '../../operator/api/v1alpha1/application.ts';
import { newEnvironment, type StagedEnvironment } from '../harness/environments.ts';
import { fastLease, type Stage } from '../harness/operator.ts';
import { untilPolled } from '../harness/polls.ts';
import { isWrite, newProxiedStage } from '../harness/proxied-stage.ts';
import type { RecordedRequest } from '../harness/recorded-request.ts';
import { eventually } from '../harness/wait.ts';

const configMap = (version: number) => ({
  'web.yaml': `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\ndata: {version: "${version}"}\n`,
});
/** What a promotion writes, but for statuses of Environments and policies, which count and come late. */
const isOfPromotion = (request: RecordedRequest) =>
  isWrite(request) && !request.dryRun && !/\/(environments|promotionpolicies)\//.test(request.path);

async function versionIn({ cluster }: Stage, { namespace }: StagedEnvironment): Promise<number> {
  const { status, body } = await cluster.request('GET', `/api/v1/namespaces/${namespace}/configmaps/web`);
  return status === 200 ? Number((JSON.parse(body) as { data: { version: string } }).data.version) : 0;
}

/** Staging, and prod after it, of one Application that is through with its first version. */
async function newGround(t: TestContext) {
  const { stage, proxy } = await newProxiedStage(t, { files: configMap(1), flags: fastLease });
  const staging = await newEnvironment(t, stage, 'staging');
  const prod = await newEnvironment(t, stage, 'prod');
  await stage.apply({
    apiVersion: 'towpath.dev/v1alpha1',
    kind: 'PromotionPolicy',
    metadata: { name: 'standard' },
    spec: {
      selector: {},
      stages: [
        { name: 'staging', environments: [staging.name] },
        { name: 'prod', after: ['staging'], environments: [prod.name] },
      ],
    },
  });
  const environments = [{ name: staging.name }, { name: prod.name }];
  await stage.deployed('web', { environments, revisionHistoryLimit: 100 });
  return { stage, proxy, staging, prod };
}

test('D7: killed after each write of a promotion in turn, the next start finishes it: once, in order, with nothing left out', async (t) => {
  const { stage, proxy, staging, prod } = await newGround(t);
  const writes = () => proxy.find({ where: isOfPromotion });
  const atRest = () =>
    eventually(
      async () => {
        const before = writes().length;
        await untilPolled(stage, 2);
        return writes().length === before;
      },
      { describe: 'the operator to be at rest' },
    );
  let version = 1;
  const commit = async () => {
    version += 1;
    return stage.repository.commit(configMap(version));
  };
  await atRest();
  proxy.forget();
  await stage.untilReadyAt('web', await commit());
  await atRest();
  const records = writes().filter(({ path }) => /\/secrets\//.test(path)).length;
  t.diagnostic(
    writes()
      .map(({ verb, path }) => `${verb} ${path}`)
      .join('\n'),
  );
  // Accepted and parked, begun, ended: the first environment's record is a part of the Application's.
  assert.ok(records >= 6 && records <= 8, `${records} writes of records`);
  const most = writes().length;
  for (let count = 1; count <= most; count += 1) {
    let seen = 0;
    const held = proxy.hold({
      at: 'response',
      where: (request) => isOfPromotion(request) && ++seen === count,
    });
    const revision = await commit();
    const over = stage.untilReadyAt('web', revision).then(atRest);
    over.catch(() => undefined);
    const isHeld = await Promise.race([held.seen.then(() => true), over.then(() => false)]);
    if (isHeld) {
      await stage.operator.stop('SIGKILL');
      held.drop();
      await stage.restart();
    }
    held.release();
    const { status } = await stage.untilReadyAt('web', revision);
    assert.deepEqual([await versionIn(stage, staging), await versionIn(stage, prod)], [version, version]);
    const [before, after] = [staging, prod].map(({ name }) => environmentOf(status, name)?.history ?? []);
    for (const history of [before, after]) {
      const ids = history?.map(({ id, outcome }) => [id, outcome]);
      const all = Array.from({ length: version }, (_, index) => [version - index, 'Succeeded']);
      assert.deepEqual(ids, all, `after a kill at write ${count}`);
    }
    assert.ok((before?.[0]?.finishedAt ?? '') <= (after?.[0]?.startedAt ?? ''), `order at write ${count}`);
  }
});

/** With a Pod of its own for each version, that a test can break. */
const breakable = (version: number) => ({
  'web.yaml': `${configMap(version)['web.yaml']}---
apiVersion: v1
kind: Pod
metadata: {name: web-${version}}
spec: {terminationGracePeriodSeconds: 0, containers: [{name: main, image: example.invalid/main}]}
`,
});

test('D7, A27: killed after each write of going back from what failed, the next start finishes it: once, and nothing that was rejected comes back', async (t) => {
  const { stage, proxy } = await newProxiedStage(t, { files: breakable(1), flags: fastLease });
  const staging = await newEnvironment(t, stage, 'staging');
  const verifyFor = (duration: string) =>
    stage.apply({
      apiVersion: 'towpath.dev/v1alpha1',
      kind: 'PromotionPolicy',
      metadata: { name: 'standard' },
      spec: {
        selector: {},
        stages: [{ name: 'staging', environments: [staging.name], verify: { for: duration } }],
      },
    });
  const says = (what: RegExp, revision: string, within?: number) =>
    stage.until(
      'web',
      ({ status }) => {
        const { message = '', revision: runs } = environmentOf(status, staging.name) ?? {};
        return runs === revision && what.test(message);
      },
      `${what} of ${revision.slice(0, 7)}`,
      within,
    );
  await verifyFor('1s');
  const first = await stage.deployed('web', {
    environments: [{ name: staging.name }],
    revisionHistoryLimit: 100,
  });
  await says(/is deployed: 2 objects\.$/, first);
  await verifyFor('1h');
  const writes = () => proxy.find({ where: isOfPromotion });
  let version = 1;
  /** Resolves when it was gone back from the next version. */
  const fail = async (whenBroken: () => void) => {
    version += 1;
    const revision = await stage.repository.commit(breakable(version));
    await says(/being verified/, revision);
    whenBroken();
    const path = `/api/v1/namespaces/${staging.namespace}/pods/web-${version}/status`;
    const { status, body } = await stage.cluster.request('PATCH', path, {
      body: { status: { phase: 'Failed' } },
      contentType: 'application/merge-patch+json',
    });
    assert.equal(status, 200, body);
    return says(/Rejected|rejected/, first, 60_000);
  };
  await fail(() => proxy.forget());
  await untilPolled(stage, 3);
  const most = writes().length;
  t.diagnostic(
    writes()
      .map(({ verb, path }) => `${verb} ${path}`)
      .join('\n'),
  );
  for (let count = 1; count <= most; count += 1) {
    let seen = 0;
    let held: ReturnType<typeof proxy.hold> | undefined;
    const over = fail(() => {
      held = proxy.hold({
        at: 'response',
        where: (request) => isOfPromotion(request) && ++seen === count,
      });
    });
    over.catch(() => undefined);
    await eventually(() => held !== undefined, { describe: 'it to be broken' });
    const isHeld = await Promise.race([held?.seen.then(() => true), over.then(() => false)]);
    if (isHeld === true) {
      await stage.operator.stop('SIGKILL');
      held?.drop();
      await stage.restart();
    }
    held?.release();
    const { status } = await over;
    assert.equal(await versionIn(stage, staging), 1);
    const history = environmentOf(status, staging.name)?.history ?? [];
    const told = history.map(({ trigger, outcome }) => `${trigger} ${outcome}`);
    const rounds = Array.from({ length: version - 1 }, () => ['Rollback Succeeded', 'Commit RolledBack']);
    assert.deepEqual(told, [...rounds.flat(), 'Commit Succeeded'], `after a kill at write ${count}`);
  }
});
