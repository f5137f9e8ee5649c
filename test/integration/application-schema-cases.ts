/** Specs that the API server must accept or refuse, and the message that says why. */
const REPOSITORY = 'https://git.example.com/shop/podinfo.git';

export type Refusal = [what: string, spec: unknown, field: string, message: string];
export const source = (fields: Record<string, unknown>) => ({ source: { repoURL: REPOSITORY, ...fields } });
export const sync = (fields: Record<string, unknown>) => ({ ...source({}), sync: fields });
export const helm = (fields: Record<string, unknown>) => ({ ...source({}), helm: fields });
const ignored = (...paths: string[]) =>
  sync({ ignore: [{ group: 'apps', kind: 'Deployment', name: 'web', paths }] });
const url = (repoURL: string) => ({ source: { repoURL } });
const many = <Item>(count: number, item: (index: number) => Item) =>
  Array.from({ length: count }, (_, index) => item(index));
const dependsOn = (...names: string[]) => ({ ...source({}), dependsOn: names.map((name) => ({ name })) });
const ignoredObjects = (count: number) =>
  sync({ ignore: many(count, (index) => ({ kind: 'ConfigMap', name: `c${index}`, paths: ['/data'] })) });
const valuesFrom = (...names: string[]) =>
  helm({ valuesFrom: names.map((name) => ({ kind: 'ConfigMap', name })) });

const ADDRESS = 'must be the address of a Git repository';
const CREDENTIALS = 'must not carry credentials: put username and password into a Secret';
const INSIDE = 'must stay inside the repository';
const BUDGET = 'must be a number of objects from 1 on, without quotes, or a percentage from 1% to 100%';
const EXACTLY_ONE = 'must name exactly one of branch, tag, semver and commit';
const NAME = 'must be a Kubernetes name';

const CHARTS = 'https://charts.example.com';
/** With a chart that somebody published. */
const charted = (fields: Record<string, unknown>) => ({
  helm: { chart: { repoURL: CHARTS, name: 'podinfo', version: '6.7.0', ...fields } },
});
const PATH_IN_GIT = 'path is where a chart, kustomization or manifests are in the Git repository';
const FILES_IN_GIT = 'valuesFiles are read from the Git repository in source';

const REFUSED_CHARTS: Refusal[] = [
  [
    'a chart without a version',
    { helm: { chart: { repoURL: CHARTS, name: 'a' } } },
    'spec.helm.chart.version',
    'Required value',
  ],
  [
    'a chart over HTTP',
    charted({ repoURL: 'http://charts.example.com' }),
    'spec.helm.chart.repoURL',
    'must be the address of a Helm repository or registry',
  ],
  [
    'a chart with credentials',
    charted({ repoURL: 'https://me:hunter2@charts.example.com' }),
    'spec.helm.chart.repoURL',
    'credentials belong into a Secret',
  ],
  [
    'a chart with a query',
    charted({ repoURL: `${CHARTS}/a?b=hunter2` }),
    'spec.helm.chart.repoURL',
    'must not have a query',
  ],
  [
    'a chart with a path for a name',
    charted({ name: 'acme/podinfo' }),
    'spec.helm.chart.name',
    'must be the name of a chart',
  ],
  [
    'a chart of the latest version',
    charted({ version: 'latest' }),
    'spec.helm.chart.version',
    'must be a version, like 1.2.3, or a range',
  ],
  [
    'a chart asked for all the time',
    charted({ interval: '100ms' }),
    'spec.helm.chart.interval',
    'must be a duration from 1s to 24h',
  ],
  [
    'values files of no repository',
    { helm: { ...charted({}).helm, valuesFiles: ['a.yaml'] } },
    'spec.helm',
    FILES_IN_GIT,
  ],
  [
    'values files of no repository in an environment',
    { ...charted({}), environments: [{ name: 'prod', valuesFiles: ['a.yaml'] }] },
    'spec.helm',
    FILES_IN_GIT,
  ],
  [
    'a ref of no repository',
    { ...charted({}), environments: [{ name: 'prod', ref: { branch: 'main' } }] },
    'spec.environments',
    'a ref of an environment is one of the Git repository',
  ],
  ['a path beside a chart', { ...source({ path: 'web' }), ...charted({}) }, 'spec.source', PATH_IN_GIT],
  [
    'a path of an environment beside a chart',
    { ...source({}), ...charted({}), environments: [{ name: 'prod', path: 'web' }] },
    'spec.source',
    PATH_IN_GIT,
  ],
];

export const REFUSED: Refusal[] = [
  ['a spec without a source', {}, 'spec', 'must have a source, which names a Git repository, or helm.chart'],
  ...REFUSED_CHARTS,
  ['a source without a repository', { source: {} }, 'spec.source.repoURL', 'Required value'],
  ['an address that is a file', url('file:///srv/git'), 'spec.source.repoURL', ADDRESS],
  ['an address that is a path', url('/srv/git'), 'spec.source.repoURL', ADDRESS],
  ['an address without a repository', url('https://git.example.com'), 'spec.source.repoURL', ADDRESS],
  ['an address that would be an option of ssh', url('-oProxy@host:a'), 'spec.source.repoURL', ADDRESS],
  ['an address with a query', url(`${REPOSITORY}?ref=x`), 'spec.source.repoURL', 'must not have a query'],
  ['embedded credentials', url('https://me:hunter2@git.example.com/a'), 'spec.source.repoURL', CREDENTIALS],
  ['an embedded token', url('https://hunter2@git.example.com/a'), 'spec.source.repoURL', CREDENTIALS],
  [
    'an embedded SSH password',
    url('ssh://git:hunter2@git.example.com/a'),
    'spec.source.repoURL',
    CREDENTIALS,
  ],
  [
    'an address of 1,025 characters',
    url(`https://h/${'a'.repeat(1015)}`),
    'spec.source.repoURL',
    'may not be more than 1024',
  ],
  ['two refs', source({ ref: { branch: 'main', tag: 'v1' } }), 'spec.source.ref', EXACTLY_ONE],
  ['a ref that names nothing', source({ ref: {} }), 'spec.source.ref', EXACTLY_ONE],
  [
    'a branch with its prefix',
    source({ ref: { branch: 'refs/heads/main' } }),
    'spec.source.ref.branch',
    'without refs/heads/ before it',
  ],
  [
    'a branch that Git refuses',
    source({ ref: { branch: 'a..b' } }),
    'spec.source.ref.branch',
    'must be the name of a branch',
  ],
  [
    'a branch that would be an option',
    source({ ref: { branch: '--upload-pack=x' } }),
    'spec.source.ref.branch',
    'must be the name of a branch',
  ],
  ['a tag with a space', source({ ref: { tag: 'v 1' } }), 'spec.source.ref.tag', 'must be the name of a tag'],
  [
    'a version that is no range',
    source({ ref: { semver: 'latest' } }),
    'spec.source.ref.semver',
    'must be a range of semantic versions',
  ],
  ...['>=1.2 - 1.4', '1.2,', '1.0.0-a..b', '1234567890123456.0.0'].map(
    (semver): Refusal => [
      `the range ${semver}`,
      source({ ref: { semver } }),
      'spec.source.ref.semver',
      'must be a range of semantic versions',
    ],
  ),
  [
    'a short commit',
    source({ ref: { commit: '4f2c81a' } }),
    'spec.source.ref.commit',
    'must be the full id of a commit',
  ],
  ['a path upwards', source({ path: '../other' }), 'spec.source.path', INSIDE],
  ['a path upwards in its middle', source({ path: 'a/../../b' }), 'spec.source.path', INSIDE],
  [
    'an absolute path',
    source({ path: '/etc' }),
    'spec.source.path',
    'must be relative to the root of the repository',
  ],
  ['a path with backslashes', source({ path: 'a\\..\\b' }), 'spec.source.path', 'must be a path with "/"'],
  [
    'a Secret of another namespace',
    source({ secretRef: { name: 'other/git' } }),
    'spec.source.secretRef.name',
    NAME,
  ],
  [
    'an interval without a unit',
    source({ interval: '60' }),
    'spec.source.interval',
    'must be a duration from 1s to 24h',
  ],
  [
    'an interval of nothing',
    source({ interval: '0s' }),
    'spec.source.interval',
    'must be a duration from 1s to 24h',
  ],
  [
    'a release name in capitals',
    helm({ releaseName: 'Podinfo' }),
    'spec.helm.releaseName',
    'must be a name that Helm accepts',
  ],
  [
    'a release name of 54 characters',
    helm({ releaseName: 'a'.repeat(54) }),
    'spec.helm.releaseName',
    'may not be more than 53',
  ],
  [
    'a values file upwards',
    helm({ valuesFiles: ['ok.yaml', '../values.yaml'] }),
    'spec.helm.valuesFiles[1]',
    INSIDE,
  ],
  ['values that are a list', helm({ values: [] }), 'spec.helm.values', 'must be of type object'],
  ['values that are a text', helm({ values: 'a: 1' }), 'spec.helm.values', 'must be of type object'],
  [
    'values from a Pod',
    helm({ valuesFrom: [{ kind: 'Pod', name: 'a' }] }),
    'spec.helm.valuesFrom[0].kind',
    'supported values: "ConfigMap", "Secret"',
  ],
  [
    'values from a key that cannot be',
    helm({ valuesFrom: [{ kind: 'Secret', name: 'a', key: 'a/b' }] }),
    'spec.helm.valuesFrom[0].key',
    'must be a key of a ConfigMap or Secret',
  ],
  [
    'a ServiceAccount that cannot be',
    { ...source({}), serviceAccountName: 'a:b' },
    'spec.serviceAccountName',
    NAME,
  ],
  [
    'an unknown mode',
    sync({ mode: 'Sometimes' }),
    'spec.sync.mode',
    'supported values: "Automatic", "Manual"',
  ],
  ...[0, -1, '0%', '101%', '50', '3', '5 %', '', `${'9'.repeat(1_000)}%`].map(
    (pruneBudget): Refusal => [
      `a budget of ${JSON.stringify(pruneBudget).slice(0, 20)}`,
      sync({ pruneBudget }),
      'spec.sync.pruneBudget',
      BUDGET,
    ],
  ),
  ['a budget that is a list', sync({ pruneBudget: ['50%'] }), 'spec.sync.pruneBudget', 'must be'],
  ['a budget of half an object', sync({ pruneBudget: 1.5 }), 'spec.sync.pruneBudget', 'must be'],
  ['an unknown drift', sync({ drift: 'Ignore' }), 'spec.sync.drift', 'supported values: "Repair", "Report"'],
  [
    'a timeout that is no duration',
    sync({ timeout: 'soon' }),
    'spec.sync.timeout',
    'must be a duration from 1s to 24h',
  ],
  [
    'retries below none',
    sync({ retries: { limit: -1 } }),
    'spec.sync.retries.limit',
    'should be greater than or equal to 0',
  ],
  [
    'a backoff beyond its maximum',
    sync({ retries: { backoff: '5m' } }),
    'spec.sync.retries.backoff',
    'backoff must not be longer than maxBackoff',
  ],
  [
    'an ignored path that is no pointer',
    ignored('spec.replicas'),
    'spec.sync.ignore[0].paths[0]',
    'must be a JSON pointer to a field',
  ],
  [
    'an ignored identity',
    ignored('/metadata/name'),
    'spec.sync.ignore[0].paths[0]',
    'must not name the identity or the status',
  ],
  [
    'all labels ignored',
    ignored('/metadata/labels'),
    'spec.sync.ignore[0].paths[0]',
    'nor all its labels or annotations',
  ],
  [
    'a label of ours ignored',
    ignored('/metadata/labels/towpath.dev~1target'),
    'spec.sync.ignore[0].paths[0]',
    'nor those of towpath.dev',
  ],
  ['an ignored nothing', ignored(), 'spec.sync.ignore[0].paths', 'should have at least 1 items'],
  [
    'two dependencies of one name',
    { ...source({}), dependsOn: [{ name: 'a' }, { name: 'a' }] },
    'spec.dependsOn[1]',
    'Duplicate value',
  ],
  [
    'a dependency on itself',
    { ...source({}), dependsOn: [{ name: 'podinfo' }] },
    'spec.dependsOn',
    'an Application cannot depend on itself',
  ],
  [
    'an unknown deletion policy',
    { ...source({}), deletionPolicy: 'Delete' },
    'spec.deletionPolicy',
    'supported values: "Prune", "Orphan"',
  ],
  [
    'a history of nothing',
    { ...source({}), revisionHistoryLimit: 0 },
    'spec.revisionHistoryLimit',
    'should be greater than or equal to 1',
  ],
  ['a suspend that is a text', { ...source({}), suspend: 'yes' }, 'spec.suspend', 'must be of type boolean'],
  [
    'a history of 201',
    { ...source({}), revisionHistoryLimit: 201 },
    'spec.revisionHistoryLimit',
    'should be less than or equal to 200',
  ],
  [
    '101 retries',
    sync({ retries: { limit: 101 } }),
    'spec.sync.retries.limit',
    'should be less than or equal to 100',
  ],
  [
    '65 values files',
    helm({ valuesFiles: many(65, (index) => `${index}.yaml`) }),
    'spec.helm.valuesFiles',
    'must have at most 64 items',
  ],
  [
    'values from 33 objects',
    valuesFrom(...many(33, (index) => `a${index}`)),
    'spec.helm.valuesFrom',
    'must have at most 32 items',
  ],
  [
    '33 dependencies',
    dependsOn(...many(33, (index) => `a${index}`)),
    'spec.dependsOn',
    'must have at most 32 items',
  ],
  ['65 ignored objects', ignoredObjects(65), 'spec.sync.ignore', 'must have at most 64 items'],
  [
    '33 ignored paths',
    ignored(...many(33, (index) => `/data/a${index}`)),
    'spec.sync.ignore[0].paths',
    'must have at most 32 items',
  ],
  [
    'an ignored path of 257 characters',
    ignored(`/${'a'.repeat(256)}`),
    'spec.sync.ignore[0].paths[0]',
    'may not be more than 256',
  ],
  [
    'a path of 513 characters',
    source({ path: 'a'.repeat(513) }),
    'spec.source.path',
    'may not be more than 512',
  ],
  [
    'a values file with a path of 513 characters',
    helm({ valuesFiles: ['a'.repeat(513)] }),
    'spec.helm.valuesFiles[0]',
    'may not be more than 512',
  ],
  [
    'a branch of 251 characters',
    source({ ref: { branch: 'a'.repeat(251) } }),
    'spec.source.ref.branch',
    'may not be more than 250',
  ],
  [
    'an interval of 25 hours',
    source({ interval: '25h' }),
    'spec.source.interval',
    'must be a duration from 1s to 24h',
  ],
  [
    'a timeout of 25 hours',
    sync({ timeout: '25h' }),
    'spec.sync.timeout',
    'must be a duration from 1s to 24h',
  ],
  [
    'a backoff of two hours',
    sync({ retries: { backoff: '2h', maxBackoff: '3h' } }),
    'spec.sync.retries.backoff',
    'must be a duration from 100ms to 1h',
  ],
  [
    'a maximal backoff of 25 hours',
    sync({ retries: { maxBackoff: '25h' } }),
    'spec.sync.retries.maxBackoff',
    'must be a duration from 100ms to 24h',
  ],
  ['values from a name in capitals', valuesFrom('Shared'), 'spec.helm.valuesFrom[0].name', NAME],
  ['values of another namespace', valuesFrom('other/shared'), 'spec.helm.valuesFrom[0].name', NAME],
  ['a dependency in capitals', dependsOn('Database'), 'spec.dependsOn[0].name', NAME],
  [
    'a dependency with a version that is no range',
    { ...source({}), dependsOn: [{ name: 'database', version: 'new' }] },
    'spec.dependsOn[0].version',
    'must be a range of semantic versions',
  ],
  ['a dependency in another namespace', dependsOn('other/database'), 'spec.dependsOn[0].name', NAME],
  [
    'a dependency with a name of 54 characters',
    dependsOn('a'.repeat(54)),
    'spec.dependsOn[0].name',
    'may not be more than 53',
  ],
];

export const ACCEPTED: [what: string, spec: unknown][] = [
  ['a chart without a repository', charted({})],
  [
    'a chart of a registry',
    charted({ repoURL: 'oci://ghcr.io/acme/charts', version: '>=6.7 <8 || ^9.0.0-0' }),
  ],
  [
    'a chart with values files',
    {
      ...source({}),
      helm: { ...charted({ interval: '1h', secretRef: { name: 'charts' } }).helm, valuesFiles: ['/a.yaml'] },
    },
  ],
  [
    'a chart in environments',
    { ...charted({}), environments: [{ name: 'prod', values: { a: 1 }, valuesFiles: [] }] },
  ],
  ['HTTP', url('http://git.example.com:8080/a')],
  ['SSH', url('ssh://git@git.example.com:22/a.git')],
  ["scp's form", url('git@git.example.com:shop/podinfo.git')],
  ['a branch', source({ ref: { branch: 'feature/a-b_c.d' } })],
  ['a tag', source({ ref: { tag: 'v1.2.3' } })],
  ['a range of versions', source({ ref: { semver: '>=1.2.0 <2.0.0 || ^3' } })],
  ['a range with a hyphen', source({ ref: { semver: ' 1.2 - 1.4 , != 1.3.0, *-0' } })],
  ['a commit', source({ ref: { commit: 'a'.repeat(40) } })],
  ['the root of the repository', source({ path: '' })],
  ['a path with dots in names', source({ path: './charts/a..b/.c' })],
  ['a Secret', source({ secretRef: { name: 'git.example.com' }, interval: '1h30m' })],
  ['a schema that is not asked', helm({ skipSchemaValidation: true })],
  ['values files', helm({ valuesFiles: ['values.yaml', '/shared/values.yaml'] })],
  ['values', helm({ values: { a: { b: [1, null, 'x', 9007199254740993n.toString()] } } })],
  [
    'values from elsewhere',
    helm({
      valuesFrom: [
        { kind: 'ConfigMap', name: 'a' },
        { kind: 'Secret', name: 'b', key: 'k', optional: true },
      ],
    }),
  ],
  ...[1, 3, 1_000_000, '1%', '50%', '100%'].map((pruneBudget): [string, unknown] => [
    `a budget of ${pruneBudget}`,
    sync({ pruneBudget }),
  ]),
  [
    'all of sync',
    sync({
      mode: 'Manual',
      prune: false,
      drift: 'Report',
      timeout: '1.5h',
      retries: { limit: 0, backoff: '100ms', maxBackoff: '100ms' },
    }),
  ],
  ['ignored fields', ignored('/spec/replicas', '/metadata/annotations/a.example.com~1b', '/data/a~0b')],
  ['dependencies', dependsOn('database', 'cache')],
  [
    'a dependency with versions',
    { ...source({}), dependsOn: [{ name: 'database', version: '>=2.0 <4 || ^5' }] },
  ],
  [
    '32 dependencies with names of 53 characters',
    dependsOn(...many(32, (index) => `a${index}`.padEnd(53, 'b'))),
  ],
  [
    'as many and as long as there can be',
    {
      ...source({ path: 'a'.repeat(512), interval: '24h', ref: { branch: 'a'.repeat(250) } }),
      helm: {
        valuesFiles: many(64, (index) => `${index}.yaml`),
        valuesFrom: many(32, (index) => ({ kind: 'Secret', name: `a${index}` })),
      },
      sync: {
        timeout: '24h',
        retries: { limit: 100, backoff: '1h', maxBackoff: '24h' },
        ignore: many(64, (index) => ({
          kind: 'ConfigMap',
          name: `c${index}`,
          paths: many(32, (path) => `/data/a${path}`),
        })),
      },
    },
  ],
  [
    'the rest',
    {
      ...source({}),
      serviceAccountName: 'deployer',
      deletionPolicy: 'Orphan',
      revisionHistoryLimit: 200,
      suspend: true,
    },
  ],
];
