import type { TowpathError } from '../../../api/errors.ts';
import {
  type ApplicationStatus,
  environmentOf,
  type HealthState,
} from '../../../api/v1alpha1/application.ts';
import type { KeptObject } from '../../../plan/plan.ts';
import type { PruneHeld } from '../deploy-context.ts';
import type { Facts } from './facts.ts';

/** Tries that failed, and when the next one is. */
export interface Retry {
  attempts: number;
  nextAt: Date;
}

/** What a look at a target tells its Application, as far as it got. */
export type TargetUpdate =
  | { kind: 'Facts'; facts: Facts }
  /** Looks in a row failed: what runs is as it was, as far as is known. */
  | { kind: 'Failing'; error: TowpathError; retry: Retry }
  /** Nothing may be done there, and nothing can be seen: what runs is as it was, as far as is known. */
  | { kind: 'Refused'; error: TowpathError; handledSyncRequest?: string }
  /** Its Application is being deleted, or it left that, and something of it is still there. */
  | {
      kind: 'Leaving';
      reason: 'Deleting' | 'DeletionFailed' | 'HandingOver' | 'PruneHeld' | 'Suspended';
      message: string;
      isStalled: boolean;
      /** Absent: what runs there is as it was, or goes. */
      health?: HealthState;
      kept?: readonly KeptObject[];
      /** What waits for consent. */
      pendingPrune?: Pick<PruneHeld, 'digest' | 'objects'>;
      retry?: Retry;
    };

/** Whether the status says something else than where an environment stands by now, and not of another commit alone. */
export function isOtherState(
  status: ApplicationStatus | undefined,
  environment: string,
  update: TargetUpdate,
): boolean {
  if (update.kind !== 'Facts') return true;
  const { standing, running, health, handledSyncRequest } = update.facts;
  const told = environmentOf(status, environment);
  if (told?.sync !== standing.sync || told.health !== health.state) return true;
  if (running !== undefined && told.digest !== running.digest) return true;
  return handledSyncRequest !== undefined && handledSyncRequest !== status?.handledSyncRequest;
}
