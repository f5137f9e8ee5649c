import type { Application, EnvironmentStatus } from '../../operator/api/v1alpha1/application.ts';
import {
  type Promotion,
  SKIPPABLE_GATES,
  type SkippableGate,
} from '../../operator/api/v1alpha1/promotion.ts';
import { keyOf, readEnvironment } from '../application.ts';
import { CommandError, EXIT, type ExitCode } from '../exit-codes.ts';
import { type Asked, answered, ask, linesOf, linesOfChanges, readPromotion } from '../promotion.ts';
import { plain, wrap } from '../text/terminal.ts';
import { allWaiting, changesOf, isOfDigest, isOfRevision, waitingOf } from '../waiting.ts';
import { type Command, type Context, isJson, printJson, printLines } from './command.ts';
import { warnIfNobodyLeads } from './nobody-leads.ts';

export const promote: Command = {
  usage: 'promote APP ENV [--candidate DIGEST | --revision SHA | --retry NAME]',
  words: [2, 2],
  flags: ['candidate', 'revision', 'retry', 'skip-gates', 'reason', 'output', 'operator-namespace'],
  summary:
    'Promotes what waits in that environment, or what ran there, in your name, as soon as no gate keeps it out.',
  notes: [
    '--revision SHA: what waits, or ran there, of that commit; --candidate: by the digest of its manifests.',
    `--skip-gates=GATE,… passes by ${SKIPPABLE_GATES.join(', ')}: that takes the verb override, and is on record.`,
    '--retry NAME tries a Promotion that Failed once more. --reason TEXT: why, for those who read it later.',
  ],
  run: async (context) => {
    const { kubectl, words, flags } = context;
    const [name = '', environment = ''] = words;
    const { application, entry } = await readEnvironment(kubectl, name, environment);
    const skipGates = gatesOf(flags['skip-gates']);
    const about = { application: name, environment, ...reasonOf(context) };
    await warnIfNobodyLeads(context);
    if (flags.retry !== undefined) return tell(context, { ...about, type: 'Retry', promotion: flags.retry });
    const candidate = candidateOf(context, application, entry);
    const shown = tellBefore(context, entry, candidate, skipGates);
    return tell(context, { ...about, type: 'Promote', candidate, skipGates }, shown);
  },
};

export const cancel: Command = {
  usage: 'cancel NAME',
  words: [1, 1],
  first: 'Promotion',
  flags: ['reason', 'output', 'operator-namespace'],
  summary: 'Takes back a Promotion that waits, deploys or is verified.',
  notes: [
    'NAME is one of kubectl get promotions. From what is on its way it goes back to what succeeded there last, and these',
    'manifests wait until they are promoted. --reason TEXT: why, for those who read it later.',
  ],
  run: async (context) => {
    const [name = ''] = context.words;
    const { spec } = await readPromotion(context.kubectl, name);
    const { application, environment } = spec;
    await warnIfNobodyLeads(context);
    const about = { application, environment, promotion: name, ...reasonOf(context) };
    return tell(context, { ...about, type: 'Cancel' });
  },
};

/**
 * Asks, says what the operator answers, and ends with the code of that.
 *
 * @param shown digest of the manifests of which was told before what they change
 */
export async function tell(context: Context, asked: Asked, shown?: string): Promise<ExitCode> {
  const { kubectl, out, signal } = context;
  const made = await ask(kubectl, asked);
  const promotion = await answered(kubectl, made, signal);
  if (isJson(context)) printJson(context, summaryOf(promotion));
  else
    printLines(
      context,
      [...linesOf(promotion, shown), followed(promotion)].flatMap((line) => wrap(line, out.width)),
    );
  if (promotion.status?.phase !== 'Failed') return EXIT.Done;
  return asked.type === 'Cancel' ? EXIT.NotAwaited : EXIT.Failed;
}

function summaryOf({ metadata, spec, status = {} }: Promotion): object {
  const { name, namespace } = metadata;
  const { phase = 'Pending', message, blockedBy = [], changes } = status;
  return { promotion: name, namespace, ...spec, phase, message, blockedBy, changes };
}

function followed({ metadata: { name, namespace }, spec: { type } }: Promotion): string {
  return type === 'Cancel'
    ? `Look at it: kubectl get promotions ${name} -n ${namespace}`
    : `Follow it: kubectl towpath wait --promotion ${name} -n ${namespace}`;
}

export function reasonOf({ flags: { reason } }: Context): { reason?: string } {
  return reason === undefined ? {} : { reason };
}

function gatesOf(text = ''): SkippableGate[] {
  const named = text.split(',').filter((one) => one !== '');
  const gates = SKIPPABLE_GATES.filter((gate) => named.includes(gate));
  const unknown = named.find((one) => !gates.some((gate) => gate === one));
  if (unknown === undefined) return gates;
  throw new CommandError(
    `--skip-gates=${unknown} is no gate; there are ${SKIPPABLE_GATES.join(', ')}.`,
    EXIT.Usage,
  );
}

/** What to promote: the digest of its manifests there, or the id of what the source has. */
function candidateOf(
  { flags }: Context,
  application: Application,
  entry: EnvironmentStatus | undefined,
): string {
  const { revision, candidate } = flags;
  if (revision !== undefined && candidate !== undefined)
    throw new CommandError('Name one of --candidate and --revision.', EXIT.Usage);
  if (candidate !== undefined) return fullOf(candidate, application, entry);
  if (revision !== undefined) return ofRevision(revision, application, entry);
  const { desiredDigest, desiredRevision, revision: runs } = entry ?? {};
  if (desiredDigest !== undefined) return desiredDigest;
  // What nobody asked for yet in mode Manual, say.
  const newest = application.status?.source?.candidate;
  if (newest !== undefined && (desiredRevision !== runs || entry?.sync === 'OutOfSync')) return newest;
  throw new CommandError(
    `Nothing of ${keyOf(application)} waits in ${entry?.name ?? 'that environment'}. Name what to promote with --revision or --candidate.`,
    EXIT.NotAwaited,
  );
}

function fullOf(text: string, { status }: Application, entry: EnvironmentStatus | undefined): string {
  if (/^sha256:[0-9a-f]{64}$/.test(text)) return text;
  const known = [
    status?.source?.candidate,
    ...(entry === undefined ? [] : allWaiting(entry).map(({ digest }) => digest)),
    ...(entry?.history ?? []).flatMap(({ candidate, digest }) => [candidate, digest]),
  ].filter((one) => one !== undefined);
  const found = [...new Set(known.filter((one) => isOfDigest(text, one)))];
  const [only] = found;
  if (only !== undefined && found.length === 1) return only;
  throw new CommandError(
    `--candidate=${text} names nothing that is known there: write its digest in full.`,
    EXIT.Usage,
  );
}

function ofRevision(
  revision: string,
  application: Application,
  entry: EnvironmentStatus | undefined,
): string {
  const waits = waitingOf({ revision }, entry);
  if (waits !== undefined) return waits.digest;
  const ran = entry?.history?.find((one) => isOfRevision(revision, one.revision))?.digest;
  if (ran !== undefined) return ran;
  throw new CommandError(
    `Nothing of revision ${revision} waits in ${entry?.name ?? 'that environment'} of ${keyOf(application)}, nor ran there.`,
    EXIT.NotAwaited,
  );
}

/**
 * What a person has to know before what is asked for is made: what it changes, what keeps it out, and what he passes by.
 * Answers with the digest of the manifests of which was told what they change.
 */
function tellBefore(
  context: Context,
  entry: EnvironmentStatus | undefined,
  candidate: string,
  skipGates: readonly SkippableGate[],
): string | undefined {
  if (isJson(context)) return undefined;
  const { blockedBy = [], desiredDigest } = entry ?? {};
  const waits = entry && allWaiting(entry).find(({ digest }) => digest === candidate);
  const changes = entry === undefined || waits === undefined ? [] : linesOfChanges(changesOf(entry, waits));
  const lines = [
    // What keeps out the newest is told of no other.
    ...(desiredDigest === candidate ? blockedBy : []).map(
      ({ reason, message }) => `In the way now: ${reason}: ${plain(message)}`,
    ),
    ...(skipGates.length === 0 ? [] : [`You pass by: ${skipGates.join(', ')}. That is on record.`]),
    ...changes,
  ];
  for (const line of lines.flatMap((one) => wrap(one, context.err.width))) context.err.write(`${line}\n`);
  return changes.length === 0 ? undefined : candidate;
}
