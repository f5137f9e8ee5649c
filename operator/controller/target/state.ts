import type { TowpathError } from '../../api/errors.ts';
import type { Application } from '../../api/v1alpha1/application.ts';
import type { PromotionStatus } from '../../api/v1alpha1/promotion.ts';
import type { AppliedObject } from '../../manifest/applied.ts';
import type { KeptObject } from '../../plan/plan.ts';
import type { Command } from '../../promote/command.ts';
import type { BlockedBy } from '../../promote/gate.ts';
import type { Settled } from '../../promote/gates/approvals.ts';
import type { Hold } from '../../promote/hold.ts';
import type { Quarantine } from '../candidate/quarantine.ts';
import type { Wanted } from '../candidate/wanted.ts';
import type { WatchedKind } from '../cluster/lost-objects.ts';
import type { Deployment, Waiting } from '../record/record.ts';
import type { TargetSettings } from '../record/target.ts';
import type { Promoted } from './commands-view.ts';
import type { Advance, PruneHeld } from './deploy-context.ts';
import type { Others } from './verdicts.ts';

/**
 * Where a target is at one moment of a look: all by which `next` decides what to do and `standingOf` what is told.
 * Frozen; each action is followed by a new one.
 */
export interface TargetState {
  readonly application: Application;
  readonly settings: TargetSettings;
  readonly environment: string;
  /** Counts what changed of that which kept its access from being there. */
  readonly accessChanges: number;
  /** Why nothing may be written there. */
  readonly refusal: TowpathError | undefined;
  /** When the look began: what rests until later rests for all of it. */
  readonly since: Date;
  readonly now: Date;
  /** The value of towpath.dev/sync-requested that is not handled yet. */
  readonly request: string | undefined;
  /** By which the record knows what is asked, and that of what it has as acted on. */
  readonly requestKey: string | undefined;
  readonly handledRequest: string | undefined;
  /** Its Application has other targets, too. */
  readonly isOneOfSeveral: boolean;
  /** What the other environments say of what is wanted. */
  readonly others: Others;
  /** Whether this is the first look for it: what waits for its time is tried at once. */
  readonly isAskedNow: boolean;
  /** A copy of the record's: what runs, or is on its way. */
  readonly deployment: Readonly<Deployment> | undefined;
  /** A policy has it after another one: what is new waits to be promoted. */
  readonly waitsInLine?: true;
  /** Key of the candidate that waits to be asked for, its bytes kept. */
  readonly parked: string | undefined;
  /** What keeps anything new out. */
  readonly blockedBy: readonly BlockedBy[];
  /** The candidate that may enter in place of the newest, which may not. */
  readonly choice: Waiting | undefined;
  /** When that may change by itself. */
  readonly gatesChangeAt: Date | undefined;
  /** What persons decided of what is wanted, and is used up when that enters. */
  readonly settles: readonly Settled[];
  /** When another one may enter by itself, whether it is the newest or not. */
  readonly mayEnterAt: Date | undefined;
  /** What a person asks to have promoted here, which waits. */
  readonly promoted: Promoted | undefined;
  /** A policy wants to know for how long what runs is healthy. */
  readonly soaks: boolean;
  /** A policy wants checks of what runs, or did. */
  readonly isChecked: boolean;
  /** Names of checks that what runs has to pass, and that no policy has any more that can be read. */
  readonly lostChecks: readonly string[];
  /** What a person asks for that no candidate of the source is needed for, and that was not acted on. */
  readonly asked: Command | undefined;
  /** A person went back there, and keeps it there. */
  readonly hold: Hold | undefined;
  /** What was applied, by object key. */
  readonly applied: ReadonlyMap<string, AppliedObject>;
  readonly memory: EarlierFindings;
  readonly found: Findings;
}

/** What is remembered of a target from one look to the next; nothing here needs to survive a restart. */
export interface EarlierFindings {
  /** What is wanted could not be begun, or gone on with, for a reason that is not its own. */
  readonly retry?: {
    readonly inputs: string;
    readonly error: TowpathError;
    readonly attempts: number;
    readonly triedAt: Date;
    readonly nextAt: Date;
  };
  /** The last failure of the deployment's own; how often it failed stands in the record. */
  readonly failed?: FailedTry;
  /** A candidate that the API server refused in principle: not asked again before an input changes. */
  readonly refused?: { readonly inputs: string; readonly quarantine: Quarantine };
  /** The candidate and generation that were judged last (mode Manual). */
  readonly judged?: string;
  /** What was judged, and waits for what other environments say. */
  readonly awaiting?: {
    readonly inputs: string;
    readonly deferred: readonly string[];
    readonly since: Date;
  };
  /** Looks in a row that did not even find out what is wanted, and when that is tried again. */
  readonly unresolved: { readonly tries: number; readonly nextAt?: Date };
  /** The kept manifests were damaged: what is wanted is rendered and accepted again. */
  readonly renderAnew: boolean;
  readonly kept: readonly KeptObject[];
  /** The sync request for which a look went to its end already; it may wait for something still. */
  readonly lookedFor?: string;
  readonly toldWishes?: ToldWishes;
  /** Where a target has objects whose record is lost, as they were found. */
  readonly lostKinds?: readonly WatchedKind[];
}

/** What others were told that they must not delete: what a candidate would take over, or nothing any more. */
export type ToldWishes =
  | { readonly of: 'Candidate'; readonly inputs: string; readonly adopt: boolean }
  | { readonly of: 'Nothing' };

export interface FailedTry {
  readonly deployment: number;
  readonly generation: number;
  readonly error: TowpathError;
  readonly nextAt: Date;
}

/** What a look found out so far. */
export interface Findings {
  /** Whether the target's objects can be seen; without that nothing is planned. */
  readonly sight?: 'Seen' | { readonly unseen: TowpathError };
  readonly clock?: 'Paused' | 'Resumed';
  readonly wanted?: Wanted;
  /** What is wanted was chosen, in place of the source's newest. */
  readonly chosen?: Chosen;
  /** The Git server cannot be asked at the moment. */
  readonly sourceError?: TowpathError;
  readonly obstacle?: Obstacle;
  /** What is wanted was judged in this look, and may run. */
  readonly judgement?: { readonly deferred: readonly string[] };
  readonly held?: PruneHeld;
  /** What earlier deployments left of their hooks was ended: what runs is looked after from here on. */
  readonly isTidied?: true;
  /** Everything was as it was last applied when that was done. */
  readonly isUndisturbed?: boolean;
  /** A try of the deployment that failed by its own fault, and whether the record has it. */
  readonly failure?: { readonly error: TowpathError; readonly isCounted: boolean };
  readonly lookedAfter?: LookedAfter;
  /** How healthy it is, is written down as far as a policy wants to know. */
  readonly isHealthNoted?: true;
  /** Checks were looked at; when they are to be again, whatever happens until then. */
  readonly checked?: { readonly again?: Date };
  /** It is gone back: the next look, at once, goes on with that. */
  readonly wentBack?: true;
  /** Id of what is gone back to and was looked after before it was asked what is wanted; 0: of nothing. */
  readonly first?: number;
  /** That the sync request was acted on could not be written down: it stays open. */
  readonly isRequestUnnoted?: true;
}

/** What is promoted although the source has something newer, which may not enter, or cannot be found out. */
export interface Chosen {
  /** What was asked for. */
  readonly asked: string;
  readonly newest: Wanted | undefined;
  /** When the newest is tried again. */
  readonly againAt: Date | undefined;
}

/** Why the wanted candidate is not known, or cannot run. Neither Quarantine nor TowpathError: the look ends with it. */
export type Obstacle =
  | {
      readonly at: 'Resolving';
      readonly error: unknown;
      /** It is what the sync request found out, which is handled with that. */
      readonly isAnswer: boolean;
    }
  | { readonly at: 'Deploying'; readonly error: unknown };

/** What became of the deployment that runs, or ran last. */
export type LookedAfter =
  | { readonly how: 'Confirmed' }
  | { readonly how: 'Advanced'; readonly result: Advance }
  /** Of one that failed for good; without a result all is as it was. */
  | { readonly how: 'Repaired'; readonly result?: Advance }
  /** It failed by no fault of its own. Without `againAt` it is the wanted one, and tried again as that. */
  | { readonly how: 'Not'; readonly error: unknown; readonly againAt?: Date };

/** What there is to do next, and nothing else; `Wait`: the look ends, and what changes wakes the next one, or the time. */
export type Action = { readonly type: Deed } | { readonly type: 'Wait'; readonly until: Date | undefined };

export type Deed =
  /** Have the target's objects watched. */
  | 'See'
  /** Stop and start the clock of what is under way. */
  | 'Pause'
  | 'Resume'
  /** Find out what is wanted. */
  | 'Resolve'
  /** Ask by dry-runs whether the wanted candidate may run. */
  | 'Judge'
  /** Put in the place of the newest candidate an older one that may enter. */
  | 'Choose'
  /** Keep its bytes until it is asked for. */
  | 'Park'
  /** Keep again the bytes of what runs, which were lost. */
  | 'Restore'
  /** Write down its deployment, unless consent is to be asked for. */
  | 'Begin'
  /** End the hooks that nothing waits for any more. */
  | 'Tidy'
  /** Bring the cluster to the deployment's manifests, as far as it gets. */
  | 'Advance'
  /** Nothing differs: only the record may be behind. */
  | 'Confirm'
  /** Put back what was applied of a deployment that failed for good. */
  | 'Repair'
  /** Write down that a try failed. */
  | 'Count'
  /** Write down that the sync request was acted on, which no status says before other environments did. */
  | 'NoteRequest'
  /** Write down the deployment of what passed before, in the place of what failed. */
  | 'GoBack'
  /** Let go of what a person held: by a Resume, or by promoting what is there. */
  | 'LetGo'
  /** Write down that what runs became healthy, or ceased to be, for stages that come after. */
  | 'NoteHealth'
  /** Run what a policy wants to be checked of what runs. */
  | 'Check';

/** What an action came to. */
export type Outcome =
  | { readonly type: 'Seen'; readonly lostKinds?: readonly WatchedKind[] }
  | { readonly type: 'Unseen'; readonly error: TowpathError }
  | { readonly type: 'Paused' }
  | { readonly type: 'Resumed' }
  | {
      readonly type: 'Resolved';
      readonly wanted: Wanted;
      /** Absent where nothing could be told. */
      readonly toldWishes?: ToldWishes;
      readonly sourceError?: TowpathError;
    }
  | {
      readonly type: 'Unresolved';
      readonly error: unknown;
      readonly isAnswer: boolean;
      /** Known, but others could not be told of it. */
      readonly wanted?: Wanted;
    }
  | {
      readonly type: 'Chosen';
      readonly wanted: Wanted;
      readonly chosen: Chosen;
      readonly toldWishes: ToldWishes;
    }
  | { readonly type: 'Judged'; readonly deferred: readonly string[] }
  | { readonly type: 'HealthNoted' }
  | { readonly type: 'Checked'; readonly again?: Date }
  | { readonly type: 'WentBack' }
  /** There is nothing to go back to, or that is refused. */
  | { readonly type: 'Stayed' }
  /** What a person asked for was answered, but for what is not decided, and the hold is as it asks. */
  | { readonly type: 'LetGone' }
  | { readonly type: 'RequestNoted' }
  | { readonly type: 'RequestUnnoted' }
  | { readonly type: 'Parked' }
  | { readonly type: 'Restored' }
  /** With what it changes, where that was found out while it waited. */
  | { readonly type: 'Begun'; readonly changes?: PromotionStatus['changes'] }
  | { readonly type: 'Held'; readonly held: PruneHeld }
  | { readonly type: 'Refused'; readonly quarantine: Quarantine }
  | { readonly type: 'Blocked'; readonly error: TowpathError }
  /** The wanted candidate met what nobody foresaw. */
  | { readonly type: 'Broken'; readonly error: unknown }
  | { readonly type: 'Tidied'; readonly isUndisturbed: boolean }
  | { readonly type: 'LookedAfter'; readonly lookedAfter: LookedAfter }
  | { readonly type: 'FailedTry'; readonly error: TowpathError }
  | { readonly type: 'Counted'; readonly error: TowpathError; readonly attempts: number };
