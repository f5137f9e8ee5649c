import { nobodyLeadsSince } from '../leader.ts';
import { paint } from '../text/terminal.ts';
import { relative } from '../text/times.ts';
import type { Context } from './command.ts';

/** Where the chart installs by default. */
const OPERATOR_NAMESPACE = 'towpath-system';

export function operatorNamespace({ flags }: Pick<Context, 'flags'>): string {
  return flags['operator-namespace'] ?? OPERATOR_NAMESPACE;
}

export function leadsSince(context: Context, signal: AbortSignal): Promise<string | undefined> {
  return nobodyLeadsSince(context.kubectl, operatorNamespace(context), context.now(), signal);
}

/** What a status says may be old where no operator looks: whoever reads it is told. */
export async function warnIfNobodyLeads(context: Context): Promise<void> {
  const since = await leadsSince(context, context.signal);
  if (since !== undefined) warnOfSilence(since, context);
}

export function warnOfSilence(since: string, context: Context): void {
  context.err.write(`${paint(context.err, 'yellow', 'Warning:')} ${silence(since, context)}\n`);
}

export function silence(since: string, context: Context): string {
  const namespace = operatorNamespace(context);
  return `no operator has led in namespace ${namespace} since ${since} (${relative(since, context.now())}), so what is shown may be old: look at its Pods with kubectl get pods -n ${namespace}.`;
}
