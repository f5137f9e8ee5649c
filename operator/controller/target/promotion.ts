import type { HealthState } from '../../api/v1alpha1/application.ts';
import { blockedByFor, choose, type Evidence as Shows } from '../../promote/choose.ts';
import type { BlockedBy } from '../../promote/gate.ts';
import { candidateKey, type TargetRecord, type Waiting } from '../record/record.ts';
import type { Target } from '../record/target.ts';
import { cameTo } from '../record/waiting.ts';
import type { Shown } from './evidence.ts';
import type { Run } from './run.ts';
import type { Findings, TargetState } from './state.ts';

/** Whether a policy has the target in a stage after another one: what enters there is promoted. */
export function isPromoted({ governance }: Pick<Target, 'governance'>): boolean {
  return governance.is === 'InStage' && governance.after !== undefined;
}

type Judged = Pick<TargetState, 'parked' | 'blockedBy' | 'choice'>;

/**
 * What waits in the target, what keeps the wanted candidate out, and which older one may enter in its place; gathered at
 * one moment.
 *
 * @param gatesFor what else keeps manifests out, by their digest
 */
export function promotionOf(
  run: Run,
  found: Findings,
  gatesFor: (digest: string | undefined) => readonly BlockedBy[],
): Judged {
  const { target, context, underWay } = run;
  const { pending, governed, waiting = [], deployment } = context.record;
  const { environment, governance } = target;
  const situation = { environment, governance, wasGoverned: governed === true };
  const candidate = found.wanted?.candidate;
  if (!isPromoted(target)) {
    const parked = pending === undefined ? undefined : candidateKey(pending);
    const only = { key: '', evidence: [], gates: gatesFor(candidate?.digest) };
    return { parked, blockedBy: blockedByFor(situation, only), choice: undefined };
  }
  const choosable = (one: Waiting) => ({
    ...one,
    key: one.asked,
    evidence: evidenceFor(run, one.asked),
    gates: gatesFor(one.digest),
  });
  const asked = found.chosen?.asked ?? underWay.asked;
  const wanted =
    candidate === undefined || asked === undefined
      ? undefined
      : { id: candidate.id, digest: candidate.digest, asked };
  const last = waiting.at(-1);
  const parked = last === undefined || last.asked !== asked ? undefined : candidateKey(last);
  if (found.chosen !== undefined && wanted !== undefined)
    return { parked, blockedBy: blockedByFor(situation, choosable(wanted)), choice: undefined };
  const all = inOrder(deployment, keptOf(run, waiting), wanted).map(choosable);
  const { enter, blockedBy } = choose({ ...situation, waiting: all });
  return { parked, blockedBy, choice: enter?.asked === wanted?.asked ? undefined : enter };
}

/** Those whose manifests are kept. */
function keptOf({ context: { store }, target }: Run, waiting: readonly Waiting[]): readonly Waiting[] {
  if (waiting.length === 0) return waiting;
  const kept = new Set(store.candidatesOf(target).map(candidateKey));
  return waiting.filter((one) => kept.has(candidateKey(one)));
}

/** What came after what runs, the newest last. */
function inOrder(
  deployment: TargetRecord['deployment'],
  waiting: readonly Waiting[],
  wanted: Waiting | undefined,
): readonly Waiting[] {
  if (wanted === undefined) return waiting;
  // What runs is the newest again: nothing came after it.
  if (deployment !== undefined && candidateKey(deployment.candidate) === candidateKey(wanted))
    return [wanted];
  return [...waiting.filter(({ asked }) => asked !== wanted.asked), wanted];
}

/** What the environments of the stage before show of what was asked for. */
function evidenceFor({ parts, target }: Run, asked: string): readonly Shows[] {
  const { governance } = target;
  if (governance.is !== 'InStage' || governance.after === undefined) return [];
  const records = parts.store.recordsOf(target.application);
  return governance.after.environments.map((environment) => {
    const record = records.find((one) => one.target.environment === environment);
    return { environment, is: shows(record, parts.evidence.of(target, environment), asked) };
  });
}

function shows(record: TargetRecord | undefined, shown: Shown | undefined, asked: string): Shows['is'] {
  const digest = record && cameTo(record, asked);
  const { deployment } = record ?? {};
  if (digest === undefined) return 'NotSeen';
  if (deployment?.candidate.digest !== digest) return 'RunsAnother';
  if (shown === undefined || shown.health === 'Unknown') return 'OutOfSight';
  const isThrough = deployment.outcome === 'Succeeded' && shown.digest === digest;
  return isThrough && shown.health === 'Healthy' ? 'Passed' : 'NotHealthy';
}

/** How the target is, for those that are promoted after it: Synced at what runs, and its health. */
export function shownBy(state: TargetState, health: HealthState): Pick<Shown, 'digest' | 'health'> {
  const { deployment, found } = state;
  const { lookedAfter } = found;
  const digest = deployment?.outcome === 'Succeeded' ? deployment.candidate.digest : undefined;
  if (
    found.sight !== 'Seen' ||
    lookedAfter === undefined ||
    lookedAfter.how === 'Not' ||
    health === 'Unknown'
  )
    return { digest, health: 'Unknown' };
  const isSynced =
    lookedAfter.how === 'Confirmed' ||
    (lookedAfter.how === 'Advanced' && lookedAfter.result.progress.state === 'Done');
  return { digest, health: isSynced && health === 'Healthy' ? 'Healthy' : 'NotHealthy' };
}
