import { type Application, environmentOf } from '../../api/v1alpha1/application.ts';
import { ANNOTATION_SYNC_REQUESTED } from '../../api/v1alpha1/names.ts';
import type { TargetAccess } from '../../apply/target.ts';
import type { KubeClient, ServiceAccount } from '../../kube/client.ts';
import { isOurHook, isOurs, type LiveObject } from '../../manifest/live.ts';
import { objectKey } from '../../manifest/manifest.ts';
import type { Slices } from '../../observe/event-loop-slices.ts';
import type { CheckOutcome } from '../../promote/checks.ts';
import type { Verified } from '../../promote/verify.ts';
import { formerManifests } from '../candidate/former-manifests.ts';
import type { Newest } from '../candidate/origins.ts';
import type { Secrecy } from '../candidate/secrecy/secrecy.ts';
import type { WantedCandidates } from '../candidate/wanted.ts';
import type { Cluster } from '../cluster/cluster.ts';
import { newRecord, type TargetRecord } from '../record/record.ts';
import type { RecordStore } from '../record/store.ts';
import {
  type PlacedTarget,
  refusedUnbegun,
  type SpecifiedTarget,
  type Target,
  type TargetIdentity,
} from '../record/target.ts';
import type { AccessKeeper } from './access-keeper.ts';
import type { ApprovalsView } from './approvals-view.ts';
import type { Claims } from './claims.ts';
import type { CommandsView } from './commands-view.ts';
import type { Lookup } from './dependencies.ts';
import type { DeployContext } from './deploy-context.ts';
import type { Evidence } from './evidence.ts';
import { Moving } from './handover/moving.ts';
import type { Wishes } from './handover/wishes.ts';
import type { LedgerView } from './ledger-view.ts';
import type { Openings } from './openings.ts';
import { handledAs, requestKey } from './request-annotations.ts';
import type { Session } from './session.ts';
import type { Verdicts } from './verdicts.ts';
import type { Facts } from './words/facts.ts';

export interface Parts {
  /** The API server that Applications, records and the Lease are in. */
  home: KubeClient;
  /** The one that a target's objects are in. */
  clusterOf(target: Pick<PlacedTarget, 'cluster' | 'environment'>): Cluster;
  /** Of Environments that have it managed. */
  access: AccessKeeper;
  store: RecordStore;
  wanted: WantedCandidates;
  secrecy: Secrecy;
  lookup: Lookup;
  /** As whom another target deploys, by its name; undefined: as the operator itself, or there is none. */
  accountOf(target: string): ServiceAccount | undefined;
  wishes: Wishes;
  verdicts: Verdicts;
  evidence: Evidence;
  openings: Openings;
  approvals: ApprovalsView;
  ledger: LedgerView;
  commands: CommandsView;
  /** Until when a process led before this one: what it saw counts until then. Undefined where nobody knows. */
  ledUntil(): Date | undefined;
  claims: Claims;
  /** The target in that environment of an Application, whether there is one or not: with the id that this installation gives it. */
  identityOf(application: string, environment: string): TargetIdentity;
  /** All targets that an Application asks for, by what was begun there (`refusedUnbegun`). */
  specifiedTargets(application: string): readonly SpecifiedTarget[];
  /** A target may take over now what another one left, by its name. */
  onLeft(target: string): void;
  /** Shared with all else that takes long. */
  slices: Slices;
  random(): number;
  /** Told of each run of a check that ended. */
  onChecked(outcome: CheckOutcome): void;
  /** Told of what entered and was verified, whatever becomes of it then, once the record of it is written. */
  onVerified(application: string, verified: Verified): void;
}

/** What a person asks for is done at once. */
const UNBOUNDED = { take: () => true, waitMs: () => 0 };

/** Access that was looked at so long ago is looked at again before a write. */
export const ACCESS_GOOD_MS = 60_000;

/** What does not change in the course of one look, and what its actions work with. */
export interface Run {
  readonly parts: Parts;
  readonly application: Application;
  readonly target: Target;
  /** Its Application has other targets, too. */
  readonly isOneOfSeveral: boolean;
  /** Exact JSON texts of values, by their fields. */
  readonly values: ReadonlyMap<string, string>;
  readonly session: Session;
  readonly context: DeployContext;
  /** When it began. */
  readonly since: Date;
  /** The same on the clock of performance.now(). */
  readonly startedAt: number;
  readonly request: SyncRequest;
  /** What is being done at the moment, for the status of a look that takes long. */
  readonly underWay: UnderWay;
}

/** What towpath.dev/sync-requested asks of the target. */
export interface SyncRequest {
  /** What is not handled yet. */
  readonly open: string | undefined;
  /** By which the record knows it, open or not. */
  readonly key: string | undefined;
  /** Whether this is the first look for it: what waits for its time is tried at once. */
  readonly isNew: boolean;
  /** The whole annotation, as the status has it. */
  readonly asRecorded: string | undefined;
  /**
   * What it asks of this target was acted on: the status says so, or the record does, also where no status could say so
   * before the process ended.
   */
  readonly isDone: boolean;
}

interface UnderWay {
  /** A sentence. */
  doing?: string;
  /** What the source has, before it is rendered. */
  resolved?: Pick<Newest, 'revision' | 'ref'>;
  /** Digest of what the Application asks for, at that commit. */
  asked?: string;
}

export interface RunInput {
  readonly application: Application;
  readonly target: Target;
  readonly isOneOfSeveral: boolean;
  /** Exact JSON texts of values, by their fields. */
  readonly values: ReadonlyMap<string, string>;
  readonly session: Session;
  readonly signal: AbortSignal;
  /** Takes how to find out the facts as they are at any moment of the look. */
  onFacts(now: () => Facts): void;
  /** Has the status written at once. */
  tellNow(): void;
}

export function accessOf(parts: Parts, target: Target, signal: AbortSignal): TargetAccess {
  const { id, name, account, bounds, settings, takesOver = [] } = target;
  const { client, discovery, inventory } = parts.clusterOf(target);
  return {
    client,
    discovery,
    targetId: id,
    targetName: name,
    adopt: settings.adopt,
    holderOf: (object) => holderOf(parts, object),
    isHandedOver: (object) =>
      takesOver.some(({ id, name: of }) => isOurs(object, id, of) || isOurHook(object, id, of)),
    former: formerManifests(parts.store, () => parts.store.get(target), signal),
    observe: (object, resource) => inventory.observe(object, resource, account),
    signal,
    ...(account === undefined ? {} : { as: account }),
    ...(bounds === undefined ? {} : { bounds }),
  };
}

export function movingOf(parts: Parts, target: Target, access: TargetAccess): Moving {
  return new Moving({
    wishes: parts.wishes,
    owner: target.name,
    cluster: target.cluster,
    access,
    accountOf: parts.accountOf,
    onLeft: parts.onLeft,
  });
}

/**
 * Whether the target that applied an object holds it still. One whose deployment is through has what the record says
 * it applied; one whose record is not here may be of another installation.
 */
function holderOf(parts: Parts, object: LiveObject): 'Holds' | 'Left' | 'Unknown' {
  const record = parts.store.find(object.target);
  if (record === undefined) return isLetGo(parts, object) ? 'Left' : 'Unknown';
  if (record.deployment?.applied !== true) return 'Holds';
  return record.applied.has(objectKey(object)) ? 'Holds' : 'Left';
}

/**
 * Whether it keeps the marks of an environment that its Application, which is here, neither names nor tells of: a person had it
 * let go where that could not be reached (towpath.dev/abandon). An installation at another home may have an Application of that
 * name, too, in the same cluster: by its id it is told apart.
 */
function isLetGo(
  { lookup, specifiedTargets, identityOf }: Parts,
  { owner, target: id }: LiveObject,
): boolean {
  const [target = ''] = owner.split(' ');
  const [namespace = '', name = '', environment = ''] = target.split('/');
  if (identityOf(`${namespace}/${name}`, environment).id !== id) return false;
  const application = lookup(namespace, name);
  if (application === undefined || environmentOf(application.status, environment) !== undefined) return false;
  return specifiedTargets(`${namespace}/${name}`).every((one) => one.environment !== environment);
}

export function startRun(parts: Parts, input: RunInput): Run {
  const { application, isOneOfSeveral, values, session, signal } = input;
  const record = parts.store.get(input.target) ?? newRecord(input.target);
  const target = refusedUnbegun(input.target, record);
  const { settings } = target;
  const request = requestOf(input, record);
  const isAsked = request.open !== undefined;
  const access = accessOf(parts, target, signal);
  const underWay: UnderWay = {};
  const context: DeployContext = {
    target,
    access,
    store: parts.store,
    inventory: parts.clusterOf(target).inventory,
    record,
    settings: {
      ...settings,
      mayWrite: isAsked || settings.mode === 'Automatic',
      repair: isAsked || (settings.drift === 'Repair' && settings.mode === 'Automatic'),
    },
    repairs: request.isNew ? UNBOUNDED : session.repairs,
    drift: session.drift,
    contests: session.contests,
    moving: movingOf(parts, target, access),
    unreported: session.unreported,
    slices: parts.slices,
    now: () => parts.home.now(),
    clusterNow: () => parts.clusterOf(target).now(),
    signal,
    accessChecked: () =>
      parts.access.ready(target, { since: performance.now() - ACCESS_GOOD_MS, ifMissing: 'Make' }, signal),
    say: (doing, { atOnce = false } = {}) => {
      underWay.doing = doing;
      if (atOnce) input.tellNow();
    },
  };
  return {
    parts,
    application,
    target,
    isOneOfSeveral,
    values,
    session,
    context,
    since: context.now(),
    startedAt: performance.now(),
    request,
    underWay,
  };
}

function requestOf(
  { application, target, isOneOfSeveral, session }: RunInput,
  { handledRequest }: TargetRecord,
): SyncRequest {
  const { metadata, status } = application;
  const annotation = metadata.annotations[ANNOTATION_SYNC_REQUESTED];
  if (annotation === undefined)
    return { open: undefined, key: undefined, isNew: false, asRecorded: undefined, isDone: false };
  const asRecorded = handledAs(annotation);
  const { request } = target.settings;
  // What is asked of another environment, too, asks nothing new of this one.
  const key = request === undefined ? undefined : requestKey(isOneOfSeveral ? request : annotation);
  const isDone = key !== undefined && (handledRequest === key || status?.handledSyncRequest === asRecorded);
  const open = isDone ? undefined : request;
  const isNew = open !== undefined && open !== session.memory.lookedFor;
  return { open, key, isNew, asRecorded, isDone };
}
