import { nobodyLeadsSince } from '../leader.ts';
import { paint } from '../text/terminal.ts';
import { relative } from '../text/times.ts';
import type { Context } from './command.ts';

/** Where the chart installs by default. */
export const OPERATOR_NAMESPACE = 'towpath-system';

export function leadsSince({ kubectl, flags, now }: Context): Promise<string | undefined> {
  return nobodyLeadsSince(kubectl, flags['operator-namespace'] ?? OPERATOR_NAMESPACE, now());
}

/** What a status says may be old where no operator looks: whoever reads it is told. */
export async function warnIfNobodyLeads(context: Context): Promise<void> {
  const since = await leadsSince(context);
  if (since === undefined) return;
  context.err.write(`${paint(context.err, 'yellow', 'Warning:')} ${silence(since, context)}\n`);
}

export function silence(since: string, { flags, now }: Context): string {
  const namespace = flags['operator-namespace'] ?? OPERATOR_NAMESPACE;
  return `no operator has led in namespace ${namespace} since ${since} (${relative(since, now())}), so what is shown may be old: look at its Pods with kubectl get pods -n ${namespace}.`;
}
