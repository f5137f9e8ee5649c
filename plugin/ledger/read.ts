import { gunzipSync } from 'node:zlib';
import { z } from 'zod';
import { type Application, parseApplication } from '../../operator/api/v1alpha1/application.ts';
import {
  LEDGER_KEY,
  type LedgerEntry,
  ledgerEntry,
  ledgerRecords,
} from '../../operator/api/v1alpha1/ledger.ts';
import { GROUP, LABEL_LEDGER, LEDGER_OF_ALL } from '../../operator/api/v1alpha1/names.ts';
import { parsePromotion } from '../../operator/api/v1alpha1/promotion.ts';
import { environmentNames } from '../application.ts';
import type { Kubectl } from '../kubectl.ts';
import { known } from '../text/known.ts';
import { type Ledger, targetOf } from './at.ts';
import { type Names, namesOf } from './names.ts';
import { unrecordedOf } from './unrecorded.ts';

const listSchema = z.object({ items: z.array(z.unknown()) });
const namedSchema = z.object({ metadata: z.object({ name: z.string() }) });
const archiveSchema = z.object({
  items: z.array(
    z.object({
      metadata: z.object({ name: z.string(), labels: z.record(z.string(), z.string()).default({}) }),
      binaryData: z.record(z.string(), z.string()).default({}),
    }),
  ),
});
/** What is expanded of one ConfigMap: its operator writes much less. */
const LARGEST_TEXT = 8 * 1024 * 1024;

export interface ReadOptions {
  namespace: string;
  /** The operator's. */
  operatorNamespace: string;
  signal?: AbortSignal;
}

/** What of the ledger the user may see, and can read. */
export interface LedgerRead extends Ledger {
  readonly seesArchive: boolean;
  /** Whether the Applications that there are could be listed. */
  readonly seesApplications: boolean;
  /** What says nothing because it cannot be read, each in words: a later Towpath wrote it, or something broke it. */
  readonly unreadable: readonly string[];
  readonly names: Names;
}

/** Promotions of a namespace, and what the archive has of it, as far as the user may see them; each once. */
export async function readLedger(
  kubectl: Kubectl,
  { namespace, operatorNamespace, signal }: ReadOptions,
): Promise<LedgerRead> {
  // Before the records: of what begins meanwhile they would be looked for in vain.
  const applications = await applicationsIn(kubectl, namespace, signal);
  const { items } = listSchema.parse(
    await kubectl.json(['get', `promotions.${GROUP}`, `--namespace=${namespace}`], signal),
  );
  const archive = await kubectl.jsonIfAny(
    [
      ...['get', 'configmaps', `--namespace=${operatorNamespace}`],
      `--selector=${LABEL_LEDGER} in (${namespace},${LEDGER_OF_ALL})`,
    ],
    signal,
  );
  const found = archiveSchema.safeParse(archive).data?.items;
  const chunks = found?.filter(({ metadata }) => metadata.labels[LABEL_LEDGER] === namespace);
  // It is not known of which: of one that has none it may be.
  const isDropped = found !== undefined && found.length > (chunks?.length ?? 0);
  const archived = readArchive(chunks ?? []);
  const made = readPromotions(items);
  const told = readStatuses(applications?.items ?? []);
  // What is an object still says more than what was written of it.
  const entries = [...new Map([...archived.records, ...made.entries].map((one) => [one.uid, one])).values()];
  // Again where one seems to be gone: what was made meanwhile is in no list of before.
  const wasThere = maybeIn(told);
  const seemsGone = applications !== undefined && entries.some((one) => !wasThere(targetOf(one)));
  const later = seemsGone ? await applicationsIn(kubectl, namespace, signal) : undefined;
  const isThere = later && maybeIn(readStatuses(later.items));
  const names = (chunks ?? []).map(({ metadata }) => metadata.name);
  const isWhole =
    chunks !== undefined && archived.unreadable.length === 0 && isFromBegin(names, { isDropped });
  return {
    entries,
    unrecorded: unrecordedOf(told.applications, entries),
    reach: isWhole ? 'Whole' : 'Partial',
    isGone: (target) => isThere !== undefined && !wasThere(target) && !isThere(target),
    seesArchive: chunks !== undefined,
    seesApplications: applications !== undefined,
    unreadable: [...archived.unreadable, ...made.unreadable, ...told.unreadable],
    names: namesOf(entries, told),
  };
}

/** Undefined: they cannot be listed. */
async function applicationsIn(kubectl: Kubectl, namespace: string, signal: AbortSignal | undefined) {
  const args = ['get', `applications.${GROUP}`, `--namespace=${namespace}`];
  return listSchema.safeParse(await kubectl.jsonIfAny(args, signal)).data;
}

type Chunk = z.output<typeof archiveSchema>['items'][number];

function readArchive(chunks: readonly Chunk[]) {
  const records: LedgerEntry[] = [];
  const unreadable: string[] = [];
  for (const { metadata, binaryData } of chunks) {
    const text = textOf(binaryData[LEDGER_KEY]);
    const read = ledgerRecords(text ?? '');
    records.push(...read.records);
    const of = `ConfigMap ${metadata.name}`;
    if (text === undefined) unreadable.push(of);
    else if (read.unreadable > 0)
      unreadable.push(`${read.unreadable} ${read.unreadable === 1 ? 'line' : 'lines'} of ${of}`);
  }
  return { records, unreadable };
}

function readPromotions(items: readonly unknown[]) {
  const entries: LedgerEntry[] = [];
  const unreadable: string[] = [];
  for (const item of items) {
    const promotion = parsePromotion(item);
    if (promotion === undefined) unreadable.push(`Promotion ${nameOf(item)}`);
    const entry = promotion && ledgerEntry(promotion);
    if (entry !== undefined) entries.push(entry);
  }
  return { entries, unreadable };
}

function readStatuses(items: readonly unknown[]) {
  const applications: Application[] = [];
  const unread: string[] = [];
  for (const item of items) {
    const parsed = parseApplication(item);
    if (parsed.ok) applications.push(parsed.application);
    else unread.push(nameOf(item));
  }
  return { applications, unread, unreadable: unread.map((name) => `Application ${name}`) };
}

/** Whether a target may be there: of an Application that cannot be read nobody knows which environments it has. */
function maybeIn({ applications, unread }: ReturnType<typeof readStatuses>): (target: string) => boolean {
  const targets = new Set(
    applications.flatMap((one) => environmentNames(one).map((name) => `${one.metadata.name}/${name}`)),
  );
  const unknown = new Set(unread);
  return (target) => targets.has(target) || unknown.has(target.slice(0, target.indexOf('/')));
}

function nameOf(item: unknown): string {
  return namedSchema.safeParse(item).data?.metadata.name ?? 'without a name';
}

/** That an answer lacks what could not be read; undefined where that is nothing. */
export function tellUnreadable({
  unreadable,
  seesApplications,
}: Pick<LedgerRead, 'unreadable' | 'seesApplications'>): string | undefined {
  const unlisted = seesApplications ? [] : [UNLISTED];
  const unread = unreadable.length === 0 ? [] : [unreadIn(unreadable)];
  return unlisted.length + unread.length === 0 ? undefined : [...unlisted, ...unread].join(' ');
}

const UNLISTED =
  'The Applications that there are could not be listed (kubectl get applications.towpath.dev tells why): what they have that is in no record is missing here.';

function unreadIn(unreadable: readonly string[]): string {
  return `Not all of the ledger can be read, and what is recorded there is missing here: ${known(unreadable)}. Where a later Towpath wrote it, its plugin reads it.`;
}

/**
 * Whether nothing before the first of a namespace was removed.
 *
 * @param names of its ConfigMaps. @param isDropped all that some namespaces had is gone: of which is not known
 */
export function isFromBegin(names: readonly string[], { isDropped }: { isDropped: boolean }): boolean {
  return names.length === 0 ? !isDropped : names.some((name) => name.endsWith('.000001'));
}

function textOf(packed: string | undefined): string | undefined {
  if (packed === undefined) return undefined;
  try {
    return gunzipSync(Buffer.from(packed, 'base64'), { maxOutputLength: LARGEST_TEXT }).toString();
  } catch {
    return undefined;
  }
}
