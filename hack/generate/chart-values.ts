import { LABEL, SHAPES, SUBDOMAIN, type ValueSchema } from './kubernetes-shapes.ts';

/** A value of the chart: what it does, in a sentence or two, what it is when nobody says, and what it must be. */
export interface ChartValue {
  description: string;
  default: unknown;
  schema: ValueSchema;
}

/** Values under one key. Others than these are refused: a typo is told. */
export interface ChartGroup {
  description: string;
  values: Readonly<Record<string, ChartValue | ChartGroup>>;
}

/** The whole of a text that may also be empty. */
const whole = (pattern: string) => `^(${pattern})?$`;
const NAME = `^${SUBDOMAIN}$`;
const HOST = '[A-Za-z0-9.-]{1,253}';
const PAIR = ` *${HOST}=${HOST} *`;
/** As Prometheus writes them, such as 1m30s. */
const DURATION = `0|${['y', 'w', 'd', 'h', 'm', 's', 'ms'].map((unit) => `([0-9]+${unit})?`).join('')}`;

const PORT = '(6553[0-5]|655[0-2][0-9]|65[0-4][0-9]{2}|6[0-4][0-9]{3}|[1-5][0-9]{4}|[1-9][0-9]{0,3})';
const BRACKETS = '\\[[0-9A-Fa-f:.]+\\]';
const PROXY_HOST = `([A-Za-z0-9]([-A-Za-z0-9._]*[A-Za-z0-9])?[.]?|${BRACKETS})`;
/** As the operator takes it; a template refuses a user, since the schema's message would repeat the password. */
const PROXY = { pattern: whole(`https?://([^/?#@ ]*@)?${PROXY_HOST}(:${PORT})?/?`) };

/** As registries name images, in which a colon is before a port alone. */
const HOST_PART = '[A-Za-z0-9]([-A-Za-z0-9]*[A-Za-z0-9])?';
const REGISTRY = `(${HOST_PART}([.]${HOST_PART})*|${BRACKETS})(:${PORT})?`;
const IMAGE_PART = '[a-z0-9]+(([._]|__|-+)[a-z0-9]+)*';
const IMAGE = { pattern: `^(${REGISTRY}/)?${IMAGE_PART}(/${IMAGE_PART})*$` };

const text = (description: string, standard = '', rules: ValueSchema = {}): ChartValue => ({
  description,
  default: standard,
  schema: { type: 'string', ...rules },
});
const oneOf = (description: string, words: readonly string[], standard: string): ChartValue => ({
  description,
  default: standard,
  schema: { enum: words },
});
const yes = (description: string): ChartValue => ({
  description,
  default: true,
  schema: { type: 'boolean' },
});
const no = (description: string): ChartValue => ({ ...yes(description), default: false });
const count = (description: string, standard: number, minimum: number): ChartValue => ({
  description,
  default: standard,
  schema: { type: 'integer', minimum },
});
const names = (description: string, standard: readonly string[] = []): ChartValue => ({
  description,
  default: standard,
  schema: { type: 'array', items: { type: 'string', pattern: NAME }, uniqueItems: true },
});
const BYTE = '(25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])';
const IPV4 = `${BYTE}(\\.${BYTE}){3}/(3[0-2]|[12]?[0-9])`;
const IPV6 = '[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*/(12[0-8]|1[01][0-9]|[1-9]?[0-9])';
const cidrs = (description: string): ChartValue => ({
  description,
  default: [],
  schema: { type: 'array', items: { type: 'string', pattern: `^(${IPV4}|${IPV6})$` } },
});
const ports = (description: string, standard: readonly number[]): ChartValue => ({
  description,
  default: standard,
  schema: {
    type: 'array',
    items: { type: 'integer', minimum: 1, maximum: 65_535 },
    // Kubernetes reads no ports as all ports.
    minItems: 1,
    uniqueItems: true,
  },
});
const strings = (
  description: string,
  standard: Readonly<Record<string, string>> = {},
  rules: ValueSchema = {},
): ChartValue => ({
  description,
  default: standard,
  schema: { type: 'object', additionalProperties: { type: 'string' }, ...rules },
});
const objects = (description: string, items: ValueSchema = { type: 'object' }): ChartValue => ({
  description,
  default: [],
  schema: { type: 'array', items },
});
const object = (
  description: string,
  schema: ValueSchema = { type: 'object' },
  standard: object = {},
): ChartValue => ({ description, default: standard, schema });

const scraping = (kind: string, other: string): ChartGroup['values'] => ({
  enabled: no(
    `Make a ${kind}; its definition must be installed. Not together with ${other}: all would count twice.`,
  ),
  interval: text('How often it scrapes.', '30s', { pattern: whole(DURATION) }),
  labels: strings(`On the ${kind} besides, such as the one by which your Prometheus selects.`),
  relabelings: objects('Before the scrape.', SHAPES.relabeling),
  metricRelabelings: objects('Before what was scraped is kept.', SHAPES.relabeling),
});

/** Every value of charts/towpath: values.yaml, values.schema.json and the chart's README are made of it. */
export const CHART_VALUES: ChartGroup['values'] = {
  replicaCount: count(
    'How many replicas there are. One leads, the others stand by and take over when it ends.',
    2,
    0,
  ),
  image: {
    description: 'The operator, the render engine in it.',
    values: {
      repository: text('Image without tag; the registry before it.', 'towpath', IMAGE),
      tag: text("Default: the chart's appVersion.", '', { pattern: whole('\\w[-.\\w]{0,127}') }),
      digest: text('sha256:…; taken instead of the tag.', '', { pattern: '^(sha256:[0-9a-f]{64})?$' }),
      pullPolicy: oneOf('When a node pulls it.', ['Always', 'IfNotPresent', 'Never'], 'IfNotPresent'),
    },
  },
  imagePullSecrets: objects('Secrets with credentials of the registry: [{name: …}].', SHAPES.localReference),
  nameOverride: text(
    "Instead of the chart's name in names and labels. Changed on an upgrade, it changes the default of installation.",
    '',
    {
      pattern: whole(LABEL),
      maxLength: 53,
    },
  ),
  fullnameOverride: text(
    'Instead of the release and the chart in names. Changed on an upgrade, it changes the default of installation.',
    '',
    {
      pattern: whole(LABEL),
      maxLength: 53,
    },
  ),
  labels: strings(
    'On every object. Those that the chart sets itself stay as they are, and so do those of podLabels and under metrics; those of towpath.dev/ and rbac.authorization.k8s.io/ are its own.',
    {},
    { propertyNames: { not: { pattern: '^(towpath\\.dev|rbac\\.authorization\\.k8s\\.io)/' } } },
  ),
  serviceAccount: {
    description: "The operator's own.",
    values: {
      create: yes('false: one that there is already, by name.'),
      name: text(
        "Default: the release's full name and -operator. It must not be one that Applications may name.",
        '',
        { pattern: whole(SUBDOMAIN) },
      ),
      annotations: strings('On the ServiceAccount.'),
    },
  },
  installation: text(
    'Id by which an upgrade and a reinstall own what was deployed; with another one all of it is NotOwned. Of two installations with the same id in one cluster the younger one does nothing and says so, whatever they watch. Default: namespace/full name, `sys/gitops-towpath` for the release gitops in sys: docs/installation.md.',
    '',
    { pattern: whole('[A-Za-z0-9][-A-Za-z0-9._/:]{0,252}') },
  ),
  watchNamespace: text(
    'Look after the Applications of this namespace only, which must exist, and have rights on Secrets and ServiceAccounts there alone. Default: of all. Of two installations whose namespaces meet, the younger one does nothing and says so.',
    '',
    { pattern: whole(LABEL) },
  ),
  impersonate: names(
    "Names of the ServiceAccounts, in the Applications' namespaces, as which the operator may write. Nothing else in the cluster can be written by it, but what docs/security.md lists. Without towpath there is no managed access.",
    ['towpath'],
  ),
  managedAccess: {
    description:
      'Access that Environments have managed (spec.access.clusterRole): a namespace, the ServiceAccount towpath in it, and its binding to a ClusterRole.',
    values: {
      clusterRoles: {
        description:
          'ClusterRoles that may be bound. An Environment with another one is stalled. Empty, with watchNamespace, or where impersonate does not list towpath: the operator has no right to make any of it, and Environments name a serviceAccountName.',
        default: ['edit'],
        schema: {
          type: 'array',
          items: { type: 'string', pattern: '^[^\\s,/%]{1,253}$' },
          uniqueItems: true,
        },
      },
      podSecurity: oneOf(
        "Level of Pod Security of the namespaces that Towpath makes: their label pod-security.kubernetes.io/enforce. A policy holds the operator to that level or a stricter one, but for privileged. Empty: no label, so that the API server's own default holds. What is there already stays as it is.",
        ['privileged', 'baseline', 'restricted', ''],
        'baseline',
      ),
    },
  },
  rbac: {
    description: 'Rights of people.',
    values: {
      aggregate: yes(
        "Add reading our kinds to Kubernetes' ClusterRole view, and writing Applications to edit; admin has both by these.",
      ),
    },
  },
  crds: {
    description:
      'The definitions of our kinds. Helm installs those in crds/ once, and never changes or deletes them.',
    values: {
      upgrade: yes(
        'The operator that leads brings its own definitions up to its version, and creates that of a kind that is new. Never down, and none is deleted. false: apply crds/ yourself before an upgrade.',
      ),
    },
  },
  git: {
    description: 'Git servers that are refused else.',
    values: {
      allowLoopback: no("Allow Git servers on the Pod's own loopback address."),
      allowLinkLocal: no('Allow Git servers on link-local addresses, where clouds serve credentials.'),
      allowPlainHttpCredentials: no('Allow Git credentials over plain HTTP.'),
    },
  },
  certificateAuthorities: {
    description:
      'Private authorities, trusted beside the public ones, for Git over HTTPS, chart repositories and registries: certificates in PEM form in a ConfigMap or a Secret of the namespace. When it changes it is read again.',
    values: {
      configMap: text('Name of the ConfigMap.', '', { pattern: whole(SUBDOMAIN) }),
      secret: text('Name of the Secret, instead of a ConfigMap.', '', { pattern: whole(SUBDOMAIN) }),
      key: text('Key in it.', 'ca.crt', { pattern: '^[.]?[-_a-zA-Z0-9][-._a-zA-Z0-9]*$' }),
    },
  },
  log: {
    description: 'On standard output.',
    values: {
      level: oneOf('From which level on.', ['trace', 'debug', 'info', 'warn', 'error'], 'info'),
      format: oneOf('json: one object a line. text: a line for people.', ['json', 'text'], 'json'),
    },
  },
  metrics: {
    description: 'What monitoring finds. The Service `<full name>-metrics` is always there.',
    values: {
      applications: yes(
        'Two series for each Application, with its state. How many are in which state is told in any case.',
      ),
      serviceMonitor: {
        description: 'For the Prometheus Operator: finds the replicas by the Service.',
        values: scraping('ServiceMonitor', 'podMonitor'),
      },
      podMonitor: {
        description: 'For the Prometheus Operator: finds the replicas by their labels.',
        values: scraping('PodMonitor', 'serviceMonitor'),
      },
      prometheusRule: {
        description: 'Alerts, each with where it is said what to do: docs/monitoring.md.',
        values: {
          enabled: no('Make a PrometheusRule; its definition must be installed.'),
          labels: strings('On the PrometheusRule besides, such as the one by which your Prometheus selects.'),
          runbookUrl: text(
            'Where you serve docs/monitoring.md: runbook_url of each alert is this, # and the name of the alert. Default: none, and the annotation runbook names the section of that file.',
            '',
            { pattern: whole('https?://[^#\\s]+') },
          ),
        },
      },
      dashboard: {
        description: 'For Grafana: a dashboard in a ConfigMap, as its sidecar looks for it.',
        values: {
          enabled: no('Make the ConfigMap.'),
          labels: strings('By which the sidecar finds it.', { grafana_dashboard: '1' }),
          annotations: strings('Such as the folder it goes into.'),
        },
      },
    },
  },
  webhooks: {
    description:
      'Where Git servers tell of pushes, so that nobody waits for a poll. Put an Ingress of yours before the Service `<full name>-webhooks`, port 8083: docs/webhooks.md.',
    values: {
      enabled: no('Listen, and make the Service.'),
      secret: text(
        'Secret of the namespace with what deliveries are signed with. Without it nothing is accepted.',
        'towpath-webhooks',
        { pattern: NAME },
      ),
      hostAliases: text(
        'Hosts that Applications name otherwise than the Git server does: ssh.example.com=git.example.com,…',
        '',
        { pattern: whole(`${PAIR}(,${PAIR})*`) },
      ),
    },
  },
  networkPolicy: {
    description:
      'Shuts the operator in: DNS, the API server and Git are reached, link-local addresses and others where clouds serve credentials are not; only metrics and, where they are on, webhooks are reached from outside.',
    values: {
      enabled: no(
        'Make the NetworkPolicy. Off, as the ports of your API server and Git servers are not known: docs/security.md.',
      ),
      apiServer: {
        description: "The API server's side of its Service, as your network sees it.",
        values: {
          ports: ports('Its ports.', [443, 6443]),
          cidrs: cidrs('Its addresses. Default: any, but for those where clouds serve credentials.'),
        },
      },
      clusters: {
        description:
          'API servers of the clusters that Environments name by a kubeconfig, and proxies to them.',
        values: {
          ports: ports('Their ports.', [443, 6443]),
          cidrs: cidrs(
            'Their addresses. Default: none, so that those are reached which are an address and a port of networkPolicy.apiServer, too.',
          ),
        },
      },
      git: {
        description:
          'Git servers, and the Helm repositories and OCI registries that charts, and what they depend on, come from, with the hosts that give tokens for these.',
        values: {
          ports: ports('Their ports.', [22, 443]),
          cidrs: cidrs(
            'Their addresses. Default: any, but for those where clouds serve credentials; with git.allowLinkLocal those, too.',
          ),
        },
      },
      dns: {
        description: 'Resolvers of names.',
        values: {
          ports: ports('Their ports, UDP and TCP.', [53]),
          to: object(
            "NetworkPolicyPeers. Default: the cluster's own Pods, and the address of NodeLocal DNSCache. Others: docs/security.md.",
            // Kubernetes reads no peers as everybody.
            { type: 'array', items: SHAPES.networkPolicyPeer, minItems: 1 },
            [
              {
                namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'kube-system' } },
                podSelector: { matchLabels: { 'k8s-app': 'kube-dns' } },
              },
              { ipBlock: { cidr: '169.254.20.10/32' } },
            ],
          ),
        },
      },
      proxy: {
        description: 'What proxy.http and proxy.https name; their ports are taken from there.',
        values: {
          cidrs: cidrs('Its addresses. Default: any, but for those where clouds serve credentials.'),
        },
      },
      metricsFrom: objects(
        'Who may scrape: NetworkPolicyPeers. Default: anybody who reaches the Pods, from outside of the cluster, too.',
        SHAPES.networkPolicyPeer,
      ),
      extraEgress: objects('More rules of egress.'),
    },
  },
  proxy: {
    description:
      'For Git over HTTP. The API server and names that end with .svc are never asked for through it. Not for passwords, which stand in the Deployment then: README has how extraEnv takes the URL from a Secret.',
    values: {
      http: text('For http:// addresses: http://host:port.', '', PROXY),
      https: text('For https:// addresses: http://host:port, or https://.', '', PROXY),
      bypass: text('Hosts, domains and networks that are reached without it, separated by commas.'),
    },
  },
  extraArgs: {
    description: 'More flags of the operator: docs/reference/flags.md.',
    default: [],
    schema: { type: 'array', items: { type: 'string' } },
  },
  extraEnv: objects(
    "More environment variables of the operator's container: value, or valueFrom, such as a Secret's key. Each name once, and none that proxy gives, in whatever case.",
    { type: 'object', required: ['name'], properties: { name: { type: 'string', pattern: '^[^=]+$' } } },
  ),
  extraVolumes: objects('More volumes of the Pod.'),
  extraVolumeMounts: objects("More mounts of the operator's container."),
  podLabels: strings('On the Pods. Those that the chart sets itself stay as they are.'),
  podAnnotations: strings('On the Pods.'),
  nodeSelector: strings('Labels of the nodes that take the Pods.'),
  tolerations: objects('Taints that the Pods stand.', SHAPES.toleration),
  affinity: object(
    'Of the Pods. Without a podAntiAffinity, and without topologySpreadConstraints, replicas keep out of the zone of others.',
    SHAPES.affinity,
  ),
  topologySpreadConstraints: objects(
    'Default: replicas on different nodes, where that is possible, and by an affinity in different zones.',
    SHAPES.topologySpread,
  ),
  priorityClassName: text(
    'PriorityClass of the Pods; system-cluster-critical keeps them when a node is full.',
    '',
    { pattern: whole(SUBDOMAIN) },
  ),
  terminationGracePeriodSeconds: count('The operator ends within 10 seconds.', 15, 10),
  resources: object(
    "Of the operator's container. docs/performance.md has what it needs for how many Applications; each one more of --render-processes may need 1 GiB more, for its engine and one for slow renders.",
    SHAPES.resources,
    {
      requests: { cpu: '180m', memory: '475Mi' },
      limits: { memory: '3840Mi' },
    },
  ),
  podDisruptionBudget: {
    description: 'For drains.',
    values: {
      enabled: yes(
        'At most one replica is away at a time, where there are several. One that is not ready may always be evicted.',
      ),
    },
  },
  test: {
    description: '`helm test`.',
    values: {
      enabled: yes(
        'Render its Pod. false, or helm template --skip-tests, where rendered manifests are applied: kubectl would start it.',
      ),
    },
  },
  enabled: yes('Read by nobody here: for the condition of a chart that has this one as a dependency.'),
  global: object('Open, for charts that have this one as a dependency.'),
  tags: object('Open, for charts that have this one as a dependency.'),
};
