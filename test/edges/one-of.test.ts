import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually } from '../harness/wait.ts';
import { messageOf, newSteps, type Steps, type TestObject } from '../integration/steps.ts';

type Live = Awaited<ReturnType<Steps['live']>>;

/** Fields of which Git names one and somebody, or a default, another that excludes it. */
interface Case {
  what: string;
  /** Named after its object. */
  git: TestObject;
  /** A merge patch of another manager. */
  byHand: object;
  shows(live: Live): unknown;
}

function workload(
  name: string,
  spec: object,
  { container = {}, pod = {}, kind = 'Deployment' }: { container?: object; pod?: object; kind?: string } = {},
): TestObject {
  const labels = { app: name };
  const containers = [{ name: 'main', image: 'example.com/main:1', ...container }];
  const template = { metadata: { labels }, spec: { containers, ...pod } };
  return {
    apiVersion: 'apps/v1',
    kind,
    metadata: { name },
    spec: { selector: { matchLabels: labels }, template, ...spec },
  };
}

const inPod = (spec: object) => ({ spec: { template: { spec } } });
const inContainer = (container: object) =>
  inPod({ containers: [{ name: 'main', image: 'example.com/main:1', ...container }] });
function podOf(live: Live): { volumes?: object[]; containers: Record<string, unknown>[] } {
  const template = live?.spec?.['template'] as { spec: ReturnType<typeof podOf> };
  return template.spec;
}

const CASES: Case[] = [
  {
    what: 'the value of an environment variable, and where it comes from',
    git: workload('env', {}, { container: { env: [{ name: 'A', value: '1' }] } }),
    byHand: inContainer({
      env: [{ name: 'A', valueFrom: { fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.name' } } }],
    }),
    shows: (live) => podOf(live).containers[0]?.['env'],
  },
  {
    what: 'the kind of a volume',
    git: workload('volume', {}, { pod: { volumes: [{ name: 'v', emptyDir: {} }] } }),
    byHand: inPod({ volumes: [{ name: 'v', configMap: { name: 'web' } }] }),
    shows: (live) => podOf(live).volumes,
  },
  {
    what: 'the kind of a volume, the other way round',
    git: workload('secret', {}, { pod: { volumes: [{ name: 'v', secret: { secretName: 'web' } }] } }),
    byHand: inPod({ volumes: [{ name: 'v', emptyDir: {} }] }),
    shows: (live) => Object.keys(podOf(live).volumes?.[0] ?? {}).sort(),
  },
  {
    what: 'the strategy of a Deployment and its parameters',
    git: workload('strategy', { strategy: { type: 'Recreate' } }),
    byHand: { spec: { strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 2 } } } },
    shows: (live) => live?.spec?.['strategy'],
  },
  {
    what: 'how a probe asks',
    git: workload('probe', {}, { container: { livenessProbe: { httpGet: { path: '/', port: 80 } } } }),
    byHand: inContainer({ livenessProbe: { exec: { command: ['true'] } } }),
    shows: (live) => Object.keys((podOf(live).containers[0]?.['livenessProbe'] as object) ?? {}).sort(),
  },
  {
    what: 'the bounds of a PodDisruptionBudget',
    git: {
      apiVersion: 'policy/v1',
      kind: 'PodDisruptionBudget',
      metadata: { name: 'budget' },
      spec: { minAvailable: 1, selector: { matchLabels: { app: 'budget' } } },
    },
    byHand: { spec: { minAvailable: null, maxUnavailable: 1 } },
    shows: ({ spec = {} } = {} as NonNullable<Live>) => [spec['minAvailable'], spec['maxUnavailable']],
  },
];

test('D16: of fields that exclude each other what Git names is put back, and the next commit is deployed', async (t) => {
  const steps = await newSteps(t);
  const { stage, deploy, change, live } = steps;
  for (const { what, git, byHand, shows } of CASES) {
    await t.test(what, async () => {
      const { name } = git.metadata;
      await deploy(name, [git]);
      const kind = git.kind.toLowerCase();
      const before = await live(kind, name);
      const wanted = JSON.stringify(shows(before));
      await stage.kubectl(
        ...['patch', kind, name, '--type=merge', '--field-manager=somebody', '-p', JSON.stringify(byHand)],
      );
      await eventually(async () => JSON.stringify(shows(await live(kind, name))) === wanted, {
        describe: `${wanted} to be put back`,
      });
      const labelled = { ...git, metadata: { ...git.metadata, labels: { tier: 'web' } } };
      const ready = await change(name, [labelled]);
      const after = await live(kind, name);
      assert.equal(after?.metadata.labels?.['tier'], 'web', messageOf(ready));
      assert.equal(JSON.stringify(shows(after)), wanted);
      assert.equal(after?.metadata.uid, before?.metadata.uid, 'it is the same object');
    });
  }
});

test('a commit that chooses what excludes a default is deployed, and may be taken back', async (t) => {
  const { deploy, change, live } = await newSteps(t);
  const rows: [name: string, kind: string, field: string, chosen: object][] = [
    ['recreated', 'Deployment', 'strategy', { type: 'Recreate' }],
    ['on-delete', 'StatefulSet', 'updateStrategy', { type: 'OnDelete' }],
  ];
  for (const [name, kind, field, chosen] of rows) {
    await t.test(`${kind}: ${JSON.stringify(chosen)}`, async () => {
      const more = kind === 'StatefulSet' ? { serviceName: name } : {};
      const of = (spec: object) => [workload(name, { ...more, ...spec }, { kind })];
      await deploy(name, of({}));
      const before = await live(kind.toLowerCase(), name);
      await change(name, of({ [field]: chosen }));
      const after = await live(kind.toLowerCase(), name);
      assert.deepEqual(after?.spec?.[field], chosen);
      assert.equal(after?.metadata.uid, before?.metadata.uid);
      await change(name, of({}));
      assert.deepEqual((await live(kind.toLowerCase(), name))?.spec?.[field], before?.spec?.[field]);
    });
  }
});
