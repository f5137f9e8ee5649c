import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { podAnnotation } from '../../hack/nodes/pod.ts';
import { startGitHttp } from '../harness/git-http.ts';
import { createRepository, type FileContent } from '../harness/git-repository.ts';
import { conditionOf, fastLease, newStage, type Stage } from '../harness/operator.ts';
import { newProxiedStage } from '../harness/proxied-stage.ts';
import { median, scaled } from '../harness/slowness.ts';
import { configMap, goodSyncs, versionOf } from '../harness/sync-time.ts';
import { environmentOf } from '../harness/target.ts';
import { eventually } from '../harness/wait.ts';

const chart = 'apiVersion: v2\nname: bad\nversion: 1.0.0\n';

/** A Job whose pod runs for ever, as a hook. */
const hook = (name: string, behaviour: 'runs' | 'fails') =>
  `apiVersion: batch/v1
kind: Job
metadata:
  name: ${name}
  annotations: {helm.sh/hook: "pre-install,pre-upgrade", helm.sh/hook-delete-policy: before-hook-creation}
spec:
  backoffLimit: 0
  template:
    metadata: {annotations: {${podAnnotation}: ${behaviour}}}
    spec: {restartPolicy: Never, containers: [{name: main, image: example.com/main:1}]}
`;

/** Needs a node that there is not: it never becomes ready. */
const neverReady = `apiVersion: apps/v1
kind: Deployment
metadata: {name: stuck}
spec:
  selector: {matchLabels: {app: stuck}}
  template:
    metadata: {labels: {app: stuck}}
    spec:
      nodeSelector: {where: nowhere}
      containers: [{name: main, image: example.com/main:1}]
`;

/** A template that is busy until it is ended. */
const endless =
  '{{- range $a := until 10000 }}{{- range $b := until 10000 }}{{- range until 10000 }}{{ end }}{{ end }}{{ end }}';

const applications = (stage: Stage) =>
  `/apis/towpath.dev/v1alpha1/namespaces/${stage.namespace}/applications`;

async function merge(stage: Stage, name: string, patch: unknown): Promise<void> {
  const { status, body } = await stage.cluster.request('PATCH', `${applications(stage)}/${name}`, {
    body: patch,
    contentType: 'application/merge-patch+json',
  });
  assert.equal(status, 200, body);
}

interface Bad {
  name: string;
  /** What its own work may take of two cores, on which the API server runs too, beside half as long again. */
  allowanceMs: number;
  files: Record<string, FileContent>;
}

const bad: Bad[] = [
  {
    name: 'renders without end',
    allowanceMs: 150,
    files: { 'Chart.yaml': chart, 'templates/endless.yaml': endless },
  },
  {
    name: 'has 50 MB of manifests',
    allowanceMs: 150,
    files: {
      'Chart.yaml': chart,
      'templates/large.yaml': `{{- range $i := until 500 }}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: large-{{ $i }}}
data: {text: {{ repeat 100000 "x" }} }
{{- end }}`,
    },
  },
  { name: 'has a Git server that hangs', allowanceMs: 100, files: {} },
  {
    name: 'has a hook that fails',
    allowanceMs: 100,
    files: { 'Chart.yaml': chart, 'templates/hook.yaml': hook('failing', 'fails') },
  },
  {
    name: 'has an invalid object',
    allowanceMs: 100,
    files: { 'object.yaml': 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: bad}\ndata: 7\n' },
  },
];

/** What bursts the engine's limits, and what its status must say (S8). */
const bombs: { name: string; reason: RegExp; files: Record<string, FileContent> }[] = [
  {
    name: 'a YAML alias bomb',
    reason: /ManifestInvalid|RenderTooLarge|RenderOutOfMemory|RenderFailed/,
    files: {
      'bomb.yaml': [
        'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: bomb}\ndata:\n  a0: &a0 [x, x, x, x, x, x, x, x, x]',
        ...Array.from({ length: 12 }, (_, index) => {
          const inner = Array.from({ length: 9 }, () => `*a${index}`).join(', ');
          return `  a${index + 1}: &a${index + 1} [${inner}]`;
        }),
      ].join('\n'),
    },
  },
  {
    name: 'endless recursion',
    reason: /RenderFailed|RenderOutOfMemory/,
    files: {
      'Chart.yaml': chart,
      'templates/recursion.yaml':
        '{{- define "again" }}{{ include "again" . }}{{ end }}{{ include "again" . }}',
    },
  },
  {
    name: 'a repeat of 2 GB',
    reason: /RenderOutOfMemory|RenderTooLarge|RenderFailed/,
    files: {
      'Chart.yaml': chart,
      'templates/repeat.yaml':
        'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: bomb}\ndata: {text: {{ repeat 2000000000 "x" }} }\n',
    },
  },
];

test('A3, S8: one bad Application delays no other', async (t) => {
  const stage = await newStage(t, { files: { 'good.yaml': configMap('good', '1') }, flags: fastLease });
  await stage.deployed('good', { source: { interval: '1h' } });
  const syncGood = goodSyncs(stage);
  const repository = await createRepository({
    root: stage.repository.root,
    name: 'bad.git',
    files: { README: 'x' },
  });
  const hung = await startGitHttp({ root: stage.repository.root });
  hung.hang = true;
  t.after(() => hung.stop());
  for (const [index, { name, allowanceMs, files }] of bad.entries()) {
    await t.test(`A3: an Application that ${name} delays no other`, async (t) => {
      await repository.commit(
        Object.fromEntries(Object.entries(files).map(([path, content]) => [`${index}/${path}`, content])),
      );
      const server = Object.keys(files).length === 0 ? hung : stage.git;
      const source = { repoURL: server.url('bad.git'), path: String(index) };
      await stage.application(`bad-${index}`, {
        source,
        suspend: true,
        sync: { retries: { backoff: '200ms', maxBackoff: '200ms', limit: 100 } },
      });
      const alone: number[] = [];
      const beside: number[] = [];
      for (let round = 0; round < 9; round += 1) {
        alone.push(await syncGood());
        // A commit that was refused is not looked at again; the next one is.
        await repository.commit({ [`${index}/templates/NOTES.txt`]: `round ${round}` });
        await merge(stage, `bad-${index}`, { spec: { suspend: false } });
        await stage.requestSync(`bad-${index}`);
        beside.push(await syncGood());
        await merge(stage, `bad-${index}`, { spec: { suspend: true } });
      }
      await stage.kubectl('delete', 'applications.towpath.dev', `bad-${index}`, '--timeout=20s');
      const told = `${median(beside).toFixed(0)} ms beside it, ${median(alone).toFixed(0)} ms alone`;
      t.diagnostic(told);
      // A delay by waiting for it would be its time-out, 20 s.
      assert.ok(median(beside) <= 1.5 * median(alone) + allowanceMs, told);
    });
  }
  for (const [index, { name, reason, files }] of bombs.entries()) {
    await t.test(`S8: while ${name} is rendered, others keep syncing`, async (t) => {
      await repository.commit(
        Object.fromEntries(
          Object.entries(files).map(([path, content]) => [`bomb-${index}/${path}`, content]),
        ),
      );
      const source = { repoURL: stage.git.url('bad.git'), path: `bomb-${index}` };
      await stage.application(`bomb-${index}`, { source });
      const took: number[] = [];
      await eventually(
        async () => {
          took.push(await syncGood());
          return (await stage.get(`bomb-${index}`)).status?.sync === 'Quarantined';
        },
        { describe: 'the bomb to be refused' },
      );
      const refused = conditionOf(await stage.get(`bomb-${index}`), 'Stalled');
      assert.match(refused?.reason ?? '', reason, refused?.message);
      t.diagnostic(
        `${refused?.reason}; ${took.length} syncs beside it, the slowest in ${Math.max(...took).toFixed(0)} ms`,
      );
      assert.ok(Math.max(...took) < scaled(5_000), `${took.map(Math.round)} ms`);
    });
  }
});

const stuck: { name: string; files: Record<string, FileContent> }[] = [
  { name: 'a Deployment that never becomes ready', files: { 'templates/stuck.yaml': neverReady } },
  { name: 'a hook that never ends', files: { 'templates/stuck.yaml': hook('endless', 'runs') } },
];

for (const { name, files } of stuck) {
  test(`A5: ${name} never blocks the fix: a commit, asked for or polled, a spec change, suspend and delete take effect within a second`, (t) =>
    fixes(t, files));
}

/** How often Git is asked where a commit is to be found by that alone. */
const POLL_MS = 1_000;

async function fixes(t: TestContext, files: Record<string, FileContent>): Promise<void> {
  const value = 'data: {version: {{ .Values.version | quote }} }';
  const stage = await newStage(t, {
    files: {
      'Chart.yaml': chart,
      'values.yaml': 'version: "1"\n',
      'templates/web.yaml': `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\n${value}\n`,
    },
    flags: fastLease,
  });
  // With an interval this long only what the test asks for is done.
  await stage.deployed('web', { source: { interval: '1h' } });
  const path = `${applications(stage)}/web`;
  const took: Record<string, number[]> = { commit: [], poll: [], spec: [], suspend: [], delete: [] };
  const within = async (what: string, act: () => Promise<unknown>, isDone: () => Promise<boolean>) => {
    const began = performance.now();
    await act();
    await eventually(isDone, {
      every: 20,
      describe: `${what}; ${stage.operator.process.logTail(8)}`,
    });
    took[what]?.push(performance.now() - began);
  };
  const ask = () => stage.requestSync('web');
  let version = 1;
  /** Pushes what is stuck, and waits until the operator waits for it. */
  const getStuck = async (): Promise<void> => {
    version += 1;
    const revision = await stage.repository.commit({ ...files, 'values.yaml': `version: "${version}"\n` });
    await ask();
    const isHook = JSON.stringify(files).includes('helm.sh/hook');
    await eventually(
      async () => {
        if (isHook) {
          const pods = await stage.kubectl('get', 'pods', '-o', 'jsonpath={.items[*].status.phase}');
          return pods.includes('Running');
        }
        const { status } = await stage.get('web');
        return status?.sync === 'Syncing' && environmentOf(status)?.revision === revision;
      },
      { describe: 'the deployment to be stuck' },
    );
  };
  for (let round = 0; round < 3; round += 1) {
    await getStuck();
    const fixed = `fixed-${round}`;
    await stage.repository.commit({ 'templates/stuck.yaml': null, 'values.yaml': `version: ${fixed}\n` });
    await within('commit', ask, async () => (await versionOf(stage, 'web')) === fixed);

    await getStuck();
    await merge(stage, 'web', { spec: { source: { interval: `${POLL_MS / 1_000}s` } } });
    const polled = `polled-${round}`;
    await within(
      'poll',
      () => stage.repository.commit({ 'templates/stuck.yaml': null, 'values.yaml': `version: ${polled}\n` }),
      async () => (await versionOf(stage, 'web')) === polled,
    );
    await merge(stage, 'web', { spec: { source: { interval: '1h' } } });

    await getStuck();
    const spec = `spec-${round}`;
    await stage.repository.commit({
      'templates/stuck.yaml': `{{- if not .Values.isFixed }}\n${Object.values(files)[0]}{{- end }}\n`,
    });
    await ask();
    await within(
      'spec',
      () => merge(stage, 'web', { spec: { helm: { values: { isFixed: true, version: spec } } } }),
      async () => (await versionOf(stage, 'web')) === spec,
    );
    await merge(stage, 'web', { spec: { helm: null } });

    await getStuck();
    const syncOf = async () =>
      (JSON.parse((await stage.cluster.request('GET', path)).body) as { status?: { sync?: string } }).status
        ?.sync;
    await within(
      'suspend',
      () => merge(stage, 'web', { spec: { suspend: true } }),
      async () => (await syncOf()) === 'Suspended',
    );
    await stage.repository.commit({ 'templates/stuck.yaml': null });
    await merge(stage, 'web', { spec: { suspend: false } });
    await ask();
    await stage.until(
      'web',
      (application) => conditionOf(application, 'Ready')?.status === 'True',
      'web to be Ready again',
    );
  }
  await getStuck();
  await within(
    'delete',
    () => stage.cluster.request('DELETE', path),
    async () => {
      const object = await stage.cluster.request(
        'GET',
        `/api/v1/namespaces/${stage.namespace}/configmaps/web`,
      );
      return object.status === 404;
    },
  );
  await eventually(async () => (await stage.cluster.request('GET', path)).status === 404, {
    describe: 'the Application to be gone',
  });
  for (const [what, times] of Object.entries(took)) {
    t.diagnostic(`${what}: ${times.map((time) => time.toFixed(0)).join(', ')} ms`);
    // A commit that nobody announces is found by a poll, whose interval varies by a tenth.
    const limit = scaled(1_000) + (what === 'poll' ? POLL_MS * 1.1 : 0);
    const [slowest] = times.toSorted((a, b) => b - a);
    assert.ok(
      slowest !== undefined && slowest < limit,
      `${what} took ${times.map(Math.round).join(', ')} ms`,
    );
  }
}

test("A5: a change that only the answer to the operator's own status write tells is acted on", async (t) => {
  const { proxy, stage } = await newProxiedStage(t, {
    files: { 'web.yaml': configMap('web', '1') },
    flags: fastLease,
  });
  await stage.deployed('web');
  // The watch carries nothing any more, and is renewed only after 90 s.
  assert.ok(proxy.stallWatches({ path: /\/applications\?/ }) > 0);
  await merge(stage, 'web', { spec: { suspend: true } });
  // It changes no object, so that nothing but its one status write follows.
  await stage.repository.commit({ 'README.md': 'new' });
  await stage.until('web', ({ status }) => status?.sync === 'Suspended', 'the suspension');
});

test('D6: a kind that the API server does not list in time is no failure of what is deployed', async (t) => {
  const service = 'apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {ports: [{port: 80}]}\n';
  const { proxy, stage } = await newProxiedStage(t, {
    files: { 'web.yaml': configMap('web', '1') },
    flags: fastLease,
  });
  await stage.deployed('web', { sync: { retries: { limit: 0 } } });
  proxy.fail({ verb: 'list', path: /\/services/, fault: 'hang' });
  const second = await stage.repository.commit({ 'service.yaml': service });
  const told = await stage.until(
    'web',
    (application) => conditionOf(application, 'Ready')?.reason === 'ClusterUnreachable',
    'the list that does not come to be told',
  );
  assert.match(conditionOf(told, 'Ready')?.message ?? '', /Service cannot be listed/);
  assert.equal(environmentOf(told.status)?.history?.[0]?.outcome, 'Succeeded', 'nothing failed');
  proxy.clear();
  await stage.untilReadyAt('web', second);
});
