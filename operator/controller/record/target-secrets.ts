import { isNotFound } from '../../kube/errors.ts';
import { encode } from './kept-manifest-index.ts';
import { type KnownRecords, knownTarget, type Place } from './known.ts';
import { memberOf, type RecordReader } from './reader.ts';
import type { TargetRecord } from './record.ts';
import { writtenTarget } from './record-format.ts';
import { type RecordSecrets, seen, targetSecret } from './secrets.ts';

type Signal = AbortSignal | undefined;

/** The Secrets that targets have for themselves: all but the first one of each Application. */
export class TargetSecrets {
  readonly #secrets: RecordSecrets;
  readonly #reader: RecordReader;
  readonly #known: KnownRecords;

  constructor(secrets: RecordSecrets, reader: RecordReader, known: KnownRecords) {
    this.#secrets = secrets;
    this.#reader = reader;
    this.#known = known;
  }

  nameOf(target: Place): string {
    return targetSecret(this.#secrets.installation, target);
  }

  async write(record: TargetRecord, signal: Signal): Promise<void> {
    const { target } = record;
    const known = this.#known.target(target);
    const data = { [memberOf(target.environment)]: await encode(writtenTarget(record)) };
    const written = knownTarget(record, undefined);
    // Until there is an answer it may name either.
    this.#known.doubt(this.nameOf(target), written.named);
    const read = () => this.takeIn(target, signal);
    try {
      const secret = await this.#secrets.put(this.nameOf(target), known?.own, data, { signal, read });
      // Whoever was given up has no say any more: what it wrote is read by the next one.
      signal?.throwIfAborted();
      this.#known.setTarget({ ...written, own: seen(secret) });
      this.#known.isCertain(target);
    } catch (error) {
      if (known === undefined || !isNotFound(error)) throw error;
      // Somebody deleted it: what this process remembers is written anew.
      this.#known.forgetTarget(target);
      await this.write(record, signal);
    }
  }

  /** Reads one as it is by now; false where it is not trusted. */
  async takeIn(target: Place, signal: Signal): Promise<boolean> {
    const known = this.#known.target(target);
    const found = await this.#reader.target(await this.#secrets.read(this.nameOf(target), signal), signal);
    if (found === undefined) return false;
    // A write that ended meanwhile is newer than what was read before it; and what is as written may be ahead of it.
    const isNewer = known?.own?.resourceVersion !== found.own?.resourceVersion;
    if (this.#known.target(target) === known && isNewer) this.#known.setTarget(found);
    return true;
  }

  /** Reads one anew, after a conflict. */
  async reload(target: Place, signal: Signal): Promise<void> {
    const known = this.#known.target(target);
    try {
      await this.takeIn(target, signal);
    } catch (error) {
      if (!isNotFound(error)) throw error;
      if (this.#known.target(target) === known) this.#known.forgetTarget(target);
    }
  }

  /** Where there is one, or may be. */
  async remove(target: Place, signal: Signal): Promise<void> {
    if (!this.#known.mayHaveOwn(target)) return;
    await this.#secrets.delete(this.nameOf(target), signal, this.#known.target(target)?.own?.uid);
    this.#known.isCertain(target);
  }
}
