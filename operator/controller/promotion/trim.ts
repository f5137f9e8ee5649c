import { type LedgerRecord, ledgerRecord } from '../../api/v1alpha1/ledger.ts';
import type { Promotion } from '../../api/v1alpha1/promotion.ts';
import type { KubeClient } from '../../kube/client.ts';
import { isNotFound } from '../../kube/errors.ts';
import type { TargetRecord } from '../record/record.ts';
import type { Archive } from './archive.ts';
import { PROMOTIONS } from './ledger.ts';
import { endOf, surplusOf } from './retention.ts';

export interface TrimOptions {
  client: KubeClient;
  archive: Archive;
  /** So many Promotions that ended each target keeps. */
  keep: number;
  /** What is kept of targets that are gone. */
  gone: { promotions: number; retentionMs: number };
  /** Of the targets of the Application with that key. */
  recordsOf(key: string): readonly TargetRecord[];
  /** The archive does not have them yet. */
  onMissing(namespace: string, records: readonly LedgerRecord[]): void;
}

/** Removes the Promotions of which there are too many, once it is sure that the archive has them. */
export class Trim {
  readonly #options: TrimOptions;

  constructor(options: TrimOptions) {
    this.#options = options;
  }

  /** @param promotions all of one target */
  async target(namespace: string, promotions: readonly Promotion[], signal: AbortSignal): Promise<void> {
    const record = this.#recordOf(namespace, promotions);
    const surplus = surplusOf(promotions, {
      finished: this.#options.keep,
      running: record?.deployment?.id,
      holding: record?.hold?.promotion,
    });
    await this.#remove(namespace, surplus, signal);
  }

  /** @param promotions all of those of a namespace whose targets are gone: nobody else takes anything away from these */
  async gone(namespace: string, promotions: readonly Promotion[], signal: AbortSignal): Promise<void> {
    const { client, gone } = this.#options;
    const since = client.now().getTime() - gone.retentionMs;
    const ended = surplusOf(promotions, { finished: 0, running: undefined });
    const surplus = ended.filter(
      (promotion, index) => index < ended.length - gone.promotions || endOf(promotion) < since,
    );
    await this.#remove(namespace, surplus, signal);
  }

  async #remove(namespace: string, surplus: readonly Promotion[], signal: AbortSignal): Promise<void> {
    const { archive, client, onMissing } = this.#options;
    if (surplus.length === 0) return;
    const records = surplus.map((promotion) => ledgerRecord(promotion));
    const ended = records.filter((record) => record !== undefined);
    const missing = await archive.missing(namespace, ended, signal);
    onMissing(namespace, missing);
    const isMissing = new Set(missing.map(({ uid }) => uid));
    for (const [index, { metadata }] of surplus.entries()) {
      // Its record has another uid where it stands in place of a person's.
      if (isMissing.has(records[index]?.uid ?? metadata.uid)) continue;
      const path = { resource: PROMOTIONS, namespace, name: metadata.name };
      await client.delete(path, { uid: metadata.uid }, { signal }).catch((error: unknown) => {
        if (!isNotFound(error)) throw error;
      });
    }
  }

  /** Of the target that they are of. */
  #recordOf(namespace: string, [first]: readonly Promotion[]): TargetRecord | undefined {
    if (first === undefined) return undefined;
    const { application, environment } = first.spec;
    const records = this.#options.recordsOf(`${namespace}/${application}`);
    return records.find(({ target }) => target.environment === environment);
  }
}
