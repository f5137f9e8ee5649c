import type { Remedy } from '../api/errors.ts';
import type { Freeze } from '../api/v1alpha1/environment.ts';
import type { ApprovalsGate } from '../api/v1alpha1/gates.ts';

/** What stands between a candidate and an environment. */
export interface BlockedBy {
  readonly reason: string;
  /** A sentence with what clears it. */
  readonly message: string;
  /** The same without the step that would let nothing in, because something else keeps anything out besides. */
  readonly meanwhile?: string;
  readonly remedy: Remedy;
  /** `Waiting`: as somebody asked for, and no fault. */
  readonly standing: 'Waiting' | 'Blocked';
  /** When it may clear by itself, to the millisecond. */
  readonly clearsAt?: Date;
  /** A person's Promote passes it, whichever gates that skips. */
  readonly untilPromoted?: true;
}

/** An Application that another one depends on, as it is in the same environment. */
export interface Dependency {
  /** `<namespace>/<name>` */
  readonly application: string;
  readonly state: 'Ready' | 'NotReady' | 'Missing' | 'ElsewhereOnly' | 'OtherVersion';
  /** Where that matters. */
  readonly version?: VersionThere;
}

/** Which version of an Application's chart there is in an environment, and which there is to be. */
export interface VersionThere {
  /** A range. */
  readonly wanted: string;
  /** Undefined: what runs there is no chart, or nothing is known to run. */
  readonly runs: string | undefined;
  /** What its policy wanted of it when it entered is not decided, or it failed at that. */
  readonly verify?: 'UnderWay' | 'Failed';
  /** One that would do waits to enter there. */
  readonly waits?: string;
}

/** Whether something new may begin, by a list of windows at one moment. */
export type Opening =
  /** Until then at least: one of them ends there, and another one may go on. */
  | { readonly is: 'Open'; readonly changesAt: Date }
  | {
      readonly is: 'Closed';
      readonly changesAt: Date;
      /** The same, with the clock of the zone of the window that opens: `2027-03-28T09:00:00+02:00[Europe/Berlin]`. */
      readonly opensAt: string;
    }
  | { readonly is: 'Unknown'; readonly timeZone: string }
  | { readonly is: 'Never' };

/** What windows say at one moment. */
export interface OpeningOf {
  /** Whose they are, as a sentence begins: `Environment prod`. */
  readonly whose: string;
  /** Where they stand there: `spec.gates.windows`. */
  readonly field: string;
  readonly opening: Opening;
}

/** A person's yes or no, as the API server has it. */
export interface Decision {
  readonly uid: string;
  readonly by: string;
  readonly groups: readonly string[];
  readonly decision: 'Approve' | 'Reject';
  /** By the API server's clock, to the second. */
  readonly at: Date;
}

/** Whether the API server proves who made an Approval: only then it says anything. */
export type Admission =
  | { readonly is: 'Enforced'; readonly since: Date }
  /** What there should be, and is not: `ValidatingAdmissionPolicy x`. */
  | { readonly is: 'Missing'; readonly what: string }
  /** The Approvals, or what proves them, cannot be seen. */
  | { readonly is: 'Unknown'; readonly why: string };

/** What persons have to say of the manifests that would enter. */
export interface ApprovalsOf {
  /** Whose gate it is, as a sentence begins: `Environment prod`. */
  readonly whose: string;
  /** `required: 0`: nobody has to say yes, and a no holds it back all the same. */
  readonly gate: ApprovalsGate;
  /** Arguments of `kubectl towpath approve`. */
  readonly how: string;
  /** Of the manifests that would enter; undefined: they are not known yet. */
  readonly digest: string | undefined;
  /** Those about these manifests that no deployment has used. */
  readonly decisions: readonly Decision[];
  readonly admission: Admission;
  /** Who asks for what enters by a Promotion that waits; undefined: nobody does, it would enter by itself. */
  readonly requester?: string | undefined;
}

/** All that decides whether a candidate may enter an environment, gathered at one moment. */
export interface Entry {
  readonly environment: string;
  readonly now: Date;
  /** Of the Environment. */
  readonly freezes: readonly Freeze[];
  /** One for each list of windows that holds. */
  readonly openings: readonly OpeningOf[];
  readonly dependencies: readonly Dependency[];
  /** One for each gate of approvals that the manifests have not passed yet. */
  readonly approvals: readonly ApprovalsOf[];
}

/** Answers what keeps a candidate out; undefined, or none: nothing that it looks at. Pure. */
export type Gate = (entry: Entry) => BlockedBy | readonly BlockedBy[] | undefined;
