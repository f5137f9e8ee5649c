import { test } from 'node:test';
import { newStage } from '../harness/operator.ts';
import { type BadInput, filesOf, judgeAll, nameOf } from './bad-input.ts';

const chart = { 'Chart.yaml': 'apiVersion: v2\nname: web\nversion: 1.0.0\n' };
const configMap = (name: string) => `apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: ${name}\n`;
const quarantined = { sync: 'Quarantined', condition: 'Stalled' } as const;

const CASES: BadInput[] = [
  {
    what: 'a chart without Chart.yaml, helm asked for',
    files: { 'templates/web.yaml': configMap('web'), 'values.yaml': 'a: 1\n' },
    spec: { helm: { values: { a: 2 } } },
    ...quarantined,
    reason: 'ChartInvalid',
    message: ['Chart.yaml', 'case-0'],
  },
  {
    what: 'a Chart.yaml that is no YAML',
    files: { 'Chart.yaml': 'apiVersion: v2\nname: [web\nversion: 1.0.0\n' },
    ...quarantined,
    reason: 'ChartInvalid',
    message: ['case-1', 'Chart.yaml: line 2: did not find', 'Correct it there.'],
    errors: [{ file: 'case-1/Chart.yaml', line: 2, message: 'did not find' }],
  },
  {
    what: 'a template with a syntax error',
    files: { ...chart, 'templates/web.yaml': `${configMap('web')}data:\n  a: {{ if }}\n` },
    ...quarantined,
    reason: 'ChartInvalid',
    message: ['case-2/templates/web.yaml:6', 'missing value for if', 'Correct the template.'],
    errors: [{ file: 'case-2/templates/web.yaml', line: 6, message: 'missing value for if' }],
  },
  {
    what: 'a template that fails while it runs',
    files: { ...chart, 'templates/web.yaml': `${configMap('web')}data:\n  a: {{ .Values.no.where }}\n` },
    ...quarantined,
    reason: 'RenderFailed',
    message: ['templates/web.yaml:6:', 'nil pointer', 'Correct the template or its values.'],
    errors: [{ file: 'case-3/templates/web.yaml', line: 6, message: /6:\d+/ }],
  },
  {
    what: 'a required value that is missing',
    files: {
      ...chart,
      'templates/web.yaml': `${configMap('web')}data:\n  a: {{ required "set host to the public name" .Values.host }}\n`,
    },
    ...quarantined,
    reason: 'RenderFailed',
    message: ['set host to the public name', 'templates/web.yaml:6:8', 'Correct the template or its values.'],
    errors: [{ file: 'case-4/templates/web.yaml', line: 6, message: 'set host to the public name' }],
  },
  {
    what: 'two templates that render invalid YAML',
    files: {
      ...chart,
      'templates/a.yaml': `${configMap('a')}---\nkind: [\n`,
      'templates/b.yaml': 'a: b: c\n',
    },
    ...quarantined,
    reason: 'ManifestInvalid',
    message: ['templates/a.yaml, document 2: ', 'And 1 more.', 'Correct it in Git.'],
    errors: [
      { file: 'case-5/templates/a.yaml', message: 'document 2' },
      { file: 'case-5/templates/b.yaml', message: /mapping/ },
    ],
  },
  {
    what: 'a name twice',
    files: { ...chart, 'templates/a.yaml': configMap('twice'), 'templates/b.yaml': configMap('twice') },
    ...quarantined,
    reason: 'DuplicateObject',
    message: ['ConfigMap', 'twice', 'templates/a.yaml', 'templates/b.yaml'],
  },
  {
    what: 'values that are not a map',
    files: { ...chart, 'templates/a.yaml': configMap('a'), 'list.yaml': '- a\n- b\n' },
    spec: { helm: { valuesFiles: ['list.yaml'] } },
    ...quarantined,
    reason: 'ValuesInvalid',
    message: ['case-7/list.yaml: values are a YAML map, and it is a list. Correct it there.'],
  },
  {
    what: 'values that break the schema of the chart',
    files: {
      ...chart,
      'templates/a.yaml': configMap('a'),
      'values.schema.json':
        '{"type":"object","properties":{"a":{"type":"integer"},"b":{"type":"string"}},"required":["c"]}',
    },
    spec: { helm: { values: { a: 'x', b: 1 } } },
    ...quarantined,
    reason: 'ValuesInvalid',
    message: [
      'schema of chart web',
      "missing property 'c'",
      'b: got number, want string',
      'Correct the values',
    ],
    errors: [
      { file: 'case-8/values.schema.json', message: "missing property 'c'" },
      { file: 'case-8/values.schema.json', message: 'got' },
      { file: 'case-8/values.schema.json', message: 'got' },
    ],
  },
  {
    what: 'a values file over 1 MiB',
    files: { ...chart, 'templates/a.yaml': configMap('a'), 'big.yaml': `a: ${'x'.repeat(1 << 20)}\n` },
    spec: { helm: { valuesFiles: ['big.yaml'] } },
    ...quarantined,
    reason: 'ValuesFileTooLarge',
    message: ['case-9/big.yaml has 1048580 bytes', 'at most 1 MiB', 'Make it smaller'],
  },
  {
    what: 'a values file in Git LFS',
    files: {
      ...chart,
      'templates/a.yaml': configMap('a'),
      'lfs.yaml': `version https://git-lfs.github.com/spec/v1\noid sha256:${'a'.repeat(64)}\nsize 12\n`,
    },
    spec: { helm: { valuesFiles: ['lfs.yaml'] } },
    ...quarantined,
    reason: 'ValuesFileIsLFSPointer',
    message: ['case-10/lfs.yaml', 'Git LFS pointer', 'Commit the file itself.'],
  },
  {
    what: 'a values file that is not there',
    files: { ...chart, 'templates/a.yaml': configMap('a'), 'values-prod.yaml': 'a: 1\n' },
    spec: { helm: { valuesFiles: ['values-prd.yaml'] } },
    ...quarantined,
    reason: 'ValuesFileNotFound',
    message: ['case-11/values-prd.yaml', 'values-prod.yaml'],
  },
  {
    what: 'a dependency that is not vendored, and not fetched',
    files: {
      'Chart.yaml': `${chart['Chart.yaml']}dependencies:\n  - {name: redis, version: 1.0.0, repository: "http://charts.example.com"}\n`,
      'templates/a.yaml': configMap('a'),
    },
    ...quarantined,
    reason: 'DependencyMissing',
    message: ['redis 1.0.0', 'Run `helm dependency update` and commit the folder charts'],
  },
  {
    what: 'a kustomization with a mistake',
    files: { 'kustomization.yaml': 'resources: [web.yaml]\n' },
    ...quarantined,
    reason: 'KustomizationInvalid',
    message: ['web.yaml'],
  },
  {
    what: 'a kustomization with a file from elsewhere',
    files: { 'kustomization.yaml': 'resources: ["https://git.example.com/shop/base.yaml"]\n' },
    ...quarantined,
    reason: 'RemoteBaseUnsupported',
    message: ['https://git.example.com/shop/base.yaml', 'Copy it into the repository.'],
    errors: [{ file: 'case-14/kustomization.yaml', message: 'outside this Git repository' }],
  },
];

test('a chart that cannot be rendered quarantines its commit, and says file, line and what to do', async (t) => {
  const stage = await newStage(t, { files: filesOf(CASES) });
  await judgeAll(t, stage, CASES);
  await t.test('a correction in Git is deployed by itself', async () => {
    await stage.repository.commit({ [`${nameOf(2)}/templates/web.yaml`]: configMap('web') });
    await stage.until(
      nameOf(2),
      ({ status }) => status?.sync === 'Synced' && status.quarantine === undefined,
      'the corrected chart to be Synced',
    );
  });
});
