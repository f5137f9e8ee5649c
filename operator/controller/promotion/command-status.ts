/** What the status of a Promotion that a person made says. Pure. */

import { STATUS_LIMITS } from '../../api/v1alpha1/application-status.ts';
import { cut } from '../../api/v1alpha1/bound-status.ts';
import { setConditions } from '../../api/v1alpha1/conditions.ts';
import { PROMOTION_LIMITS, type PromotionStatus } from '../../api/v1alpha1/promotion.ts';
import { secondTime } from '../../kube/times.ts';
import type { BlockedBy } from '../../promote/gate.ts';
import { shortRevision } from '../candidate/revision.ts';
import type { CommandAnswer } from '../target/commands-view.ts';
import { endsInOrder, judgementsOf } from './promotion-of.ts';
import { endsOf } from './recorded.ts';

/** @param before what it says now. @param now by the clock at home */
export function statusAfter(before: PromotionStatus, answer: CommandAnswer, now: Date): PromotionStatus {
  const { phase, message, blockedBy = [], candidate, changes, approvals, previous } = answer;
  const { message: _, blockedBy: __, ...rest } = before;
  const waits = blockedBy.slice(0, PROMOTION_LIMITS.blockedBy).map((one) => blocked(one, before, now));
  const [first] = blockedBy;
  const text = message === '' ? (first?.message ?? '') : message;
  return {
    ...rest,
    conditions: setConditions(before.conditions ?? [], judgementsOf(phase, text), 1, now.toISOString()),
    phase,
    requestedAt: requestedAt(before, answer),
    ...(text === '' ? {} : { message: cut(text, STATUS_LIMITS.message) }),
    ...(waits.length === 0 ? {} : { blockedBy: waits }),
    ...(candidate === undefined ? {} : deployed(candidate)),
    ...(changes === undefined ? {} : { changes }),
    ...(approvals === undefined
      ? {}
      : {
          approvals: approvals
            .slice(0, PROMOTION_LIMITS.approvals)
            .map(({ name, by, at }) => ({ ...(name === undefined ? {} : { name }), by, at: secondTime(at) })),
        }),
    ...(previous === undefined ? {} : { previous: { revision: previous.revision, digest: previous.digest } }),
    ...timesOf(before, answer, now.toISOString()),
  };
}

/** Nothing is begun before it is asked for, also where the clock was put back meanwhile. */
function requestedAt(before: PromotionStatus, { command, deployment }: CommandAnswer): string {
  const at = before.requestedAt ?? command.requestedAt.toISOString();
  const begunAt = deployment?.startedAt;
  return begunAt !== undefined && Date.parse(begunAt) < Date.parse(at) ? begunAt : at;
}

/** Those of the deployment that was begun for it; without one it ends when that is said. */
function timesOf(
  before: PromotionStatus,
  { phase, deployment, overtakenAt, command }: CommandAnswer,
  now: string,
): Partial<PromotionStatus> {
  const { startedAt = before.requestedAt ?? command.requestedAt.toISOString(), deployedAt } = before;
  const was = { phase, startedAt, ...(deployedAt === undefined ? {} : { deployedAt }) };
  if (deployment === undefined) return endsInOrder(was, now);
  const { id, startedAt: begunAt } = deployment;
  const ends = { ...was, startedAt: begunAt, ...endsOf(deployment, phase, overtakenAt) };
  return { deployment: id, startedAt: begunAt, ...endsInOrder(ends, now) };
}

function deployed({
  digest,
  revision,
  ref,
  chart,
  published,
  appVersion,
}: NonNullable<CommandAnswer['candidate']>): Partial<PromotionStatus> {
  return {
    digest,
    revision,
    summary: { revision: cut(shortRevision(revision, ref), STATUS_LIMITS.summary) },
    ...(chart === undefined ? {} : { chart: cut(chart, 96) }),
    ...(published === undefined ? {} : { chartDigest: `sha256:${published.digest}` }),
    ...(appVersion === undefined ? {} : { appVersion: cut(appVersion, 48) }),
  };
}

function blocked(
  { reason, message, clearsAt }: BlockedBy,
  before: PromotionStatus,
  now: Date,
): NonNullable<PromotionStatus['blockedBy']>[number] {
  const since = before.blockedBy?.find((one) => one.reason === reason)?.since ?? secondTime(now);
  return {
    reason,
    message: cut(message, STATUS_LIMITS.message),
    since,
    ...(clearsAt === undefined ? {} : { clearsAt: secondTime(clearsAt) }),
  };
}
