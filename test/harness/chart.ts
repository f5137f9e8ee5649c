import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { helm } from './helm.ts';
import { temporaryDirectory } from './process.ts';

/** The chart of this checkout. */
export const CHART = join(import.meta.dirname, '../../charts/towpath');

/** An object that a chart renders, as far as tests look at it. */
export interface Rendered {
  apiVersion: string;
  kind: string;
  metadata: {
    name: string;
    namespace?: string;
    labels?: Record<string, string>;
    annotations?: Record<string, string>;
  };
  spec?: Record<string, unknown>;
  data?: Record<string, string>;
  rules?: { resources: string[]; verbs: string[]; apiGroups: string[]; resourceNames?: string[] }[];
}

export interface RenderedPod {
  containers: {
    name: string;
    image: string;
    command?: string[];
    args: string[];
    env?: { name: string; value: string }[];
    ports?: { name: string; containerPort: number }[];
    volumeMounts?: { name: string; mountPath: string; readOnly?: boolean }[];
  }[];
  volumes?: { name: string }[];
  [field: string]: unknown;
}

/** Path of a file with these values. */
export function valuesFile(values: unknown): string {
  const path = join(temporaryDirectory('values'), 'values.yaml');
  writeFileSync(path, typeof values === 'string' ? values : JSON.stringify(values));
  return path;
}

/** What the chart renders: values as an object, or as the text of a file. */
export async function rendered(
  values: unknown = {},
  release = 'towpath',
  chart = CHART,
  namespace = 'towpath-system',
  flags: readonly string[] = [],
): Promise<Rendered[]> {
  const result = await helm(
    'template',
    release,
    chart,
    `--namespace=${namespace}`,
    `--values=${valuesFile(values)}`,
    ...flags,
  );
  assert.equal(result.code, 0, result.stderr);
  // As Helm reads it: more words than those of YAML 1.2 are no texts.
  return parseAllDocuments(result.stdout, { uniqueKeys: true, version: '1.1' }).map((document) => {
    assert.deepEqual(document.errors, []);
    return document.toJS() as Rendered;
  });
}

/** Bytes of a quantity of memory as the chart's values have it, in Mi or Gi. */
export function bytesOf(memory: string): number {
  const [, count, unit] = /^(\d+)(Mi|Gi)$/.exec(memory) ?? [];
  assert.ok(count !== undefined, `${memory} is neither in Mi nor in Gi`);
  return Number(count) * (unit === 'Gi' ? 2 ** 30 : 2 ** 20);
}

/** The only object of a kind. */
export function only(objects: readonly Rendered[], kind: string): Rendered {
  const found = objects.filter((object) => object.kind === kind);
  const [object] = found;
  assert.ok(object !== undefined && found.length === 1, `${found.length} of kind ${kind}`);
  return object;
}

/** The Pods that objects bring: of workloads, and those that stand for themselves. */
export function podsOf(
  objects: readonly Rendered[],
): { labels: Record<string, string>; spec: RenderedPod }[] {
  return objects.flatMap(({ kind, metadata, spec }) => {
    if (kind === 'Pod') return [{ labels: metadata.labels ?? {}, spec: spec as RenderedPod }];
    const template = spec?.['template'] as
      | { metadata: { labels: Record<string, string> }; spec: RenderedPod }
      | undefined;
    return template === undefined ? [] : [{ labels: template.metadata.labels, spec: template.spec }];
  });
}

/** Whether labels are what a selector's matchLabels ask for. */
export function selects(
  matchLabels: Readonly<Record<string, string>>,
  labels: Readonly<Record<string, string>>,
): boolean {
  return Object.entries(matchLabels).every(([name, value]) => labels[name] === value);
}
