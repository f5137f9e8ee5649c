import type { Target, TargetIdentity } from '../record/target.ts';

/** Whether a namespace that is missing is made. The end of a target never makes what it would leave behind. */
export type IfMissing = 'Make' | 'Leave';

/**
 * Keeps the access there that Environments have managed, and from the access of others whoever lands there by its name.
 * Of a target whose access is neither, it knows nothing to do.
 */
export interface AccessKeeper {
  /**
   * Resolves when the access is there, as it was found at `since` (by performance.now()) or later.
   *
   * @throws TowpathError with what keeps it from being made
   */
  ready(target: Target, when: { since: number; ifMissing: IfMissing }, signal: AbortSignal): Promise<void>;
  /**
   * Resolves where the label of the namespace, read at `since` or later, says that it is for its Applications, and where there is no
   * namespace any more. What else the access needs is not looked at, and nothing is made.
   *
   * @throws TowpathError NamespaceNotManaged where it is not for them, or with what keeps that from being known
   */
  labelled(target: Target, since: number, signal: AbortSignal): Promise<void>;
  /** The API server refuses what the access should allow, or does not know where it should be. */
  doubt(target: Target): void;
  /** It is to be looked at again. */
  isInDoubt(target: Target): boolean;
  /** Counts what changed of that which kept it from being there: what was refused for that is tried again at once. */
  changes(target: Target): number;
  /** A target is there no more. */
  forget(target: TargetIdentity): void;
  /** Ends what waits for a change. */
  stop(): Promise<void>;
}
