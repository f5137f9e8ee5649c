import assert from 'node:assert/strict';
import { gunzipSync } from 'node:zlib';
import { LEDGER_KEY, type LedgerRecord, ledgerRecords } from '../../operator/api/v1alpha1/ledger.ts';
import { LABEL_LEDGER } from '../../operator/api/v1alpha1/names.ts';
import { type Promotion, parsePromotion } from '../../operator/api/v1alpha1/promotion.ts';
import type { Stage } from './operator.ts';
import { eventually } from './wait.ts';

/** The Promotions of the stage's namespace. */
export async function promotionsOf({
  cluster,
  namespace,
}: Pick<Stage, 'cluster' | 'namespace'>): Promise<Promotion[]> {
  const path = `/apis/towpath.dev/v1alpha1/namespaces/${namespace}/promotions`;
  const { items } = JSON.parse((await cluster.request('GET', path)).body) as { items: object[] };
  const apiVersion = 'towpath.dev/v1alpha1';
  return items.flatMap((item) => parsePromotion({ apiVersion, kind: 'Promotion', ...item }) ?? []);
}

interface Chunk {
  metadata: { name: string };
  immutable?: boolean;
  binaryData: Record<string, string>;
}

/** What the archive has of the stage's namespace. @param own the operator's namespace */
export async function archiveOf(
  { cluster, namespace }: Pick<Stage, 'cluster' | 'namespace'>,
  own = namespace,
): Promise<LedgerRecord[]> {
  const path = `/api/v1/namespaces/${own}/configmaps?labelSelector=${LABEL_LEDGER}=${namespace}`;
  const { items } = JSON.parse((await cluster.request('GET', path)).body) as { items: Chunk[] };
  return items.flatMap(({ binaryData }) => {
    const text = gunzipSync(Buffer.from(binaryData[LEDGER_KEY] ?? '', 'base64')).toString();
    const { records, unreadable } = ledgerRecords(text);
    assert.equal(unreadable, 0);
    return records;
  });
}

/** Waits until so many deployments are in the archive. */
export function archived(stage: Stage, count: number, own?: string): Promise<LedgerRecord[]> {
  return eventually(
    async () => {
      const records = await archiveOf(stage, own);
      return records.length >= count ? records : undefined;
    },
    { describe: `${count} records in the archive` },
  );
}
