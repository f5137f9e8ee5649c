import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { parseDocument } from 'yaml';
import { buildEngine } from '../../hack/build-engine.ts';
import { buildHelm } from '../../hack/build-helm.ts';
import { TowpathError } from '../../operator/api/errors.ts';
import { KubeClient } from '../../operator/kube/client.ts';
import { Discovery } from '../../operator/kube/discovery.ts';
import { type Manifest, objectKey } from '../../operator/manifest/manifest.ts';
import { Renderer, type RenderRequest } from '../../operator/render/renderer.ts';
import { DirectoryTree } from '../harness/directory-tree.ts';
import { MemoryTree } from '../harness/memory-tree.ts';
import { ofHelm } from '../harness/render.ts';
import { useControlPlane } from '../harness/use-control-plane.ts';
import { type CorpusChart, corpusCharts, skipWithoutCorpus, withoutDependencies } from './corpus.ts';

const run = promisify(execFile);

/** An extension that charts ask for and that the cluster of the tests lacks. */
const extension = ['monitoring.coreos.com/v1', 'monitoring.coreos.com/v1/ServiceMonitor'];
const namespace = 'corpus';
const releaseName = 'sample';

/** What the operator finds out about the real cluster. */
async function discover(): Promise<Pick<RenderRequest, 'capabilities' | 'scopes'>> {
  const { kubeconfigPath } = await useControlPlane();
  const client = KubeClient.fromKubeConfig(readFileSync(kubeconfigPath, 'utf8'));
  try {
    const discovery = new Discovery(client);
    await discovery.refresh();
    const apiVersions = [...new Set([...discovery.apiVersions(), ...extension])];
    return {
      capabilities: { kubeVersion: discovery.kubeVersion(), apiVersions },
      scopes: discovery.scopes(),
    };
  } finally {
    await client.close();
  }
}

function request(
  cluster: Pick<RenderRequest, 'capabilities' | 'scopes'>,
  path: string,
  values?: string,
): RenderRequest {
  return {
    path,
    namespace,
    releaseName,
    ...cluster,
    labels: { 'towpath.dev/target': 'corpus' },
    owner: 'corpus/sample/default',
    ...(values === undefined ? {} : ofHelm({ valuesFrom: [{ name: 'the value set', text: values }] })),
  };
}

describe('our objects equal those of helm template', { skip: skipWithoutCorpus }, () => {
  let renderer: Renderer;
  let helm: string;
  let cluster: Awaited<ReturnType<typeof discover>>;
  /** How many value sets of a chart helm rendered. */
  const accepted = new Map<string, number>();
  const scratch = mkdtempSync(join(tmpdir(), 'towpath-corpus-'));

  before(async () => {
    renderer = new Renderer({ enginePath: await buildEngine(), cacheBytes: 128 * 2 ** 20 });
    helm = await buildHelm();
    cluster = await discover();
    assert.match(cluster.capabilities.kubeVersion, /^v1\.\d+\.\d+/);
    assert.ok(cluster.capabilities.apiVersions.includes('apps/v1/Deployment'));
  });
  after(async () => {
    await renderer?.stop();
    rmSync(scratch, { recursive: true, force: true });
  });

  /** Helm's own output, read by the rules that manifests in Git are read by. */
  async function helmTemplate(chart: CorpusChart, values: string): Promise<Manifest[]> {
    const file = join(scratch, `${chart.name}-values.yaml`);
    writeFileSync(file, values);
    const flags = ['--include-crds', '--skip-tests', '--kube-version', cluster.capabilities.kubeVersion];
    const { stdout } = await run(
      helm,
      [
        ...['template', releaseName, vendoredOnly(chart, scratch), '--namespace', namespace, '-f', file],
        ...[...flags, '--api-versions', cluster.capabilities.apiVersions.join(',')],
      ],
      { env: { HOME: scratch }, maxBuffer: 64 * 2 ** 20 },
    );
    return (await renderer.render(new MemoryTree({ 'all.yaml': stdout }), request(cluster, 'all.yaml')))
      .objects;
  }

  for (const chart of skipWithoutCorpus ? [] : corpusCharts()) {
    for (const set of chart.sets) {
      test(`${chart.name}, ${set.name}`, async () => {
        const values = overridden(set.text, withoutDependencies[chart.name] ?? '');
        const expected = await helmTemplate(chart, values).catch((error: unknown) => error);
        const ours = renderer.render(new DirectoryTree(chart.directory), request(cluster, '', values));
        if (!Array.isArray(expected)) {
          await assert.rejects(ours, TowpathError, `helm refuses this: ${String(expected)}`);
          return;
        }
        const { objects, hooks } = await ours;
        compare([...objects, ...hooks], expected as Manifest[]);
        accepted.set(chart.name, (accepted.get(chart.name) ?? 0) + 1);
      });
    }
    test(`${chart.name}: helm renders its defaults and two other value sets`, () => {
      assert.ok((accepted.get(chart.name) ?? 0) >= 3, `only ${accepted.get(chart.name)} were compared`);
    });
  }

  test('a dependency that is neither vendored nor switched off is named', async () => {
    const tree = new DirectoryTree(join(corpusCharts()[0]?.directory ?? '', '../prometheus'));
    await assert.rejects(renderer.render(tree, request(cluster, '')), (error: TowpathError) => {
      assert.equal(error.reason, 'DependencyMissing');
      assert.match(error.message, /alertmanager/);
      return true;
    });
  });
});

function compare(ours: readonly Manifest[], expected: readonly Manifest[]): void {
  const byKey = (list: readonly Manifest[]) => new Map(list.map((each) => [objectKey(each), each.text]));
  const [mine, theirs] = [byKey(ours), byKey(expected)];
  assert.deepEqual([...mine.keys()].sort(), [...theirs.keys()].sort());
  for (const [key, text] of mine)
    assert.deepEqual(JSON.parse(text), JSON.parse(theirs.get(key) ?? 'null'), key);
}

/** The values with those that switch dependencies off on top. */
function overridden(text: string, over: string): string {
  if (over === '') return text;
  const document = parseDocument(text);
  const switches: Record<string, unknown> = parseDocument(over).toJS();
  for (const [name, value] of Object.entries(switches)) document.set(name, value);
  return document.toString();
}

/** The chart's directory, or a copy without the dependencies that are not in charts/: helm refuses those. */
function vendoredOnly(chart: CorpusChart, scratch: string): string {
  const document = parseDocument(readFileSync(join(chart.directory, 'Chart.yaml'), 'utf8'));
  const { dependencies = [] }: { dependencies?: { name: string }[] } = document.toJS();
  const charts = join(chart.directory, 'charts');
  const vendored = existsSync(charts) ? readdirSync(charts) : [];
  const present = dependencies.filter((each) => vendored.includes(each.name));
  if (present.length === dependencies.length) return chart.directory;
  const copy = join(scratch, chart.name);
  if (!existsSync(copy)) {
    cpSync(chart.directory, copy, { recursive: true });
    document.set('dependencies', present);
    rmSync(join(copy, 'Chart.yaml'), { force: true });
    writeFileSync(join(copy, 'Chart.yaml'), document.toString());
    rmSync(join(copy, 'Chart.lock'), { force: true });
  }
  return copy;
}
