import { setTimeout } from 'node:timers/promises';
import type { EnvironmentStatus } from '../../operator/api/v1alpha1/application.ts';
import { readEnvironment } from '../application.ts';
import { CommandError, EXIT, type ExitCode } from '../exit-codes.ts';
import { type Named, namedAs } from '../text/decided-by.ts';
import { plain } from '../text/terminal.ts';
import { allWaiting } from '../waiting.ts';
import type { Context } from './command.ts';

/** So long the operator gets to count a decision. */
const ANSWER_MS = 10_000;
const LOOK_MS = 200;

/** A person's yes or no to manifests. */
export interface Decided {
  readonly decision: 'Approve' | 'Reject';
  readonly digest: string;
  readonly by: string;
}

type Entry = Pick<EnvironmentStatus, 'desiredDigest' | 'waiting' | 'blockedBy' | 'digest' | 'message'>;

/** What a status says of a decision. */
type Told =
  | 'Counted'
  /** It may come to be told. */
  | 'NotYet'
  /** It names too few of those who decided. */
  | 'Perhaps'
  /** Fewer gates ask: by this yes, or by another one. */
  | 'Fewer'
  /** What waits behind something newer, or is held back by others, is told without who said yes or no. */
  | 'Untold'
  /** They have entered. */
  | 'Entered'
  /** They do not wait there any more, and nothing else is seen to have taken their place: they may be entering. */
  | 'Left'
  /** Something else has taken their place. */
  | 'Gone';

/** What may be another one in the next status. */
const OPEN: readonly Told[] = ['NotYet', 'Perhaps', 'Left'];

interface Answer {
  readonly told: Told;
  readonly entry: Entry;
}

/** What keeps a decision from being seen at all. */
const UNSEEN: readonly string[] = ['AdmissionPolicyMissing', 'ApprovalsUnknown'];

/**
 * Whether each gate that asks counts a decision that was made before. One that is too old, or was given before its giver
 * was in the group or the admission policy was there, counts for nothing, and is made anew.
 */
export function isCounted(
  { desiredDigest, blockedBy = [] }: Entry,
  { digest, decision, by }: Decided,
): boolean {
  const reason = decision === 'Approve' ? 'AwaitingApproval' : 'Rejected';
  const gates = blockedBy.filter((one) => one.reason === reason);
  return (
    desiredDigest === digest &&
    gates.length > 0 &&
    gates.every(({ message }) => namedAs(decision, message, by) === 'Named')
  );
}

/** What the status says of it once it does, or after so long. @param before as it was when it was made */
export async function answerTo(context: Context, made: Decided, before: Entry): Promise<Answer> {
  const { kubectl, words, signal, now } = context;
  const [name = '', environment = ''] = words;
  const until = now().getTime() + ANSWER_MS;
  let entry = before;
  for (;;) {
    try {
      ({ entry = {} } = await readEnvironment(kubectl, name, environment));
    } catch (error) {
      // It is made all the same.
      if (!(error instanceof CommandError)) throw error;
    }
    const told = toldOf(entry, made, before);
    // What enters is told of in the next status.
    const isOpen = OPEN.includes(told) || (told === 'Gone' && made.decision === 'Approve');
    if (!isOpen || now().getTime() >= until) return { told, entry };
    await setTimeout(LOOK_MS, undefined, { signal });
  }
}

function toldOf(entry: Entry, { decision, digest, by }: Decided, before: Entry): Told {
  if (entry.desiredDigest !== digest) {
    if (allWaiting(entry).some((one) => one.digest === digest)) return 'Untold';
    if (entry.digest === digest) return 'Entered';
    return entry.desiredDigest === undefined && entry.digest === before.digest ? 'Left' : 'Gone';
  }
  const { blockedBy = [] } = entry;
  if (blockedBy.some(({ reason }) => UNSEEN.includes(reason))) return 'NotYet';
  const nos = rejectionsIn(entry).map((message) => namedAs('Reject', message, by));
  if (decision === 'Reject') return bestOf(nos);
  // The own no, from before.
  if (nos.includes('Named')) return 'NotYet';
  const yeses = awaitingIn(entry).map((message) => namedAs('Approve', message, by));
  if (yeses.length === 0) return nos.length > 0 ? 'Untold' : 'Counted';
  const told = bestOf(yeses);
  return told === 'NotYet' && yeses.length < awaitingIn(before).length ? 'Fewer' : told;
}

function bestOf(named: readonly Named[]): 'Counted' | 'Perhaps' | 'NotYet' {
  if (named.includes('Named')) return 'Counted';
  return named.includes('Perhaps') ? 'Perhaps' : 'NotYet';
}

interface Outcome {
  readonly code: ExitCode;
  /** Whether the status says that it counts. */
  readonly counted: boolean;
  /** What a person is told besides. */
  readonly words: string;
}

/** @param back command by which what entered is gone back from */
export function outcomeOf(made: Decided, found: Answer | 'NobodyLeads', back: string): Outcome {
  const { decision, digest } = made;
  if (found !== 'NobodyLeads') {
    if (found.told === 'NotYet') return { code: EXIT.TimedOut, counted: false, words: late(made, found) };
    return decision === 'Approve' ? ofYes(digest, found) : ofNo(digest, found, back);
  }
  // A yes waits for the operator, as all else does.
  if (decision === 'Approve') return { code: EXIT.Done, counted: false, words: '' };
  const words = ' Whether that holds them back nobody says before an operator leads.';
  return { code: EXIT.NobodyLeads, counted: false, words };
}

function late({ decision }: Decided, { entry }: Answer): string {
  const so =
    decision === 'Approve'
      ? 'the status does not count it; a yes counts only of who is asked'
      : 'the status does not say that it holds them back, and they may enter; a no counts only of who is asked';
  const [says = entry.message] = [...awaitingIn(entry), ...messagesIn(entry)];
  return ` But within ${ANSWER_MS / 1_000} seconds ${so}.${says === undefined ? '' : ` It says: ${plain(says)}`}`;
}

function ofYes(digest: string, { told, entry }: Answer): Outcome {
  if (told === 'Gone') return { code: EXIT.NotAwaited, counted: false, words: OVERTAKEN };
  if (told === 'Left') return { code: EXIT.Done, counted: false, words: LEFT };
  const unknown = told === 'Perhaps' || told === 'Fewer' ? UNTOLD_YES[told] : '';
  const counted = told === 'Counted' || told === 'Entered';
  return { code: EXIT.Done, counted, words: `${unknown}${heldWords(digest, entry)}` };
}

const LEFT =
  ' They do not wait there any more; what becomes of them the status does not say yet (`kubectl towpath status`).';
const OVERTAKEN = ' But they do not wait there any more: something newer took their place.';
const UNTOLD_YES = {
  Perhaps: ' Whether it counts the status does not say: it does not name all who approved.',
  Fewer:
    ' Whether it counts the status does not say: fewer gates ask by now, because of this yes or of another one.',
};

function ofNo(digest: string, { told, entry }: Answer, back: string): Outcome {
  if (told === 'Counted') return { code: EXIT.Done, counted: true, words: heldWords(digest, entry) };
  if (told === 'Untold')
    return {
      code: EXIT.Unknown,
      counted: false,
      words: ' They wait behind something newer: whether that holds them back is told when they are next.',
    };
  if (told === 'Perhaps')
    return {
      code: EXIT.Unknown,
      counted: false,
      words: `${heldWords(digest, entry)} Whether by this no, too, the status does not say: it does not name all who rejected them.`,
    };
  if (told === 'Left') return { code: EXIT.Unknown, counted: false, words: LEFT };
  const words = told === 'Entered' ? ` But they have entered meanwhile. To go back: ${back}.` : OVERTAKEN;
  return { code: EXIT.NotAwaited, counted: false, words };
}

function heldWords(digest: string, entry: Entry): string {
  const [no] = entry.desiredDigest === digest ? rejectionsIn(entry) : [];
  return no === undefined ? '' : ` They are held back there: ${plain(no)}.`;
}

function messagesIn({ blockedBy = [] }: Entry): string[] {
  return blockedBy.map(({ message }) => message);
}

function rejectionsIn({ blockedBy = [] }: Entry): string[] {
  return blockedBy.filter(({ reason }) => reason === 'Rejected').map(({ message }) => message);
}

function awaitingIn({ blockedBy = [] }: Entry): string[] {
  return blockedBy.filter(({ reason }) => reason === 'AwaitingApproval').map(({ message }) => message);
}
