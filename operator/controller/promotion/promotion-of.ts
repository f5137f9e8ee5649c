import type { Trigger } from '../../api/v1alpha1/application.ts';
import { STATUS_LIMITS } from '../../api/v1alpha1/application-status.ts';
import { cut } from '../../api/v1alpha1/bound-status.ts';
import { type Judgement, setConditions } from '../../api/v1alpha1/conditions.ts';
import { API_VERSION, LABEL_APPLICATION, LABEL_ENVIRONMENT } from '../../api/v1alpha1/names.ts';
import {
  isFinished,
  PROMOTION_LIMITS,
  type Promotion,
  type PromotionPhase,
  type PromotionStatus,
  parsePromotion,
  REQUESTED_BY_OPERATOR,
  SKIPPABLE_GATES,
} from '../../api/v1alpha1/promotion.ts';
import { secondTime } from '../../kube/times.ts';
import type { BlockedBy } from '../../promote/gate.ts';
import { shortRevision } from '../candidate/revision.ts';
import type { PublishedChart } from '../record/chart-pins.ts';
import { isSameDeployment, partsOf, promotionNames, type Recordable } from '../record/promotion-names.ts';
import type { Deployed, GivenApproval, PromotedBy } from '../record/record.ts';

/** A deployment as the ledger records it. Frozen: the record that it is from goes on. */
export interface Recorded extends Recordable {
  readonly candidate: Pick<Deployed, 'id' | 'digest' | 'revision' | 'ref' | 'chart' | 'appVersion'> & {
    readonly published?: Pick<PublishedChart, 'digest'>;
  };
  readonly trigger: Trigger;
  readonly previous: Pick<Deployed, 'digest' | 'revision'> | undefined;
  /** By which it entered. */
  readonly approvals?: readonly GivenApproval[];
  /** What it changes there, where that was found out before it began. */
  readonly changes?: PromotionStatus['changes'];
  readonly phase: PromotionPhase;
  /** When all of it was applied and healthy. */
  readonly deployedAt?: string;
  readonly finishedAt?: string;
  readonly message?: string;
  /** Of a person, whose Promotion was to record it, and is gone. */
  readonly inPlaceOf?: PromotedBy;
  /** What it waits for while it is verified. */
  readonly blockedBy?: readonly Pick<BlockedBy, 'reason' | 'message' | 'clearsAt'>[];
}

/** What is created; its status is written after it. */
export function promotionOf(recorded: Recorded, name: string) {
  const { target, applicationUID, id, candidate, trigger, startedAt } = recorded;
  const { namespace, application, environment } = partsOf(target);
  return {
    apiVersion: API_VERSION,
    kind: 'Promotion',
    metadata: {
      name,
      namespace,
      labels: { [LABEL_APPLICATION]: application, [LABEL_ENVIRONMENT]: environment },
    },
    spec: {
      type: trigger === 'Rollback' ? 'Rollback' : 'Promote',
      application,
      environment,
      candidate: candidate.id,
      requestedBy: `${REQUESTED_BY_OPERATOR}${trigger}`,
      deployment: { applicationUID, id, startedAt },
    },
  } as const;
}

/**
 * The Promotion of what has ended as it would be, where none can be written any more. Where there was none yet, or nobody
 * knows its uid, it is told apart by what it is.
 */
export function promotionInWords(
  recorded: Recorded,
  { name = promotionNames(recorded)[0], uid }: { name?: string | undefined; uid?: string | undefined },
  now: string,
): Promotion | undefined {
  const { applicationUID, target, id, startedAt } = recorded;
  const object = promotionOf(recorded, name);
  const own = `${applicationUID}/${partsOf(target).environment}/${id}/${startedAt}`;
  const metadata = { ...object.metadata, uid: uid ?? own };
  return parsePromotion({ ...object, metadata, status: statusOf(recorded, now) });
}

/**
 * Whether that object records this very deployment: an environment that left its Application and came back counts from 1
 * again.
 */
export function isOf(
  { spec }: Pick<Promotion, 'spec'>,
  { target, applicationUID, id, startedAt }: Recordable,
): boolean {
  const { application, environment } = partsOf(target);
  return (
    spec.application === application &&
    spec.environment === environment &&
    spec.deployment?.applicationUID === applicationUID &&
    isSameDeployment(spec.deployment, { id, startedAt })
  );
}

/**
 * Whether that deployment came of what a person asked for. An Application of the same name that was there before counted
 * from 1, too, and a Promotion of a person does not say of which of them it is: but when it began there.
 */
export function isWhatCameOf({ status = {} }: Pick<Promotion, 'status'>, recorded: Recorded): boolean {
  const { deployment: id, startedAt = '' } = status;
  return id !== undefined && isSameDeployment({ id, startedAt }, recorded);
}

/** The status of its Promotion. All times are of the clock at home, and in order. @param now for conditions */
export function statusOf(recorded: Recorded, now: string): PromotionStatus {
  const { id, candidate, previous, phase, startedAt } = recorded;
  const message = messageOf(recorded);
  const { chart, published, appVersion, digest, revision } = candidate;
  return {
    conditions: setConditions([], judgementsOf(phase, message ?? ''), 1, now),
    phase,
    ...(message === undefined ? {} : { message: cut(message, STATUS_LIMITS.message) }),
    ...blockedByOf(recorded),
    requestedAt: startedAt,
    startedAt,
    ...endsInOrder(recorded, now),
    ...approvalsOf(recorded),
    ...(recorded.changes === undefined ? {} : { changes: recorded.changes }),
    deployment: id,
    digest,
    revision,
    summary: { revision: shortRevision(revision, candidate.ref) },
    ...(chart === undefined ? {} : { chart: cut(chart, 96) }),
    ...(published === undefined ? {} : { chartDigest: `sha256:${published.digest}` }),
    ...(appVersion === undefined ? {} : { appVersion: cut(appVersion, 48) }),
    ...(previous === undefined ? {} : { previous: { revision: previous.revision, digest: previous.digest } }),
    ...inPlaceOf(recorded),
  };
}

function messageOf({ inPlaceOf, message, phase }: Recorded): string | undefined {
  if (inPlaceOf === undefined) return message;
  const { promotion, by } = inPlaceOf;
  return `${message ?? SAYS[phase]} Promotion ${promotion} of ${by}, which asked for it, is gone: this one stands in place of it, by the record of the operator.`;
}

function inPlaceOf({ inPlaceOf: its }: Recorded): Pick<PromotionStatus, 'inPlaceOf'> {
  if (its === undefined) return {};
  const { promotion, uid, by: requestedBy, skipped = [] } = its;
  const skipGates = SKIPPABLE_GATES.filter((gate) => skipped.includes(gate));
  return {
    inPlaceOf: { promotion, uid, requestedBy, ...(skipGates.length === 0 ? {} : { skipGates }) },
  };
}

/** None is before what it is the end of, whoever's clock said so. */
export function endsInOrder(
  {
    phase,
    startedAt,
    deployedAt: deployed,
    finishedAt,
  }: Pick<Recorded, 'phase' | 'deployedAt' | 'finishedAt'> & { readonly startedAt: string },
  now: string,
): Pick<PromotionStatus, 'deployedAt' | 'finishedAt'> {
  const deployedAt = deployed && latest(startedAt, deployed);
  return {
    ...(deployedAt === undefined ? {} : { deployedAt }),
    ...(isFinished(phase) ? { finishedAt: latest(deployedAt ?? startedAt, finishedAt ?? now) } : {}),
  };
}

function blockedByOf({ phase, blockedBy = [] }: Recorded): Pick<PromotionStatus, 'blockedBy'> {
  if (phase !== 'Verifying' || blockedBy.length === 0) return {};
  const first = blockedBy.slice(0, PROMOTION_LIMITS.blockedBy);
  return {
    blockedBy: first.map(({ reason, message, clearsAt }) => ({
      reason,
      message: cut(message, STATUS_LIMITS.message),
      ...(clearsAt === undefined ? {} : { clearsAt: secondTime(clearsAt) }),
    })),
  };
}

function approvalsOf({ approvals = [] }: Recorded): Pick<PromotionStatus, 'approvals'> {
  if (approvals.length === 0) return {};
  return { approvals: approvals.slice(0, PROMOTION_LIMITS.approvals) };
}

const SAYS: Readonly<Record<PromotionPhase, string>> = {
  Pending: 'It was asked for.',
  Gated: 'It waits for what blockedBy says.',
  Deploying: 'It is being deployed.',
  Verifying: 'It is deployed, and watched.',
  Succeeded: 'It is deployed.',
  Failed: 'It failed.',
  RolledBack: 'It failed to verify, and what ran before was put back.',
  Superseded: 'Something newer took its place.',
  Cancelled: 'It was taken back.',
};

/** By the kstatus contract: what ended otherwise than it was asked for comes to nothing by waiting. */
export function judgementsOf(phase: PromotionPhase, message: string): Judgement[] {
  const said = message === '' ? SAYS[phase] : cut(message, STATUS_LIMITS.message);
  const why = { reason: phase, message: said };
  if (phase === 'Succeeded') return [{ type: 'Ready', status: 'True', ...why }];
  return [
    { type: 'Ready', status: 'False', ...why },
    { type: isFinished(phase) ? 'Stalled' : 'Reconciling', status: 'True', ...why },
  ];
}

/** Of times with milliseconds in UTC. */
function latest(...times: string[]): string {
  return times.reduce((one, other) => (Date.parse(other) > Date.parse(one) ? other : one));
}
