import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createRepository } from '../harness/git-repository.ts';
import { fastLease, type Stage } from '../harness/operator.ts';
import { newProxiedStage, watchesForApplications } from '../harness/proxied-stage.ts';
import type { RecordedRequest } from '../harness/recorded-request.ts';
import { always, eventually } from '../harness/wait.ts';

/** A workload of which the Pods and the autoscalers are watched, and a Secret, which is watched as the ServiceAccount. */
const files = {
  'Chart.yaml': 'apiVersion: v2\nname: web\nversion: 1.0.0\n',
  'templates/web.yaml': `apiVersion: apps/v1
kind: Deployment
metadata: {name: "{{ .Release.Name }}"}
spec:
  replicas: 0
  selector: {matchLabels: {app: "{{ .Release.Name }}"}}
  template:
    metadata: {labels: {app: "{{ .Release.Name }}"}}
    spec: {containers: [{name: main, image: "example.com/main:1"}]}
---
apiVersion: v1
kind: Secret
metadata: {name: "{{ .Release.Name }}"}
stringData: {value: {{ .Values.value }}}
`,
};

/** More requests than a look makes. */
const MOST = 80;

for (const how of ['at once', 'in order'] as const) {
  test(`A8: of an Application that is deleted ${how}, whatever a look at it waits for, nothing is watched nor asked any more`, {
    timeout: 400_000,
  }, async (t) => {
    const { proxy, stage } = await newProxiedStage(t, { files: {}, flags: fastLease });
    await stage.apply(secret('git', { username: 'reader', password: 'any' }));
    await stage.apply(secret('values', { 'values.yaml': 'value: one' }));
    let met = 0;
    for (let number = 1; number <= MOST; number += 1) {
      const name = `web-${number}`;
      await createRepository({ root: stage.repository.root, name: `${name}.git`, files });
      let seen = 0;
      const held = proxy.hold({
        where: (request) => isOfLook(request) && ++seen === number,
      });
      let isHeld = false;
      void held.seen.then(() => {
        isHeld = true;
      });
      await stage.application(name, {
        source: { repoURL: stage.git.url(`${name}.git`), interval: '1s', secretRef: { name: 'git' } },
        helm: { valuesFrom: [{ kind: 'Secret', name: 'values', key: 'values.yaml' }] },
      });
      await eventually(async () => isHeld || (await hasSettled(stage, name)), {
        every: 20,
        describe: `request ${number} of the look at ${name}`,
      });
      await remove(stage, name, how);
      if (how === 'at once') await untilKnown(stage, 0);
      held.release();
      await untilKnown(stage, 0);
      if (!isHeld) break;
      met = number;
    }
    t.diagnostic(`${met} requests of a look`);
    assert.ok(met > 10 && met < MOST, `${met} requests were held`);
    await eventually(() => watchesForApplications(proxy) === 0, {
      within: 20_000,
      describe: 'the watches to end',
    });
    // Two intervals, of which each is prolonged by a tenth at most.
    stage.git.requests.length = 0;
    await always(
      () => stage.git.requests.map(({ url }) => url),
      (asked) => assert.deepEqual(asked, []),
      2_500,
      { every: 100 },
    );
    assert.equal(watchesForApplications(proxy), 0);
  });
}

async function remove(stage: Stage, name: string, how: 'at once' | 'in order'): Promise<void> {
  const path = `/apis/towpath.dev/v1alpha1/namespaces/${stage.namespace}/applications/${name}`;
  const { status, body } = await stage.cluster.request('DELETE', path);
  assert.equal(status, 200, body);
  if (how === 'in order') return;
  // Not before: the operator would set its finalizer again.
  const patch = { body: { metadata: { finalizers: null } }, contentType: 'application/merge-patch+json' };
  await stage.cluster.request('PATCH', path, patch);
}

/** Whatever a look waits for; not what goes on at rest. */
function isOfLook({ verb, path, query }: RecordedRequest): boolean {
  if (/\/(leases|events)(\/|$)/.test(path) || /^\/(api|apis|version)$/.test(path)) return false;
  if (/\/customresourcedefinitions/.test(path)) return false;
  return (
    !(verb === 'watch' || verb === 'list') || !/\/applications$/.test(path) || query.has('fieldSelector')
  );
}

async function hasSettled(stage: Stage, name: string): Promise<boolean> {
  const { status } = await stage.get(name);
  return status?.sync === 'Synced' || status?.sync === 'Failed';
}

async function untilKnown(stage: Stage, count: number): Promise<void> {
  const known = async () =>
    (await stage.operator.metrics()).match(/^towpath_application_info\{/gm)?.length ?? 0;
  await eventually(async () => (await known()) === count, {
    every: 20,
    describe: `the operator to know ${count} Applications`,
  });
}

function secret(name: string, stringData: Record<string, string>) {
  return { apiVersion: 'v1', kind: 'Secret', metadata: { name }, stringData };
}
