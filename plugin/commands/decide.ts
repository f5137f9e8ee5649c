import { z } from 'zod';
import type { EnvironmentStatus } from '../../operator/api/v1alpha1/application.ts';
import { parseApproval } from '../../operator/api/v1alpha1/approval.ts';
import { API_VERSION, GROUP } from '../../operator/api/v1alpha1/names.ts';
import { keyOf, readEnvironment } from '../application.ts';
import { CommandError, EXIT } from '../exit-codes.ts';
import { linesOfChanges, waitingChanges } from '../promotion.ts';
import { plain } from '../text/terminal.ts';
import { whoAmI } from '../who-am-i.ts';
import { type Command, type Context, isJson, printJson, printLines } from './command.ts';
import { warnIfNobodyLeads } from './nobody-leads.ts';

const RESOURCE = `approvals.${GROUP}`;
/** What of a gate of approvals stands in the way. */
const AWAITED: readonly string[] = ['AwaitingApproval', 'Rejected'];

export const approve = deciding('Approve');
export const reject = deciding('Reject');

function deciding(decision: 'Approve' | 'Reject'): Command {
  const isYes = decision === 'Approve';
  return {
    usage: `${isYes ? 'approve' : 'reject'} APP ENV`,
    words: [2, 2],
    flags: ['output', 'revision', 'operator-namespace'],
    summary: isYes
      ? 'Says yes, in your name, to the manifests that wait for approval in that environment, and to no others.'
      : 'Says no to the manifests that wait in that environment: they are held back there. A newer commit may enter.',
    notes: [
      'With --revision SHA only where what waits is of that commit: what you looked at, and nothing that came since.',
    ],
    run: async (context) => {
      const { kubectl, words } = context;
      const [name = '', environment = ''] = words;
      const { application, entry } = await readEnvironment(kubectl, name, environment);
      const key = keyOf(application);
      const digest = waitingDigest(entry, decision);
      if (digest === undefined) throw nothingWaits(key, environment, entry);
      refuseOtherRevision(context, entry);
      const me = await whoAmI(kubectl);
      const about = { application: name, environment, digest };
      if ((await lastDecision(context, about, me.username)) === decision)
        throw new CommandError(
          `You have ${isYes ? 'approved' : 'rejected'} these manifests (${digest}) already, as ${me.username}.`,
          EXIT.NotAwaited,
        );
      await warnIfNobodyLeads(context);
      if (isYes && entry !== undefined) tellChanges(context, entry);
      await kubectl.create({
        apiVersion: API_VERSION,
        kind: 'Approval',
        metadata: { generateName: `${name}-` },
        spec: { ...about, decision, by: me.username, groups: me.groups },
      });
      const what = `manifests ${digest} of ${key} in ${environment}${ofCommit(entry)}`;
      const message = `You ${isYes ? 'approved' : 'rejected'} ${what}, as ${me.username}. Follow it with kubectl towpath status ${name} ${environment} --watch.`;
      if (isJson(context))
        printJson(context, { ...about, application: key, decision, by: me.username, message });
      else printLines(context, [message]);
      return EXIT.Done;
    },
  };
}

/** What one says yes to comes first: of exactly these manifests, which the entry names. */
function tellChanges(context: Context, entry: EnvironmentStatus): void {
  if (isJson(context)) return;
  for (const line of linesOfChanges(waitingChanges(entry))) context.err.write(`${line}\n`);
}

/** A no may be said to whatever waits, for what else it does. */
function waitingDigest(
  entry: EnvironmentStatus | undefined,
  decision: 'Approve' | 'Reject',
): string | undefined {
  const { blockedBy = [], desiredDigest } = entry ?? {};
  const isAwaited = blockedBy.some(({ reason }) => AWAITED.includes(reason));
  return isAwaited || decision === 'Reject' ? desiredDigest : undefined;
}

function nothingWaits(key: string, environment: string, entry: EnvironmentStatus | undefined): CommandError {
  const told = entry?.blockedBy?.[0]?.message ?? entry?.message;
  const more = told === undefined ? '' : ` It says: ${plain(told)}`;
  return new CommandError(`Nothing of ${key} waits for that in ${environment}.${more}`, EXIT.NotAwaited);
}

function refuseOtherRevision({ flags }: Context, entry: EnvironmentStatus | undefined): void {
  const { revision } = flags;
  const waits = entry?.desiredRevision ?? '';
  if (revision === undefined || (revision.length >= 7 && waits.startsWith(revision))) return;
  throw new CommandError(
    `What waits is of revision ${waits}, not of ${revision}: look at it, and name that one.`,
    EXIT.NotAwaited,
  );
}

function ofCommit(entry: EnvironmentStatus | undefined): string {
  const { revision, desiredRevision } = entry ?? {};
  if (desiredRevision === undefined) return '';
  const before = revision === undefined ? '' : `, where ${revision.slice(0, 7)} runs`;
  return ` (revision ${desiredRevision.slice(0, 7)}${before})`;
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
