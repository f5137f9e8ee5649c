import { ANNOTATION_OWNER, LABEL_TARGET } from '../api/v1alpha1/names.ts';
import { sha256 } from './digest.ts';
import { canonicalJson, isRecord, parseExact } from './exact-json.ts';
import { ownerAnnotation } from './live.ts';
import type { Manifest } from './manifest.ts';

/** The manifest with another target's label and annotation in place of its own. All else stays byte for byte. */
export function withMarksOf(
  manifest: Manifest,
  { id, name }: { readonly id: string; readonly name: string },
): Manifest {
  const object = parseExact(manifest.text);
  if (!isRecord(object) || !isRecord(object.metadata)) return manifest;
  const { labels, annotations } = object.metadata;
  const metadata = {
    ...object.metadata,
    labels: { ...(isRecord(labels) ? labels : {}), [LABEL_TARGET]: id },
    annotations: {
      ...(isRecord(annotations) ? annotations : {}),
      [ANNOTATION_OWNER]: ownerAnnotation(name, manifest),
    },
  };
  const text = canonicalJson({ ...object, metadata });
  return { ...manifest, text, digest: sha256(text) };
}
