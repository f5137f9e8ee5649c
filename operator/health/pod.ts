import { at, type LiveObject, listAt } from './reduce.ts';

/** Why a Pod cannot start or keep running. */
export interface PodProblem {
  /** The container's waiting reason (CrashLoopBackOff), or Unschedulable. ErrImagePull is told as ImagePullBackOff. */
  reason: string;
  /** A clause that names the container: `container web: CrashLoopBackOff: …`. It changes only when the cause does. */
  message: string;
}

/** Waiting reasons that are failures; others (ContainerCreating, PodInitializing) are work in progress. */
const FAILED_WAITING: ReadonlySet<string> = new Set([
  'CrashLoopBackOff',
  'ImagePullBackOff',
  'ErrImagePull',
  'ErrImageNeverPull',
  'ImageInspectError',
  'InvalidImageName',
  'RegistryUnavailable',
  'SignatureValidationFailed',
  'CreateContainerConfigError',
  'CreateContainerError',
  'RunContainerError',
  'StartError',
  'ContainerCannotRun',
  'PreStartHookError',
  'PostStartHookError',
]);

/**
 * The first reason why a Pod (whole, as the API server sends it) cannot start, init containers before the
 * others; undefined where there is none. Of a crashed container it tells the exit code, never its output,
 * which may hold secrets.
 */
export function podProblem(pod: LiveObject): PodProblem | undefined {
  for (const container of containersOf(pod)) {
    const problem = containerProblem(container);
    if (problem !== undefined) return problem;
  }
  for (const condition of listAt(pod, 'status.conditions')) {
    if (at(condition, 'type') !== 'PodScheduled' || at(condition, 'reason') !== 'Unschedulable') continue;
    if (at(condition, 'status') !== 'False') continue;
    return { reason: 'Unschedulable', message: `Unschedulable: ${textAt(condition, 'message')}` };
  }
  return undefined;
}

/** Why and when (RFC 3339) a Pod ended that is not started again: the first container that failed. */
export function podFailure(pod: LiveObject): { message: string; at?: string } | undefined {
  for (const container of containersOf(pod)) {
    const exitCode = at(container, 'state.terminated.exitCode');
    if (typeof exitCode !== 'number' || exitCode === 0) continue;
    const finished = textAt(container, 'state.terminated.finishedAt');
    return {
      message: `container ${textAt(container, 'name')}: it ended with ${exitOf(container, 'state.terminated', exitCode)}`,
      ...(finished === '' ? {} : { at: finished }),
    };
  }
  return undefined;
}

/** Init containers before the others: these wait for them. */
function containersOf(pod: LiveObject): unknown[] {
  return [...listAt(pod, 'status.initContainerStatuses'), ...listAt(pod, 'status.containerStatuses')];
}

function containerProblem(container: unknown): PodProblem | undefined {
  const name = textAt(container, 'name');
  const waiting = textAt(container, 'state.waiting.reason');
  // Between two tries a crashed container is terminated, or about to wait: the same problem, told the same way.
  if (waiting === 'CrashLoopBackOff' || crashedAgain(container)) {
    return problem(name, 'CrashLoopBackOff', `it ends again and again${lastExit(container)}`);
  }
  if (!FAILED_WAITING.has(waiting)) return undefined;
  // The kubelet alternates between the two; the cause stands in both.
  const reason = waiting === 'ErrImagePull' ? 'ImagePullBackOff' : waiting;
  const cause = textAt(container, 'state.waiting.message').replace(
    /^Back-off pulling image "[^"]*": ErrImagePull: /,
    '',
  );
  const image = textAt(container, 'image');
  return problem(name, reason, reason === 'ImagePullBackOff' ? `image ${image}: ${cause}` : cause);
}

function crashedAgain(container: unknown): boolean {
  const exitCode = at(container, 'state.terminated.exitCode');
  const restarts = at(container, 'restartCount');
  return typeof exitCode === 'number' && exitCode !== 0 && typeof restarts === 'number' && restarts > 0;
}

function lastExit(container: unknown): string {
  for (const state of ['state.terminated', 'lastState.terminated']) {
    const exitCode = at(container, `${state}.exitCode`);
    if (typeof exitCode !== 'number') continue;
    return `, last with ${exitOf(container, state, exitCode)}`;
  }
  return '';
}

function exitOf(container: unknown, state: string, exitCode: number): string {
  const reason = textAt(container, `${state}.reason`);
  return `exit code ${exitCode}${reason === '' || reason === 'Error' ? '' : ` (${reason})`}`;
}

function problem(container: string, reason: string, cause: string): PodProblem {
  return { reason, message: `container ${container}: ${reason}${cause === '' ? '' : `: ${cause}`}` };
}

function textAt(value: unknown, path: string): string {
  const text = at(value, path);
  return typeof text === 'string' ? text : '';
}
