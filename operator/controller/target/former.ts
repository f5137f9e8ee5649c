import { environmentOf } from '../../api/v1alpha1/application.ts';
import { shownDigest } from '../../manifest/digest.ts';
import type { Command } from '../../promote/command.ts';
import { type Rejection, rejectionOf } from '../../promote/rejection.ts';
import { passedBefore } from '../record/passed-before.ts';
import { type Candidate, candidateKey, type Manifests, type TargetRecord } from '../record/record.ts';
import type { Run } from './run.ts';

/** What is gone back to. */
export interface Former {
  readonly candidate: Candidate;
  readonly manifests: Manifests;
}

/** What passed there last and is not rejected; or why there is nothing to go back to, as a sentence. */
export async function lastGood(
  { context, target }: Run,
  rejected: readonly Rejection[] | undefined,
): Promise<Former | string> {
  const candidate = passedBefore(context.record, context.store.candidatesOf(target));
  if (candidate === undefined)
    return 'Nothing passed there before it, so that there is nothing to go back to.';
  if (rejectionOf(rejected, candidate.digest, candidate.id) !== undefined)
    return `What passed there before it, manifests ${shownDigest(candidate.digest)}, was rejected since.`;
  return withManifests(context, candidate);
}

/** What a person names; or why it cannot be gone back to, as a sentence. */
export async function namedBy(run: Run, command: Command): Promise<Former | string> {
  const { context, target, application } = run;
  const { candidate: digest, historyID } = onceMore(run, command);
  const wanted = digest ?? (historyID === undefined ? undefined : digestOf(run, historyID));
  const kept = context.store.candidatesOf(target).filter((one) => one.digest === wanted || one.id === wanted);
  const ran = ranThere(context.record);
  const candidate = kept.find((one) => ran.has(candidateKey(one)));
  if (candidate !== undefined) return withManifests(context, candidate);
  const [waits] = kept;
  if (waits !== undefined) return neverRan(run, waits);
  const what = digest === undefined ? `deployment ${historyID}` : `manifests ${shownDigest(digest)}`;
  return `Of ${what} nothing is kept in environment ${target.environment}: kept is what succeeded last, and three that ran before. See kubectl towpath history ${application.metadata.name} ${target.environment}`;
}

/** What waits is kept, too, and no gate has let it in: who may go back may not promote by that. */
function ranThere({ ran, succeeded, deployment }: TargetRecord): ReadonlySet<string> {
  const all = new Set(ran);
  if (succeeded !== undefined) all.add(succeeded);
  if (deployment !== undefined) all.add(candidateKey(deployment.candidate));
  return all;
}

function neverRan({ target: { environment }, application }: Run, { digest }: Candidate): string {
  const { name } = application.metadata;
  return `Manifests ${shownDigest(digest)} never ran in environment ${environment}, and nothing new enters by going back: promote them: kubectl towpath promote ${name} ${environment}`;
}

/** Going back is tried once more: to the same. */
function onceMore({ context: { record } }: Run, command: Command): Pick<Command, 'candidate' | 'historyID'> {
  if (command.type !== 'Retry' || record.deployment === undefined) return command;
  return { candidate: record.deployment.candidate.digest };
}

async function withManifests(
  { record, store, signal }: Run['context'],
  candidate: Candidate,
): Promise<Former | string> {
  const manifests = await store.manifests(record, candidate, signal);
  if (manifests !== undefined) return { candidate, manifests };
  return `The manifests of what is to be gone back to, ${shownDigest(candidate.digest)}, are not kept any more.`;
}

/** What was deployed by it: the record knows it, or the status, of which a digest says nothing that is not kept. */
function digestOf({ application, target, context }: Run, historyID: number): string | undefined {
  const { deployment, ended } = context.record;
  const known = [deployment, ...ended].find((one) => one?.id === historyID);
  const told = environmentOf(application.status, target.environment)?.history ?? [];
  return known?.candidate.digest ?? told.find(({ id }) => id === historyID)?.digest;
}
