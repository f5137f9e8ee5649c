import type { TargetRecord } from '../../record/record.ts';

/** Objects of a target that is over, and that nobody deleted: from then on nobody looks after them. */
export interface LeftBehind {
  /**
   * `Abandoned`: as a person asked. `Leaving`: since the namespace of its Application, or our definition, goes. `Replaced`: since
   * a person confirmed another cluster in the place of theirs.
   */
  readonly why: 'Abandoned' | 'Leaving' | 'Replaced';
  /** Where they are; `-` for those that stand in none. */
  readonly namespaces: readonly string[];
}

/**
 * What stays of a target as far as its record tells; undefined: nothing does.
 *
 * @param going a namespace that is being deleted with all that is in it
 */
export function leftBehind(
  why: LeftBehind['why'],
  { kinds }: Pick<TargetRecord, 'kinds'>,
  going?: string,
): LeftBehind | undefined {
  const staying = kinds.filter(({ namespace }) => namespace !== going);
  const namespaces = [...new Set(staying.map(({ namespace }) => namespace || '-'))].sort();
  return namespaces.length === 0 ? undefined : { why, namespaces };
}
