import type { ApplicationStatus, Condition, HealthState } from '../../../api/v1alpha1/application.ts';
import { setConditions } from '../../../api/v1alpha1/conditions.ts';
import { secondTime } from '../../../kube/times.ts';
import type { Standing } from '../../target/words/facts.ts';

type Conditions = Required<Pick<ApplicationStatus, 'conditions' | 'observedGeneration'>>;
type Previous = Pick<ApplicationStatus, 'conditions'> | undefined;

/** What follows of the conditions, for the generation that was judged. */
export type Judged = {
  ready: Pick<Condition, 'status' | 'reason' | 'message'>;
  reconciling: boolean;
  stalled: boolean;
};

/**
 * The table of sync × health → conditions (docs/reference/status.md). Waiting is never told as an error, an
 * error never as waiting: what waits at a gate, or is held by a person, is Ready while what runs is healthy.
 */
export function judge(
  standing: Standing,
  health: { state: HealthState; message?: string | undefined },
): Judged {
  const { sync, reason, message } = standing;
  const notReady = (why: string, text: string) => ({ status: 'False' as const, reason: why, message: text });
  switch (sync) {
    case 'Synced':
    case 'Held':
    case 'Waiting':
      if (health.state === 'Healthy') {
        return {
          ready: { status: 'True', reason, message: syncedMessage(standing, health) },
          reconciling: false,
          stalled: false,
        };
      }
      return {
        ready: notReady(health.state, health.message ?? message),
        reconciling: health.state === 'Progressing',
        stalled: false,
      };
    case 'Syncing':
      return { ready: notReady(reason, message), reconciling: true, stalled: false };
    case 'Blocked':
      return {
        ready: notReady(reason, message),
        reconciling: standing.remedy !== 'Person',
        stalled: standing.remedy === 'Person',
      };
    case 'Quarantined':
    case 'Failed':
      return { ready: notReady(reason, message), reconciling: false, stalled: true };
    case 'OutOfSync':
    case 'Suspended':
      return { ready: notReady(reason, message), reconciling: false, stalled: false };
  }
}

/** What is healthy may have something to tell all the same: a claim that waits for its first Pod. */
export function syncedMessage({ message }: Standing, health: { message?: string | undefined }): string {
  return health.message === undefined ? message : `${message} ${health.message}`;
}

/**
 * The conditions as they are to stand in the status.
 *
 * @param waitsFor the reason of Reconciling, where that is not Ready's.
 */
export function conditionsOf(
  { ready, reconciling, stalled }: Judged,
  previous: Previous,
  generation: number,
  now: Date,
  waitsFor = ready.reason,
): Conditions {
  const { reason, message } = ready;
  const judged = [
    { type: 'Ready', ...ready },
    ...(reconciling ? [{ type: 'Reconciling', status: 'True' as const, reason: waitsFor, message }] : []),
    ...(stalled ? [{ type: 'Stalled', status: 'True' as const, reason, message }] : []),
  ];
  const conditions = setConditions(previous?.conditions ?? [], judged, generation, secondTime(now));
  return { observedGeneration: generation, conditions };
}

/** Those of what does not get on. */
export function unready(
  previous: Previous,
  { reason, message, isStalled }: { reason: string; message: string; isStalled: boolean },
  generation: number,
  now: Date,
): Conditions {
  const ready = { status: 'False' as const, reason, message };
  const reconciling = !isStalled && reason !== 'Suspended';
  return conditionsOf({ ready, reconciling, stalled: isStalled }, previous, generation, now);
}
