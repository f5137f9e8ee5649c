import { parseArgs } from 'node:util';

interface Flag {
  type: 'string' | 'boolean';
  default: string | boolean;
  /** One sentence; docs/reference/flags.md is generated from it. */
  help: string;
}

/** Every flag of the operator; each can also be given as an environment variable, TOWPATH_ and its name. */
export const FLAGS = {
  namespace: {
    type: 'string',
    default: 'towpath-system',
    help: 'Namespace of the Lease and of the target records; in a Pod, its own.',
  },
  installation: {
    type: 'string',
    default: '',
    help: 'Id of this installation, which a reinstall must keep to own what it owned. Default: namespace/towpath.',
  },
  engine: { type: 'string', default: '', help: 'Path of the render engine.' },
  'watch-namespace': {
    type: 'string',
    default: '',
    help: 'Look after the Applications of this namespace only. Default: of all.',
  },
  'probe-address': {
    type: 'string',
    default: '127.0.0.1:8081',
    help: 'Where /readyz, /livez and /metrics are served; port 0 takes a free one.',
  },
  'log-level': { type: 'string', default: 'info', help: 'trace, debug, info, warn or error.' },
  'cache-directory': {
    type: 'string',
    default: '',
    help: 'Where Git packs are kept; removed at the end. Default: a temporary directory.',
  },
  'lease-duration': { type: 'string', default: '15s', help: 'How long a silent leader is waited for.' },
  'renew-deadline': {
    type: 'string',
    default: '10s',
    help: 'How long a leader that cannot renew its Lease goes on.',
  },
  'retry-period': { type: 'string', default: '2s', help: 'Pause between two renewals of the Lease.' },
  'watch-silence': {
    type: 'string',
    default: '90s',
    help: 'A watch that says nothing for this long is renewed. The API server says something about once a minute.',
  },
  'render-processes': { type: 'string', default: '2', help: 'How many render engines run at once.' },
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

export type FlagValues = {
  [Name in keyof typeof FLAGS]: (typeof FLAGS)[Name]['type'] extends 'boolean' ? boolean : string;
};

/** Reads the command line, then the environment, then the defaults. Throws on an unknown flag. */
export function readFlags(
  args: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
): FlagValues {
  const options = Object.fromEntries(Object.entries(FLAGS).map(([name, { type }]) => [name, { type }]));
  const { values } = parseArgs({ args: [...args], options, allowPositionals: false, strict: true });
  const read = (name: string, flag: Flag): string | boolean => {
    const given = values[name] ?? environment[`TOWPATH_${name.toUpperCase().replaceAll('-', '_')}`];
    if (given === undefined) return flag.default;
    return flag.type === 'boolean' && typeof given === 'string'
      ? given === 'true'
      : (given as string | boolean);
  };
  return Object.fromEntries(
    Object.entries(FLAGS).map(([name, flag]) => [name, read(name, flag)]),
  ) as FlagValues;
}
