import type { PlannedApply } from '../../manifest/applied.ts';
import { idOf, objectKey } from '../../manifest/manifest.ts';
import type { Plan } from '../../plan/plan.ts';
import type { Advance, DeployContext } from './deploy-context.ts';
import type { Drift } from './facts.ts';

/** Notes the drift, and whether what differs is to be left as it is for now: then `result` says why. */
export function leaveAlone(context: DeployContext, planned: Plan, result: Advance): boolean {
  const { settings, repairs, now } = context;
  const drift = driftIn(context, planned);
  if (drift !== undefined) result.drift = drift;
  const differing = [...planned.apply.map((one) => idOf(one.manifest)), ...planned.prune.map(idOf)];
  if (!settings.mayWrite && differing.length > 0)
    result.progress = { state: 'AwaitingSync', objects: differing };
  else if (drift === undefined) return false;
  else if (!settings.repair) result.progress = { state: 'Drifted' };
  else if (repairs.take(performance.now())) return false;
  else {
    const until = new Date(now().getTime() + repairs.waitMs(performance.now()));
    result.progress = { state: 'RepairDelayed', until };
  }
  result.kept = planned.kept;
  return true;
}

function driftIn(context: DeployContext, planned: Plan): Drift | undefined {
  const drifted = planned.apply.filter((one) => one.reason === 'Drift');
  // Who wrote before our last apply is not who changed it since.
  const since = ({ manifest, live }: PlannedApply) => {
    const applied = context.record.applied.get(objectKey(manifest))?.entry.time ?? '';
    return live?.lastOther !== undefined && live.lastOther.time >= applied ? live.lastOther : undefined;
  };
  const last = drifted
    .map((one) => ({ one, other: since(one) }))
    .sort((a, b) => ((a.other?.time ?? '') < (b.other?.time ?? '') ? 1 : -1))[0];
  if (last === undefined) return undefined;
  // A deletion, or a field taken away, leaves neither a time nor a name behind.
  const lastAt =
    last.other?.time === undefined || last.other.time === ''
      ? `${context.now().toISOString().slice(0, 19)}Z`
      : last.other.time;
  return {
    count: drifted.length,
    lastAt,
    ...(last.other === undefined ? {} : { lastBy: last.other.manager }),
    lastObject: idOf(last.one.manifest),
  };
}
