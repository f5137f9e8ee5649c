import type { Seeded } from './seeded.ts';

/** A chart with subcharts of all kinds in the directory `web`, and values for it (YAML). */
export interface GeneratedChart {
  files: Record<string, string>;
  values: string;
}

const KEYS = ['alpha', 'beta', 'gamma', 'delta'] as const;
/** As people write them, some of which YAML reads otherwise than they look. */
const SCALARS = [
  ...['1', '0', '-7', '1.0', '1e3', '.5', '0644', '0x1F', '12345678901234567890', '1_000'],
  ...['true', 'false', 'yes', 'null', '~', '""', '"1.10"', 'text', '"with: colon"', "'quoted ''twice'''"],
  ...['2026-01-01', '"{{ .Release.Name }}"', '"{{ .Values.global }}"', '"line\\nbreak"', '1.2.3', 'é'],
] as const;
const TAGS = ['front', 'back'] as const;

/** Values in flow style: text that is YAML, and of which each scalar is written as it stands here. */
function values(random: Seeded, depth: number): string {
  if (depth === 0 || random.chance(0.4)) return random.pick(SCALARS);
  if (random.chance(0.25))
    return `[${Array.from({ length: random.below(3) }, () => values(random, depth - 1)).join(', ')}]`;
  return mapOf(random, depth, []);
}

function mapOf(random: Seeded, depth: number, more: readonly string[]): string {
  const own = random.some(KEYS, 0.6).map((key) => `${key}: ${values(random, depth - 1)}`);
  return `{${[...own, ...more].join(', ')}}`;
}

const EVENTS = ['pre-install', 'post-install', 'pre-upgrade', 'post-upgrade', 'pre-delete'] as const;

function metadata(random: Seeded, name: string): string {
  const annotations: string[] = [];
  if (random.chance(0.3)) {
    // `--skip-tests` leaves out what is a test among other things, which Helm's hooks are not.
    const events = random.chance(0.1) ? ['test'] : random.some(EVENTS, 0.3);
    annotations.push(`helm.sh/hook: "${events.length === 0 ? 'post-install' : events.join(', ')}"`);
    if (random.chance(0.5)) annotations.push(`helm.sh/hook-weight: "${random.below(9) - 4}"`);
    if (random.chance(0.5))
      annotations.push('helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded');
  }
  if (random.chance(0.2)) annotations.push('helm.sh/resource-policy: keep');
  const labels = random.chance(0.5) ? '\n  labels:\n    from: {{ include "shared.name" . | quote }}' : '';
  const noted = annotations.length === 0 ? '' : `\n  annotations: {${annotations.join(', ')}}`;
  // Named after the template, so that a chart which is there twice has no name twice.
  return `metadata:\n  name: ${name}-{{ .Template.Name | sha256sum | trunc 10 }}${labels}${noted}\n`;
}

/** What a template shows of what it sees. */
const SHOWN = [
  '{{ toJson .Values | quote }}',
  '{{ toYaml .Values | quote }}',
  '{{ .Chart | toJson | quote }}',
  '{{ .Release | toJson | quote }}',
  '{{ printf "%s %s" .Template.Name .Template.BasePath | quote }}',
  '{{ keys .Subcharts | sortAlpha | join " " | quote }}',
  '{{ .Capabilities.KubeVersion }} {{ .Capabilities.APIVersions.Has "apps/v1" }}',
  '{{ default "none" .Values.alpha | toString | quote }}',
  '{{ (.Values.global | default dict) | toJson | quote }}',
  '{{ tpl "{{ .Values | toJson }} {{ .Template.Name }}" . | quote }}',
  '{{ include "shared.nested" . | quote }}',
  '{{ .Files.Get "files/a.txt" | quote }}',
  '{{ range $path, $_ := .Files.Glob "files/*" }}{{ $path }} {{ end }}',
  '{{ (lookup "v1" "Secret" "a" "b") | toJson | quote }}',
  '{{ range $k, $v := .Values }}{{ $k }}={{ kindOf $v }} {{ end }}',
  '{{ with .Values.beta }}{{ . | toJson | quote }}{{ else }}"nothing"{{ end }}',
  '{{ (merge (dict "added" 1) (deepCopy .Values)) | toJson | sha256sum }}',
  '{{ .Values.gamma | quote }}',
  '{{ if kindIs "map" .Values.delta }}{{ .Values.delta.alpha | toJson | quote }}{{ end }}',
] as const;

const KINDS = ['ConfigMap', 'Secret', 'Service', 'ServiceAccount', 'Widget'] as const;

function object(random: Seeded, name: string): string {
  const kind = random.pick(KINDS);
  const apiVersion = kind === 'Widget' ? 'example.com/v1' : 'v1';
  const shown = random.some(SHOWN, 0.35).map((text, index) => `  key${index}: ${text}\n`);
  const field = kind === 'Secret' ? 'stringData' : 'data';
  const data = shown.length === 0 ? '' : `${field}:\n${shown.join('')}`;
  return `apiVersion: ${apiVersion}\nkind: ${kind}\n${metadata(random, name)}${data}`;
}

function template(random: Seeded): string {
  const documents = Array.from({ length: 1 + random.below(3) }, (_, index) => object(random, `o${index}`));
  if (random.chance(0.2)) documents.push('# nothing but a comment\n');
  if (random.chance(0.2)) documents.push('{{- if .Values.nowhere }}\nbroken: [\n{{- end }}\n');
  const text = documents.join(random.pick(['---\n', '\n---\n', '---\n---\n', '\n--- # next\n']));
  return random.chance(0.1) ? text.replaceAll('\n', '\r\n') : text;
}

/** The files of one chart, without its subcharts. */
function ownFiles(random: Seeded, chart: string, dependencies: readonly string[]): Record<string, string> {
  const isLibrary = random.chance(0.15) && chart !== 'web' && dependencies.length === 0;
  const list = dependencies.length === 0 ? '' : `dependencies:\n${dependencies.join('')}`;
  const files: Record<string, string> = {
    'Chart.yaml': `apiVersion: v2\nname: ${chart}\nversion: 1.0.${random.below(5)}\n${isLibrary ? 'type: library\n' : ''}${random.chance(0.5) ? 'appVersion: "2.10"\n' : ''}${list}`,
    'values.yaml': `${mapOf(random, 3, [
      ...(random.chance(0.6) ? [`global: ${mapOf(random, 2, [])}`] : []),
      `exports: {shown: ${mapOf(random, 2, [])}, other: ${mapOf(random, 2, [])}}`,
    ])}\n`,
    // Everybody's of the same name: whose counts is Helm's to say.
    'templates/_helpers.tpl': `{{ define "shared.name" }}${chart}-{{ .Chart.Name }}{{ end }}\n{{ define "shared.nested" }}{{ include "shared.name" . }} in ${chart}{{ end }}\n`,
    'templates/a.yaml': template(random),
    'files/a.txt': `of ${chart}\n`,
  };
  if (random.chance(0.4)) files['templates/deeper/b.yaml'] = template(random);
  if (random.chance(0.3)) files['templates/NOTES.txt'] = 'Thanks for {{ .Release.Name }}.\n';
  if (random.chance(0.3))
    files['crds/c.yaml'] =
      `apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: ${chart}.example.com}\n`;
  if (random.chance(0.2)) files['.helmignore'] = 'files/\n';
  return files;
}

/** How a parent names a subchart, and what of that can switch it. */
function dependency(random: Seeded, chart: string, alias: string): string {
  const lines = [`- name: ${chart}`, `  version: "${random.pick(['*', '1.x', '^1.0.0', '>=0.1', '~1.0'])}"`];
  if (alias !== chart) lines.push(`  alias: ${alias}`);
  if (random.chance(0.5))
    lines.push(`  condition: ${random.pick([`${alias}.enabled`, `${alias}.on,global.on`, 'global.on'])}`);
  if (random.chance(0.4)) lines.push(`  tags: [${random.some(TAGS, 0.7).join(', ')}]`);
  if (random.chance(0.5))
    lines.push(
      `  import-values: [${random.pick(['shown', 'shown, other', '{child: exports.shown, parent: imported}', '{child: alpha, parent: beta}'])}]`,
    );
  return `${lines.join('\n')}\n`;
}

/** A chart in `at`, with subcharts down to `depth`; they are named after their place, each by itself. */
function chartIn(random: Seeded, at: string, chart: string, depth: number): Record<string, string> {
  const files: Record<string, string> = {};
  const dependencies: string[] = [];
  for (let index = 0; depth > 0 && index < random.below(4); index += 1) {
    const name = `${chart}s${index}`;
    Object.assign(files, chartIn(random, `${at}/charts/${name}`, name, depth - 1));
    // What is in charts/ and nowhere named is always there.
    if (random.chance(0.15)) continue;
    dependencies.push(dependency(random, name, random.chance(0.25) ? `${name}x` : name));
    // A definition that is there twice is applied once, and printed twice.
    const hasDefinitions = Object.keys(files).some(
      (path) => path.startsWith(`${at}/charts/${name}/`) && path.includes('/crds/'),
    );
    if (random.chance(0.1) && !hasDefinitions) dependencies.push(dependency(random, name, `${name}y`));
  }
  for (const [name, text] of Object.entries(ownFiles(random, chart, dependencies)))
    files[`${at}/${name}`] = text;
  return files;
}

export function generatedChart(random: Seeded): GeneratedChart {
  const files = chartIn(random, 'web', 'web', 2);
  const names = ['webs0', 'webs1', 'webs2', 'webs0x', 'webs1x', 'webs0y'];
  const more = random.some(names, 0.5).map((name) => {
    const flag = random.chance(0.5) ? [`enabled: ${random.pick(['true', 'false', '"no"', 'null'])}`] : [];
    return `${name}: ${random.chance(0.03) ? 'null' : mapOf(random, 2, flag)}`;
  });
  if (random.chance(0.4))
    more.push(
      `tags: {${random
        .some(TAGS)
        .map((tag) => `${tag}: ${random.chance(0.5)}`)
        .join(', ')}}`,
    );
  if (random.chance(0.5)) more.push(`global: ${mapOf(random, 2, [`on: ${random.chance(0.5)}`])}`);
  return { files, values: `${mapOf(random, 3, more)}\n` };
}
