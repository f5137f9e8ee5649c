import type { TargetAccess } from '../../apply/target.ts';
import { appliedDigest } from '../../manifest/applied.ts';
import { type Manifest, objectKey } from '../../manifest/manifest.ts';
import type { TargetRecord } from '../record/record.ts';
import type { RecordStore } from '../record/store.ts';

/** Looks among the kept candidates of a record. Each is read once, and only when somebody asks: that is rare. */
export function formerManifests(
  store: Pick<RecordStore, 'manifests' | 'candidatesOf'>,
  recordNow: () => TargetRecord | undefined,
  signal: AbortSignal,
): TargetAccess['former'] {
  const read = new Map<string, Promise<ReadonlyMap<string, Manifest>>>();
  const objectsOf = async (record: TargetRecord, candidate: { digest: string }) => {
    const manifests = await store.manifests(record, candidate, signal);
    return new Map(manifests?.objects.map((manifest) => [objectKey(manifest), manifest]));
  };
  return async (applied, ignore) => {
    const record = recordNow();
    if (record === undefined) return undefined;
    for (const candidate of store.candidatesOf(record.target)) {
      const objects = read.get(candidate.digest) ?? objectsOf(record, candidate);
      read.set(candidate.digest, objects);
      const manifest = (await objects).get(objectKey(applied));
      if (manifest !== undefined && appliedDigest(manifest, ignore) === applied.digest) return manifest;
    }
    return undefined;
  };
}
