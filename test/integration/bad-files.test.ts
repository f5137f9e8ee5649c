import assert from 'node:assert/strict';
import { test } from 'node:test';
import { archiveOf } from '../harness/archive.ts';
import type { FileContent } from '../harness/git-repository.ts';
import { newStage } from '../harness/operator.ts';
import { type BadInput, filesOf, judgeAll } from './bad-input.ts';
import { toldOf } from './steps.ts';

const chart = 'apiVersion: v2\nname: web\nversion: 1.0.0\n';
const configMap = (name: string, data = '{a: b}') =>
  `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ${name}}\ndata: ${data}\n`;
const pointer = `version https://git-lfs.github.com/spec/v1\noid sha256:${'4d7a'.repeat(16)}\nsize 12345\n`;
const quarantined = { sync: 'Quarantined', condition: 'Stalled' } as const;

const sub = chart.replace('web', 'sub');

/** Where a render reads a Git LFS pointer: what, its file below the case's folder, and the rest. */
const POINTERS: [what: string, file: string, files: Record<string, FileContent>][] = [
  [
    'a generator',
    'data.bin',
    { 'kustomization.yaml': 'configMapGenerator: [{name: big, files: [data.bin]}]\n' },
  ],
  [
    'a generator of variables',
    'a.env',
    { 'kustomization.yaml': 'secretGenerator: [{name: s, envs: [a.env]}]\n' },
  ],
  ["a kustomization's resource", 'cm.yaml', { 'kustomization.yaml': 'resources: [cm.yaml]\n' }],
  [
    "a kustomization's patch",
    'patch.yaml',
    {
      'kustomization.yaml': 'resources: [cm.yaml]\npatches: [{path: patch.yaml}]\n',
      'cm.yaml': configMap('p'),
    },
  ],
  ['a plain manifest', 'cm.yaml', { 'ok.yaml': configMap('ok') }],
  ['a packed subchart', 'charts/redis-1.0.0.tgz', { 'Chart.yaml': chart }],
  ['a template', 'templates/a.yaml', { 'Chart.yaml': chart }],
  ['a definition', 'crds/a.yaml', { 'Chart.yaml': chart }],
  ["a chart's values", 'values.yaml', { 'Chart.yaml': chart }],
  ["a chart's schema", 'values.schema.json', { 'Chart.yaml': chart }],
  ["a chart's name", 'Chart.yaml', { 'templates/a.yaml': configMap('x') }],
  [
    "a subchart's template",
    'charts/sub/templates/a.yaml',
    { 'Chart.yaml': chart, 'charts/sub/Chart.yaml': sub },
  ],
  [
    'a file that a template puts into a ConfigMap',
    'files/a.txt',
    {
      'Chart.yaml': chart,
      'templates/a.yaml': configMap('f', '\n  a: {{ .Files.Get "files/a.txt" | quote }}'),
    },
  ],
  [
    'files that a template puts into a Secret',
    'files/a.bin',
    {
      'Chart.yaml': chart,
      'templates/a.yaml':
        'apiVersion: v1\nkind: Secret\nmetadata: {name: s}\ndata:\n{{ (.Files.Glob "files/*").AsSecrets | indent 2 }}\n',
    },
  ],
  [
    "a subchart's file by its checksum",
    'charts/sub/a.txt',
    {
      'Chart.yaml': chart,
      'charts/sub/Chart.yaml': sub,
      'charts/sub/templates/a.yaml': configMap('f', '\n  sum: {{ .Files.Get "a.txt" | sha256sum }}'),
    },
  ],
];

const CASES: BadInput[] = [
  ...POINTERS.map(
    ([what, file, files], index): BadInput => ({
      what: `a Git LFS pointer as ${what}`,
      files: { ...files, [file]: pointer },
      ...quarantined,
      reason: file === 'values.yaml' ? 'ValuesFileIsLFSPointer' : 'LFSPointer',
      message: [`case-${index}/${file} is a Git LFS pointer`, 'Commit the file itself, without Git LFS.'],
      errors: [{ file: `case-${index}/${file}`, message: 'Git LFS' }],
    }),
  ),
  {
    what: 'a Git LFS pointer in a packed subchart',
    files: {
      'Chart.yaml': chart,
      'charts/sub-1.0.0.tgz': archiveOf({ 'sub/Chart.yaml': sub, 'sub/templates/a.yaml': pointer }),
    },
    ...quarantined,
    reason: 'LFSPointer',
    message: ['charts/sub/templates/a.yaml is a Git LFS pointer'],
  },
  {
    what: 'a chart with a submodule as subchart',
    files: { 'Chart.yaml': chart, 'charts/lib': { submodule: 'a'.repeat(40) } },
    ...quarantined,
    reason: 'SubmoduleNotSupported',
    message: ['charts/lib" is a submodule', 'Put its files into this repository'],
  },
  {
    what: 'a kustomization with a base in a submodule',
    files: { 'kustomization.yaml': 'resources: [base]\n', base: { submodule: 'a'.repeat(40) } },
    ...quarantined,
    reason: 'SubmoduleNotSupported',
    message: ['base" is a submodule'],
  },
  {
    what: 'a folder of manifests with a submodule',
    files: { 'a.yaml': configMap('a'), more: { submodule: 'a'.repeat(40) } },
    ...quarantined,
    reason: 'SubmoduleNotSupported',
    message: ['more" is a submodule'],
  },
  {
    what: "a mapping key twice in a kustomization's resource",
    files: {
      'kustomization.yaml': 'resources: [ok.yaml, base]\n',
      'ok.yaml': configMap('ok'),
      'base/kustomization.yaml': 'resources: [cm.yaml]\n',
      'base/cm.yaml': `${configMap('first')}---\n${configMap('dup', '\n  a: first\n  b: x\n  a: second')}`,
    },
    ...quarantined,
    reason: 'ManifestInvalid',
    message: [
      /case-\d+\/base\/cm\.yaml, document 2: line 12: the key "a" stands in line 10 already\. Correct it in Git\.$/,
    ],
    errors: [{ line: 12, message: /^[^\n]*$/ }],
  },
  ...(
    [
      ['images: [{name: a, newTag: 1.10}]', 'images.newTag is a number, and must be a text: quote it'],
      ['images: [{name: a, newTag: true}]', 'images.newTag is a boolean, and must be a text: quote it'],
      ['commonLabels: {release: 12}', 'commonLabels is a number, and must be a text: quote it'],
      [
        'configMapGenerator: [{name: a, literals: [1]}]',
        'configMapGenerator.literals is a number, and must be a text',
      ],
      ['replicas: [{name: a, count: "3"}]', 'replicas.count is a text, and must be a number, without quotes'],
      ['configMapGenerator: {name: a}', 'configMapGenerator is a map, and must be a list'],
      ['components: more', 'components is a text, and must be a list'],
    ] as const
  ).map(
    ([line, message]): BadInput => ({
      what: `a kustomization with "${line}"`,
      files: { 'kustomization.yaml': `resources: [cm.yaml]\n${line}\n`, 'cm.yaml': configMap('a') },
      ...quarantined,
      reason: 'KustomizationInvalid',
      message: [message],
    }),
  ),
  {
    what: "a Chart.yaml with a text in a list's place",
    files: { 'Chart.yaml': `${chart}keywords: web\n` },
    ...quarantined,
    reason: 'ChartInvalid',
    message: ['keywords is a text, and must be a list'],
  },
  {
    what: "a chart's template as a plain manifest",
    files: { 'a.yaml': configMap('{{ .Release.Name }}') },
    ...quarantined,
    reason: 'ManifestInvalid',
    message: ['what {{ … }} says is filled in only in the templates of a chart'],
  },
];

/** A repository of charts and kustomizations, below a folder. */
const apps = {
  'apps/chart/Chart.yaml': chart,
  'apps/chart/values.yaml': 'a: 1\n',
  'apps/chart/templates/cm.yaml': configMap('{{ .Release.Name }}'),
  'apps/chart/charts/sub/Chart.yaml': sub,
  'apps/kust/kustomization.yaml':
    'apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nmetadata: {name: k}\nresources: [cm.yaml]\n',
  'apps/kust/cm.yaml': configMap('k'),
  'old/Kustomization': 'resources: [cm.yaml]\n',
  'old/cm.yaml': configMap('old'),
};

test('files that are not what they should be are told with their names', async (t) => {
  const stage = await newStage(t, { files: filesOf(CASES) });
  await judgeAll(t, stage, CASES);
});

test('the parent of charts and kustomizations is told with what is below it, and to set spec.source.path', async (t) => {
  const stage = await newStage(t, { files: apps });
  const below = 'apps/chart (chart), apps/kust (kustomization)';
  const next = 'Set spec.source.path to one of them, and make an Application for each.';
  const folder = (shown: string, list: string): string =>
    `There is no Chart.yaml and no kustomization.yaml in ${shown}, but below it are: ${list}. ${next}`;
  for (const [name, path, message] of [
    ['root', '.', folder("the repository's root", `${below}, old (kustomization)`)],
    ['parent', 'apps', folder('apps', below)],
    [
      'file',
      'apps/kust/kustomization.yaml',
      'apps/kust/kustomization.yaml is the file of a kustomization. Set spec.source.path to its folder: apps/kust.',
    ],
  ] as const) {
    await stage.application(name, { source: { path } });
    const told = await stage.until(name, ({ status }) => status?.sync === 'Quarantined', 'Quarantined');
    const ready = told.status?.conditions?.find(({ type }) => type === 'Ready');
    assert.deepEqual([ready?.reason, ready?.message], ['PathIsParent', message]);
  }
  await stage.deployed('kust', { source: { path: 'apps/kust' } });
});

test('what Helm and kubectl read otherwise than it is most likely meant is told as a RenderWarning', async (t) => {
  const twice = configMap('NAME', '\n  a: first\n  a: second');
  const stage = await newStage(t, {
    files: {
      'plain/cm.yaml': `---\n${twice.replace('NAME', 'plain')}`,
      'chart/Chart.yaml': chart,
      'chart/templates/cm.yaml': twice.replace('NAME', '{{ .Release.Name }}'),
      'values/Chart.yaml': chart.replace('1.0.0', '1.10'),
      'values/values.yaml': 'image:\n  tag: 1.20\n  port: 80\nimage:\n  tag: 1.20\n',
      'values/prod.yaml': 'release:\n  version: 1e3\n  version: "2"\n',
      'values/templates/cm.yaml': configMap('values', '\n  tag: {{ .Values.image.tag | quote }}'),
      // A pointer that nothing reads is nobody's business.
      'values/logo.png': pointer,
      'values/files/a.txt': pointer,
    },
  });
  for (const name of ['plain', 'chart']) {
    await stage.deployed(name, { source: { path: name } });
    const [told = ''] = await toldOf(stage, name, 'RenderWarning');
    assert.match(
      told,
      /cm\.yaml, document 1, line [67]: the key "a" stands in line [56] already; the last one counts/,
    );
    assert.equal(await stage.kubectl('get', 'configmap', name, '-o', 'jsonpath={.data.a}'), 'second');
  }
  await stage.deployed('values', { source: { path: 'values' }, helm: { valuesFiles: ['prod.yaml'] } });
  const told = (await toldOf(stage, 'values', 'RenderWarning', 5)).join('\n');
  for (const part of [
    'values/Chart.yaml, line 3: version: 1.10 is a number, and is read as 1.1: quote it, as "1.10"',
    'values/values.yaml, line 2: tag: 1.20 is a number, and is read as 1.2: quote it',
    'values/values.yaml, line 4: the key "image" stands in line 1 already; the last one counts',
    'values/prod.yaml, line 2: version: 1e3 is a number, and is read as 1000: quote it',
    'values/prod.yaml, line 3: the key "version" stands in line 2 already; the last one counts',
  ])
    assert.ok(told.includes(part), `${part} is not in: ${told}`);
});
