/**
 * The corpus' charts packaged and published by the real helm, in a Helm repository and in a registry: what
 * spec.helm.chart renders of them is what their folders render, and what `helm template` gets from the same servers.
 *
 * A dependency that a chart's folder brings is packaged with it. One that another chart of the corpus is, is had from
 * the Helm repository, where Chart.yaml says the publisher's own; the rest, of which the corpus has nothing, are left out.
 */
import assert from 'node:assert/strict';
import { cpSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { parseDocument } from 'yaml';
import { TowpathError } from '../../operator/api/errors.ts';
import { type Manifest, objectKey } from '../../operator/manifest/manifest.ts';
import {
  MissingCharts,
  NoFiles,
  type Rendered,
  type RenderRequest,
  TreeWithCharts,
} from '../../operator/render/renderer.ts';
import { ChartRepositories } from '../../operator/source/charts/chart-repositories.ts';
import { Authorities } from '../../operator/source/transport/authorities.ts';
import {
  appliedSets,
  type CorpusChart,
  corpusCharts,
  skipWithoutCorpus,
  type ValueSet,
} from '../corpus/corpus.ts';
import { type ChartRepository, startChartRepository, updated } from '../harness/chart-repository.ts';
import { DirectoryTree } from '../harness/directory-tree.ts';
import { helm } from '../harness/helm.ts';
import { type OciRegistry, startOciRegistry } from '../harness/oci-registry.ts';
import { temporaryDirectory } from '../harness/process.ts';
import { failure, ofHelm, request, TestRenderer } from '../harness/render.ts';

const never = new AbortController().signal;
const engine = new TestRenderer();

const cluster = {
  scopes: {
    ...{ '/Namespace': false, 'apiextensions.k8s.io/CustomResourceDefinition': false },
    'rbac.authorization.k8s.io/ClusterRole': false,
    'rbac.authorization.k8s.io/ClusterRoleBinding': false,
    'apiregistration.k8s.io/APIService': false,
    'admissionregistration.k8s.io/ValidatingWebhookConfiguration': false,
  },
  capabilities: {
    kubeVersion: 'v1.37.2',
    apiVersions: [
      ...['v1', 'apps/v1', 'batch/v1', 'autoscaling/v2', 'policy/v1', 'networking.k8s.io/v1'],
      ...['rbac.authorization.k8s.io/v1', 'apiextensions.k8s.io/v1', 'admissionregistration.k8s.io/v1'],
      ...['apiregistration.k8s.io/v1', 'storage.k8s.io/v1', 'coordination.k8s.io/v1'],
      ...['monitoring.coreos.com/v1', 'monitoring.coreos.com/v1/ServiceMonitor'],
    ],
  },
} satisfies Partial<RenderRequest>;

/** A chart of the corpus as it is published. */
interface PublishedChart extends CorpusChart {
  version: string;
  /** The dependencies that are had from the repository. */
  fetched: readonly string[];
}

async function succeeded(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await helm(...args);
  assert.equal(code, 0, `helm ${args[0]}: ${stderr}`);
  return stdout;
}

/** Copies a chart to where it is packaged, with those of its dependencies that there are. */
function copied(chart: CorpusChart, root: string, repository: string): PublishedChart {
  const directory = join(root, chart.name);
  cpSync(chart.directory, directory, { recursive: true });
  const document = parseDocument(readFileSync(join(directory, 'Chart.yaml'), 'utf8'));
  const { version, dependencies = [] }: { version: string; dependencies?: { name: string }[] } =
    document.toJS();
  const charts = join(directory, 'charts');
  const vendored = existsSync(charts) ? readdirSync(charts) : [];
  const published = corpusCharts().map(({ name }) => name);
  const fetched = dependencies.map(({ name }) => name).filter((name) => published.includes(name));
  const kept = dependencies.flatMap((each) => {
    if (vendored.includes(each.name)) return [each];
    return fetched.includes(each.name) ? [{ ...each, repository }] : [];
  });
  if (dependencies.length > 0) {
    document.set('dependencies', kept);
    for (const name of ['Chart.yaml', 'Chart.lock']) rmSync(join(directory, name), { force: true });
    writeFileSync(join(directory, 'Chart.yaml'), document.toString());
  }
  return { ...chart, directory, version, fetched };
}

function asked(values: ValueSet, more: Partial<RenderRequest> = {}, path = '.'): RenderRequest {
  return request(path, {
    ...cluster,
    ...ofHelm({ valuesFrom: [{ name: 'the value set', text: values.text }] }),
    ...more,
  });
}

function compare(ours: Rendered, theirs: Rendered): void {
  const byKey = (all: readonly Manifest[]) => new Map(all.map((each) => [objectKey(each), each.text]));
  const [own, other] = [ours, theirs].map(({ objects, hooks }) => byKey([...objects, ...hooks]));
  assert.ok(own !== undefined && other !== undefined);
  assert.deepEqual([...own.keys()].sort(), [...other.keys()].sort());
  for (const [key, text] of own)
    assert.deepEqual(JSON.parse(text), JSON.parse(other.get(key) ?? 'null'), key);
}

describe('published, each chart of the corpus with each of its value sets renders as from its folder', {
  skip: skipWithoutCorpus,
}, () => {
  const root = temporaryDirectory('corpus-published');
  const published = new Map<string, PublishedChart>();
  let registry: OciRegistry;
  let repository: ChartRepository;
  let charts: ChartRepositories;

  before(async () => {
    registry = await startOciRegistry();
    repository = await startChartRepository(registry.tls);
    // As --ca-file does, for this process.
    new Authorities({ path: registry.caFile, onChange: () => undefined, onFault: assert.fail });
    charts = new ChartRepositories({
      allowLoopback: true,
      locate: (chart, index, signal) => engine.renderer.findInIndex(chart, index, signal),
    });
    const all = corpusCharts().map((chart) => copied(chart, root, repository.url));
    // What others depend on is published first.
    for (const chart of all.filter(({ fetched }) => fetched.length === 0)) await publish(chart);
    await succeeded('repo', 'index', repository.directory);
    for (const chart of all.filter(({ fetched }) => fetched.length > 0)) {
      await updated(repository, chart.directory);
      await publish(chart);
    }
    await succeeded('repo', 'index', repository.directory);
  });
  after(async () => {
    await charts?.stop();
    await repository?.stop();
    await registry?.stop();
  });

  async function publish(chart: PublishedChart): Promise<void> {
    await succeeded('package', chart.directory, '--destination', repository.directory);
    const archive = join(repository.directory, `${chart.name}-${chart.version}.tgz`);
    const { username, password } = registry.credential;
    const as = ['--username', username, '--password', password];
    await succeeded('push', archive, registry.url, '--ca-file', registry.caFile, ...as);
    published.set(chart.name, chart);
  }

  function publishedAs(name: string): PublishedChart {
    return published.get(name) ?? assert.fail(`${name} is not published`);
  }

  async function ours({ name, version }: PublishedChart, values: ValueSet, url: string): Promise<Rendered> {
    const chart = await charts.fetch({ name, version, repository: url }, never);
    return engine.renderer.render(new NoFiles(version), asked(values, { chart }));
  }

  function ofFolder({ name }: PublishedChart, values: ValueSet): Promise<Rendered> {
    return engine.renderer.render(new DirectoryTree(root), asked(values, {}, name));
  }

  /** What the helm command renders of a chart that it fetches itself. @param from where from, as its arguments */
  async function template(from: readonly string[], { version }: PublishedChart, values: ValueSet) {
    const file = join(temporaryDirectory('corpus-values'), 'values.yaml');
    writeFileSync(file, values.text);
    const { kubeVersion, apiVersions } = cluster.capabilities;
    const stdout = await succeeded(
      ...['template', 'web', ...from, '--version', version, '--ca-file', registry.caFile],
      ...['--namespace', 'shop', '-f', file, '--include-crds', '--skip-tests'],
      ...['--kube-version', kubeVersion, '--api-versions', apiVersions.join(',')],
    );
    return engine.render({ 'all.yaml': stdout }, cluster, 'all.yaml');
  }

  for (const chart of skipWithoutCorpus ? [] : corpusCharts()) {
    test(chart.name, async () => {
      const own = publishedAs(chart.name);
      let rendered = 0;
      for (const values of chart.sets) {
        const [mine, theirs] = await Promise.allSettled([
          ours(own, values, repository.url),
          ofFolder(own, values),
        ]);
        if (theirs.status === 'rejected') {
          // What its folder is refused for, it is refused for.
          assert.ok(theirs.reason instanceof TowpathError, String(theirs.reason));
          assert.equal(mine.status, 'rejected', values.name);
          assert.equal((mine.reason as TowpathError).reason, theirs.reason.reason, values.name);
          continue;
        }
        assert.equal(mine.status, 'fulfilled', mine.status === 'rejected' ? String(mine.reason) : '');
        compare(mine.value, theirs.value);
        if (theirs.value.objects.length > 0) rendered++;
      }
      assert.ok(rendered >= 3, `only ${rendered} of its ${chart.sets.length} value sets render`);
    });

    test(`${chart.name}: and as helm template --repo and helm template oci:// render it`, async () => {
      const own = publishedAs(chart.name);
      const [defaults] = chart.sets;
      const applied = chart.sets.find(({ name }) => name === appliedSets[chart.name]);
      assert.ok(defaults !== undefined && applied !== undefined);
      const ofRepository = await template([own.name, '--repo', repository.url], own, defaults);
      compare(await ours(own, defaults, repository.url), ofRepository);
      const ofRegistry = await template([`${registry.url}/${own.name}`], own, applied);
      compare(await ours(own, applied, registry.url), ofRegistry);
    });
  }

  test('one that depends on others of the corpus renders the same from a folder that has them in Chart.lock alone', async () => {
    const dependent = [...published.values()].filter(({ fetched }) => fetched.length > 0);
    assert.ok(dependent.length > 0);
    for (const own of dependent) {
      const elsewhere = temporaryDirectory('corpus-locked');
      cpSync(own.directory, join(elsewhere, own.name), { recursive: true });
      rmSync(join(elsewhere, own.name, 'charts'), { recursive: true });
      const tree = new DirectoryTree(elsewhere);
      const [defaults] = own.sets;
      assert.ok(defaults !== undefined);
      const wanted = asked(defaults, {}, own.name);
      const error = await failure(engine.renderer.render(tree, wanted), 'DependencyMissing');
      assert.ok(error instanceof MissingCharts, error.message);
      assert.deepEqual(error.charts.map(({ name }) => name).sort(), [...own.fetched].sort());
      const archives = await Promise.all(error.charts.map((each) => charts.fetch(each, never)));
      const rendered = await engine.renderer.render(new TreeWithCharts(tree, own.name, archives), wanted);
      compare(await ours(own, defaults, repository.url), rendered);
    }
  });
});
