import type { Condition } from './application.ts';

/** A condition without what setCondition adds. */
export type Judgement = Pick<Condition, 'type' | 'status' | 'reason' | 'message'>;

/** Conditions that are present only while true, as kstatus reads them. */
const PRESENT_WHILE_TRUE: ReadonlySet<string> = new Set(['Reconciling', 'Stalled']);

/**
 * `conditions` with one judged anew for `generation`, following metav1.Condition: lastTransitionTime is
 * `now` (RFC 3339) when the status is another than before, else it stays. Reconciling and Stalled are taken
 * out when they do not hold. The order of the others stays, so that an unchanged list compares equal.
 */
export function setCondition(
  conditions: readonly Condition[],
  judgement: Judgement,
  generation: number,
  now: string,
): Condition[] {
  const { type, status } = judgement;
  if (PRESENT_WHILE_TRUE.has(type) && status !== 'True') return removeCondition(conditions, type);
  const before = findCondition(conditions, type);
  const condition: Condition = {
    type,
    status,
    observedGeneration: generation,
    lastTransitionTime: before?.status === status ? before.lastTransitionTime : now,
    reason: judgement.reason,
    message: judgement.message,
  };
  if (before === undefined) return [...conditions, condition];
  return conditions.map((other) => (other.type === type ? condition : other));
}

/**
 * All conditions of a resource: those of `judgements` set, Reconciling and Stalled removed where no judgement
 * names them, conditions of other types left as they are.
 */
export function setConditions(
  conditions: readonly Condition[],
  judgements: readonly Judgement[],
  generation: number,
  now: string,
): Condition[] {
  const judged = new Set(judgements.map(({ type }) => type));
  let result = conditions.filter(({ type }) => judged.has(type) || !PRESENT_WHILE_TRUE.has(type));
  for (const judgement of judgements) result = setCondition(result, judgement, generation, now);
  return result;
}

function findCondition(conditions: readonly Condition[], type: string): Condition | undefined {
  return conditions.find((condition) => condition.type === type);
}

function removeCondition(conditions: readonly Condition[], type: string): Condition[] {
  return conditions.filter((condition) => condition.type !== type);
}
