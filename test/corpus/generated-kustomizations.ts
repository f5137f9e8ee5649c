import type { Seeded } from './seeded.ts';

const IMAGES = ['nginx', 'example.com/app:1.0', 'redis@sha256:abc', 'busybox:latest'] as const;
const NAMES = ['one', 'two', 'three'] as const;

function workload(random: Seeded, name: string, prefix: string): string {
  const env = random.chance(0.5)
    ? `        envFrom:\n        - configMapRef: {name: ${prefix}made}\n        env:\n        - {name: A, valueFrom: {secretKeyRef: {name: ${prefix}hidden, key: a}}}\n`
    : '';
  return `apiVersion: apps/v1
kind: Deployment
metadata: {name: ${name}${random.chance(0.5) ? ', labels: {app: x}' : ''}}
spec:
  replicas: ${random.below(4)}
  selector: {matchLabels: {app: ${name}}}
  template:
    metadata: {labels: {app: ${name}}}
    spec:
      serviceAccountName: ${name}
      containers:
      - name: main
        image: ${random.pick(IMAGES)}
${env}      - {name: side, image: "${random.pick(IMAGES)}"}
`;
}

/** Objects that refer to each other by names that a kustomization may change. */
function objects(random: Seeded, prefix: string): { text: string; names: string[] } {
  const names = random.some(NAMES, 0.7).map((name) => `${prefix}${name}`);
  if (names.length === 0) names.push(`${prefix}one`);
  const documents = names.flatMap((name) => [
    workload(random, name, prefix),
    `apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: ${name}}\n`,
    `apiVersion: v1\nkind: Service\nmetadata: {name: ${name}, annotations: {a: "1"}}\nspec: {selector: {app: ${name}}, ports: [{port: 80, name: web}]}\n`,
    ...(random.chance(0.5)
      ? [
          `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ${name}-data}\ndata: {host: ${name}.svc, n: "0644"}\n`,
        ]
      : []),
    ...(random.chance(0.3)
      ? [
          `apiVersion: rbac.authorization.k8s.io/v1\nkind: RoleBinding\nmetadata: {name: ${name}}\nroleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: view}\nsubjects: [{kind: ServiceAccount, name: ${name}, namespace: default}]\n`,
        ]
      : []),
    ...(random.chance(0.3)
      ? [
          `apiVersion: example.com/v1\nkind: Widget\nmetadata: {name: ${name}}\nspec: {size: 1.0, list: [a, b], ref: {name: ${name}}}\n`,
        ]
      : []),
  ]);
  return { text: documents.join('---\n'), names };
}

function generators(random: Seeded, prefix: string): string[] {
  const lines: string[] = [];
  if (random.chance(0.6))
    lines.push(
      `configMapGenerator:\n- name: ${prefix}made\n  literals: [a=1, "b=two words"]\n${random.chance(0.5) ? '  files: [text.txt, renamed=text.txt]\n' : ''}${random.chance(0.4) ? '  envs: [vars.env]\n' : ''}${random.chance(0.3) ? '  options: {disableNameSuffixHash: true, labels: {l: m}, immutable: true}\n' : ''}`,
    );
  if (random.chance(0.4))
    lines.push(`secretGenerator:\n- name: ${prefix}hidden\n  type: Opaque\n  literals: [a=s3cret]\n`);
  if (random.chance(0.3))
    lines.push(
      `generatorOptions:\n  disableNameSuffixHash: ${random.chance(0.5)}\n  annotations: {made: "yes"}\n`,
    );
  return lines;
}

function patches(random: Seeded, name: string): string[] {
  const strategic = `    apiVersion: apps/v1\n    kind: Deployment\n    metadata: {name: ${name}}\n`;
  const all = [
    `- patch: |-\n${strategic}    spec: {template: {spec: {containers: [{name: main, env: [{name: B, value: "2"}]}]}}}\n`,
    `- patch: |-\n${strategic}    spec:\n      replicas: null\n      template: {spec: {containers: [{name: side, $patch: delete}]}}\n`,
    `- target: {kind: Deployment}\n  patch: |-\n    - {op: add, path: /metadata/annotations, value: {p: q}}\n    - {op: replace, path: /spec/template/spec/containers/0/image, value: "patched:1.10"}\n`,
    `- target: {kind: Service, name: ".*${name}.*"}\n  patch: '[{"op": "remove", "path": "/metadata/annotations"}]'\n`,
    `- target: {labelSelector: "app=x"}\n  patch: |-\n    apiVersion: apps/v1\n    kind: Deployment\n    metadata: {name: any, labels: {patched: "1.0"}}\n`,
    `- target: {kind: Deployment, name: ${name}}\n  path: patch.yaml\n`,
  ];
  const chosen = random.some(all, 0.3);
  return chosen.length === 0 ? [] : [`patches:\n${chosen.join('')}`];
}

function changes(random: Seeded, names: readonly string[]): string[] {
  const [name = 'one'] = names;
  const all = [
    'namePrefix: pre-\n',
    'nameSuffix: -v2\n',
    'namespace: elsewhere\n',
    'commonLabels: {team: a}\n',
    'commonAnnotations: {note: "1.0"}\n',
    `labels:\n- pairs: {tier: "2"}\n  includeSelectors: ${random.chance(0.5)}\n  includeTemplates: ${random.chance(0.5)}\n`,
    'images:\n- {name: nginx, newTag: "1.10"}\n- {name: example.com/app, newName: other/app}\n- {name: redis, digest: sha256:def}\n',
    `replicas: [{name: ${name}, count: ${random.below(5)}}]\n`,
    `replacements:\n- source: {kind: Service, name: ${name}, fieldPath: metadata.name}\n  targets: [{select: {kind: Deployment}, fieldPaths: [spec.template.spec.containers.0.name], options: {}}]\n`,
    'sortOptions: {order: legacy}\n',
    'sortOptions: {order: fifo}\n',
    `vars:\n- {name: HOST_${name.replaceAll('-', '_')}, objref: {kind: Service, name: ${name}, apiVersion: v1}}\n`,
    'buildMetadata: [originAnnotations]\n',
    'buildMetadata: [transformerAnnotations]\n',
    'transformers:\n- |-\n  apiVersion: builtin\n  kind: PrefixTransformer\n  metadata: {name: p}\n  prefix: t-\n  fieldSpecs: [{path: metadata/name}]\n',
  ];
  const seen = new Set<string>();
  return random.some(all, 0.25).filter((line) => {
    const [field = ''] = line.split(':', 1);
    return !seen.has(field) && seen.add(field);
  });
}

/** A kustomization in the directory `web`, with bases and components beside it. */
export function generatedKustomization(random: Seeded): Record<string, string> {
  const files: Record<string, string> = {};
  const make = (at: string, prefix: string, more: readonly string[], kind = ''): void => {
    const own = objects(random, prefix);
    files[`${at}/all.yaml`] = own.text;
    files[`${at}/text.txt`] = 'line\nother: line\n';
    files[`${at}/vars.env`] = 'X=1\n# none\nY=a=b\n';
    files[`${at}/patch.yaml`] =
      `apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: ${own.names[0]}}\nspec: {template: {metadata: {annotations: {by: file}}}}\n`;
    files[`${at}/kustomization.yaml`] = [
      kind,
      `resources:\n- all.yaml\n${more.map((one) => `- ${one}\n`).join('')}`,
      ...generators(random, prefix),
      ...patches(random, own.names[0] ?? ''),
      ...changes(random, own.names),
    ].join('');
  };
  const bases = random.some(['base', 'base/deeper'], 0.5);
  for (const base of bases) make(base, `${base.replace('/', '')}-`, []);
  const hasComponent = random.chance(0.3);
  if (hasComponent)
    make('part', 'part-', [], 'apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\n');
  make(
    'web',
    '',
    bases.map((base) => `../${base}`),
  );
  if (hasComponent) files['web/kustomization.yaml'] += 'components: [../part]\n';
  return files;
}
