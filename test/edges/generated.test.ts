/**
 * Charts and kustomizations that nobody wrote, made of what these formats allow, from fixed seeds: our objects are
 * those of the `helm` and `kubectl kustomize` commands, or both refuse. TOWPATH_SEEDS: how many of each, default 40.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { buildHelm } from '../../hack/build-helm.ts';
import { clusterBinary } from '../../hack/programs.ts';
import { TowpathError } from '../../operator/api/errors.ts';
import { type Manifest, objectKey } from '../../operator/manifest/manifest.ts';
import type { Rendered, RenderRequest } from '../../operator/render/renderer.ts';
import { generatedChart } from '../corpus/generated-charts.ts';
import { generatedKustomization } from '../corpus/generated-kustomizations.ts';
import { Seeded } from '../corpus/seeded.ts';
import { ofHelm, TestRenderer } from '../harness/render.ts';

const run = promisify(execFile);
const engine = new TestRenderer();
const scratch = mkdtempSync(join(tmpdir(), 'towpath-generated-'));
after(() => rmSync(scratch, { recursive: true, force: true }));

const SEEDS = Array.from({ length: Number(process.env['TOWPATH_SEEDS'] ?? 40) }, (_, index) => index + 1);
const scopes = Object.fromEntries(
  [
    ...['/ConfigMap', '/Secret', '/Service', '/ServiceAccount', 'example.com/Widget', 'apps/Deployment'],
    'rbac.authorization.k8s.io/RoleBinding',
  ].map((kind) => [kind, true] as const),
);
const cluster = {
  scopes: { ...scopes, 'apiextensions.k8s.io/CustomResourceDefinition': false },
  capabilities: { kubeVersion: 'v1.37.2', apiVersions: ['v1', 'apps/v1'] },
} satisfies Partial<RenderRequest>;

/** The files in a directory of their own; returns it. */
function written(name: string, files: Readonly<Record<string, string>>): string {
  const directory = join(scratch, name);
  for (const [path, text] of Object.entries(files)) {
    const file = join(directory, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
  }
  return directory;
}

async function output(program: string, args: readonly string[]): Promise<string> {
  const { stdout } = await run(program, args, { env: { HOME: scratch }, maxBuffer: 64 * 2 ** 20 });
  return stdout;
}

/** Compares a render with what a command prints, read by the rules that manifests in Git are read by. */
async function compare(ours: Promise<Rendered>, theirs: Promise<string>): Promise<'same' | 'both refuse'> {
  const [mine, expected] = await Promise.allSettled([ours, theirs]);
  if (expected.status === 'rejected') {
    assert.equal(mine.status, 'rejected', `only the command refuses: ${expected.reason}`);
    assert.ok(mine.reason instanceof TowpathError, String(mine.reason));
    return 'both refuse';
  }
  const read = await engine
    .render({ 'all.yaml': expected.value }, cluster, 'all.yaml')
    .catch((error: unknown) => error);
  // What no cluster takes (an object twice) is refused of either.
  if (read instanceof TowpathError) {
    assert.equal(mine.status, 'rejected', read.message);
    return 'both refuse';
  }
  assert.equal(mine.status, 'fulfilled', mine.status === 'rejected' ? String(mine.reason) : '');
  const byKey = (all: readonly Manifest[]) => new Map(all.map((each) => [objectKey(each), each.text]));
  const { objects, hooks } = mine.value;
  const [own, other] = [byKey([...objects, ...hooks]), byKey((read as Rendered).objects)];
  assert.deepEqual([...own.keys()].sort(), [...other.keys()].sort());
  for (const [key, text] of own)
    assert.deepEqual(JSON.parse(text), JSON.parse(other.get(key) ?? 'null'), key);
  return 'same';
}

describe('generated charts render as helm template does', () => {
  const ends: string[] = [];
  for (const seed of SEEDS)
    test(`seed ${seed}`, async () => {
      const { files, values } = generatedChart(new Seeded(seed));
      const directory = written(`chart-${seed}`, { ...files, 'values.yaml': values });
      const { kubeVersion, apiVersions } = cluster.capabilities;
      const theirs = output(await buildHelm(), [
        ...[
          'template',
          'web',
          join(directory, 'web'),
          '--namespace',
          'shop',
          '--include-crds',
          '--skip-tests',
        ],
        ...['-f', join(directory, 'values.yaml'), '--kube-version', kubeVersion],
        ...['--api-versions', apiVersions.join(',')],
      ]);
      const helm = ofHelm({ valuesFrom: [{ name: 'the values', text: values }] });
      ends.push(await compare(engine.render(files, { ...cluster, ...helm }), theirs));
    });
  test('most of them render', () => {
    const count = ends.filter((end) => end === 'same').length;
    assert.ok(count > SEEDS.length / 2, `${count} of ${SEEDS.length}`);
  });
});

describe('generated kustomizations build as kubectl kustomize does', () => {
  const ends: string[] = [];
  for (const seed of SEEDS)
    test(`seed ${seed}`, async () => {
      const files = generatedKustomization(new Seeded(1_000 + seed));
      const directory = written(`kustomization-${seed}`, files);
      const theirs = output(await clusterBinary(), ['kubectl', 'kustomize', join(directory, 'web')]);
      ends.push(await compare(engine.render(files, cluster), theirs));
    });
  test('most of them build', () => {
    const count = ends.filter((end) => end === 'same').length;
    assert.ok(count > SEEDS.length / 2, `${count} of ${SEEDS.length}`);
  });
});
