import { isNotFound } from '../../kube/errors.ts';
import { sha256 } from '../../manifest/digest.ts';
import type { Slices } from '../../observe/event-loop-slices.ts';
import { type Chunk, manifestsIn, type RecordIndex } from './kept-manifest-index.ts';
import { type Manifests, manifestsDigest } from './record.ts';
import type { Members, RecordSecrets } from './secrets.ts';

/** Manifests as the Secrets of an Application keep them: what is read is what was accepted, or nothing. */
export class KeptManifests {
  readonly #secrets: RecordSecrets;
  readonly #slices: Slices;

  constructor(secrets: RecordSecrets, slices: Slices) {
    this.#secrets = secrets;
    this.#slices = slices;
  }

  /**
   * The manifests with that digest, which was checked; undefined where they are not kept, or damaged.
   *
   * @param own name of the Secret with the record
   */
  async read(
    own: string,
    index: RecordIndex | undefined,
    digest: string,
    signal: AbortSignal | undefined,
  ): Promise<Manifests | undefined> {
    const keys = index?.manifests.get(digest);
    if (index === undefined || keys === undefined) return undefined;
    const data: Record<string, string> = {};
    for (const secret of new Set(keys.map((key) => index.places.get(key)?.secret ?? own))) {
      try {
        Object.assign(data, (await this.#secrets.read(secret, signal)).data);
      } catch (error) {
        if (isNotFound(error)) return undefined;
        throw error;
      }
    }
    return this.#intact(data, digest).catch(() => undefined);
  }

  /** Finds a place for manifests, in `data` or in the chunks that it returns. Damaged ones are kept anew. */
  async place(
    own: string,
    index: RecordIndex,
    { digest, manifests }: { digest: string; manifests: Manifests },
    data: Members,
    signal: AbortSignal | undefined,
  ): Promise<Chunk[]> {
    if (index.manifests.has(digest)) {
      const kept = await this.read(own, index, digest, signal).catch(() => undefined);
      if (kept === undefined) index.forget(digest);
    }
    return index.place(own, digest, manifests, data, this.#slices);
  }

  /** Undefined where the manifests are not those that were accepted. */
  async #intact(data: Record<string, string>, digest: string): Promise<Manifests | undefined> {
    const manifests = await manifestsIn(data, digest, this.#slices);
    for (const manifest of [...manifests.objects, ...manifests.hooks]) {
      const pause = this.#slices.pause();
      if (pause !== undefined) await pause;
      if (sha256(manifest.text) !== manifest.digest) return undefined;
    }
    return manifestsDigest(manifests) === digest ? manifests : undefined;
  }
}
