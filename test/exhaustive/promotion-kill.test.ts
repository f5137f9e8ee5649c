import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { environmentOf } from '../../operator/api/v1alpha1/application.ts';
import { newEnvironment } from '../harness/environments.ts';
import { fastLease } from '../harness/operator.ts';
import { untilPolled } from '../harness/polls.ts';
import { ask, became, installPromotionPolicies, letCommand, OLGA, taken } from '../harness/promotions.ts';
import { isOfLedger, newProxiedStage } from '../harness/proxied-stage.ts';
import type { RecordedRequest } from '../harness/recorded-request.ts';
import { eventually } from '../harness/wait.ts';
import { configMap, isOfPromotion, killedAt, newGround, versionIn, writesOfOne } from './promotion-ground.ts';

test('D7: killed after each write of a promotion in turn, the next start finishes it: once, in order, with nothing left out', async (t) => {
  const ground = await newGround(t);
  const { stage, staging, prod } = ground;
  const writes = await writesOfOne(ground);
  const records = writes.filter(({ path }) => /\/secrets\//.test(path)).length;
  t.diagnostic(writes.map(({ verb, path }) => `${verb} ${path}`).join('\n'));
  // Accepted and parked, begun, ended: the first environment's record is a part of the Application's.
  assert.ok(records >= 6 && records <= 8, `${records} writes of records`);
  for (let count = 1; count <= writes.length; count += 1) {
    const version = count + 2;
    await killedAt(ground, version, count);
    const { status } = await stage.get('web');
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

test('A3, D7: killed after each write of taking back what is verified, the next start finishes it: once, neither failed nor rejected, and it does not come back by itself', async (t) => {
  const policy = `promotions-${randomBytes(5).toString('hex')}`;
  const flags = [...fastLease, `--promotion-policy=${policy}`];
  const { stage, proxy } = await newProxiedStage(t, { files: configMap(1), flags });
  const { cluster, namespace, repository } = stage;
  const staging = await newEnvironment(t, stage, 'staging');
  await installPromotionPolicies(t, cluster, 'Validating', { name: policy, namespace });
  await letCommand(cluster, namespace, OLGA, staging.name, ['rollback']);
  const environments = [{ name: staging.name }];
  const first = await stage.deployed('web', { environments, revisionHistoryLimit: 100 });
  const stages = [{ name: 'staging', environments: [staging.name], verify: { for: '1h' } }];
  const kind = { apiVersion: 'towpath.dev/v1alpha1', kind: 'PromotionPolicy' };
  await stage.apply({ ...kind, metadata: { name: 'standard' }, spec: { selector: {}, stages } });
  const isOfCancel = (request: RecordedRequest) =>
    isOfPromotion(request) || (request.verb === 'patch' && isOfLedger(request));
  let version = 1;
  /** Resolves with what the history says when the next version was taken back. */
  const takeBack = async (whenVerified: () => void) => {
    version += 1;
    const revision = await repository.commit(configMap(version));
    const verified = await stage.until(
      'web',
      ({ status }) => {
        const { message = '', revision: runs } = environmentOf(status, staging.name) ?? {};
        return runs === revision && /being verified/.test(message);
      },
      `${revision.slice(0, 7)} to be verified`,
    );
    const id = environmentOf(verified.status, staging.name)?.history?.[0]?.id ?? 0;
    const own = `web-${staging.name}-${id}`;
    whenVerified();
    const of = { application: 'web', environment: staging.name };
    const cancel = taken(await ask(cluster, namespace, OLGA, { type: 'Cancel', promotion: own, ...of }));
    await became(cluster, namespace, cancel, 'Succeeded', /goes back to revision/);
    await became(cluster, namespace, own, 'Cancelled', /^olga took it back/);
    const { status } = await stage.until(
      'web',
      (of) => {
        const entry = environmentOf(of.status, staging.name);
        return entry?.revision === first && entry.blockedBy?.[0]?.reason === 'Cancelled';
      },
      'what ran before to run, and what was taken back to wait',
    );
    return environmentOf(status, staging.name)?.history ?? [];
  };
  await takeBack(() => proxy.forget());
  await untilPolled(stage, 3);
  const writes = proxy.find({ where: isOfCancel });
  t.diagnostic(writes.map(({ verb, path }) => `${verb} ${path}`).join('\n'));
  for (let count = 1; count <= writes.length; count += 1) {
    let seen = 0;
    let held: ReturnType<typeof proxy.hold> | undefined;
    const over = takeBack(() => {
      held = proxy.hold({ at: 'response', where: (request) => isOfCancel(request) && ++seen === count });
    });
    over.catch(() => undefined);
    await eventually(() => held !== undefined, { describe: 'it to be verified' });
    const isHeld = await Promise.race([held?.seen.then(() => true), over.then(() => false)]);
    if (isHeld === true) {
      await stage.operator.stop('SIGKILL');
      held?.drop();
      await stage.restart();
    }
    held?.release();
    const told = (await over).map(({ trigger, outcome }) => `${trigger} ${outcome}`);
    const rounds = Array.from({ length: version - 1 }, () => ['Rollback Succeeded', 'Commit Cancelled']);
    assert.deepEqual(told, [...rounds.flat(), 'Commit Succeeded'], `after a kill at write ${count}`);
    assert.equal(await versionIn(stage, staging), 1);
  }
});
