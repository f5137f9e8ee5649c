import { type Approval, parseApproval } from '../../api/v1alpha1/approval.ts';
import { API_VERSION, GROUP, VERSION } from '../../api/v1alpha1/names.ts';
import type { KubeClient } from '../../kube/client.ts';
import { isForbidden, isInvalid, isNotFound } from '../../kube/errors.ts';

const APPROVALS = { group: GROUP, version: VERSION, plural: 'approvals' };

/**
 * Removes used Approvals that a target has too many of: who let something in stands in the record of that. What was not
 * used is its giver's.
 *
 * @param namespace of the Applications; '': all
 */
export async function trimApprovals(
  client: KubeClient,
  { namespace, keep, signal }: { namespace: string; keep: number; signal: AbortSignal },
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
  for (const { metadata } of surplusApprovals(approvals, keep)) {
    const one = { resource: APPROVALS, namespace: metadata.namespace, name: metadata.name };
    await client.delete(one, { uid: metadata.uid }, { signal }).catch((error: unknown) => {
      // An older chart's policy lets nobody take it away.
      if (!isNotFound(error) && !isForbidden(error) && !isInvalid(error)) throw error;
    });
  }
}

/** Of each target all that were used but for the last ones. */
export function surplusApprovals(approvals: readonly Approval[], keep: number): Approval[] {
  const used = approvals.filter(({ status }) => status?.enteredAt !== undefined);
  const byTarget = Map.groupBy(
    used,
    ({ metadata, spec }) => `${metadata.namespace}/${spec.application}/${spec.environment}`,
  );
  return [...byTarget.values()].flatMap((its) =>
    its
      .sort((one, other) => usedAt(other) - usedAt(one) || givenAt(other) - givenAt(one))
      .slice(keep)
      .reverse(),
  );
}

function usedAt({ status }: Approval): number {
  return Date.parse(status?.enteredAt ?? '') || 0;
}

function givenAt({ metadata }: Approval): number {
  return Date.parse(metadata.creationTimestamp ?? '') || 0;
}
