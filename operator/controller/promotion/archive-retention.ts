import type { Chunk } from './archive-chunks.ts';

/** What the archive keeps of namespaces that are gone, all together. */
export interface GoneBounds {
  /** So many ConfigMaps. */
  readonly most: number;
  /** What ended before goes: milliseconds since 1970. */
  readonly since: number;
}

export interface Going {
  readonly namespace: string;
  readonly chunk: Chunk;
  /** Nothing is left of the namespace then. */
  readonly isLast: boolean;
}

/**
 * Of the ConfigMaps of namespaces in which nothing is any more those that go, in their order: what is too old, and of the
 * rest the oldest, where there are too many. So whoever makes a namespace for each branch fills nothing up, and what is
 * still in use loses nothing by it (A23).
 *
 * @param rows by namespace
 */
export function goingOf(rows: ReadonlyMap<string, readonly Chunk[]>, { most, since }: GoneBounds): Going[] {
  const left = new Map([...rows].map(([namespace, row]) => [namespace, row.length]));
  const chunks = [...rows].flatMap(([namespace, row]) => row.map((chunk) => ({ namespace, chunk })));
  chunks.sort(
    (one, other) => compare(one.chunk.until, other.chunk.until) || one.chunk.sequence - other.chunk.sequence,
  );
  const tooMany = chunks.length - most;
  return chunks
    .filter(({ chunk }, index) => index < tooMany || chunk.until < since)
    .map(({ namespace, chunk }) => {
      const rest = (left.get(namespace) ?? 0) - 1;
      left.set(namespace, rest);
      return { namespace, chunk, isLast: rest === 0 };
    });
}

/** Also of those that do not say when they end. */
function compare(one: number, other: number): number {
  return one === other ? 0 : one - other;
}
