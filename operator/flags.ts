import { accessSync, constants, statSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { parseDuration } from './api/v1alpha1/duration.ts';
import { type ListenAddress, listenAddress } from './observe/listen-address.ts';
import { type HostAliases, hostAliases } from './source/repository-name.ts';

interface Flag {
  type: 'string' | 'boolean';
  default: string | boolean;
  /** What a value must be; undefined: it may be anything. */
  form?: keyof typeof FORMS;
  /** It has no default. */
  isRequired?: true;
  /** One sentence; docs/reference/flags.md is generated from it. */
  help: string;
}

/** Forms of values: what fits, and what to write instead. */
const FORMS = {
  duration: {
    fits: (value: string) => {
      try {
        return parseDuration(value) > 0;
      } catch {
        return false;
      }
    },
    hint: 'a duration above zero, such as 30s, 5m or 1h30m',
  },
  count: { fits: (value: string) => /^[1-9]\d?$/.test(value), hint: 'a whole number from 1 to 99' },
  // Of one namespace, or of all that is gone: a thousand ConfigMaps of 64 KB are 64 MB, which etcd has room for.
  'larger count': {
    fits: (value: string) => /^[1-9]\d{0,2}$/.test(value),
    hint: 'a whole number from 1 to 999',
  },
  address: {
    fits: (value: string) => listenAddress(value) !== undefined,
    hint: 'an address with a port, such as 127.0.0.1:8081, or :8081 for all addresses',
  },
  'address or none': {
    fits: (value: string) => value === '' || listenAddress(value) !== undefined,
    hint: 'an address with a port, such as 127.0.0.1:8083, or :8083 for all addresses, or empty for none',
  },
  secret: {
    fits: (value: string) => /^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/.test(value),
    hint: 'the name of a Secret',
  },
  policy: {
    fits: (value: string) => /^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/.test(value),
    hint: 'the name of a ValidatingAdmissionPolicy',
  },
  aliases: {
    fits: (value: string) => hostAliases(value) !== undefined,
    hint: 'pairs of hosts with commas between them, such as ssh.example.com=git.example.com',
  },
  roles: {
    fits: (value: string) => value === '' || /^[^\s,/%]{1,253}(,[^\s,/%]{1,253})*$/.test(value),
    hint: 'names of ClusterRoles with commas between them, such as edit,view, or empty for none',
  },
  role: {
    fits: (value: string) => /^[^\s,/%]{1,253}$/.test(value),
    hint: 'the name of a ClusterRole',
  },
  'pod security': {
    fits: (value: string) => ['', 'privileged', 'baseline', 'restricted'].includes(value),
    hint: 'privileged, baseline or restricted, or empty for none',
  },
  level: {
    fits: (value: string) => ['trace', 'debug', 'info', 'warn', 'error'].includes(value),
    hint: 'trace, debug, info, warn or error',
  },
  format: { fits: (value: string) => value === 'json' || value === 'text', hint: 'json or text' },
  name: {
    fits: (value: string) => /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/.test(value),
    hint: 'the name of a namespace',
  },
  program: {
    fits: (value: string) => {
      try {
        accessSync(value, constants.X_OK);
        return statSync(value).isFile();
      } catch {
        return false;
      }
    },
    hint: 'the path of a program that there is and that may be run',
  },
  switch: { fits: (value: string) => value === 'true' || value === 'false', hint: 'true or false' },
} as const;

/** Every flag of the operator; each can also be given as an environment variable, TOWPATH_ and its name. */
export const FLAGS = {
  namespace: {
    type: 'string',
    form: 'name',
    default: 'towpath-system',
    help: 'Namespace of the Lease and of the target records; in a Pod, its own.',
  },
  installation: {
    type: 'string',
    default: '',
    help: 'Id of this installation, which a reinstall must keep to own what it owned. Default: namespace/towpath.',
  },
  'cluster-role': {
    type: 'string',
    form: 'role',
    default: '',
    help: 'ClusterRole of the chart that stands for this installation, by which it tells itself from another one of the same id. Default: the youngest of its namespace and id.',
  },
  engine: {
    type: 'string',
    form: 'program',
    default: '',
    isRequired: true,
    help: 'Path of the render engine; it must be given.',
  },
  'watch-namespace': {
    type: 'string',
    form: 'name',
    default: '',
    help: 'Look after the Applications of this namespace only. Default: of all.',
  },
  'managed-cluster-roles': {
    type: 'string',
    form: 'roles',
    default: 'edit',
    help: 'ClusterRoles that may be bound for Environments with managed access (spec.access.clusterRole), separated by commas. Empty: none.',
  },
  'managed-pod-security': {
    type: 'string',
    form: 'pod security',
    default: 'baseline',
    help: "Level of Pod Security that namespaces get which are made for Environments with managed access, in every cluster: their label pod-security.kubernetes.io/enforce. Empty: no label, and the API server's own default holds.",
  },
  'approval-policy': {
    type: 'string',
    form: 'policy',
    default: 'approvals.towpath.dev',
    help: 'ValidatingAdmissionPolicy, and binding of the same name, by which the API server proves who makes an Approval. Without them none counts.',
  },
  'promotion-history': {
    type: 'string',
    form: 'count',
    default: '10',
    help: 'How many Promotions that ended each Application keeps in each environment, 1 to 99; older ones are in the archive alone.',
  },
  'archive-interval': {
    type: 'string',
    form: 'duration',
    default: '1m',
    help: 'How often the Promotions that ended meanwhile are written into the archive.',
  },
  'archive-size': {
    type: 'string',
    form: 'larger count',
    default: '40',
    help: 'How many ConfigMaps of 64 KB, in --namespace, the archive may have for each namespace of Applications, 1 to 999; the oldest goes first.',
  },
  'gone-promotions': {
    type: 'string',
    form: 'larger count',
    default: '100',
    help: 'How many Promotions that ended are kept in a namespace of Applications, and environments of these, that are gone, 1 to 999; older ones are in the archive alone.',
  },
  'gone-archive-size': {
    type: 'string',
    form: 'larger count',
    default: '400',
    help: 'How many ConfigMaps of 64 KB the archive may have for all namespaces together in which neither an Application nor a Promotion is any more, 1 to 999; the oldest goes first.',
  },
  'gone-retention': {
    type: 'string',
    form: 'duration',
    default: '8760h',
    help: 'How long Promotions, and the archive of namespaces, are kept of which all is gone.',
  },
  'promotion-policy': {
    type: 'string',
    form: 'policy',
    default: 'promotions.towpath.dev',
    help: 'ValidatingAdmissionPolicy, and binding of the same name, by which the API server proves who makes a Promotion, and that he may. Without them none of a person counts.',
  },
  'upgrade-definitions': {
    type: 'boolean',
    default: false,
    help: 'The replica that leads brings the CustomResourceDefinitions of Towpath up to its own version, never down, and creates those of kinds that are new.',
  },
  'probe-address': {
    type: 'string',
    form: 'address',
    default: '127.0.0.1:8081',
    help: 'Where /readyz and /livez are served; port 0 takes a free one.',
  },
  'metrics-address': {
    type: 'string',
    form: 'address',
    default: '127.0.0.1:8082',
    help: 'Where /metrics is served; port 0 takes a free one.',
  },
  'omit-application-metrics': {
    type: 'boolean',
    default: false,
    help: 'Leave the series of single Applications, two each, out of /metrics.',
  },
  'webhook-address': {
    type: 'string',
    form: 'address or none',
    default: '127.0.0.1:8083',
    help: 'Where Git servers tell of pushes; port 0 takes a free one, and empty listens nowhere. Without a secret nothing is accepted.',
  },
  'webhook-secret': {
    type: 'string',
    form: 'secret',
    default: 'towpath-webhooks',
    help: 'Secret in --namespace with what deliveries are signed with, by kind of Git server.',
  },
  'webhook-host-aliases': {
    type: 'string',
    form: 'aliases',
    default: '',
    help: 'Hosts that Applications name otherwise than the Git server does: ssh.example.com=git.example.com,… Pairs chain. Known: those of GitHub, GitLab, Bitbucket and Azure DevOps.',
  },
  'log-level': { type: 'string', form: 'level', default: 'info', help: 'trace, debug, info, warn or error.' },
  'log-format': {
    type: 'string',
    form: 'format',
    default: 'json',
    help: 'json: one object a line; text: a line for people.',
  },
  'cache-directory': {
    type: 'string',
    default: '',
    help: 'Where Git packs are kept; removed at the end. Default: a temporary directory.',
  },
  'lease-duration': {
    type: 'string',
    form: 'duration',
    default: '15s',
    help: 'How long a silent leader is waited for.',
  },
  'renew-deadline': {
    type: 'string',
    form: 'duration',
    default: '10s',
    help: 'How long a leader that cannot renew its Lease goes on.',
  },
  'retry-period': {
    type: 'string',
    form: 'duration',
    default: '2s',
    help: 'Pause between two renewals of the Lease.',
  },
  'watch-silence': {
    type: 'string',
    form: 'duration',
    default: '90s',
    help: 'A watch that says nothing for this long is renewed. The API server says something about once a minute.',
  },
  'render-processes': {
    type: 'string',
    form: 'count',
    default: '2',
    help: 'How many render engines run at once, 1 to 99.',
  },
  'ca-file': {
    type: 'string',
    default: '',
    help: 'File of certificates (PEM) of authorities that are trusted beside the public ones, for Git and proxies over HTTPS; read again when it changes. As it is at the start it counts for the API server, too, where the kubeconfig names no authority.',
  },
  'allow-loopback-repositories': {
    type: 'boolean',
    default: false,
    help: 'Allow Git servers on the loopback address.',
  },
  'allow-link-local-repositories': {
    type: 'boolean',
    default: false,
    help: 'Allow Git servers on link-local addresses.',
  },
  'allow-plain-http-credentials': {
    type: 'boolean',
    default: false,
    help: 'Allow Git credentials over plain HTTP.',
  },
  'insecure-no-impersonation': {
    type: 'boolean',
    default: false,
    help: 'For development only: write with the rights of the operator itself.',
  },
} as const satisfies Record<string, Flag>;

export function wantsHelp(args: readonly string[]): boolean {
  return args.includes('--help') || args.includes('-h');
}

/** What `--help` prints. */
export function usage(): string {
  const lines = Object.entries(FLAGS).map(([name, flag]: [string, Flag]) => {
    const standard = flag.type === 'boolean' || flag.default === '' ? '' : ` (default ${flag.default})`;
    return `  --${name}${flag.type === 'boolean' ? '' : ' <value>'}\n      ${flag.help}${standard}\n`;
  });
  return `Towpath's operator. It looks after the Applications of the cluster that its kubeconfig names ($KUBECONFIG,
~/.kube/config), or of the cluster that it runs in.

Flags; each can also be given as an environment variable, TOWPATH_ and its name (TOWPATH_LOG_LEVEL):

${lines.join('')}  --help, -h
      Print this.
`;
}

export type FlagValues = {
  [Name in keyof typeof FLAGS]: (typeof FLAGS)[Name]['type'] extends 'boolean' ? boolean : string;
};

/**
 * Reads the command line, then the environment, then the defaults. Throws an Error with a sentence for an unknown
 * flag, for one that is missing, and for a value that does not fit, by itself or beside the others.
 */
export function readFlags(
  args: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
): FlagValues {
  const values = parseLine(args);
  const read = (name: string, flag: Flag): string | boolean => {
    const given = values[name] ?? environment[`TOWPATH_${name.toUpperCase().replaceAll('-', '_')}`];
    const formName = flag.form ?? (flag.type === 'boolean' ? 'switch' : undefined);
    const form = formName === undefined ? undefined : FORMS[formName];
    if (flag.isRequired && (given ?? '') === '')
      throw new Error(`--${name} is missing; it must be ${form?.hint}.`);
    if (given === undefined) return flag.default;
    // Empty is as if it were not given, where that is the default.
    if (form !== undefined && !(given === '' && flag.default === '') && !form.fits(String(given)))
      throw new Error(`--${name} is "${given}"; it must be ${form.hint}.`);
    return flag.type === 'boolean' && typeof given === 'string'
      ? given === 'true'
      : (given as string | boolean);
  };
  const flags = Object.fromEntries(
    Object.entries(FLAGS).map(([name, flag]) => [name, read(name, flag)]),
  ) as FlagValues;
  for (const [shorter, longer, otherwise] of ASCENDING) {
    if (parseDuration(flags[shorter]) < parseDuration(flags[longer])) continue;
    throw new Error(
      `--${shorter} is ${flags[shorter]} and --${longer} is ${flags[longer]}; the first must be shorter, or ${otherwise}.`,
    );
  }
  return flags;
}

function parseLine(args: readonly string[]): Record<string, string | boolean | undefined> {
  const options = Object.fromEntries(Object.entries(FLAGS).map(([name, { type }]) => [name, { type }]));
  try {
    return parseArgs({ args: [...args], options, allowPositionals: false, strict: true }).values;
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw new Error(message.endsWith('.') ? message : `${message}.`);
  }
}

/** Durations of which one must be shorter than the other. */
const ASCENDING = [
  ['renew-deadline', 'lease-duration', 'two replicas may lead at once'],
  ['retry-period', 'renew-deadline', 'a leader gives up before it renews its Lease'],
] as const;

/** What was checked when the flags were read. */
export function aliasesOf(flags: FlagValues): HostAliases {
  return hostAliases(flags['webhook-host-aliases']) ?? new Map();
}

export function addressOf(
  flags: FlagValues,
  name: `${'probe' | 'metrics' | 'webhook'}-address`,
): ListenAddress {
  const address = listenAddress(flags[name]);
  if (address === undefined) throw new Error(`--${name} is "${flags[name]}"`);
  return address;
}

/** ClusterRoles that may be bound for Environments. */
export function rolesOf(flags: FlagValues): string[] {
  return flags['managed-cluster-roles'].split(',').filter((role) => role !== '');
}
