import type { PROMOTION_TYPES, SkippableGate } from '../api/v1alpha1/promotion.ts';

/** What a person asks for of one target, by a Promotion: proven to be that person's, and that it may be asked for. */
export interface Command {
  /** Of the Promotion, and its name. */
  readonly uid: string;
  readonly promotion: string;
  readonly type: (typeof PROMOTION_TYPES)[number];
  readonly application: string;
  readonly environment: string;
  /** When it was seen first: later than each before it. */
  readonly requestedAt: Date;
  readonly by: string;
  /** What to deploy: the digest of its manifests there, or the id of the candidate. */
  readonly candidate?: string;
  /** The same by what a deployment deployed. */
  readonly historyID?: number;
  /** Name of the Promotion that it is about. */
  readonly about?: string;
  /** Id of the deployment that was begun for it, where its status says so. */
  readonly deployment?: number;
  readonly skipGates: readonly SkippableGate[];
  /** Its status says that it is under way, by what was there already: it waits no more. */
  readonly joined?: true;
  /** '': none was given. */
  readonly reason: string;
}
