import type { ServiceAccount } from '../../kube/client.ts';
import type { Bounds } from '../../manifest/bounds.ts';
import type { IgnoreRule } from '../../plan/ignore.ts';

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
  /** What its Environment lets it write to; absent without environments. */
  readonly bounds?: Bounds;
  readonly overlay: Overlay;
  readonly settings: TargetSettings;
}

/** What of the repository is rendered for it. */
export interface Overlay {
  /** Folder, relative to the root of the repository. */
  readonly path: string;
  /** Values files, the later wins. */
  readonly valuesFiles: readonly string[];
}

/** How it is brought to what Git says, and what persons ask for by annotations. */
export interface TargetSettings {
  readonly mode: 'Automatic' | 'Manual';
  readonly prune: boolean;
  readonly drift: 'Repair' | 'Report';
  readonly adopt: boolean;
  readonly ignore: readonly IgnoreRule[];
  readonly timeoutMs: number;
  /** The value of towpath.dev/sync-requested, handled or not. */
  readonly request: string | undefined;
  /** Digest that a person consented to prune. */
  readonly consent: string | undefined;
  /** Whether a deletion that is stuck there is to let go. */
  readonly abandoned: boolean;
}
