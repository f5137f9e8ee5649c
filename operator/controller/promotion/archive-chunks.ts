/** The ConfigMaps of the archive: what they are called, say of themselves, and hold. */

import { promisify } from 'node:util';
import { gunzip, gzip } from 'node:zlib';
import { LEDGER_KEY, type LedgerRecord } from '../../api/v1alpha1/ledger.ts';
import { ANNOTATION_FROM, ANNOTATION_RECORDS, ANNOTATION_UNTIL } from '../../api/v1alpha1/names.ts';
import type { KubeObject } from '../../kube/client.ts';
import { isSameDeployment, partsOf, type Recordable } from '../record/promotion-names.ts';

const [compress, expand] = [promisify(gzip), promisify(gunzip)];
/** Base 64, as it stands in the ConfigMap. */
export const FULL_BYTES = 64 * 1024;
/** One with this much is sealed with the write that comes to it: hardly any batch would fit into it. */
const SEALED_BYTES = 60 * 1024;
/** What is expanded of a chunk: more than a full one can have of what is written here. */
const LARGEST_TEXT = 8 * 1024 * 1024;

/** What is known of a chunk without reading what is in it. */
export interface Chunk {
  readonly name: string;
  readonly uid: string;
  readonly sequence: number;
  /** When the first and the last of what is in it ended: milliseconds since 1970. */
  readonly from: number;
  readonly until: number;
}

export interface ChunkObject extends KubeObject {
  binaryData?: Record<string, string>;
  immutable?: boolean;
}

/** `towpath-ledger.shop.000001`: by their names they stand in their order. */
export function nameOf(namespace: string, sequence: number): string {
  return `towpath-ledger.${namespace}.${String(sequence).padStart(6, '0')}`;
}

export function chunkOf({ metadata: { name, uid, annotations = {} } }: KubeObject): Chunk {
  const from = Date.parse(annotations[ANNOTATION_FROM] ?? '');
  const until = Date.parse(annotations[ANNOTATION_UNTIL] ?? '');
  return {
    name,
    uid,
    sequence: Number(/\.(\d{6,12})$/.exec(name)?.[1] ?? 0),
    // One that does not say it may have anything.
    from: Number.isNaN(from) ? Number.NEGATIVE_INFINITY : from,
    until: Number.isNaN(until) ? Number.POSITIVE_INFINITY : until,
  };
}

/** Whether one of them may be in it. */
export function isOfTime({ from, until }: Chunk, records: Iterable<LedgerRecord>): boolean {
  for (const { finishedAt } of records) {
    const time = Date.parse(finishedAt);
    if (from <= time && time <= until) return true;
  }
  return false;
}

/** By its number and when it began: an Application that was restored has another uid. */
export function isRecordOf(
  { application, environment, deployment: id, startedAt = '' }: LedgerRecord,
  one: Pick<Recordable, 'target' | 'id' | 'startedAt'>,
): boolean {
  const of = partsOf(one.target);
  return (
    id !== undefined &&
    isSameDeployment({ id, startedAt }, one) &&
    application === of.application &&
    environment === of.environment
  );
}

export function inOrder(chunks: readonly Chunk[]): readonly Chunk[] {
  return [...chunks].sort((one, other) => one.sequence - other.sequence);
}

/** What a chunk says of itself, so that nobody has to read it for that. @param before what it said until now */
export function toldOf(
  news: readonly LedgerRecord[],
  before: Record<string, string> = {},
): Record<string, string> {
  const ends = news.map(({ finishedAt }) => finishedAt);
  const [from, until] = [before[ANNOTATION_FROM], before[ANNOTATION_UNTIL]];
  for (const end of [from, until]) if (end !== undefined) ends.push(end);
  ends.sort((one, other) => Date.parse(one) - Date.parse(other));
  return {
    [ANNOTATION_FROM]: ends[0] ?? '',
    [ANNOTATION_UNTIL]: ends.at(-1) ?? '',
    [ANNOTATION_RECORDS]: String(Number(before[ANNOTATION_RECORDS] ?? 0) + news.length),
  };
}

export function contentsOf(data: string) {
  return { binaryData: { [LEDGER_KEY]: data }, ...(data.length >= SEALED_BYTES ? { immutable: true } : {}) };
}

export async function packed(text: string): Promise<string> {
  return (await compress(text)).toString('base64');
}

/** Undefined where it was damaged: nothing is written over that. */
export async function textOf({ binaryData = {} }: ChunkObject): Promise<string | undefined> {
  const written = binaryData[LEDGER_KEY];
  if (written === undefined) return undefined;
  try {
    return (await expand(Buffer.from(written, 'base64'), { maxOutputLength: LARGEST_TEXT })).toString();
  } catch {
    return undefined;
  }
}

/** Each line begins with the uid: most of what is in it nobody needs to know what is there. */
export function uidsIn(text: string): Set<string> {
  const begin = '{"uid":"';
  const lines = text.split('\n').filter((line) => line.startsWith(begin));
  return new Set(lines.map((line) => line.slice(begin.length, line.indexOf('"', begin.length))));
}
