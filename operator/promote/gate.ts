import type { Remedy } from '../api/errors.ts';
import type { Freeze } from '../api/v1alpha1/environment.ts';

/** What stands between a candidate and an environment. */
export interface BlockedBy {
  readonly reason: string;
  /** A sentence with what clears it. */
  readonly message: string;
  readonly remedy: Remedy;
  /** `Waiting`: as somebody asked for, and no fault. */
  readonly standing: 'Waiting' | 'Blocked';
  /** When it may clear by itself, to the millisecond. */
  readonly clearsAt?: Date;
}

/** An Application that another one depends on, as it is in the same environment. */
export interface Dependency {
  /** `<namespace>/<name>` */
  readonly application: string;
  readonly state: 'Ready' | 'NotReady' | 'Missing' | 'ElsewhereOnly';
}

/** All that decides whether a candidate may enter an environment, gathered at one moment. */
export interface Entry {
  readonly environment: string;
  readonly now: Date;
  /** Of the Environment. */
  readonly freezes: readonly Freeze[];
  readonly dependencies: readonly Dependency[];
}

/** Answers what keeps a candidate out; undefined: nothing that it looks at. Pure. */
export type Gate = (entry: Entry) => BlockedBy | undefined;
