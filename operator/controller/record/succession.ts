import type { TargetRecord } from './record.ts';

type Succeeding = Pick<TargetRecord, 'target' | 'took'>;

/** The how-manieth change of the place between the two it was when `one` took it from the other; 0: it never did. */
function turnAfter(
  { took = {} }: Pick<TargetRecord, 'took'>,
  { target }: Pick<TargetRecord, 'target'>,
): number {
  return Object.hasOwn(took, target.environment) ? (took[target.environment] ?? 0) : 0;
}

/**
 * Whether `one` took the place of the other, and that has not taken it back since. Both are of one Application. It takes
 * one write of one record to take a place, so that there is no instant at which both have it.
 */
export function tookFrom(one: Succeeding, other: Succeeding): boolean {
  return turnAfter(one, other) > turnAfter(other, one);
}

/** Those of which none of the others took the place: the one that had it last, where that is known. */
export function lastOf<One extends Succeeding>(records: readonly One[]): One[] {
  return records.filter((one) => !records.some((other) => tookFrom(other, one)));
}

/** What `record.took` is once the record takes the place of these. @param known of its Application: of others nothing needs to be known. */
export function takingFrom(
  record: Succeeding,
  formers: readonly Succeeding[],
  known: readonly Succeeding[],
): NonNullable<TargetRecord['took']> {
  const turns = known.flatMap((other): [string, number][] => {
    const turn = turnAfter(record, other);
    return turn === 0 ? [] : [[other.target.environment, turn]];
  });
  const next = formers.map((former): [string, number] => [
    former.target.environment,
    Math.max(turnAfter(record, former), turnAfter(former, record)) + 1,
  ]);
  return Object.fromEntries([...turns, ...next]);
}
