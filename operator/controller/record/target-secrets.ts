import { isNotFound } from '../../kube/errors.ts';
import { encode } from './kept-manifest-index.ts';
import { memberOf, type RecordReader } from './reader.ts';
import type { TargetRecord } from './record.ts';
import { writtenTarget } from './record-format.ts';
import { type Place, type RecordsInMemory, readAnew, targetEntry } from './records-in-memory.ts';
import { type RecordSecrets, seen, targetSecret } from './secrets.ts';

type Signal = AbortSignal | undefined;

/** The Secrets that targets have for themselves: all but the first one of each Application. */
export class TargetSecrets {
  readonly #secrets: RecordSecrets;
  readonly #reader: RecordReader;
  readonly #entries: RecordsInMemory;

  constructor(secrets: RecordSecrets, reader: RecordReader, entries: RecordsInMemory) {
    this.#secrets = secrets;
    this.#reader = reader;
    this.#entries = entries;
  }

  nameOf(target: Place): string {
    return targetSecret(this.#secrets.installation, target);
  }

  async write(record: TargetRecord, signal: Signal): Promise<void> {
    const { target } = record;
    const entry = this.#entries.target(target);
    const data = { [memberOf(target.environment)]: await encode(writtenTarget(record)) };
    const written = targetEntry(record, undefined);
    // Until there is an answer it may name either.
    this.#entries.doubt(this.nameOf(target), written.named);
    const read = () => this.takeIn(target, signal);
    try {
      const secret = await this.#secrets.put(this.nameOf(target), entry?.own, data, { signal, read });
      // Whoever was given up has no say any more: what it wrote is read by the next one.
      signal?.throwIfAborted();
      this.#entries.setTarget({ ...written, own: seen(secret) });
      this.#entries.isCertain(target);
    } catch (error) {
      if (entry === undefined || !isNotFound(error)) throw error;
      // Somebody deleted it: what this process remembers is written anew.
      this.#entries.forgetTarget(target);
      await this.write(record, signal);
    }
  }

  /** Reads one as it is by now; false where it is not trusted. */
  async takeIn(target: Place, signal: Signal): Promise<boolean> {
    const entry = this.#entries.target(target);
    const found = await this.#reader.target(await this.#secrets.read(this.nameOf(target), signal), signal);
    if (found === undefined) return false;
    // A write that ended meanwhile is newer than what was read before it; and what is as written may be ahead of it.
    const isNewer = entry?.own?.resourceVersion !== found.own?.resourceVersion;
    if (this.#entries.target(target) === entry && isNewer) this.#entries.setTarget(found);
    return true;
  }

  /** Reads one anew, after a conflict. */
  reload(target: Place, signal: Signal): Promise<void> {
    return readAnew({
      entry: () => this.#entries.target(target),
      takeIn: () => this.takeIn(target, signal),
      forget: () => this.#entries.forgetTarget(target),
    });
  }

  /** Where there is one, or may be. */
  async remove(target: Place, signal: Signal): Promise<void> {
    if (!this.#entries.mayHaveOwn(target)) return;
    await this.#secrets.delete(this.nameOf(target), signal, this.#entries.target(target)?.own?.uid);
    this.#entries.isCertain(target);
  }
}
