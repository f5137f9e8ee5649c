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

/** What follows where nobody looks: a status stays as it is, and what is asked for is not done. */
const SO = {
  Shown: 'what is shown may be old',
  Asked: 'nothing is done of what is asked for before one does',
} as const;

type What = keyof typeof SO;

/** What a status says may be old where no operator looks: whoever reads it, or asks for something, is told. @returns since when nobody leads. */
export async function warnIfNobodyLeads(context: Context, what: What = 'Shown'): Promise<string | undefined> {
  const since = await leadsSince(context, context.signal);
  if (since !== undefined) warnOfSilence(since, context, what);
  return since;
}

export function warnOfSilence(since: string, context: Context, what: What = 'Shown'): void {
  context.err.write(`${paint(context.err, 'yellow', 'Warning:')} ${silence(since, context, what)}\n`);
}

export function silence(since: string, context: Context, what: What = 'Shown'): string {
  const namespace = operatorNamespace(context);
  return `no operator has led in namespace ${namespace} since ${since} (${relative(since, context.now())}), so ${SO[what]}: look at its Pods with kubectl get pods -n ${namespace}.`;
}
