import { TowpathError } from '../../../api/errors.ts';
import { withoutCancelled } from '../../../promote/cancelled.ts';
import type { Command } from '../../../promote/command.ts';
import { keepsThere, withAnswer } from '../../../promote/hold.ts';
import { rejectionOf, withoutRejection, withRejection } from '../../../promote/rejection.ts';
import { Quarantine } from '../../candidate/quarantine.ts';
import { shortRevision } from '../../candidate/revision.ts';
import type { Deployment, TargetRecord } from '../../record/record.ts';
import type { DeployContext } from '../deploy-context.ts';
import { type Former, lastGood, namedBy } from '../former.ts';
import { Planning } from '../planning.ts';
import { noteAbandoned } from '../removal/abandoned.ts';
import type { Run } from '../run.ts';
import type { Outcome, TargetState } from '../state.ts';
import { displacedBy, rejectedWithout } from './displaced.ts';
import { judgeManifests } from './judge.ts';
import { takeBack, waitAgain } from './take-back.ts';
import {
  beginning,
  noteAccount,
  replaceDeployment,
  withKinds,
  writeAhead,
  writeAheadAlone,
} from './write-ahead.ts';

/**
 * Goes back to what a person names, or, where what entered failed or is taken back, to what passed there last: by the
 * manifests that are kept. Nothing is asked of Git, and no gate is. Once: what is refused before its first write, or is not kept, leaves
 * the environment as it is (A27); where a person asked for it, it is held there all the same.
 */
export async function goBack(run: Run, { asked }: TargetState): Promise<Outcome> {
  const { context } = run;
  const { hold: held } = context.record;
  if (asked === undefined && keepsThere(held))
    return stay(context, asked, `${held.by} holds it there (Promotion ${held.promotion}), so it stays.`);
  const former = await formerOf(run, asked);
  if (typeof former === 'string') return stay(context, asked, former);
  const { candidate, manifests } = former;
  if (asked !== undefined && isThere(context.record, candidate.digest))
    return hold(context, asked, 'Succeeded', 'It runs there already, and is held.');
  try {
    const { deferred } = await judgeManifests(context, candidate, manifests, 'NoDefinitions');
    await beginBack(run, asked, former, deferred);
    return { type: 'WentBack' };
  } catch (error) {
    const refusal = error instanceof Quarantine ? error.error : error;
    if (!(refusal instanceof TowpathError) || mayClear(run, asked, refusal)) throw error;
    const { revision, ref } = candidate;
    return stay(
      context,
      asked,
      `Going back to revision ${shortRevision(revision, ref)} is refused: ${refusal.message}`,
    );
  }
}

/** A Cancel names what it leaves, not what that left. */
function formerOf(run: Run, asked: Command | undefined): Promise<Former | string> {
  const { record } = run.context;
  if (asked?.type === 'Cancel') return lastGood(run, rejectedWithout(record));
  return asked === undefined ? lastGood(run, record.rejected) : namedBy(run, asked);
}

/** It is tried again: what another resource decides, for as long as something may take to become healthy. */
function mayClear({ context, target }: Run, asked: Command | undefined, { remedy }: TowpathError): boolean {
  if (remedy !== 'Resource') return remedy === 'Time';
  const { endedAt } = context.record.deployment?.verify ?? {};
  const since = asked?.requestedAt.getTime() ?? Date.parse(endedAt ?? '');
  return context.now().getTime() < since + target.settings.timeoutMs;
}

function isThere({ deployment }: TargetRecord, digest: string): boolean {
  return deployment?.candidate.digest === digest && deployment.outcome === 'Succeeded';
}

/** It stays where it is, which is told, and not tried again. */
async function stay(context: DeployContext, asked: Command | undefined, why: string): Promise<Outcome> {
  if (asked?.type === 'Cancel') return stop(context, asked, why);
  if (asked !== undefined) return hold(context, asked, 'Failed', why);
  const { deployment } = context.record;
  if (deployment?.verify === undefined) throw new Error('there is nothing to go back from');
  const verify = { ...deployment.verify, wentBack: 'Impossible' as const };
  await writeAhead(context, (changed) => {
    changed.deployment = { ...deployment, verify, message: `${deployment.message ?? ''} ${why}`.trim() };
  });
  return { type: 'Stayed' };
}

/** What is taken back stays as far as it got; nothing is deleted. */
async function stop(context: DeployContext, cancel: Command, why: string): Promise<Outcome> {
  await writeAhead(context, (changed) => {
    const { environment } = changed.target;
    const said = `Environment ${environment} stays as far as that got. ${why}`;
    takeBack(changed, cancel, said, context.now().toISOString());
    if (changed.deployment !== undefined) changed.deployment = { ...changed.deployment, exhausted: true };
  });
  return { type: 'Stayed' };
}

/** What a person asked for is answered, and holds from here on; what is tried once more leaves that as it is. */
async function hold(
  context: DeployContext,
  asked: Command,
  phase: 'Succeeded' | 'Failed',
  message: string,
): Promise<Outcome> {
  await writeAhead(context, (changed) => {
    if (asked.type === 'Rollback')
      changed.hold = {
        ...holdOf(context, asked),
        // What somebody wanted to stay before stays, whoever else is refused.
        ...(phase === 'Failed' && !keepsThere(changed.hold) ? { refused: true } : {}),
      };
    changed.answered = withAnswer(changed.answered ?? [], { uid: asked.uid, phase, message });
  });
  return { type: 'Stayed' };
}

function holdOf({ now }: DeployContext, { promotion, uid, by }: Command): NonNullable<TargetRecord['hold']> {
  return { promotion, uid, by, since: now().toISOString() };
}

/** Written down before the first write, as any deployment. */
async function beginBack(
  run: Run,
  asked: Command | undefined,
  { candidate, manifests }: Former,
  deferred: readonly string[],
): Promise<void> {
  const { context, target } = run;
  const { record } = context;
  const planning = await Planning.of(context, manifests.objects, 'NoDefinitions');
  const retried = asked?.type === 'Retry' ? record.deployment : undefined;
  const baseline = retried?.baseline ?? planning.baseline();
  const deployment: Deployment = {
    ...beginning(run, candidate),
    trigger: 'Rollback',
    install: false,
    hooks: retried?.hooks ?? [],
    deferred: [...deferred],
    ...(baseline.objects === 0 ? {} : { baseline }),
    // What a Cancel has done is recorded by the operator: it asks for no deployment.
    ...(asked === undefined || asked.type === 'Cancel'
      ? {}
      : { promoted: { promotion: asked.promotion, uid: asked.uid, by: asked.by } }),
  };
  const left = record.deployment;
  await writeAheadAlone(run, planning.waves.flat(2), (changed) => {
    const { environment } = target;
    const back = `Environment ${environment} goes back to revision ${shortRevision(candidate.revision, candidate.ref)}.`;
    if (asked?.type === 'Cancel') takeBack(changed, asked, back, deployment.startedAt);
    waitAgain(changed);
    const before = { ...changed };
    replaceDeployment(changed, deployment, outcomeOfLeft(asked, left));
    noteAccount(changed, target);
    noteAbandoned(changed, target.settings);
    changed.kinds = withKinds(changed, manifests);
    if (asked?.type === 'Rollback') {
      const others = withoutCancelled(changed.cancelled, candidate.digest, candidate.id);
      if (others === undefined) delete changed.cancelled;
      else changed.cancelled = others;
      changed.hold = holdOf(context, asked);
      changed.rejected = rejectedBy(changed, asked, left, deployment);
    }
    Object.assign(deployment, displacedBy(before, changed));
  });
  context.unreported.begin({ how: 'begun', deployment });
}

/** What a person leaves that ended by itself ended so. */
function outcomeOfLeft(asked: Command | undefined, left: Deployment | undefined): Deployment['outcome'] {
  if (asked === undefined) return 'RolledBack';
  if (asked.type === 'Cancel') return undefined;
  return left?.outcome === undefined ? 'Superseded' : undefined;
}

/** A person who goes back rejects what that leaves, and wants what it goes to. */
function rejectedBy(
  { rejected = [] }: TargetRecord,
  { by, promotion, reason }: Command,
  left: Deployment | undefined,
  { candidate: { digest, id }, startedAt }: Deployment,
): NonNullable<TargetRecord['rejected']> {
  const wanted = withoutRejection(rejected, digest, id);
  if (left === undefined || left.candidate.digest === digest) return wanted;
  if (rejectionOf(wanted, left.candidate.digest, left.candidate.id) !== undefined) return wanted;
  const because = reason === '' ? '' : `: ${reason}`;
  const why = `${by} went back from it by Promotion ${promotion}${because}.`;
  return withRejection(wanted, { digest: left.candidate.digest, why, at: startedAt });
}
