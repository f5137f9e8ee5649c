import { type Application, environmentOf } from '../../api/v1alpha1/application.ts';
import type { PromotionStatus } from '../../api/v1alpha1/promotion.ts';
import type { RevisionParts } from '../../api/v1alpha1/revision.ts';
import { TokenBucket } from '../../kube/token-bucket.ts';
import type { Target } from '../record/target.ts';
import { NOTHING_REMEMBERED } from './after-action.ts';
import { Contests } from './drift/contests.ts';
import { DriftMemory } from './drift/drift-memory.ts';
import type { EarlierFindings } from './state.ts';
import type { Unreported } from './words/unreported.ts';

/** How much drift of one target is repaired at once, and how often after that, if somebody goes on changing it. */
const REPAIRS_AT_ONCE = 60;
const REPAIR_EVERY_MS = 5_000;

/** What a target's source is known to have, as far as this process found that out. */
export interface KnownNewest extends RevisionParts {
  /** Digest of what the Application asks for at that. */
  readonly asked?: string | undefined;
  /** Key of the candidate that it comes to. */
  readonly candidate?: string;
  /** It cannot run in principle: it does not render, say. */
  readonly isRefused?: true;
}

/** What is kept of a target between two looks; nothing here needs to survive a restart. */
export interface Session {
  memory: EarlierFindings;
  readonly repairs: TokenBucket;
  readonly drift: DriftMemory;
  readonly contests: Contests;
  readonly unreported: Unreported;
  /** Undefined before anything was found out. */
  known?: KnownNewest;
  /** An earlier process told that what is asked for is refused. */
  readonly wasRefused: boolean;
  /** What candidates that wait would change, the newest last, so that their manifests are not read in each look. */
  changes?: readonly { readonly of: string; readonly changes: NonNullable<PromotionStatus['changes']> }[];
}

/** The status is what an earlier process told; `unreported` outlives sessions. */
export function newSession(application: Application, target: Target, unreported: Unreported): Session {
  const { status } = application;
  return {
    wasRefused: tellsOfRefusal(application, target),
    memory: NOTHING_REMEMBERED,
    contests: new Contests(),
    unreported,
    drift: new DriftMemory(environmentOf(status, target.environment)?.drift),
    repairs: new TokenBucket(REPAIRS_AT_ONCE, REPAIR_EVERY_MS, performance.now()),
  };
}

/** Whether the status tells, of the spec as it is, that something is refused that concerns the target: by it, or by others for all. */
export function tellsOfRefusal(
  { status, metadata }: Application,
  { environment }: Pick<Target, 'environment'>,
): boolean {
  const { quarantine, observedGeneration } = status ?? {};
  if (observedGeneration !== metadata.generation) return false;
  return (quarantine?.errors ?? []).some(
    (error) => error.alone !== true || error.environment === environment,
  );
}

/** What was refused for the state of its cluster is tried at the next look, whatever the time. */
export function forgetRetry(session: Session | undefined): void {
  if (session === undefined) return;
  const { retry: _retry, ...memory } = session.memory;
  session.memory = memory;
}

/** What the API server refused in principle is asked again at the next look. */
export function forgetRefusal(session: Session | undefined): void {
  if (session === undefined) return;
  const { refused: _refused, ...memory } = session.memory;
  session.memory = memory;
}

/** Whether the target waits for a kind to be served. */
export function lacksKind(session: Session | undefined): boolean {
  return session?.memory.retry?.error.reason === 'KindMissing';
}

export function isRefused(session: Session | undefined): boolean {
  return session?.memory.refused !== undefined;
}
