import { secondTime } from '../../../kube/times.ts';
import type { PlannedApply } from '../../../manifest/applied.ts';
import { parseExact, withoutPaths } from '../../../manifest/exact-json.ts';
import { foreignItems, namedIn, namesAnyOf, pathsOf } from '../../../manifest/field-set.ts';
import type { OtherWriter } from '../../../manifest/live.ts';
import { idOf, objectKey } from '../../../manifest/manifest.ts';
import type { Plan } from '../../../plan/plan.ts';
import type { TargetRecord } from '../../record/record.ts';
import type { Advance, DeployContext } from '../deploy-context.ts';
import type { Drift, Repaired } from '../words/facts.ts';

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
  else if (repairs.take(performance.now())) {
    context.drift.clear();
    return false;
  } else {
    const until = new Date(now().getTime() + repairs.waitMs(performance.now()));
    result.progress = { state: 'RepairDelayed', until };
  }
  result.kept = planned.kept;
  return true;
}

function driftIn(context: DeployContext, planned: Plan): Drift | undefined {
  const live = context.inventory.of(context.access.targetId);
  const drifted = planned.apply.flatMap((one) => {
    if (one.reason !== 'Drift') return [];
    const by = changedBy(context.record, one);
    const found = live.get(objectKey(one.manifest));
    const isGone = found === undefined || found.deleting;
    return [{ object: idOf(one.manifest), isGone, ...(by === undefined ? {} : { by }) }];
  });
  return context.drift.note(drifted, secondTime(context.clusterNow()));
}

/** What an event says of an object that is put back; asked before it is. */
export function repairedOf({ record, contests, clusterNow }: DeployContext, planned: PlannedApply): Repaired {
  const by = changedBy(record, planned);
  const object = idOf(planned.manifest);
  const at = by?.time || secondTime(clusterNow());
  const repaired: Repaired = { object, at, ...(by === undefined ? {} : { by: by.manager }) };
  if (contests.note(objectKey(object), by?.manager ?? '', performance.now())) {
    const fields = by === undefined ? undefined : namedIn(parseExact(planned.manifest.text), by.fields);
    repaired.contested = pathsOf(fields ?? {}).slice(0, FIELDS_TOLD);
  }
  return repaired;
}

/** An event names no more of them. */
const FIELDS_TOLD = 3;

/**
 * Who changed the object since it was applied. Whoever wrote before is not who did, nor is one who only added
 * fields that Git says nothing of; but who made another item in a list of Git's may have done that in place of one.
 */
function changedBy(record: TargetRecord, { manifest, ignore, live }: PlannedApply): OtherWriter | undefined {
  const applied = record.applied.get(objectKey(manifest))?.entry.time ?? '';
  // What has no time may have been before; but then it would have lost what Git names.
  const since = live?.others?.filter(({ time }) => time === '' || time >= applied) ?? [];
  if (since.length === 0) return undefined;
  const document = parseExact(withoutPaths(manifest.text, ignore));
  return (
    since.find(({ fields }) => namesAnyOf(document, fields)) ??
    since.find(({ time, fields }) => time !== '' && foreignItems(document, fields, {}) !== undefined)
  );
}
