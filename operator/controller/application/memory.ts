import { TokenBucket } from '../../kube/token-bucket.ts';
import type { TargetIdentity } from '../record/target.ts';
import type { Session } from '../target/session.ts';
import { Unreported } from '../target/unreported.ts';

/** How many changes of Secrets and ConfigMaps that its spec names an Application follows at once, and how often after. */
const WAKES_AT_ONCE = 10;
const WAKE_EVERY_MS = 5_000;
/** The same for looks because of changes in the cluster. */
const LOOKS_AT_ONCE = 120;
const LOOK_EVERY_MS = 500;

/**
 * What is remembered of an Application from one look to the next. It stands with what is known of the Application, and
 * so goes with it: of one that is gone nothing can be kept.
 */
export interface Memory {
  session?: Session | undefined;
  /** Apart from the session, which ends with leadership, and where a look is abandoned. */
  readonly unreported: Unreported;
  /** The record in memory may differ from what is stored: it is read anew before the next look. */
  isRecordInDoubt: boolean;
  /** Looks in a row that failed. */
  failedLooks: number;
  /** For changes of what the spec names. */
  readonly wakes: TokenBucket;
  /** For changes in the cluster. */
  readonly looks: TokenBucket;
}

export function newMemory({ environment }: TargetIdentity, now: number): Memory {
  return {
    unreported: new Unreported(environment),
    isRecordInDoubt: false,
    failedLooks: 0,
    wakes: new TokenBucket(WAKES_AT_ONCE, WAKE_EVERY_MS, now),
    looks: new TokenBucket(LOOKS_AT_ONCE, LOOK_EVERY_MS, now),
  };
}
