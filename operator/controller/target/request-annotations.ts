import { STATUS_LIMITS } from '../../api/v1alpha1/application-status.ts';
import { cut } from '../../api/v1alpha1/bound-status.ts';
import { sha256 } from '../../manifest/digest.ts';

/** By which a record knows what it acted on, however long that is. */
export function requestKey(request: string): string {
  return sha256(request);
}

/**
 * What status.handledSyncRequest says once the annotation was acted on: the annotation, or of one that is too
 * long the beginning and a digest, so that no other one is taken for it.
 */
export function handledAs(annotation: string): string {
  const limit = STATUS_LIMITS.handledSyncRequest;
  if (cut(annotation, limit) === annotation) return annotation;
  const digest = sha256(annotation);
  return `${cut(annotation, limit - 1 - digest.length)} ${digest}`;
}
