import { FLAGS } from '../../operator/flags.ts';
import { code, GENERATED, table } from './markdown.ts';

/** The reference page of the operator's flags. */
export function flagsPage(): string {
  const rows = Object.entries(FLAGS).map(([name, flag]) => [
    code(`--${name}`),
    code(`TOWPATH_${name.toUpperCase().replaceAll('-', '_')}`),
    flag.default === '' ? '' : code(String(flag.default)),
    flag.help,
  ]);
  return `${GENERATED}
# Flags of the operator
Each can also be given as an environment variable; the flag wins. Durations are like ${code('30s')} or ${code('1h30m')}.

${table(['flag', 'environment variable', 'default', 'what it does'], rows)}
`;
}
