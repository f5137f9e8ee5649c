import type { Remedy, TowpathError } from '../../../api/errors.ts';
import type {
  Application,
  EnvironmentStatus,
  HealthState,
  SyncState,
} from '../../../api/v1alpha1/application.ts';
import type { ObjectId } from '../../../manifest/manifest.ts';
import type { KeptObject } from '../../../plan/plan.ts';
import type { BlockedBy } from '../../../promote/gate.ts';
import type { Rejected } from '../../candidate/quarantine.ts';
import type { Candidate, Deployed, Deployment } from '../../record/record.ts';

/** Where a target stands, in the words of its status. */
export interface Standing {
  sync: SyncState;
  reason: string;
  message: string;
  /** What helps; absent where nothing is wrong. */
  remedy?: Remedy;
  /** More than the message has room for: told by the event. */
  advice?: string;
}

/** A live object that differs from what was applied because somebody changed it. */
export interface Drift {
  count: number;
  lastAt: string;
  lastBy?: string;
  lastObject: ObjectId;
  /** The last object is not found by its label any more. */
  isGone: boolean;
}

/** An object that was put back, and after whose change, where that is known. */
export interface Repaired {
  object: ObjectId;
  /** When it was changed, or found changed (RFC 3339). */
  at: string;
  by?: string;
  /** Present where this went on for long enough to be told: which fields they fight over, where that is known. */
  contested?: readonly string[];
}

/** What a reconcile found out. Only `settle` turns it into status, requeue and events. */
export interface Facts {
  application: Application;
  environment: string;
  now: Date;
  standing: Standing;
  health: { state: HealthState; message?: string };
  /** What the source has, whether it may run or not. */
  source?: Pick<Candidate, 'revision' | 'ref' | 'commit' | 'published'> & { candidate?: string };
  /** The Git server cannot be asked at the moment; what was accepted stays enforced (A4). */
  sourceError?: TowpathError;
  /** Of the manifests that wait at a gate. */
  desiredDigest?: string;
  /** What they would change there, where that is known. */
  changes?: NonNullable<EnvironmentStatus['changes']>;
  /** What else waits there to be promoted. */
  waiting?: NonNullable<EnvironmentStatus['waiting']>;
  rejected?: Rejected;
  /** The candidate whose objects the cluster has. */
  running?: Deployed;
  objects: number;
  /** Whether the newest candidate that was accepted is deployed there to the end. */
  runsNewest: boolean;
  /** Whether the live objects were compared: without, what was told of drift stays. */
  isLookedAt: boolean;
  drift?: Drift;
  pendingPrune?: { digest: string; objects: ObjectId[] };
  kept: readonly KeptObject[];
  /** What something newer waits for, while what runs goes on. */
  gates: readonly BlockedBy[];
  retry?: { attempts: number; nextAt: Date };
  handledSyncRequest?: string;
  /** Deployments that ended, oldest first; those that the history has already are passed over. */
  ended: readonly Deployment[];
  /** Id of the last deployment, as the record counts: the history has none beyond. Undefined where nobody counted yet. */
  lastId?: number;
}
