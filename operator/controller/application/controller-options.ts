import type { KubeClient, KubeObject } from '../../kube/client.ts';
import type { EventRecorder } from '../../kube/events.ts';
import type { Slices } from '../../observe/event-loop-slices.ts';
import type { LookResult } from '../../observe/work-metrics.ts';
import type { CheckOutcome } from '../../promote/checks.ts';
import type { Verified } from '../../promote/verify.ts';
import type { Renderer } from '../../render/renderer.ts';
import type { Sources } from '../../source/sources.ts';
import type { ChartFetcher } from '../candidate/chart-dependencies.ts';
import type { ChartWatcher } from '../candidate/chart-following.ts';
import type { ProvenanceFetcher } from '../candidate/chart-signatures.ts';
import type { Cluster } from '../cluster/cluster.ts';
import type { PlacedTarget } from '../record/target.ts';
import type { AccessKeeper } from '../target/access-keeper.ts';
import type { ApprovalsView } from '../target/approvals-view.ts';
import type { CommandsView } from '../target/commands-view.ts';
import type { Fault } from '../target/failed-looks.ts';
import type { LedgerView } from '../target/ledger-view.ts';
import type { QueueObserver } from '../work/queue.ts';
import type { LogLine } from './status/log-lines.ts';
import type { Targets } from './targets.ts';

/** What works on Applications is made of, and whom it tells. */
export interface ControllerOptions {
  /** The API server that Applications, records and the Lease are in. */
  home: KubeClient;
  /** The one that a target's objects are in. */
  clusterOf(target: Pick<PlacedTarget, 'cluster' | 'environment'>): Cluster;
  /** All that there are. */
  clusters(): Iterable<Cluster>;
  /** Of Environments that have it managed. */
  access: AccessKeeper;
  approvals: ApprovalsView;
  ledger: LedgerView;
  commands: CommandsView;
  /** Something of what is deployed to an Environment changed. */
  onUse(environment: string): void;
  /** Whether an Environment stays for as long as something is deployed there; where not, `onEnvironmentHeld` follows. */
  isHeld(environment: string): boolean;
  /** Until when a process led before this one; undefined where nobody knows. */
  ledUntil(): Date | undefined;
  /** One came, changed, or went. */
  onApplication(key: string): void;
  /** There is no target of that name any more: its Application is gone, or nothing is left of it in that environment. */
  onTargetGone(target: string): void;
  sources: Sources;
  /** Brings what charts depend on and Git does not have. */
  charts: ChartFetcher & ProvenanceFetcher;
  /** Follows the versions of charts that specs name. */
  chartVersions: ChartWatcher;
  /** The same for every way to write the URL of a repository; undefined where it is none. */
  nameOf(url: string): string | undefined;
  renderer: Renderer;
  events: EventRecorder;
  /** Shared with all else that takes long. */
  slices: Slices;
  /** Namespace of the target records. */
  namespace: string;
  installation: string;
  targets: Targets;
  random(): number;
  /** Told of looks that failed: a defect, an API server that refuses the status itself. Without values of Secrets. */
  onFault(application: string, fault: Fault): void;
  /** Told of a Secret whose record of an Application is not trusted, and why. */
  onUntrustedRecord(secret: string, why: string): void;
  /** Told what happened to an Application, once. Without values of Secrets. */
  onTold(application: string, line: LogLine): void;
  /** Takes in an Application as a request of ours was answered; what that changes is told as an event of its watch. */
  takeAnswer(object: KubeObject): void;
  queueObserver: QueueObserver;
  onLooked(result: LookResult, seconds: number): void;
  /** A check of a policy came to an end, as its record says by now. */
  onChecked(outcome: CheckOutcome): void;
  onVerified(verified: Verified): void;
  /** Told of a look that takes long, again and again. */
  onLong(application: string, seconds: number): void;
  /** Told of a look that did not end when it was interrupted, and that counts no more. */
  onAbandoned(application: string): void;
}
