import { z } from 'zod';
import type { EnvironmentStatus } from '../../operator/api/v1alpha1/application.ts';
import { parseApproval } from '../../operator/api/v1alpha1/approval.ts';
import { API_VERSION, GROUP } from '../../operator/api/v1alpha1/names.ts';
import { shortened } from '../../operator/api/v1alpha1/revision.ts';
import { commandOn, keyOf, readEnvironment } from '../application.ts';
import { CommandError, EXIT } from '../exit-codes.ts';
import { linesOfChanges } from '../promotion.ts';
import { plain } from '../text/terminal.ts';
import { allWaiting, changesOf, shortDigest, type Waits, waitingOf } from '../waiting.ts';
import { whoAmI, writtenOf } from '../who-am-i.ts';
import { type Command, type Context, isJson, printJson, printLines } from './command.ts';
import { answerTo, type Decided, isCounted, outcomeOf } from './decision-answer.ts';
import { warnIfNobodyLeads } from './nobody-leads.ts';

const RESOURCE = `approvals.${GROUP}`;
/** What of a gate of approvals stands in the way. */
const AWAITED: readonly string[] = ['AwaitingApproval', 'Rejected'];

export const approve = deciding('Approve');
export const reject = deciding('Reject');

function deciding(decision: 'Approve' | 'Reject'): Command {
  const isYes = decision === 'Approve';
  return {
    usage: `${isYes ? 'approve' : 'reject'} APP ENV [--candidate DIGEST | --revision SHA]`,
    words: [2, 2],
    flags: ['output', 'candidate', 'revision', 'operator-namespace'],
    summary: isYes
      ? 'Says yes, in your name, to the manifests that wait for approval in that environment, and to no others.'
      : 'Says no to the manifests that wait in that environment: they are held back there. A newer commit may enter.',
    notes: [
      ...(isYes ? [] : ['It ends with 0 once the status says that they are held back.']),
      '--revision SHA: what waits of that commit, what you looked at, or what soaks in the stage before, and nothing that',
      'came since; --candidate: by the digest of its manifests, of which 7 digits are enough.',
    ],
    run: async (context) => {
      const { kubectl, words } = context;
      const [name = '', environment = ''] = words;
      const { application, entry } = await readEnvironment(kubectl, name, environment);
      const key = keyOf(application);
      const chosen = chosenOf(context, entry, decision);
      if (entry === undefined || chosen === undefined) {
        refuseOthers(context.flags, entry);
        throw nothingWaits(key, environment, entry);
      }
      const { digest } = chosen;
      const me = await whoAmI(kubectl);
      const made: Decided = { decision, digest, by: me.username };
      const about = { application: name, environment, digest };
      const isSaid = (await lastDecision(context, about, me.username)) === decision;
      if (isSaid && isCounted(entry, made))
        throw new CommandError(
          `You have ${isYes ? 'approved' : 'rejected'} these manifests (${digest}) already, as ${me.username}.`,
          EXIT.NotAwaited,
        );
      const since = await warnIfNobodyLeads(context, 'Asked');
      const changes = changesOf(entry, chosen);
      if (isYes) tellChanges(context, changes);
      await kubectl.create({
        apiVersion: API_VERSION,
        kind: 'Approval',
        metadata: { generateName: `${name}-` },
        spec: { ...about, decision, by: me.username, groups: writtenOf(me.groups) },
      });
      const found = since === undefined ? await answerTo(context, made, entry) : 'NobodyLeads';
      const outcome = outcomeOf(made, found, commandOn(application, 'rollback', environment));
      const what = `manifests ${digest} of ${key} in ${environment}${ofCommit(chosen.revision, entry)}`;
      const follow = commandOn(application, 'status', environment, '--watch');
      const message = `You ${isYes ? 'approved' : 'rejected'} ${what}, as ${me.username}.${outcome.words} Follow it with ${follow}.${others(chosen, entry)}`;
      const { counted } = outcome;
      const { by } = made;
      if (isJson(context))
        printJson(context, { ...about, application: key, decision, by, changes, counted, message });
      else printLines(context, [message]);
      return outcome.code;
    },
  };
}

/** What one says yes to comes first: of exactly these manifests. */
function tellChanges(context: Context, changes: ReturnType<typeof changesOf>): void {
  if (isJson(context)) return;
  for (const line of linesOfChanges(changes)) context.err.write(`${line}\n`);
}

/** What waits and is named; where none is, the newest, to which a no may be said for whatever else it waits. */
function chosenOf(
  { flags: { revision, candidate } }: Context,
  entry: EnvironmentStatus | undefined,
  decision: 'Approve' | 'Reject',
): Waits | undefined {
  if (revision !== undefined && candidate !== undefined)
    throw new CommandError('Name one of --candidate and --revision.', EXIT.Usage);
  const { blockedBy = [], desiredDigest } = entry ?? {};
  const isAwaited = desiredDigest !== undefined && blockedBy.some(({ reason }) => AWAITED.includes(reason));
  const chosen =
    candidate !== undefined
      ? waitingOf({ candidate }, entry)
      : revision !== undefined
        ? waitingOf({ revision }, entry)
        : entry && allWaiting(entry).find(({ digest }) => digest === desiredDigest);
  return chosen?.digest !== desiredDigest || isAwaited || decision === 'Reject' ? chosen : undefined;
}

function nothingWaits(key: string, environment: string, entry: EnvironmentStatus | undefined): CommandError {
  const told = entry?.blockedBy?.[0]?.message ?? entry?.message;
  const more = told === undefined ? '' : ` It says: ${plain(told)}`;
  return new CommandError(`Nothing of ${key} waits for that in ${environment}.${more}`, EXIT.NotAwaited);
}

/** What waits is named, so that one sees what one may say. */
export function refuseOthers(
  { revision, candidate }: Pick<Context['flags'], 'revision' | 'candidate'>,
  entry: Pick<EnvironmentStatus, 'desiredDigest' | 'desiredRevision' | 'waiting'> | undefined,
): void {
  const all = entry === undefined ? [] : allWaiting(entry);
  if (all.length === 0) return;
  // It does wait, though not for that.
  if (candidate !== undefined && waitingOf({ candidate }, entry) === undefined)
    throw new CommandError(
      `What waits is ${all.map(inShort).join(' or ')}, not ${candidate}: look at it, and name that one.`,
      EXIT.NotAwaited,
    );
  if (revision !== undefined && waitingOf({ revision }, entry) === undefined)
    throw new CommandError(
      `What waits is of revision ${all.map((one) => shortened(one.revision, 12)).join(' or ')}, not of ${revision}: look at it, and name that one.`,
      EXIT.NotAwaited,
    );
}

function ofCommit(revision: string, entry: EnvironmentStatus | undefined): string {
  if (revision === '') return '';
  const runs = entry?.revision;
  const before = runs === undefined ? '' : `, where ${shortened(runs)} runs`;
  return ` (revision ${shortened(revision)}${before})`;
}

/** What would enter first may be another one than that. */
function others({ digest }: Waits, entry: EnvironmentStatus): string {
  const all = allWaiting(entry).filter((one) => one.digest !== digest);
  return all.length === 0 ? '' : ` Others wait, too (--candidate): ${all.map(inShort).join(', ')}.`;
}

function inShort({ digest, revision }: Waits): string {
  return `${shortDigest(digest)}${revision === '' ? '' : ` (revision ${shortened(revision)})`}`;
}

const listSchema = z.object({ items: z.array(z.unknown()) });

/** The user's newest decision that is not used; undefined: none, or that may not be seen. */
async function lastDecision(
  { kubectl }: Context,
  about: { application: string; environment: string; digest: string },
  by: string,
): Promise<string | undefined> {
  const found = listSchema.safeParse(await kubectl.jsonIfAny(['get', RESOURCE])).data;
  const mine = (found?.items ?? []).flatMap((item) => {
    const approval = parseApproval(item);
    if (approval === undefined || approval.status?.enteredAt !== undefined) return [];
    const { spec, metadata } = approval;
    const isSame =
      spec.by === by &&
      spec.application === about.application &&
      spec.environment === about.environment &&
      spec.digest === about.digest;
    return isSame ? [{ decision: spec.decision, at: metadata.creationTimestamp ?? '' }] : [];
  });
  return mine.sort((a, b) => (a.at < b.at ? 1 : -1))[0]?.decision;
}
