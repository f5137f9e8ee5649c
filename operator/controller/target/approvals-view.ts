import type { Admission, Decision } from '../../promote/gate.ts';
import type { UsedApproval } from '../record/record.ts';

/** What a target needs of the Approvals. */
export interface ApprovalsView {
  /** Resolves when they are known, or cannot be for now. Before somebody asks nobody watches them. */
  known(signal: AbortSignal): Promise<void>;
  /** Those about a target's manifests that no deployment has used. */
  unused(target: string, digest: string): readonly Decision[];
  readonly admission: Admission;
  /** Why there may be some that nobody can see; undefined: they can be. Its end wakes the target. */
  unseen(target: string): string | undefined;
  /** Who gave the one with that uid, and when; undefined where it is not known, or not any more. */
  giverOf(approval: string): { readonly name: string; readonly by: string; readonly at: Date } | undefined;
  /** Says in their status what they were used for; what fails is tried again. */
  markUsed(used: readonly UsedApproval[]): void;
  /** Whether its status does not say yet that it was used. */
  isUnmarked(approval: string): boolean;
}
