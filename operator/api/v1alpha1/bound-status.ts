import { z } from 'zod';
import type { ApplicationStatus, EnvironmentStatus, HistoryEntry } from './application.ts';
import { applicationStatusSchema, STATUS_LIMITS } from './application-status.ts';

/**
 * `status` cut to what the API server accepts and to STATUS_LIMITS, so that no write of it is ever refused
 * for its size. Texts are cut at their end, with "…"; lists keep their beginning (history is newest first, and every
 * environment keeps its newest entries), and where they are about several environments, each is named before any is
 * named twice. Totals such as quarantine.total, which say how much there was, are
 * left as they are. The result shares with `status` what needed no change.
 */
export function boundStatus(status: ApplicationStatus): ApplicationStatus {
  const texts = withBoundedTexts(status, LIMITS) as ApplicationStatus;
  const { quarantine, kept } = texts;
  const environments = texts.environments?.slice(0, STATUS_LIMITS.environments);
  const lists: ApplicationStatus = {
    ...texts,
    ...(quarantine?.errors && {
      quarantine: {
        ...quarantine,
        errors: fairShare(
          quarantine.errors,
          STATUS_LIMITS.quarantineErrors,
          STATUS_LIMITS.quarantineErrorsOfOne,
        ).map(withShorterFile),
      },
    }),
    ...(kept && { kept: fairShare(kept, STATUS_LIMITS.kept) }),
  };
  if (environments === undefined) return lists;
  const without = environments.map(({ history: _, ...rest }) => rest);
  const before = { ...lists, environments: withBoundedLists(without) };
  let bytes = Buffer.byteLength(JSON.stringify(before));
  let entries = 0;
  // Oldest entries go first when texts of full length fill the status before the number of entries does.
  const histories = environments.map(({ history = [] }) => history.map(shorterAmong(environments.length)));
  for (const entry of inTurn(histories)) {
    bytes += Buffer.byteLength(JSON.stringify(entry)) + HISTORY_OVERHEAD;
    if (entries === STATUS_LIMITS.history || bytes > STATUS_LIMITS.bytes) break;
    entries += 1;
  }
  const granted = shares(
    histories.map((history) => history.length),
    entries,
  );
  return {
    ...before,
    environments: before.environments.map((environment, index) => {
      const history = histories[index]?.slice(0, granted[index]);
      return environments[index]?.history === undefined || history === undefined
        ? environment
        : { ...environment, history };
    }),
  };
}

/** What the schema takes more than that came from earlier versions: it may become looser only, and each error has `alone` by now. */
const FILE_BYTES = 224;

function withShorterFile<Refusal extends { file?: string | undefined }>(error: Refusal): Refusal {
  return error.file === undefined ? error : { ...error, file: cut(error.file, FILE_BYTES) };
}

/** Bytes that a list of history adds to an entry: a comma, and at worst `,"history":[]`. */
const HISTORY_OVERHEAD = 13;

/** The first of every list, the second of every list …: the order in which `shares` grants. */
function* inTurn<Entry>(lists: readonly (readonly Entry[])[]): Generator<Entry> {
  const longest = Math.max(0, ...lists.map((list) => list.length));
  for (let index = 0; index < longest; index += 1) {
    for (const list of lists) {
      const entry = list[index];
      if (entry !== undefined) yield entry;
    }
  }
}

/** So many environments tell what waits in them besides the newest, and the digests of charts that they had. */
const MOST_WITH_ALL = 32;

/** A candidate's id covers the digest of its chart: among many environments it is told by that alone. */
function shorterAmong(environments: number): (entry: HistoryEntry) => HistoryEntry {
  if (environments <= MOST_WITH_ALL) return (entry) => entry;
  return ({ chartDigest: _, ...entry }) => entry;
}

function withBoundedLists(environments: readonly EnvironmentStatus[]): EnvironmentStatus[] {
  const { blockedBy, blockedByOfOne, pendingPruneObjects, changedObjects } = STATUS_LIMITS;
  const blocks = shares(
    environments.map((environment) => Math.min(environment.blockedBy?.length ?? 0, blockedByOfOne)),
    blockedBy,
  );
  const prunes = shares(
    environments.map((environment) => environment.pendingPrune?.objects?.length ?? 0),
    pendingPruneObjects,
  );
  const changed = shares(
    environments.map((environment) => environment.changes?.objects?.length ?? 0),
    changedObjects,
  );
  const waits = boundedWaiting(environments.map(({ waiting = [] }) => waiting));
  return environments.map((environment, index) => {
    const { waiting: _, ...others } = environment;
    const { pendingPrune, changes } = others;
    const its = waits[index] ?? [];
    return {
      ...others,
      ...(environment.blockedBy && { blockedBy: environment.blockedBy.slice(0, blocks[index]) }),
      ...(its.length > 0 && { waiting: its }),
      ...(pendingPrune?.objects && {
        pendingPrune: { ...pendingPrune, objects: pendingPrune.objects.slice(0, prunes[index]) },
      }),
      ...(changes && { changes: withShorterCharts(changes, changed[index] ?? 0) }),
    };
  });
}

type Changes = NonNullable<EnvironmentStatus['changes']>;

/** The first of the objects, and charts as long as there is room for: the schema takes what was written before, too. */
function withShorterCharts({ chart, objects, ...changes }: Changes, most: number): Changes {
  const shorter = (name: string) => cut(name, STATUS_LIMITS.changedChart);
  return {
    ...changes,
    ...(chart && {
      chart: {
        ...(chart.from === undefined ? {} : { from: shorter(chart.from) }),
        ...(chart.to === undefined ? {} : { to: shorter(chart.to) }),
      },
    }),
    ...(objects && { objects: objects.slice(0, most) }),
  };
}

type Waits = NonNullable<EnvironmentStatus['waiting']>;

/** What waits in each environment, and of all of these together the first objects that they would change. */
function boundedWaiting(all: readonly Waits[]): Waits[] {
  const { waiting, waitingObjects, waitingObjectsOfOne } = STATUS_LIMITS;
  const granted = shares(
    all.map(({ length }) => length),
    // Among more there is no room for it beside the newest deployment of each.
    all.length > MOST_WITH_ALL ? 0 : waiting,
  );
  const told = all.map((its, index) => its.slice(0, granted[index]));
  const objects = shares(
    told.flat().map(({ changes }) => Math.min(changes?.objects?.length ?? 0, waitingObjectsOfOne)),
    waitingObjects,
  ).values();
  return told.map((its) =>
    its.map((one) => {
      const { value: most = 0 } = objects.next();
      const { changes } = one;
      if (changes?.objects === undefined) return one;
      return { ...one, changes: { ...changes, objects: changes.objects.slice(0, most) } };
    }),
  );
}

/**
 * At most `most` entries, in their order, and `mostOfOne` of an environment: as many of each as of any other, as far as
 * it has them.
 */
function fairShare<Entry extends { environment?: string | undefined }>(
  entries: readonly Entry[],
  most: number,
  mostOfOne: number = most,
): Entry[] {
  const ofEach = [...Map.groupBy(entries, ({ environment }) => environment)];
  const granted = shares(
    ofEach.map(([, its]) => Math.min(its.length, mostOfOne)),
    most,
  );
  const left = new Map(ofEach.map(([environment], index) => [environment, granted[index] ?? 0]));
  return entries.filter(({ environment }) => {
    const more = left.get(environment) ?? 0;
    left.set(environment, more - 1);
    return more > 0;
  });
}

/** How many of `wanted` each gets of `total`: all get as much as any other, as far as they want it. */
function shares(wanted: readonly number[], total: number): number[] {
  const granted = wanted.map(() => 0);
  let left = total;
  let hungry = wanted.flatMap((count, index) => (count > 0 ? [index] : []));
  while (hungry.length > 0 && left > 0) {
    for (const index of hungry.slice(0, left)) granted[index] = (granted[index] ?? 0) + 1;
    left -= Math.min(left, hungry.length);
    hungry = hungry.filter((index) => (granted[index] ?? 0) < (wanted[index] ?? 0));
  }
  return granted;
}

/** How long the texts of a part of the status may be, as its schema says. */
interface TextLimits {
  maxLength?: number;
  properties?: Readonly<Record<string, TextLimits>>;
  items?: TextLimits;
}

const LIMITS = z.toJSONSchema(applicationStatusSchema, { io: 'input', target: 'openapi-3.0' }) as TextLimits;

/** Characters, as the schema counts, and bytes, as STATUS_LIMITS counts: no text has more of either. */
function withBoundedTexts(value: unknown, limits: TextLimits | undefined): unknown {
  if (typeof value === 'string')
    return limits?.maxLength === undefined ? value : cut(value, limits.maxLength);
  if (Array.isArray(value)) return value.map((entry) => withBoundedTexts(entry, limits?.items));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, member]) => member !== undefined)
      .map(([key, member]) => [key, withBoundedTexts(member, limits?.properties?.[key])]),
  );
}

/** `text` cut so that its JSON has at most `limit` bytes between the quotes, never inside a character. */
export function cut(text: string, limit: number): string {
  // No character has less than a byte, and none more than six: a long text is not looked through for that.
  if (text.length * 6 <= limit || (text.length <= limit && jsonBytes(text) <= limit)) return text;
  const ellipsis = '…';
  let bytes = jsonBytes(ellipsis);
  let kept = '';
  for (const character of text) {
    bytes += jsonBytes(character);
    if (bytes > limit) break;
    kept += character;
  }
  return kept + ellipsis;
}

/** A message in which `text` gives way where a condition has no room for all; `least` bytes of it stay. */
export function fitBetween(before: string, text: string, after: string, least = 0): string {
  const room = STATUS_LIMITS.message - jsonBytes(before) - jsonBytes(after);
  return `${before}${cut(text, Math.max(room, least))}${after}`;
}

/** Bytes of a text in the JSON of a status. */
export function jsonBytes(text: string): number {
  return Buffer.byteLength(JSON.stringify(text)) - 2;
}
