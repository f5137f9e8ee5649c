import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Application, HistoryEntry } from '../../operator/api/v1alpha1/application.ts';
import { STATUS_LIMITS } from '../../operator/api/v1alpha1/application-status.ts';
import { startControlPlane } from '../harness/control-plane.ts';
import { fastLease, installCRDs, newStage, type Stage } from '../harness/operator.ts';
import { newProxiedStage } from '../harness/proxied-stage.ts';
import { environmentOf } from '../harness/target.ts';
import { eventually } from '../harness/wait.ts';

const files = (value: string) => ({
  'web.yaml': `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\ndata: {value: "${value}"}\n`,
});

const historyOf = ({ status }: Application) => environmentOf(status)?.history ?? [];

/** Newest first, each deployment once, none forgotten in between. */
function assertWhole(history: readonly HistoryEntry[], revisions: readonly string[]): void {
  const newest = history.slice(0, revisions.length);
  assert.deepEqual(
    newest.map(({ revision, outcome }) => ({ revision, outcome })),
    revisions.toReversed().map((revision) => ({ revision, outcome: 'Succeeded' })),
  );
  const ids = history.map(({ id }) => id);
  assert.deepEqual(
    ids,
    ids.toSorted((a, b) => b - a),
  );
  assert.equal(new Set(ids).size, ids.length);
}

const isStatusWrite = { verb: 'patch' as const, path: /\/applications\/web\/status$/ };

test('D9: history survives refused writes of the status, and kills at them', async (t) => {
  const { proxy, stage } = await newProxiedStage(t, { files: files('0'), flags: fastLease });
  const revisions = [await stage.deployed('web')];
  const rounds: Record<string, (commit: () => Promise<void>) => Promise<void>> = {
    conflicts: async (commit) => {
      proxy.fail({ ...isStatusWrite, fault: { status: 409 }, times: 3 });
      await commit();
    },
    'a full disk of etcd': async (commit) => {
      proxy.fail({ ...isStatusWrite, fault: { status: 507 }, times: 3 });
      await commit();
    },
    'a kill before the write': async (commit) => {
      const held = proxy.hold({ ...isStatusWrite, at: 'request' });
      await commit();
      await held.seen;
      await stage.restart('SIGKILL');
      held.drop();
    },
    'a kill after the write, before its answer': async (commit) => {
      const held = proxy.hold({ ...isStatusWrite, at: 'response' });
      await commit();
      await held.seen;
      await stage.restart('SIGKILL');
      held.drop();
    },
  };
  for (const [what, round] of Object.entries(rounds)) {
    await t.test(what, async () => {
      await round(async () => void revisions.push(await stage.repository.commit(files(what))));
      const ready = await stage.untilReadyAt('web', revisions.at(-1) ?? '');
      assertWhole(historyOf(ready), revisions);
      proxy.clear();
    });
  }
});

/** A history that somebody's status has room for, at the length of each text. */
function longHistory(count: number): HistoryEntry[] {
  return Array.from({ length: count }, (_, index) => ({
    id: count - index,
    revision: 'a'.repeat(40),
    candidate: 'c-0123456789ab',
    ref: `refs/heads/${'b'.repeat(80)}`,
    digest: `sha256:${'0'.repeat(64)}`,
    outcome: 'Failed',
    trigger: 'Commit',
    startedAt: '2026-01-01T00:00:00Z',
    clusterStartedAt: '2026-01-01T00:00:00Z',
    finishedAt: '2026-01-01T00:00:01Z',
    message: 'm'.repeat(STATUS_LIMITS.historyMessage),
  }));
}

test('D9: a status that is full keeps its newest history, and goes on', async (t) => {
  const stage = await newStage(t, { files: files('0'), flags: fastLease });
  await stage.deployed('web', { revisionHistoryLimit: 200 });
  const path = `/apis/towpath.dev/v1alpha1/namespaces/${stage.namespace}/applications/web/status`;
  await stage.operator.stop();
  // As it would be after as many deployments. The operator's own record counts, and goes: without it the status does.
  const { status } = await stage.get('web');
  const environment = environmentOf(status);
  const [newest] = environment?.history ?? [];
  assert.ok(environment !== undefined && newest !== undefined);
  const before = longHistory(STATUS_LIMITS.history);
  const full = { ...environment, history: [{ ...newest, id: before.length + 1 }, ...before].slice(0, 200) };
  const answer = await stage.cluster.request('PATCH', path, {
    body: { status: { environments: [full] } },
    contentType: 'application/merge-patch+json',
  });
  assert.equal(answer.status, 200, answer.body);
  const secrets = (await stage.kubectl('get', 'secrets', '-o', 'name')).split('\n');
  const records = secrets.filter((name) => name.startsWith('secret/towpath-application-'));
  assert.ok(records.length > 0);
  await stage.kubectl('delete', ...records);
  await stage.restart();
  const revisions: string[] = [];
  for (const value of ['1', '2', '3']) {
    revisions.push(await stage.repository.commit(files(value)));
    await stage.untilReadyAt('web', revisions.at(-1) ?? '');
  }
  const after = await stage.get('web');
  assertWhole(historyOf(after), revisions);
  assert.equal(historyOf(after).length, STATUS_LIMITS.history);
  assert.ok(JSON.stringify(after.status).length <= STATUS_LIMITS.bytes);
});

/** Serves the schema without some properties of a deployment in the history, as an older one would. */
async function serveOlder(stage: Stage): Promise<void> {
  const crd = JSON.parse(await stage.kubectl('get', 'crd', 'applications.towpath.dev', '-o', 'json')) as {
    spec: { versions: [{ schema: { openAPIV3Schema: object } }] };
  };
  const text = JSON.stringify(crd.spec.versions[0].schema.openAPIV3Schema);
  const older = JSON.parse(text, (key, value: unknown) => {
    if (key !== 'history' || typeof value !== 'object' || value === null || !('items' in value)) return value;
    const items = value.items as { properties: Record<string, unknown>; required?: string[] };
    const { trigger: _, candidate: __, digest: ___, ...properties } = items.properties;
    const required = (items.required ?? []).filter((name) => name in properties);
    return { ...value, items: { ...items, properties, required } };
  });
  const path = '/spec/versions/0/schema/openAPIV3Schema';
  await stage.kubectl(
    ...['patch', 'crd', 'applications.towpath.dev', '--type=json', '-p'],
    JSON.stringify([{ op: 'replace', path, value: older }]),
  );
}

test('D9: history survives an older definition and the way back from it', async (t) => {
  // Its own: what others test would be lost.
  const cluster = await startControlPlane();
  const stage = await newStage(t, {
    cluster,
    files: files('0'),
    flags: fastLease,
  });
  t.after(() => cluster.stop());
  const revisions = [await stage.deployed('web')];
  const commit = async (value: string) => {
    revisions.push(await stage.repository.commit(files(value)));
    assertWhole(historyOf(await stage.untilReadyAt('web', revisions.at(-1) ?? '')), revisions);
  };
  await serveOlder(stage);
  await commit('1');
  await stage.restart('SIGKILL');
  await commit('2');
  await installCRDs(cluster);
  await stage.restart();
  await commit('3');
  await eventually(async () => historyOf(await stage.get('web'))[0]?.trigger === 'Commit', {
    describe: 'the newest deployment to be told in full again',
  });
});
