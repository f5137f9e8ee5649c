import { gunzipSync } from 'node:zlib';
import { z } from 'zod';
import { parseApplication } from '../../operator/api/v1alpha1/application.ts';
import {
  LEDGER_KEY,
  type LedgerEntry,
  ledgerEntry,
  ledgerRecords,
} from '../../operator/api/v1alpha1/ledger.ts';
import { GROUP, LABEL_LEDGER, LEDGER_OF_ALL } from '../../operator/api/v1alpha1/names.ts';
import { parsePromotion } from '../../operator/api/v1alpha1/promotion.ts';
import type { Kubectl } from '../kubectl.ts';
import type { Ledger } from './at.ts';
import { unrecordedOf } from './unrecorded.ts';

const listSchema = z.object({ items: z.array(z.unknown()) });
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

/** Promotions of a namespace, and what the archive has of it, as far as the user may see them; each once. */
export async function readLedger(
  kubectl: Kubectl,
  { namespace, operatorNamespace, signal }: ReadOptions,
): Promise<Ledger & { seesArchive: boolean }> {
  // Before the records: of what begins meanwhile they would be looked for in vain.
  const applications = listSchema.safeParse(
    await kubectl.jsonIfAny(['get', `applications.${GROUP}`, `--namespace=${namespace}`], signal),
  ).data;
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
  const texts = (chunks ?? []).map(({ binaryData }) => textOf(binaryData[LEDGER_KEY]));
  const isReadable = chunks !== undefined && texts.every((text) => text !== undefined);
  const names = (chunks ?? []).map(({ metadata }) => metadata.name);
  const byUid = new Map<string, LedgerEntry>();
  for (const text of texts)
    for (const record of ledgerRecords(text ?? '').records) byUid.set(record.uid, record);
  for (const item of items) {
    const promotion = parsePromotion(item);
    const entry = promotion && ledgerEntry(promotion);
    if (entry !== undefined) byUid.set(entry.uid, entry);
  }
  const entries = [...byUid.values()];
  const told = (applications?.items ?? []).flatMap((item) => {
    const parsed = parseApplication(item);
    return parsed.ok ? [parsed.application] : [];
  });
  return {
    entries,
    unrecorded: unrecordedOf(told, entries),
    reach: isReadable && isFromBegin(names, { isDropped }) ? 'Whole' : 'Partial',
    seesArchive: chunks !== undefined,
  };
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
