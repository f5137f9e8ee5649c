import { TowpathError } from '../../api/errors.ts';
import type { Application } from '../../api/v1alpha1/application.ts';
import { parseDuration } from '../../api/v1alpha1/duration.ts';
import { ApiError } from '../../kube/errors.ts';
import { backoffMs } from '../../retry/backoff.ts';
import { Quarantine } from '../candidate/quarantine.ts';
import { PATIENCE_MS } from './next.ts';
import { inputsOf } from './stage.ts';
import type { EarlierFindings, TargetState } from './state.ts';

/** The first pause between tries of what is not the candidate's own failure. */
const FIRST_MS = 1_000;
/** What a chart repository told others a moment ago may lack what was published for this one. */
const CHART_MS = 15_000;
/** What another resource decides that nobody watches: asked for again at short intervals. */
const UNSEEN: ReadonlySet<string> = new Set(['AlreadyAllocated', 'QuotaExceeded']);
const UNSEEN_MS = 5_000;
/** The API server's clock is told in whole seconds: what is known of it may move by that much meanwhile. */
const CLOCK_ERROR_MS = 1_000;

/** Milliseconds until the next try, as spec.sync.retries says: never longer than its maxBackoff. */
export function syncRetryMs({ spec }: Application, failures: number, random: number): number {
  const { backoff, maxBackoff } = spec.sync.retries;
  const pace = { firstMs: parseDuration(backoff), longestMs: parseDuration(maxBackoff) };
  return backoffMs({ ...pace, failures, jitter: 'Fifth', random });
}

/** When to look again after an error that no watch and no poll tells the end of. */
export function afterUnresolved(
  { memory, now, application }: TargetState,
  error: unknown,
  random: number,
): EarlierFindings {
  const { retry: _retry, unresolved, ...others } = memory;
  if (error instanceof Quarantine) return { ...others, unresolved: { tries: unresolved.tries } };
  if (error instanceof TowpathError && error.remedy === 'Resource')
    return { ...memory, unresolved: { tries: unresolved.tries } };
  const tries = unresolved.tries + 1;
  const pause = pauseAfter(tries, isForPerson(error) ? paceOf(application) : PATIENT, random);
  return { ...memory, unresolved: { tries, nextAt: later(now, pause) } };
}

const PATIENT = { firstMs: FIRST_MS, longestMs: PATIENCE_MS };

/** How often a person's correction is looked for where the source is, of which nobody tells. */
function paceOf({ spec: { source, helm } }: Application): { firstMs: number; longestMs: number } {
  const git = source === undefined ? Number.POSITIVE_INFINITY : parseDuration(source.interval);
  if (helm?.chart === undefined) return { firstMs: git, longestMs: Math.max(git, PATIENCE_MS) };
  const longestMs = Math.max(Math.min(git, parseDuration(helm.chart.interval)), PATIENCE_MS);
  return { firstMs: Math.min(git, CHART_MS, longestMs), longestMs };
}

/** What keeps the wanted candidate from running is no fault of its own: it is tried for ever. */
export function afterBlocked(state: TargetState, error: TowpathError, random: number): EarlierFindings {
  const { memory, now, found } = state;
  if (found.wanted === undefined) return memory;
  const attempts = (memory.retry?.attempts ?? 0) + 1;
  const serverMs = retryAfterMsOf(error);
  const atLeast = serverMs === 0 ? 0 : Math.min(serverMs, PATIENCE_MS) * (1 + 0.2 * random) + CLOCK_ERROR_MS;
  const longestMs = UNSEEN.has(error.reason) ? UNSEEN_MS : PATIENCE_MS;
  const pause = Math.max(pauseAfter(attempts, { firstMs: FIRST_MS, longestMs }, random), atLeast);
  const inputs = inputsOf(state, found.wanted);
  const retry = { inputs, error, attempts, triedAt: now, nextAt: later(now, pause) };
  return { ...memory, retry, renderAnew: memory.renderAnew || error.reason === 'RecordDamaged' };
}

/** A try of the deployment's own fault was counted: the next one is as spec.sync.retries says, if there is one. */
export function afterCounted(
  state: TargetState,
  { error, attempts }: { error: TowpathError; attempts: number },
  random: number,
): EarlierFindings {
  const { application, deployment, now } = state;
  const { failed: _failed, ...memory } = state.memory;
  if (deployment === undefined || deployment.exhausted === true) return memory;
  const nextAt = later(now, syncRetryMs(application, attempts, random));
  const { generation } = application.metadata;
  return { ...memory, failed: { deployment: deployment.id, generation, error, nextAt } };
}

function isForPerson(error: unknown): boolean {
  return error instanceof TowpathError && error.remedy === 'Person';
}

/** How long the API server asked to wait (Retry-After), in milliseconds. */
function retryAfterMsOf(error: Error): number {
  if (error instanceof ApiError) return error.retryAfterMs ?? 0;
  return error.cause instanceof Error ? retryAfterMsOf(error.cause) : 0;
}

function pauseAfter(failures: number, pace: { firstMs: number; longestMs: number }, random: number): number {
  return backoffMs({ ...pace, failures, jitter: 'Fifth', random });
}

function later(now: Date, ms: number): Date {
  return new Date(now.getTime() + ms);
}
