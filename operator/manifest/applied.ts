import { createHash } from 'node:crypto';
import type { FieldEntry, LiveObject } from './live.ts';
import type { Manifest, ObjectId } from './manifest.ts';

/** What the target record says of an object that this target applied. */
export interface AppliedObject extends ObjectId {
  apiVersion: string;
  uid: string;
  /** Of the manifest as rendered, together with the paths that were left to others. */
  digest: string;
  entry: FieldEntry;
  /** Its manifest itself suspends or pauses it. */
  atRest?: true;
  /** Of a claim that was left as large as it is, though Git asks for less. */
  larger?: LargerClaim;
}

/** The sizes of a claim, as quantities: a claim never shrinks. */
export interface LargerClaim {
  git: string;
  live: string;
}

/** Why an object is sent: it is not there, the manifest changed, or someone changed the live object. */
export type ApplyReason = 'Create' | 'Update' | 'Drift';

export interface PlannedApply {
  manifest: Manifest;
  reason: ApplyReason;
  /** Paths (JSON pointers) that others decide once the object exists. */
  ignore: readonly string[];
  /** Present where the target's own object is there. */
  live?: LiveObject;
  /** What the record says of it, where it was applied before. */
  recorded?: AppliedObject;
}

/** The digest under which an applied manifest is recorded. */
export function appliedDigest(manifest: Manifest, ignore: readonly string[]): string {
  if (ignore.length === 0) return manifest.digest;
  return createHash('sha256').update(manifest.digest).update(ignore.join('\n')).digest('hex');
}
