import assert from 'node:assert/strict';
import { test } from 'node:test';
import { newStage } from '../harness/operator.ts';
import { type BadInput, filesOf, judgeAll } from './bad-input.ts';

const deployment = (name: string, replicas: string, extra = '') =>
  `apiVersion: apps/v1
kind: Deployment
metadata: {name: ${name}}
spec:
  replicas: ${replicas}
  selector: {matchLabels: {app: ${name}}}${extra}
  template:
    metadata: {labels: {app: ${name}}}
    spec:
      containers: [{name: main, image: example.com/main:1}]
`;
const configMap = (name: string) => `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ${name}}\n`;
const quarantined = { sync: 'Quarantined', condition: 'Stalled' } as const;

const CASES: BadInput[] = [
  {
    what: 'objects that the API server refuses: unknown fields, a wrong type, a wrong value, a bad name',
    files: {
      'good.yaml': configMap('good'),
      'bad.yaml': [
        deployment('field', '1', '\n  strategyy: {}\n  replica: 2'),
        deployment('type', '"many"'),
        deployment('value', '-1'),
        configMap('Capitals'),
      ].join('---\n'),
    },
    ...quarantined,
    reason: 'ManifestInvalid',
    message: [
      /^4 objects are refused, nothing was applied\. First: dry-run of ConfigMap \S+: metadata\.name: /,
    ],
    errors: [
      { object: 'ConfigMap Capitals', message: 'metadata.name' },
      {
        object: 'Deployment field',
        message: 'unknown field "spec.replica", unknown field "spec.strategyy"',
      },
      { object: 'Deployment type', message: 'replicas' },
      { object: 'Deployment value', message: 'must be greater than or equal to 0' },
    ],
  },
  {
    what: 'a kind that the cluster does not know',
    files: { 'a.yaml': 'apiVersion: example.com/v1\nkind: Nothing\nmetadata: {name: none}\n' },
    sync: 'Blocked',
    condition: 'Reconciling',
    reason: 'KindMissing',
    message: ['Nothing', 'example.com', 'install its CustomResourceDefinition or correct the apiVersion'],
  },
  {
    what: 'invalid YAML in a plain directory',
    files: { 'a.yaml': configMap('a'), 'b.yaml': `${configMap('b')}---\nkind: ConfigMap\n  name: c\n` },
    ...quarantined,
    reason: 'ManifestInvalid',
    message: ['case-2/b.yaml, document 2: ', 'Correct it in Git.'],
    errors: [{ file: 'case-2/b.yaml', line: 6, message: 'line 6: mapping values' }],
  },
  {
    what: 'objects without a kind or a name',
    files: { 'a.yaml': 'apiVersion: v1\nmetadata: {name: a}\n---\napiVersion: v1\nkind: ConfigMap\n' },
    ...quarantined,
    reason: 'ManifestInvalid',
    message: ['case-3/a.yaml, document 1', 'kind'],
    errors: [
      { file: 'case-3/a.yaml', line: 1, message: 'kind is missing' },
      { file: 'case-3/a.yaml', line: 4, message: 'has no metadata' },
    ],
  },
  {
    what: 'annotations of ours with unknown values, which would delete what was to stay',
    files: {
      'a.yaml': configMap('a').replace(
        'metadata: {',
        'metadata: {annotations: {towpath.dev/prune: disable}, ',
      ),
    },
    ...quarantined,
    reason: 'ManifestInvalid',
    message: [
      /^ConfigMap \S+\/a: the annotation towpath\.dev\/prune is "disable"; write "enabled" or "disabled"\./,
    ],
    errors: [{ object: 'ConfigMap a', message: 'write "enabled" or "disabled"' }],
  },
  {
    what: 'an object as kubectl get -o yaml writes it',
    files: { 'a.yaml': configMap('a').replace('metadata: {', 'metadata: {resourceVersion: "1", ') },
    ...quarantined,
    reason: 'ManifestInvalid',
    message: ['ConfigMap a has a metadata.resourceVersion, which only an object in a cluster has: remove it'],
  },
  {
    what: 'a name twice',
    files: { 'a.yaml': configMap('twice'), 'b.yaml': configMap('twice') },
    ...quarantined,
    reason: 'DuplicateObject',
    message: ['twice is in case-6/a.yaml (document 1) and in case-6/b.yaml (document 1)'],
  },
  {
    what: 'an object in a namespace that is not there',
    files: { 'a.yaml': 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: towpath-no-such}\n' },
    spec: { serviceAccountName: 'towpath-admin' },
    sync: 'Blocked',
    condition: 'Reconciling',
    reason: 'NamespaceMissing',
    message: ['towpath-no-such', 'Make it, or add it to the manifests'],
  },
  {
    what: 'a name that is longer than any status may tell',
    files: { 'a.yaml': configMap('n'.repeat(300)) },
    ...quarantined,
    reason: 'ManifestInvalid',
    message: ['dry-run of ConfigMap'],
    errors: [{ object: `ConfigMap ${'n'.repeat(250)}…`, message: 'metadata.name: Invalid value: "nnn' }],
  },
];

test('objects that no cluster takes are all listed, and nothing of their commit is written', async (t) => {
  const stage = await newStage(t, { files: filesOf(CASES) });
  await stage.kubectl('create', 'serviceaccount', 'towpath-admin');
  const binding = `towpath-${stage.namespace}`;
  await stage.kubectl(
    'create',
    'clusterrolebinding',
    binding,
    '--clusterrole=cluster-admin',
    `--serviceaccount=${stage.namespace}:towpath-admin`,
  );
  t.after(() => stage.kubectl('delete', 'clusterrolebinding', binding));
  await judgeAll(t, stage, CASES);
  assert.equal(await stage.kubectl('get', 'configmaps', '-l', 'towpath.dev/target', '-o', 'name'), '');
});
