import type { Outcome, Trigger } from '../../api/v1alpha1/application.ts';
import type { AppliedObject } from '../../manifest/applied.ts';
import { digestOf } from '../../manifest/digest.ts';
import type { Manifest } from '../../manifest/manifest.ts';
import type { Baseline } from '../../plan/prune-budget.ts';
import type { Cancelled } from '../../promote/cancelled.ts';
import type { Checks } from '../../promote/checks.ts';
import type { Answered, Hold } from '../../promote/hold.ts';
import type { Rejection } from '../../promote/rejection.ts';
import type { Soak } from '../../promote/soak.ts';
import { isUndecided, type Verify } from '../../promote/verify.ts';
import type { BasePin } from './base-pins.ts';
import type { ChartPin, PublishedChart } from './chart-pins.ts';
import { HOME, type PlacedTarget, type TargetIdentity } from './target.ts';

/** A revision together with everything else that goes into its manifests, and what a target's cluster makes of it. */
export interface Candidate {
  /**
   * Of `inputs` and `request`, nothing of a target or a cluster: the same in each environment that reads the same of
   * the repository. `sha256:` and 64 hex digits; people read `c-` and 12 (candidate/revision.ts).
   */
  id: string;
  /** Digest of exactly what the render read of the repository. */
  inputs: string;
  /** Digest of what the spec and its references ask for, the tree's content left out. */
  request: string;
  /** The commit at which it was last seen, the chart's version, or both: api/v1alpha1/revision.ts. */
  revision: string;
  /** `refs/heads/main`; '' for a commit. */
  ref: string;
  /** Absent where the commit was not fetched, because it was known already that it changes nothing. */
  commit?: { message: string; author: string; committedAt: string };
  /** `podinfo-6.7.0` */
  chart?: string;
  /** The same with where it was published, where spec.helm.chart names it: its bytes are what the candidate is of. */
  published?: PublishedChart;
  /** Digest of the keyring that has the key of who signed that; absent where it was taken without one. */
  verified?: string;
  appVersion?: string;
  /** Of the manifests, by which they are kept: `sha256:` and 64 hex digits. */
  digest: string;
  /** What the render read of the cluster, with the answers: render/cluster-reads.ts. */
  reads?: Readonly<Record<string, string>>;
  /** Where it was rendered just now, the charts that were fetched for it: the record of its Application has them. */
  charts?: readonly ChartPin[];
  /** The same of the other repositories that its kustomizations refer to. */
  bases?: readonly BasePin[];
}

/** A candidate as a target's record has it: by id and digest, with what is told of it, for when it is kept no more. */
export type Deployed = Omit<Candidate, 'inputs' | 'reads' | 'charts' | 'bases' | 'verified'>;

/** What was asked for, by a digest that all environments have in common, and what it came to in one. */
export interface Ask {
  readonly asked: string;
  readonly digest: string;
}

/** A candidate that waits to be promoted. */
export type Waiting = Pick<Candidate, 'id' | 'digest'> & Ask;

export interface Manifests {
  objects: Manifest[];
  hooks: Manifest[];
}

/** What a candidate had passed as it entered. */
export interface Passed {
  readonly stage: string;
  readonly asked: string;
  /** Where Environments demanded some themselves: how long it had been healthy there at least. */
  readonly soakMs?: number;
  /** The same of checks: their templates. */
  readonly checks?: readonly string[];
}

/** What a person asked for, as far as a deployment has to tell of it. */
export interface PromotedBy {
  /** Name of the Promotion, and its uid. */
  promotion: string;
  uid: string;
  by: string;
  /** Gates that it passed by. */
  skipped?: readonly string[];
}

/** An Approval that let a deployment in. */
export interface GivenApproval {
  name: string;
  by: string;
  at: string;
}

/** What persons held, rejected or took back in a target, and what waited there: all that is over by what was begun since. */
export interface Displaced {
  readonly waiting?: readonly Waiting[];
  readonly hold?: Hold;
  readonly rejected?: readonly Rejection[];
  readonly cancelled?: Cancelled;
}

/** A deployment of a candidate, from its first write on. */
export interface Deployment {
  /** Counts the deployments of the target, from 1. */
  id: number;
  candidate: Deployed;
  trigger: Trigger;
  /** Of the Application's spec when it began. */
  generation: number;
  /** By the clock at home, like all times here but the next. */
  startedAt: string;
  /** The same moment by the clock of the target's cluster: with it is compared when its objects came, or failed. */
  clusterStartedAt: string;
  /** Whether Helm's install hooks are its hooks, not the upgrade ones. */
  install: boolean;
  /** Hooks that ran to their end, which a retry does not run again, and events whose hooks were `cleaned`, `lost` or `left`. */
  hooks: string[];
  /** Object keys of what the dry-run could not be asked about before the first write. */
  deferred: string[];
  /** The environments of the Application whose objects it takes over, because they left and it lands where they did. */
  from?: string[];
  /** While something is to be deleted: what there was before, and what comes in place of it. */
  baseline?: Baseline;
  /** While it deletes what needs consent: the uids of all that a person consented to have deleted. */
  consented?: string[];
  /** Whether everything was applied at least once and what left was pruned. */
  applied: boolean;
  outcome?: Outcome;
  finishedAt?: string;
  /** What a policy wanted of it as it began, and how far that is. */
  verify?: Verify;
  /** The stage that it had passed when it entered by its gates, and what was asked for: those behind it in line go by that. */
  passed?: Passed;
  /** The Promotion of a person by which it entered, which is the record of it. */
  promoted?: PromotedBy;
  /** Who let it in, for the record of it: their Approvals may be gone when that is written. */
  approvals?: readonly GivenApproval[];
  /** What it ended of what persons said, as long as it can be taken back. */
  displaced?: Displaced;
  /** Since when the Application is suspended, and for how long it was before: spec.sync.timeout stands still. */
  pausedAt?: string;
  pausedMs?: number;
  /** Tries that ended in a failure of its own; they count against spec.sync.retries. */
  attempts?: number;
  /** Failed, with no retry left: what was applied is kept so, and nothing more is sent before an input changes or a sync is asked for. */
  exhausted?: boolean;
  reason?: string;
  message?: string;
}

/** An Approval by which a deployment entered: it counts for no other one. */
export interface UsedApproval {
  /** Its uid. */
  approval: string;
  /** Id of the deployment. */
  deployment: number;
  /** When that began. */
  at: string;
  /** It is one of those that let it in: others were superfluous, or nobody's who was asked. */
  counted?: true;
}

/**
 * What of a target outlives the process, besides its status and the objects themselves. Its candidates stand in the
 * record of its Application (application-record.ts).
 */
export interface TargetRecord {
  target: TargetIdentity;
  /** The cluster that it is about, by its uid; absent: the one at home. What is known of one says nothing of another. */
  cluster?: string;
  /** Name of the ServiceAccount as which it was deployed last. */
  account?: string;
  /** The ClusterRole that its access there was found bound to last, where an Environment has that managed. */
  managedRole?: string;
  /** Kinds (`apps/Deployment`) and namespaces that it wrote or is about to write: written ahead. */
  kinds: { group: string; kind: string; namespace: string }[];
  /** Each applied object, by object key. */
  applied: Map<string, AppliedObject>;
  /** The deployment that runs or ran last; its candidate is what is enforced. */
  deployment?: Deployment;
  /** Deployments that ended, for as long as not both are known to tell of that: the history in the status, and the ledger. */
  ended: Deployment[];
  /**
   * Id of the last deployment, as this counts them. Absent before the first, and where an older version wrote it: that let go
   * of what the status alone told of.
   */
  lastId?: number;
  /**
   * Accepted, to be deployed when it is asked for (mode Manual), or when the gate at which it waits clears; with the generation
   * of the spec that asked for it.
   */
  pending?: Pick<Candidate, 'id' | 'digest'> & { readonly generation?: number };
  /** Accepted, to be promoted when they passed the stage before: in the order in which they were observed. */
  waiting?: readonly Waiting[];
  /** What the last that was asked for came to here, and that with which another environment waits. */
  asks?: readonly Ask[];
  /** For how long what runs has been healthy, where a policy wants that for another stage. */
  soak?: Soak;
  /** What checks of a policy came to for what runs. */
  checks?: Checks;
  /** Manifests that failed there, the newest last: they enter no more until a person promotes them. */
  rejected?: readonly Rejection[];
  /** A person went back there, and keeps it there. */
  hold?: Hold;
  /** What a person took back last on its way, where nothing else entered since. */
  cancelled?: Cancelled;
  /** What came of what persons asked for without a deployment that tells, the newest last. */
  answered?: readonly Answered[];
  /** A policy had it in a stage once: without one it follows its source no more. */
  governed?: true;
  /** What was said of the target whose place it takes is a part of this by now, or was let go of since. */
  inherited?: true;
  /**
   * By the environment whose place it took, because its entry was renamed: the how-manieth change of the place between the two
   * that was. Of two the one with the greater number took it last (succession.ts).
   */
  took?: Readonly<Record<string, number>>;
  /** Since it took a place, a deployment was applied whole, and another one came after that. */
  whole?: true;
  /** Keys of the candidates that ran last, the newest first, the last good one among them. */
  ran: readonly string[];
  /** Key of the candidate that last succeeded, and passed what its policy wanted of it then. */
  succeeded?: string;
  /**
   * Key of the sync request that it acted on last, where a deployment was begun for it, or other environments of the
   * Application may act on it later: its status tells of one when all have.
   */
  handledRequest?: string;
  /** Approvals by which its deployments entered, for as long as their own status may not say so. */
  used?: UsedApproval[];
  /** Digest of what towpath.dev/abandon said of it when something was deployed last: that counts no more. */
  abandoned?: string;
  /** Its environment left the Application, and a person consented to the deletion of what it has. */
  ending?: true;
  /** Digest of the settings the objects were last checked against (sync.ignore, sync.prune, adopt). */
  settings: string;
}

export function newRecord({
  id,
  name,
  application,
  environment,
  cluster = HOME,
}: TargetIdentity & Partial<Pick<PlacedTarget, 'cluster'>>): TargetRecord {
  const target = { id, name, application, environment };
  const record = { target, kinds: [], applied: new Map(), ended: [], ran: [], settings: '' };
  return cluster === HOME ? record : { ...record, cluster };
}

/** Whether the record is about where the target is now. */
export function isAboutPlaceOf({ cluster }: Pick<PlacedTarget, 'cluster'>, record: TargetRecord): boolean {
  return (record.cluster ?? HOME) === cluster;
}

/** Makes a record again what a copy of it says that it was; what is written in that since is dropped. */
export function putBack(record: TargetRecord, before: Readonly<TargetRecord>): void {
  for (const field of Object.keys(record)) if (!(field in before)) Reflect.deleteProperty(record, field);
  Object.assign(record, before);
}

/** What tells candidates of a target apart: where its cluster answers otherwise, the same one has other manifests. */
export function candidateKey({ id, digest }: Pick<Candidate, 'id' | 'digest'>): string {
  return `${id} ${digest}`;
}

/** What a candidate was rendered of in its target: with random values two renders of it come to other manifests. */
export function inputsKey({ id, reads = {} }: Pick<Candidate, 'id' | 'reads'>): string {
  return `${id} ${JSON.stringify(Object.entries(reads).sort())}`;
}

/** @param inputs of its render. @param request what the spec and its references ask for. Both digests. */
export function candidateId(inputs: string, request: string): string {
  return digestOf(`${inputs} ${request}`);
}

/** The same candidate at the commit where it is seen now, with what is known of that commit. */
export function movedTo<Seen extends Pick<Candidate, 'revision' | 'ref' | 'commit'>>(
  { commit: before, ...candidate }: Seen,
  { revision, ref, commit }: Pick<Candidate, 'revision' | 'ref' | 'commit'>,
): Omit<Seen, 'commit'> & Pick<Candidate, 'revision' | 'ref' | 'commit'> {
  const thatCommit = commit ?? (candidate.revision === revision ? before : undefined);
  return { ...candidate, revision, ref, ...(thatCommit === undefined ? {} : { commit: thatCommit }) };
}

/** SHA-256 over identity and text of all manifests, hooks included, in a fixed order. */
export function manifestsDigest(manifests: Manifests): string {
  const lines = [...manifests.objects, ...manifests.hooks].map(({ digest }) => `${digest}\n`);
  return digestOf(lines.join(''));
}

/** All of a target that its record has, in the order in which they began. */
export function deploymentsIn({
  ended,
  deployment,
}: Pick<TargetRecord, 'ended' | 'deployment'>): readonly Deployment[] {
  return deployment === undefined ? ended : [...ended, deployment];
}

/** So many deployments wait at most until status and ledger tell of their end. */
const MOST_ENDED = 20;

/**
 * What ended, with the deployment of the record, also one that ended on its own: status and ledger may not have it yet. What they
 * have is not told twice.
 */
export function withEnded(
  { ended, deployment }: Pick<TargetRecord, 'ended' | 'deployment'>,
  outcome: Deployment['outcome'],
  at: string,
): Deployment[] {
  if (deployment === undefined) return ended;
  const { baseline: _, consented: __, displaced: ___, ...asTold } = deployment;
  const end = outcome === undefined ? {} : { outcome, finishedAt: deployment.finishedAt ?? at };
  return [...ended, { ...asTold, ...end }].slice(-MOST_ENDED);
}

/** Candidates that ran in a target and are kept: the one that runs or ran last, and three before it. */
const RAN_CANDIDATES = 4;

/**
 * Puts the candidate that runs first among those that ran. The last that succeeded is never dropped, however many
 * failed since: it is what one goes back to.
 */
export function noteRan(record: TargetRecord): void {
  const { deployment, succeeded } = record;
  if (deployment === undefined) return;
  const running = candidateKey(deployment.candidate);
  if (record.ran[0] === running) return;
  const ran = [running, ...record.ran.filter((key) => key !== running)];
  while (ran.length > RAN_CANDIDATES)
    ran.splice(
      ran.findLastIndex((key) => key !== succeeded),
      1,
    );
  record.ran = ran;
}

/** It deploys, or is being verified: only that can be taken back. */
export function isOnItsWay(deployment: Deployment | undefined): deployment is Deployment {
  return deployment !== undefined && (deployment.outcome === undefined || isUndecided(deployment.verify));
}

/**
 * Keys of what has entered a target, or was accepted and waits there: by other rules of who may publish it is not judged.
 * What ran and was left is, like all that enters.
 */
export function admittedIn({ deployment, pending, waiting = [], ran }: TargetRecord): Set<string> {
  const runs = deployment === undefined || deployment.outcome === 'Cancelled' ? [] : [deployment.candidate];
  const left = new Set(ran);
  const waits = [pending, ...waiting].flatMap((one) => one ?? []).map(candidateKey);
  return new Set([...waits.filter((key) => !left.has(key)), ...runs.map(candidateKey)]);
}

/** Keys of the candidates that a target may go on with or back to: their manifests are kept. */
export function namedIn({ ran, succeeded, pending, waiting = [], deployment }: TargetRecord): string[] {
  const named = [...ran];
  if (succeeded !== undefined) named.push(succeeded);
  const displaced = isOnItsWay(deployment) ? (deployment.displaced?.waiting ?? []) : [];
  for (const candidate of [pending, ...displaced, ...waiting, deployment?.candidate])
    if (candidate !== undefined) named.push(candidateKey(candidate));
  return named;
}
