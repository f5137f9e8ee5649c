import { TokenBucket } from '../../kube/token-bucket.ts';
import type { KeptObject } from '../../plan/plan.ts';
import type { TargetIdentity } from '../record/target.ts';
import type { LeftBehind } from './removal/left-behind.ts';
import type { Session } from './session.ts';
import { Unreported } from './words/unreported.ts';

/** How many looks because of changes in the cluster a target has at once, and how often after. */
const LOOKS_AT_ONCE = 120;
const LOOK_EVERY_MS = 500;

/** A hook of a deletion is work each time it is run: not at each change in the cluster, nor of what it made. */
export interface HookRetry {
  tries: number;
  until: Date;
  /** What was asked of the target: anything else ends the rest. */
  syncRequest: string | undefined;
  /** What it failed with; undefined where an earlier process told. */
  error?: unknown;
}

/** What is to be told of a target that is over. */
export interface Gone {
  kept: readonly KeptObject[];
  behind?: LeftBehind | undefined;
}

/** What is remembered of a target from one look to the next. It goes with what is known of its Application. */
export interface TargetMemory {
  session?: Session | undefined;
  /** Apart from the session, which ends with leadership, and where a look is abandoned. */
  readonly unreported: Unreported;
  /** The record in memory may differ from what is stored: it is read anew before the next look. */
  isRecordInDoubt: boolean;
  /** Looks in a row that failed. */
  failedLooks: number;
  /** For changes in the cluster. */
  readonly looks: TokenBucket;
  /** Of a hook that failed while the Application is being deleted. */
  hookRetry?: HookRetry | undefined;
  /** Nothing of it is left but what was kept, since its Application is being deleted. */
  gone?: Gone | undefined;
}

export function newTargetMemory({ environment }: TargetIdentity, now: number): TargetMemory {
  return {
    unreported: new Unreported(environment),
    isRecordInDoubt: false,
    failedLooks: 0,
    looks: new TokenBucket(LOOKS_AT_ONCE, LOOK_EVERY_MS, now),
  };
}

/** What another process, or another history of the API server, made untrue. */
export function forgetLooks(memory: TargetMemory): void {
  memory.session = undefined;
  memory.gone = undefined;
}
