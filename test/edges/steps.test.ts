import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { podAnnotation } from '../../hack/nodes/pod.ts';
import type { Application } from '../../operator/api/v1alpha1/application.ts';
import type { FaultProxy, FaultRule } from '../harness/fault-proxy.ts';
import { startGitHttp } from '../harness/git-http.ts';
import type { FileContent } from '../harness/git-repository.ts';
import { fastLease, isReadyAt, type Stage } from '../harness/operator.ts';
import { newProxiedStage } from '../harness/proxied-stage.ts';
import type { RecordedRequest } from '../harness/recorded-request.ts';
import { environmentOf } from '../harness/target.ts';

const NAMES = ['a', 'b', 'c'] as const;

const object = (name: string, version: number, annotations = '{}') =>
  `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ${name}, annotations: ${annotations}}\ndata: {version: "${version}"}\n`;

const files = (version: number): Record<string, FileContent> =>
  Object.fromEntries([
    ['Chart.yaml', 'apiVersion: v2\nname: web\nversion: 1.0.0\n'],
    ...NAMES.map((name) => [`templates/${name}.yaml`, object(name, version)]),
    ['templates/extra.yaml', null],
  ]);

/** A Job whose pod fails at once. */
const failingHook = (name: string, events: string) => `apiVersion: batch/v1
kind: Job
metadata:
  name: ${name}
  annotations: {helm.sh/hook: "${events}", helm.sh/hook-delete-policy: before-hook-creation}
spec:
  backoffLimit: 0
  template:
    metadata: {annotations: {${podAnnotation}: fails}}
    spec: {restartPolicy: Never, containers: [{name: main, image: example.com/main:1}]}
`;

/** The binding cannot be asked about before its role is there, which comes with the same commit. */
const roleAndBinding = (subjectKind: string) => `apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: reader}
rules: [{apiGroups: [""], resources: [configmaps], verbs: [get]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: reader}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: reader}
subjects: [{kind: ${subjectKind}, name: towpath}]
`;

interface Ground {
  stage: Stage;
  proxy: FaultProxy;
  /** The fault that the step asked the proxy for. */
  rule: FaultRule | undefined;
  /** While present the Git server refuses to send packs, and counts. */
  refused: { met: number } | undefined;
}

interface Step {
  name: string;
  /** Brings the fault about; absent where the commit itself is the fault. */
  begin?(ground: Ground): void;
  /** What the commit has beside or instead of the three objects. */
  extra?: Record<string, FileContent> | ((version: number) => Record<string, FileContent>);
  /** Whether the status tells the failure. */
  isTold(application: Application, ground: Ground): boolean;
  /** Which objects have the new version while the fault lasts; default none. */
  done?: readonly string[];
  /** What the status must say of it. */
  says: RegExp;
  /** All of it was deployed, and the history may say so: only the record, or even the status, was not written. */
  isDeployed?: 'unrecorded' | 'untold';
  /** Objects at the end, where the commit itself is good; where it is not, the next one is deployed. */
  remains?: readonly string[];
}

/** The target record's Secret. */
const RECORD = { verb: ['create', 'update', 'patch'], path: /\/secrets\/?[^/]*$/ } as const;
const isNot = (sync: string) => (application: Application) => application.status?.sync !== sync;
const is = (sync: string) => (application: Application) => application.status?.sync === sync;
const told = ({ status }: Application) =>
  [...(status?.conditions ?? []), ...(status?.environments ?? [])].map(({ message }) => message).join('\n');

const steps: Step[] = [
  {
    name: 'fetch',
    begin: (ground) => {
      ground.refused = { met: 0 };
    },
    isTold: (application) => /500/.test(told(application)),
    says: /500/,
    remains: NAMES,
  },
  {
    name: 'render',
    extra: { 'templates/extra.yaml': '{{ fail "the template refuses" }}' },
    isTold: is('Quarantined'),
    says: /the template refuses/,
  },
  {
    name: 'validation',
    extra: { 'templates/extra.yaml': 'apiVersion: v1\nmetadata: {name: kindless}\n' },
    isTold: is('Quarantined'),
    says: /kind/,
  },
  {
    name: 'dry-run, for good',
    extra: {
      'templates/extra.yaml': 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: invalid}\ndata: 7\n',
    },
    isTold: is('Quarantined'),
    says: /invalid/,
  },
  {
    name: 'dry-run, for a time',
    begin: (ground) => {
      ground.rule = ground.proxy.fail({
        verb: 'apply',
        path: /\/configmaps\/b\?/,
        where: ({ dryRun }) => dryRun,
        fault: { status: 500 },
      });
    },
    isTold: isNot('Synced'),
    says: /dry-run.*ConfigMap .*\/b\b/,
    remains: NAMES,
  },
  {
    name: 'the record, before the first write',
    begin: (ground) => {
      ground.rule = ground.proxy.fail({ ...RECORD, fault: { status: 500 } });
    },
    isTold: isNot('Synced'),
    says: /Secret .*towpath-application-/,
    remains: NAMES,
  },
  {
    name: 'the record, after the last write',
    begin: (ground) => {
      let writes = 0;
      ground.rule = ground.proxy.fail({ ...RECORD, where: () => ++writes > 1, fault: { status: 500 } });
    },
    // Also after the tries that follow: what is in memory alone is not deployed for good.
    isTold: (application, { rule }) => isNot('Synced')(application) && (rule?.met ?? 0) > 4,
    done: NAMES,
    says: /Secret .*towpath-application-/,
    isDeployed: 'unrecorded',
    remains: NAMES,
  },
  {
    name: 'the status',
    begin: (ground) => {
      ground.rule = ground.proxy.fail({
        verb: 'patch',
        path: /\/applications\/web\/status/,
        fault: { status: 500 },
      });
    },
    // It cannot tell: it says what it said before, and is tried again.
    isTold: (_, { rule }) => (rule?.met ?? 0) >= 2,
    done: NAMES,
    // Of the deployment before: nothing else could be written.
    says: /^Revision main@\w+ is deployed: 3 objects\.$/m,
    isDeployed: 'untold',
    remains: NAMES,
  },
  {
    name: 'hook before the objects',
    extra: { 'templates/extra.yaml': failingHook('before', 'pre-install,pre-upgrade') },
    isTold: is('Failed'),
    says: /Job .*before/,
  },
  {
    name: 'the second wave',
    begin: (ground) => {
      ground.rule = ground.proxy.fail({
        verb: 'apply',
        path: /\/configmaps\/d\?/,
        where: ({ dryRun }) => !dryRun,
        fault: { status: 500 },
      });
    },
    extra: (version) => ({ 'templates/extra.yaml': object('d', version, '{towpath.dev/wave: "1"}') }),
    isTold: isNot('Synced'),
    done: NAMES,
    says: /ConfigMap .*\/d\b/,
    remains: [...NAMES, 'd'],
  },
  {
    name: 'a dry-run that had to wait for its prerequisite, for a time',
    begin: (ground) => {
      let asked = 0;
      ground.rule = ground.proxy.fail({
        verb: 'apply',
        path: /\/rolebindings\/reader\?/,
        where: ({ dryRun }) => dryRun && ++asked > 1,
        fault: { status: 500 },
      });
    },
    extra: { 'templates/extra.yaml': roleAndBinding('ServiceAccount') },
    isTold: isNot('Synced'),
    says: /dry-run of RoleBinding .*\/reader/,
    remains: NAMES,
  },
  {
    name: 'a dry-run that had to wait for its prerequisite, for good',
    extra: { 'templates/extra.yaml': roleAndBinding('Nobody') },
    isTold: is('Failed'),
    // The role is there, which the binding needs; the objects would have gone beside the binding.
    says: /^1 of 5 objects are applied; .*RoleBinding .*\/reader/m,
  },
  {
    name: 'apply of one of three objects',
    begin: (ground) => {
      ground.rule = ground.proxy.fail({
        verb: 'apply',
        path: /\/configmaps\/b\?/,
        where: ({ dryRun }) => !dryRun,
        fault: { status: 500 },
      });
    },
    isTold: isNot('Synced'),
    done: ['a', 'c'],
    says: /2 of 3 objects are applied; .*ConfigMap .*\/b\b/,
    remains: NAMES,
  },
  {
    name: 'hook after the objects',
    extra: { 'templates/extra.yaml': failingHook('after', 'post-install,post-upgrade') },
    isTold: is('Failed'),
    done: NAMES,
    says: /Job .*after/,
  },
  {
    name: 'prune',
    begin: (ground) => {
      ground.rule = ground.proxy.fail({ verb: 'delete', path: /\/configmaps\/c/, fault: { status: 500 } });
    },
    extra: { 'templates/c.yaml': null },
    isTold: isNot('Synced'),
    done: ['a', 'b'],
    says: /prune.*ConfigMap .*\/c\b/,
    remains: ['a', 'b'],
  },
];

/** How often the fault that a step brought about was met. */
const metBy = ({ rule, refused }: Ground): number => rule?.met ?? refused?.met ?? 0;

async function versions(stage: Stage): Promise<Record<string, string>> {
  const list = await stage.kubectl('get', 'configmaps', '-l', 'towpath.dev/target', '-o', 'json');
  const { items } = JSON.parse(list) as {
    items: { metadata: { name: string }; data?: { version?: string } }[];
  };
  return Object.fromEntries(items.map(({ metadata, data }) => [metadata.name, data?.version ?? '']));
}

/** A status that was written while the fault lasted: none may call the new revision Synced. */
function assertNeverSynced(requests: readonly RecordedRequest[], revision: string): void {
  for (const { body } of requests) {
    const { status } = JSON.parse(body) as { status?: Application['status'] };
    const environment = environmentOf(status);
    assert.ok(
      !(environment?.sync === 'Synced' && environment.revision === revision),
      `called Synced: ${body}`,
    );
  }
}

test('D6: a fault at any step leaves the target as it was, or says what was done', async (t: TestContext) => {
  const { proxy, stage } = await newProxiedStage(t, {
    files: files(1),
    flags: fastLease,
  });
  // For roles and their bindings.
  await stage.kubectl(
    ...['create', 'rolebinding', 'admin', '--clusterrole=admin'],
    `--serviceaccount=${stage.namespace}:towpath`,
  );
  const ground: Ground = { stage, proxy, rule: undefined, refused: undefined };
  const git = await startGitHttp({
    root: stage.repository.root,
    intercept: (request, response) => {
      if (ground.refused === undefined || request.method !== 'POST') return false;
      ground.refused.met += 1;
      response.writeHead(500).end('made by the test');
      return true;
    },
  });
  t.after(() => git.stop());
  await stage.deployed('web', {
    source: { repoURL: git.url(stage.repository.name) },
    sync: { retries: { limit: 0 } },
  });
  let version = 1;
  for (const step of steps) {
    await t.test(`D6: a fault in ${step.name}`, async (t) => {
      const before = await versions(stage);
      assert.deepEqual(before, Object.fromEntries(NAMES.map((name) => [name, String(version)])));
      version += 1;
      proxy.forget();
      ground.rule = undefined;
      step.begin?.(ground);
      const extra = typeof step.extra === 'function' ? step.extra(version) : step.extra;
      const revision = await stage.repository.commit({ ...files(version), ...extra });
      let wasReady = false;
      const failed = await stage.until(
        'web',
        (application) => {
          wasReady ||= isReadyAt(application, revision);
          return wasReady || (step.isTold(application, ground) && step.says.test(told(application)));
        },
        `the status to say ${step.says}`,
      );
      assert.ok(!wasReady, 'Ready at a revision that is not deployed');
      assert.equal(metBy(ground) > 0, step.begin !== undefined, `the fault was met ${metBy(ground)} times`);
      t.diagnostic(told(failed).split('\n')[0] ?? '');
      const newest = environmentOf(failed.status)?.history?.[0];
      if (step.isDeployed === undefined)
        assert.ok(newest?.outcome !== 'Succeeded' || newest.revision !== revision, 'it is called a success');
      const expected = { ...before };
      for (const name of step.done ?? []) expected[name] = String(version);
      assert.deepEqual(await versions(stage), expected, 'the objects while the fault lasts');
      if (step.isDeployed !== 'untold')
        assertNeverSynced(proxy.find({ verb: 'patch', path: /\/applications\/web\/status/ }), revision);

      proxy.clear();
      ground.refused = undefined;
      if (step.remains !== undefined) {
        await stage.untilReadyAt('web', revision);
        const remains = Object.fromEntries(step.remains.map((name) => [name, String(version)]));
        assert.deepEqual(await versions(stage), remains);
      }
      version += 1;
      const next = await stage.repository.commit(files(version));
      await stage.untilReadyAt('web', next);
    });
  }
});
