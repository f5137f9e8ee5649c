import { podFailure, podProblem } from '../../../health/pod.ts';
import { at, listAt } from '../../../health/reduce.ts';
import type { KubeObject } from '../../../kube/client.ts';
import type { CheckOutcome } from '../../../promote/checks.ts';

export interface CheckResult {
  readonly outcome: CheckOutcome;
  /** As a sentence goes on, without what the check wrote, which may hold secrets (S5). */
  readonly why?: string;
}

/** A Pod, as the API server sends it. */
type Pod = KubeObject & { apiVersion: string; kind: string };

/** Containers that end so were never started. */
const NEVER_STARTED: readonly unknown[] = ['StartError', 'ContainerCannotRun', 'ContainerStatusUnknown'];

/**
 * What a Job that has ended came to. Only what its own containers said is a failure: whatever took its Pods away says
 * nothing of what was to be checked.
 *
 * @param pods undefined: the account may not see them
 */
export function resultOf(job: KubeObject, pods: readonly Pod[] | undefined): CheckResult {
  const conditions = listAt(job, 'status.conditions').filter((one) => at(one, 'status') === 'True');
  const isOf = (type: string) => (condition: unknown) => at(condition, 'type') === type;
  if (conditions.some(isOf('Complete'))) return { outcome: 'Passed' };
  const reason = at(conditions.find(isOf('Failed')), 'reason');
  if (reason === 'DeadlineExceeded') return overdue(pods);
  if (pods === undefined)
    return { outcome: 'Failed', why: `its Job failed (${String(reason).slice(0, 60)})` };
  for (const pod of pods) {
    const failure = isDisrupted(pod) ? undefined : podFailure(pod);
    if (failure !== undefined) return { outcome: 'Failed', why: failure.message };
  }
  const [first] = pods;
  if (first === undefined) return { outcome: 'CouldNotRun', why: 'its Pods were taken away' };
  const why = at(first, 'status.reason') ?? podProblem(first)?.message;
  return { outcome: 'CouldNotRun', why: `its Pod was ended${why === undefined ? '' : ` (${String(why)})`}` };
}

/** What one came to that did not end in time. */
export function overdue(pods: readonly Pod[] | undefined): CheckResult {
  if (pods?.some(hasBegun) === true) return { outcome: 'Failed', why: 'it did not end in time' };
  const problem = pods?.map((pod) => podProblem(pod)?.message).find((message) => message !== undefined);
  const none = 'no container of it began in time: kubectl describe job tells why';
  return { outcome: 'CouldNotRun', why: problem ?? none };
}

/** By a node, by who evicted it, or by what never let it start. */
function isDisrupted(pod: Pod): boolean {
  const reason = at(pod, 'status.reason');
  if (typeof reason === 'string' && reason !== '' && reason !== 'DeadlineExceeded') return true;
  if (containersOf(pod).some((one) => NEVER_STARTED.includes(at(one, 'state.terminated.reason'))))
    return true;
  return listAt(pod, 'status.conditions').some(
    (one) => at(one, 'type') === 'DisruptionTarget' && at(one, 'status') === 'True',
  );
}

function hasBegun(pod: Pod): boolean {
  return listAt(pod, 'status.containerStatuses').some(
    (one) =>
      at(one, 'state.running') !== undefined ||
      at(one, 'state.terminated.startedAt') !== undefined ||
      at(one, 'lastState.terminated') !== undefined,
  );
}

function containersOf(pod: Pod): unknown[] {
  return [...listAt(pod, 'status.initContainerStatuses'), ...listAt(pod, 'status.containerStatuses')];
}
