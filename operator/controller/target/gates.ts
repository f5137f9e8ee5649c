import { changesAt, decide } from '../../promote/decide.ts';
import type { ApprovalsOf, BlockedBy, Entry } from '../../promote/gate.ts';
import { settledBy } from '../../promote/gates/approvals.ts';
import { frozenBy } from '../../promote/gates/freeze.ts';
import { dependenciesIn } from './dependencies.ts';
import { type Judged, promotionOf } from './promotion.ts';
import type { Run } from './run.ts';
import type { Findings, TargetState } from './state.ts';

/** What waits, what keeps it out now, until when, and which may enter, gathered and judged at one moment. */
export function gatesOf(run: Run, found: Findings): Judged & Pick<TargetState, 'gatesChangeAt' | 'settles'> {
  const changes: Date[] = [];
  const gatesFor = (digest: string | undefined): readonly BlockedBy[] => {
    const entry = entryOf(run, digest);
    const blockedBy = decide(entry);
    const change = changesAt(entry, blockedBy);
    if (change !== undefined) changes.push(change);
    return [...blockedBy, ...policyFreeze(run)];
  };
  const promotion = promotionOf(run, found, gatesFor);
  for (const { clearsAt } of promotion.blockedBy) if (clearsAt !== undefined) changes.push(clearsAt);
  const [gatesChangeAt] = changes.toSorted((one, other) => one.getTime() - other.getTime());
  return {
    ...promotion,
    gatesChangeAt,
    settles: settledBy(entryOf(run, found.wanted?.candidate.digest)),
  };
}

/** The release manager's, of the policy. */
function policyFreeze({ target: { governance }, context }: Run): readonly BlockedBy[] {
  if (governance.is !== 'InStage' || governance.freezes === undefined) return [];
  const frozen = frozenBy(`PromotionPolicy ${governance.policy}`, governance.freezes, context.now());
  return frozen === undefined ? [] : [frozen];
}

/** All that decides whether manifests may enter, by their digest. */
function entryOf(run: Run, digest: string | undefined): Entry {
  const { parts, application, target, context } = run;
  const { environment, freezes, gates } = target;
  const now = context.now();
  const whose = `Environment ${environment}`;
  return {
    environment,
    now,
    freezes,
    openings: gates.windows === undefined ? [] : [{ whose, opening: parts.openings.at(gates.windows, now) }],
    dependencies: dependenciesIn(environment, application, parts.lookup),
    approvals: approvalsOf(run, whose, digest),
  };
}

/** A process that begins anew has not heard of any: what nobody has seen is no reason to say that none is there. */
export async function knowApprovals({ parts, target, context }: Run): Promise<void> {
  if (target.gates.approvals === undefined) return;
  await parts.approvals.known(context.signal);
  // What could not be written before the process ended.
  parts.approvals.markUsed(context.record.used ?? []);
}

/** None where the manifests entered already: what runs is not asked about again, and a retry is no entry. */
function approvalsOf(
  { parts, application: { metadata }, target, context }: Run,
  whose: string,
  digest: string | undefined,
): readonly ApprovalsOf[] {
  const gate = target.gates.approvals;
  const { deployment, used = [] } = context.record;
  if (gate === undefined || (digest !== undefined && deployment?.candidate.digest === digest)) return [];
  const usedUp = new Set(used.map(({ approval }) => approval));
  const decisions = digest === undefined ? [] : parts.approvals.unused(target.name, digest);
  return [
    {
      whose,
      gate,
      how: `${metadata.name} ${target.environment} -n ${metadata.namespace}`,
      digest,
      decisions: decisions.filter(({ uid }) => !usedUp.has(uid)),
      admission: parts.approvals.admission,
    },
  ];
}
