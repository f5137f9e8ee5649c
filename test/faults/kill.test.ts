import assert from 'node:assert/strict';
import { test } from 'node:test';
import { useControlPlane } from '../harness/control-plane.ts';
import { startFaultProxy } from '../harness/fault-proxy.ts';
import { fastLease, isReadyAt, newStage } from '../harness/operator.ts';
import type { RecordedRequest } from '../harness/recorded-request.ts';

const files = (version: number) => ({
  'Chart.yaml': 'apiVersion: v2\nname: web\nversion: 1.0.0\n',
  'templates/objects.yaml': [
    ['kept', `"${version}"`],
    [`only-${version % 2}`, '"x"'],
  ]
    .map(
      ([name, value]) =>
        `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ${name}}\ndata: {version: ${value}}\n`,
    )
    .join('---\n'),
  'templates/hook.yaml': `apiVersion: batch/v1
kind: Job
metadata:
  name: hook
  annotations: {helm.sh/hook: pre-upgrade, helm.sh/hook-delete-policy: "before-hook-creation,hook-succeeded"}
spec:
  template:
    spec: {restartPolicy: Never, containers: [{name: main, image: example.com/main:1}]}
`,
});

/** A write of a sync: not a question, not the Lease, not an event. */
const isWrite = (request: RecordedRequest) =>
  ['create', 'update', 'patch', 'apply', 'delete'].includes(request.verb) &&
  !request.dryRun &&
  !/\/(leases|events)(\/|$|\?)/.test(request.path);

for (const at of ['request', 'response'] as const) {
  const when = at === 'request' ? 'before' : 'after';
  const name = `D7: killed ${when} each write of a sync in turn, the next start finishes the job`;
  test(name, { timeout: 400_000 }, async (t) => {
    const cluster = await useControlPlane();
    const proxy = await startFaultProxy(cluster);
    t.after(() => proxy.stop());
    const stage = await newStage(t, {
      files: files(1),
      kubeconfigPath: proxy.kubeconfigPath,
      flags: fastLease,
    });
    await stage.application('web', { revisionHistoryLimit: 100 });
    const first = await stage.repository.revParse('main');
    await stage.until('web', (application) => isReadyAt(application, first), 'the first revision');
    let version = 1;
    for (let write = 1, isOver = false; !isOver; write += 1) {
      version += 1;
      let seen = 0;
      const held = proxy.hold({ at, where: (request) => isWrite(request) && ++seen === write });
      const revision = await stage.repository.commit(files(version));
      await stage.requestSync('web');
      const isHeld = await Promise.race([
        held.seen.then(() => true),
        stage
          .until('web', (application) => isReadyAt(application, revision), 'the sync')
          .then(
            () => false,
            () => false,
          ),
      ]);
      isOver = !isHeld;
      if (isHeld) {
        await stage.operator.stop('SIGKILL');
        held.drop();
        await stage.restart();
      }
      held.release();
      const done = await stage.until(
        'web',
        (application) => isReadyAt(application, revision),
        `revision ${version} after kill ${write}`,
        60_000,
      );
      const objects = await stage.kubectl(
        'get',
        'configmaps',
        '-l',
        'towpath.dev/target',
        '-o',
        'jsonpath={range .items[*]}{.metadata.name}={.data.version} {end}',
      );
      assert.equal(objects.trim(), `kept=${version} only-${version % 2}=x`, `objects after kill ${write}`);
      const history = done.status?.environments?.[0]?.history ?? [];
      assert.deepEqual(
        history.map((entry) => [entry.id, entry.outcome]),
        Array.from({ length: version }, (_, index) => [version - index, 'Succeeded']),
        `history after kill ${write}`,
      );
      assert.equal(history[0]?.revision, revision);
      if (isOver) {
        t.diagnostic(`${write - 1} kills`);
        assert.ok(write > 6, `a sync has at least 6 writes, ${write - 1} were met`);
      }
    }
  });
}
