import { type Approval, parseApproval } from '../../api/v1alpha1/approval.ts';
import { API_VERSION, GROUP, VERSION } from '../../api/v1alpha1/names.ts';
import type { KubeClient } from '../../kube/client.ts';
import { isForbidden, isInvalid, isNotFound } from '../../kube/errors.ts';
import { targetIn } from './retention.ts';

const APPROVALS = { group: GROUP, version: VERSION, plural: 'approvals' };

/**
 * So many yeses that nothing was let in by each target keeps, and of all targets together that are gone each namespace: more
 * than sixteen persons can say, who are the most that a gate asks, of all that may wait there at once.
 */
const UNUSED = 256;

export interface ApprovalBounds {
  /** So many that were used each target keeps. */
  keep: number;
  /** So many each namespace keeps of all targets together that are gone. */
  gone: { keep: number; isGone(namespace: string, target: string): boolean };
}

/**
 * Removes Approvals that a target has too many of. Those that were used: who let something in stands in the record of that.
 * And yeses that nothing was let in by, of what was overtaken, say: who still means one says it again. A no is its giver's,
 * since without it that would enter which somebody holds back.
 *
 * @param namespace of the Applications; '': all
 */
export async function trimApprovals(
  client: KubeClient,
  { namespace, signal, ...bounds }: ApprovalBounds & { namespace: string; signal: AbortSignal },
): Promise<void> {
  const path = { resource: APPROVALS, ...(namespace === '' ? {} : { namespace }) };
  const approvals: Approval[] = [];
  for (let next: string | undefined = ''; next !== undefined; ) {
    const page = await client.listPage(path, {}, next, { signal });
    next = page.continue === '' ? undefined : page.continue;
    for (const item of page.items) {
      const approval = parseApproval({ ...item, apiVersion: API_VERSION, kind: 'Approval' });
      if (approval !== undefined) approvals.push(approval);
    }
  }
  for (const { metadata } of surplusApprovals(approvals, bounds)) {
    const one = { resource: APPROVALS, namespace: metadata.namespace, name: metadata.name };
    await client.delete(one, { uid: metadata.uid }, { signal }).catch((error: unknown) => {
      // An older chart's policy lets nobody take it away.
      if (!isNotFound(error) && !isForbidden(error) && !isInvalid(error)) throw error;
    });
  }
}

/** Of each target all but for the last ones, the oldest first. */
export function surplusApprovals(
  approvals: readonly Approval[],
  { keep, gone }: ApprovalBounds,
): readonly Approval[] {
  const used = approvals.filter(({ status }) => status?.enteredAt !== undefined);
  const yeses = approvals.filter(
    ({ spec, status }) => status?.enteredAt === undefined && spec.decision === 'Approve',
  );
  return [
    ...surplusOf(used, { keep, gone }),
    ...surplusOf(yeses, { keep: UNUSED, gone: { ...gone, keep: UNUSED } }),
  ];
}

function surplusOf(approvals: readonly Approval[], { keep, gone }: ApprovalBounds): Approval[] {
  const byTarget = Map.groupBy(approvals, ({ metadata: { namespace }, spec }) => {
    const target = targetIn({ spec });
    return gone.isGone(namespace, target) ? namespace : `${namespace}/${target}`;
  });
  return [...byTarget].flatMap(([of, its]) =>
    its
      .sort((one, other) => usedAt(other) - usedAt(one) || givenAt(other) - givenAt(one))
      .slice(of.includes('/') ? keep : gone.keep)
      .reverse(),
  );
}

function usedAt({ status }: Approval): number {
  return Date.parse(status?.enteredAt ?? '') || 0;
}

function givenAt({ metadata }: Approval): number {
  return Date.parse(metadata.creationTimestamp ?? '') || 0;
}
