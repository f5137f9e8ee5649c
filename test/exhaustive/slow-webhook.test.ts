import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { Application } from '../../operator/api/v1alpha1/application.ts';
import { startControlPlane } from '../harness/control-plane.ts';
import type { FaultRule } from '../harness/fault-proxy.ts';
import { createRepository } from '../harness/git-repository.ts';
import { isReadyAt } from '../harness/operator.ts';
import { newProxiedStage, type ProxiedStage } from '../harness/proxied-stage.ts';
import { median } from '../harness/slowness.ts';
import { configMap, goodSyncs } from '../harness/sync-time.ts';
import { namespaceFor } from '../harness/use-control-plane.ts';
import { eventually } from '../harness/wait.ts';

interface Slow {
  name: string;
  /** Undefined: the tenant whose other Application is not to be delayed. */
  tenants?: number;
  applications: number;
  objects: number;
}

/** Applications whose writes hang. */
const slow: readonly Slow[] = [
  { name: '40 Applications of another tenant', tenants: 1, applications: 40, objects: 3 },
  { name: '40 Applications of the same ServiceAccount', applications: 40, objects: 3 },
  { name: '14 tenants with an Application each', tenants: 14, applications: 1, objects: 12 },
];

const ROUNDS = 3;

test('A3: Applications whose writes hang behind a slow admission webhook delay no other', {
  timeout: 600_000,
}, async (t) => {
  // One of its own: the operator looks after every namespace there is.
  const cluster = await startControlPlane();
  const ground = await newProxiedStage(t, {
    cluster,
    files: { 'good.yaml': configMap('good', '1') },
    flags: ['--watch-namespace='],
  });
  const { stage } = ground;
  const others = await Promise.all(Array.from({ length: 14 }, () => namespaceFor(t, cluster)));
  // After what the stage still asks of it.
  t.after(() => cluster.stop());
  for (const namespace of others) {
    await kubectl(ground, '-n', namespace, 'create', 'serviceaccount', 'towpath');
    const account = `--serviceaccount=${namespace}:towpath`;
    await kubectl(ground, '-n', namespace, 'create', 'rolebinding', 'towpath', '--clusterrole=edit', account);
  }
  await stage.deployed('good', { source: { interval: '1h' } });
  const syncGood = goodSyncs(stage);
  for (const [index, one] of slow.entries()) {
    const namespaces = one.tenants === undefined ? [stage.namespace] : others.slice(0, one.tenants);
    await t.test(`A3: beside ${one.name}`, async (t) => {
      const neighbours = await newNeighbours(ground, `slow-${index}`, namespaces, one);
      await measure(t, neighbours, syncGood);
    });
  }
});

/** In turns, so that what else the machine does is the same for both. */
async function measure(
  t: TestContext,
  neighbours: Neighbours,
  syncGood: () => Promise<number>,
): Promise<void> {
  const alone: number[] = [];
  const beside: number[] = [];
  let hung = 0;
  for (let round = 0; round < ROUNDS; round += 1) {
    alone.push(await syncGood());
    const held = await neighbours.hang();
    beside.push(await syncGood());
    hung = Math.max(hung, held.count);
    await held.release();
  }
  const told = `${median(beside).toFixed(0)} ms beside ${hung} writes that hang, ${median(alone).toFixed(0)} ms alone`;
  t.diagnostic(`${told}; ${beside.map(Math.round)} and ${alone.map(Math.round)}`);
  // Without shares it waits for those that hang to be released, seconds. Beside another suite 120 ms more were seen.
  assert.ok(median(beside) <= 1.5 * median(alone) + 150, told);
}

interface Neighbours {
  /** A commit whose writes the API server answers only once they are released. */
  hang(): Promise<{ count: number; release(): Promise<void> }>;
}

async function newNeighbours(
  ground: ProxiedStage,
  name: string,
  namespaces: readonly string[],
  { applications, objects }: Slow,
): Promise<Neighbours> {
  const { proxy, stage } = ground;
  const filesOf = (version: number) =>
    Object.fromEntries(
      Array.from({ length: applications * objects }, (_, index) => {
        const application = index % applications;
        return [`${application}/${index}.yaml`, configMap(`${name}-${index}`, String(version))];
      }),
    );
  const repository = await createRepository({
    root: stage.repository.root,
    name: `${name}.git`,
    files: filesOf(0),
  });
  const specs = namespaces.flatMap((namespace) =>
    Array.from({ length: applications }, (_, index) => ({
      apiVersion: 'towpath.dev/v1alpha1',
      kind: 'Application',
      metadata: { namespace, name: `${name}-${index}` },
      spec: { source: { repoURL: stage.git.url(`${name}.git`), path: String(index), interval: '1h' } },
    })),
  );
  const [first] = namespaces;
  const untilReadyAt = (revision: string) =>
    eventually(
      async () => {
        const text = await kubectl(ground, 'get', 'applications.towpath.dev', '-A', '-o', 'json');
        const { items } = JSON.parse(text) as { items: Application[] };
        const late = items.find(
          (one) => one.metadata.name.startsWith(`${name}-`) && !isReadyAt(one, revision),
        );
        assert.equal(late, undefined, JSON.stringify(late?.status));
        return true;
      },
      { every: 500, describe: `all of ${name} to be Ready at ${revision}` },
    );
  const list = JSON.stringify({ apiVersion: 'v1', kind: 'List', items: specs });
  const applied = await ground.cluster.kubectl(['apply', '-f', '-'], { input: list });
  assert.equal(applied.code, 0, applied.stderr);
  await untilReadyAt(await repository.revParse('main'));
  let version = 0;
  return {
    hang: async () => {
      version += 1;
      const gate = Promise.withResolvers<void>();
      const path = new RegExp(`configmaps/${name}-`);
      const rule = proxy.fail({ verb: 'apply', path, fault: { until: gate.promise } });
      const revision = await repository.commit(filesOf(version));
      await kubectl(
        ground,
        ...['-n', first ?? '', 'annotate', '--overwrite', 'applications.towpath.dev', `${name}-0`],
        `towpath.dev/sync-requested=${version}`,
      );
      await untilNoMoreCome(rule);
      return {
        count: rule.met,
        release: async () => {
          rule.remove();
          gate.resolve();
          await untilReadyAt(revision);
        },
      };
    },
  };
}

/** All that may begin has begun, and lent its place among those on that are to be asked at once. */
async function untilNoMoreCome(rule: FaultRule): Promise<void> {
  let met = 0;
  let since = performance.now();
  await eventually(
    () => {
      if (rule.met !== met) since = performance.now();
      met = rule.met;
      return met >= 40 && performance.now() - since > 2_000;
    },
    { describe: 'the writes to hang' },
  );
}

async function kubectl({ cluster }: ProxiedStage, ...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await cluster.kubectl(args);
  assert.equal(code, 0, stderr);
  return stdout;
}
