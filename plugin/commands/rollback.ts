import type {
  Application,
  EnvironmentStatus,
  HistoryEntry,
} from '../../operator/api/v1alpha1/application.ts';
import {
  type Promotion,
  type PromotionPhase,
  REQUESTED_BY_OPERATOR,
} from '../../operator/api/v1alpha1/promotion.ts';
import { commandOn, keyOf, readEnvironment } from '../application.ts';
import { CommandError, EXIT, type ExitCode } from '../exit-codes.ts';
import type { Kubectl } from '../kubectl.ts';
import { promotionsOf } from '../promotion.ts';
import type { Command, Context } from './command.ts';
import { warnIfNobodyLeads } from './nobody-leads.ts';
import { reasonOf, tell } from './promote.ts';

export const rollback: Command = {
  usage: 'rollback APP ENV [--to ID]',
  words: [2, 2],
  flags: ['to', 'reason', 'output', 'operator-namespace'],
  summary: 'Goes back to what ran there before, and stays there until kubectl towpath resume.',
  notes: [
    '--to ID: what that deployment deployed, as kubectl towpath history lists them; without it the last that succeeded',
    'before what runs: once more, the one before that, and nothing that was gone back from. It waits for no gate.',
    '--reason TEXT: why, for those who read it later.',
  ],
  run: async (context) => {
    const { kubectl, words, flags } = context;
    const [name = '', environment = ''] = words;
    const { application, entry } = await readEnvironment(kubectl, name, environment);
    const historyID =
      flags.to === undefined
        ? await before(kubectl, application, entry ?? { name: environment })
        : idOf(flags.to, entry);
    await warnIfNobodyLeads(context);
    return tell(context, {
      type: 'Rollback',
      application: name,
      environment,
      historyID,
      ...reasonOf(context),
    });
  },
};

async function before(
  kubectl: Kubectl,
  application: Application,
  entry: Before & { name: string },
): Promise<number> {
  const { name: environment, history = [] } = entry;
  const key = keyOf(application);
  const isUnderWay = entry.digest !== undefined && entry.digest !== history[0]?.digest;
  const promotions = isUnderWay ? await promotionsOf(kubectl, application.metadata.name, environment) : [];
  const last = wayBack(entry, promotions);
  if (last === 'Unknown')
    throw new CommandError(
      `What is on its way to ${environment} of ${key} ran there before, and no Promotion that you may read says whether it goes back or is new: ask again in a moment, or name with --to what to go back to.`,
      EXIT.NotAwaited,
    );
  if (last !== undefined) return last.id;
  const wentBack = history[0]?.trigger === 'Rollback';
  const why = wentBack
    ? `nothing else succeeded in ${environment} of ${key} before what it went back to, but what was gone back from; name one with --to`
    : `nothing else succeeded in ${environment} of ${key}`;
  throw new CommandError(
    `There is nothing to go back to: ${why}, as far as its history reaches.`,
    EXIT.NotAwaited,
  );
}

type Before = Pick<EnvironmentStatus, 'digest' | 'history'>;

/** Of what is on its way: whether it goes back, or is new there, also where its manifests ran there before. */
type Heading = 'Back' | 'Further';

/**
 * The last that succeeded before what runs, or is on its way. What somebody, or a failed verification, goes back to is as
 * old as when it came there first; and what was gone back from since it came is no way back: it was left for a reason.
 *
 * @param promotions by which it is known whether what is on its way goes back
 * @returns `Unknown`: that makes a difference, and they do not tell
 */
export function wayBack(
  entry: Before,
  promotions: readonly Promotion[] = [],
): HistoryEntry | 'Unknown' | undefined {
  const heading = headingOf(entry, promotions);
  if (heading !== undefined) return wayBackOf(entry, heading);
  const last = wayBackOf(entry, 'Back');
  return last === wayBackOf(entry, 'Further') ? last : 'Unknown';
}

/** By the Promotion of what is on its way; undefined: there is none that says so. */
function headingOf({ digest, history = [] }: Before, promotions: readonly Promotion[]): Heading | undefined {
  const [newest] = history;
  // What ended last is what runs: whether it went back, the history says.
  if (digest === undefined || digest === newest?.digest) return 'Back';
  if (newest === undefined) return 'Further';
  const its = promotions.find(({ status: { deployment = 0, startedAt = '', ...is } = {} }) => {
    // An Application of that name that was there before counted its deployments, too.
    const isLater = deployment > newest.id && Date.parse(startedAt) >= Date.parse(newest.startedAt);
    return isLater && is.digest === digest;
  });
  return its && (its.spec.type === 'Rollback' ? 'Back' : 'Further');
}

function wayBackOf({ digest, history = [] }: Before, heading: Heading): HistoryEntry | undefined {
  const runs = digest ?? history[0]?.digest;
  if (runs === undefined) return undefined;
  let from = heading === 'Further' ? -1 : history.findIndex((one) => one.digest === runs);
  const left = new Set(from > 0 ? [history[0]?.digest] : []);
  while (history[from]?.trigger === 'Rollback') {
    from = history.findIndex((one, index) => index > from && one.digest === runs);
    if (from === -1) return undefined;
  }
  for (const [index, one] of history.entries()) {
    if (isLeft(history[index - 1], one)) left.add(one.digest);
    const isOther = one.outcome === 'Succeeded' && one.digest !== runs && !left.has(one.digest);
    if (index > from && isOther) return one;
  }
  return undefined;
}

/** Whether the next deployment went back from that one. What was taken back is as if it had never been, either of them. */
function isLeft(next: HistoryEntry | undefined, { digest, outcome }: HistoryEntry): boolean {
  if (next?.trigger !== 'Rollback' || next.outcome === 'Cancelled') return false;
  return outcome !== 'Cancelled' && next.digest !== digest;
}

function idOf(text: string, entry: EnvironmentStatus | undefined): number {
  const ids = (entry?.history ?? []).map(({ id }) => id);
  const id = Number(text);
  if (ids.includes(id)) return id;
  throw new CommandError(
    `--to=${text} is in no history there; it has ${ids.join(', ') || 'none'}.`,
    EXIT.Usage,
  );
}

/** Lets go of what a rollback holds. */
export async function resumeHeld(context: Context, name: string, environment: string): Promise<ExitCode> {
  const { kubectl } = context;
  const { application, entry } = await readEnvironment(kubectl, name, environment);
  const promotions = await promotionsOf(kubectl, name, environment);
  const own = holdOf(promotions);
  // The hold has the name of the one that a person made, also where that is gone.
  const hold = own?.status?.inPlaceOf?.promotion ?? own?.metadata.name ?? heldBefore(entry);
  if (entry?.sync !== 'Held' || hold === undefined)
    throw new CommandError(
      waitingBack(promotions) ??
        (entry?.sync === 'Held' ? entry.message : undefined) ??
        `Nothing holds ${environment} of ${keyOf(application)}. An Application that is suspended: ${commandOn(application, 'resume')}`,
      EXIT.NotAwaited,
    );
  await warnIfNobodyLeads(context);
  return tell(context, {
    type: 'Resume',
    application: name,
    environment,
    promotion: hold,
    ...reasonOf(context),
  });
}

/** The Promotion by which it was held under another name, which this one took the place of: its status names it. */
export function heldBefore({ sync, message = '' }: Partial<EnvironmentStatus> = {}): string | undefined {
  if (sync !== 'Held') return undefined;
  return / holds it \(Promotion ([a-z0-9][-.a-z0-9]{0,78})\)/.exec(message)?.[1];
}

/** What went back and was not overtaken: not what waits to, nor what ended before it was begun. */
const HOLDING: ReadonlySet<PromotionPhase | undefined> = new Set<PromotionPhase>([
  'Deploying',
  'Verifying',
  'Succeeded',
  // A Rollback that was refused, or failed, holds all the same.
  'Failed',
  'RolledBack',
]);

/** What a person rolled back by last, the newest being first; what a policy goes back by itself holds nothing. */
export function holdOf(promotions: readonly Promotion[]): Promotion | undefined {
  return promotions.find(
    ({ spec, status }) =>
      spec.type === 'Rollback' &&
      (!spec.requestedBy.startsWith(REQUESTED_BY_OPERATOR) || status?.inPlaceOf !== undefined) &&
      HOLDING.has(status?.phase),
  );
}

/** What is not begun holds, too, and there is nothing yet to let go of; the next step. */
export function waitingBack(promotions: readonly Promotion[]): string | undefined {
  const one = promotions.find(({ spec, status: { phase = 'Pending' } = {} }) => {
    return spec.type === 'Rollback' && (phase === 'Pending' || phase === 'Gated');
  });
  if (one === undefined) return undefined;
  return `Promotion ${one.metadata.name} waits to go back there, and is not begun: take it back with ${commandOn(one, 'cancel')}`;
}
