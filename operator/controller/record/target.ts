import { TowpathError } from '../../api/errors.ts';
import type { ApplicationSpec } from '../../api/v1alpha1/application.ts';
import type { Freeze } from '../../api/v1alpha1/environment.ts';
import type { Gates } from '../../api/v1alpha1/gates.ts';
import type { ServiceAccount } from '../../kube/client.ts';
import type { Bounds } from '../../manifest/bounds.ts';
import type { IgnoreRule } from '../../plan/ignore.ts';
import type { Doubt } from '../../promote/doubt.ts';
import type { BlockedBy } from '../../promote/gate.ts';
import type { Governance } from '../../promote/governance.ts';
import { whereNothingBegan } from '../../promote/required-policy.ts';

/** Which target it is: enough to find its record and its objects, also where its Application cannot be read. */
export interface TargetIdentity {
  /**
   * 20 hex digits: fits a label's value and a field manager's name; another installation has other ids. An address:
   * whose a record or an object at it is, the name decides.
   */
  readonly id: string;
  /** `<namespace>/<application>/<environment>`, as the owner annotation names it. */
  readonly name: string;
  /** Key of the Application: `<namespace>/<name>`. */
  readonly application: string;
  readonly environment: string;
}

/** The cluster that Applications and records are in, too. */
export const HOME = 'home';

/** The same with where it is. */
export interface PlacedTarget extends TargetIdentity {
  /** Name of the cluster that its objects are in. */
  readonly cluster: string;
}

/** One Application in one environment: the unit of work, of status and of inventory. What its spec says of it, frozen. */
export interface Target extends PlacedTarget {
  /** Where what names no namespace lands. */
  readonly namespace: string;
  /** Whose rights every write has; undefined only with --insecure-no-impersonation: the operator's own. */
  readonly account: ServiceAccount | undefined;
  /** The ClusterRole that the account is bound to where the Environment has its access managed. */
  readonly managedRole?: string;
  /** In another cluster: the account is acted as only where a label of the namespace says for whom (S16). */
  readonly landsByLabel?: true;
  /** What its Environment lets it write to; absent without environments. */
  readonly bounds?: Bounds;
  readonly overlay: Overlay;
  readonly settings: TargetSettings;
  /** Of its Environment: times in which nothing new is deployed. */
  readonly freezes: readonly Freeze[];
  /** Why what its Environment or a policy says of it may not be so any more; absent: nothing is doubted. */
  readonly doubts?: readonly Doubt[];
  /** What PromotionPolicies say of what may enter. */
  readonly governance: Governance;
  /** Of its Environment: what has to be the case before anything new enters. */
  readonly gates: Gates;
  /** Of its Environment: what repositories charts are taken from; absent: all. */
  readonly allowedRepositories?: readonly string[];
  /** Why nothing may be written there although it is known where it is; what runs is looked at all the same. */
  readonly refusal: TowpathError | undefined;
  /**
   * Of its Environment, which requires a policy: why nothing new enters. What was begun there goes on; where nothing was, that is
   * its refusal (`refusedUnbegun`). Absent: none is required, or one has it in a stage.
   */
  readonly lacksPolicy?: BlockedBy;
  /** Targets of the same Application that left, and whose objects this one takes over: it lands where they did. */
  readonly takesOver?: readonly TargetIdentity[];
}

/** One of which it is not known where it is: nothing can be seen or done there, and what there may be of it stays. */
export interface UnplacedTarget extends TargetIdentity {
  /** Why; undefined: that is being found out. */
  readonly refusal: TowpathError | undefined;
  readonly settings: TargetSettings;
}

/** One of which it is known why it is not known where it is. */
export interface RefusedTarget extends UnplacedTarget {
  readonly refusal: TowpathError;
}

/** A target as its Application asks for it, whether it is known where it is or not. */
export type SpecifiedTarget = Target | UnplacedTarget;

/**
 * The target, refused where its Environment requires a policy that has it, none does, and nothing was begun there: so
 * nothing is looked for, rendered or made for it either, no namespace and no account.
 */
export function refusedUnbegun<One extends SpecifiedTarget>(
  target: One,
  record: { readonly deployment?: object | undefined } | undefined,
): One {
  if (!('lacksPolicy' in target) || target.lacksPolicy === undefined) return target;
  if (target.refusal !== undefined || record?.deployment !== undefined) return target;
  const { remedy, reason, message } = target.lacksPolicy;
  const refusal = new TowpathError(remedy, reason, whereNothingBegan(message));
  const refused = { ...target, refusal };
  Object.freeze(refused);
  return refused;
}

/** What of the repository is rendered for it. */
export interface Overlay {
  /** Folder, relative to the root of the repository. */
  readonly path: string;
  /** The chart is none of the repository: nothing but values files is read of that. */
  readonly isPublished?: true;
  /** Where the path stands, if it is the environment's own: `spec.environments[prod].path`. */
  readonly pathField?: string;
  readonly ref: GitRef;
  /** Values of its Environment, which all others win over, and which say nothing of what is at the path. */
  readonly defaults: ValuesAt | undefined;
  /** The later wins. */
  readonly layers: readonly ValuesLayer[];
}

/** What is followed: one of them, or nothing for the HEAD of the remote. */
export type GitRef = NonNullable<NonNullable<ApplicationSpec['source']>['ref']>;

/** Values, as JSON.parse left them. */
export interface ValuesAt {
  /** Where they stand, as messages name it: `spec.helm.values`. Of one Application and its Environments no other has it. */
  readonly field: string;
  readonly values: Readonly<Record<string, unknown>>;
}

/** Values in the order in which they are merged. */
export interface ValuesLayer {
  /** Where it stands: `spec.helm`. */
  readonly field: string;
  readonly valuesFiles: readonly string[];
  readonly valuesFrom: readonly ValuesSource[];
  readonly values: ValuesAt | undefined;
}

export type ValuesSource = NonNullable<NonNullable<ApplicationSpec['helm']>['valuesFrom']>[number];

/** How it is brought to what Git says, and what persons ask for by annotations. */
export interface TargetSettings {
  readonly mode: 'Automatic' | 'Manual';
  /** Who suspended all writes, as a sentence says it; undefined: nobody. */
  readonly suspended: string | undefined;
  readonly prune: boolean;
  /** A number of objects, or a percentage of those that there are. */
  readonly pruneBudget: number | string;
  readonly drift: 'Repair' | 'Report';
  readonly adopt: boolean;
  readonly ignore: readonly IgnoreRule[];
  readonly timeoutMs: number;
  /** The value of towpath.dev/sync-requested, handled or not. */
  readonly request: string | undefined;
  /** Digest that a person consented to prune. */
  readonly consent: string | undefined;
  /** What the value of towpath.dev/abandon says of the environment: that a deletion there is to let go. */
  readonly abandoned: string | undefined;
}
