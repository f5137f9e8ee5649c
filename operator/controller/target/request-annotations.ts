import { STATUS_LIMITS } from '../../api/v1alpha1/application-status.ts';
import { cut } from '../../api/v1alpha1/bound-status.ts';
import { sha256 } from '../../manifest/digest.ts';

/**
 * Reads the grammar that towpath.dev/sync-requested and towpath.dev/prune-consent share: `<value>` for all
 * environments, or `<environment>=<value>`, several separated by commas. Returns the value for the
 * environment; undefined where there is none.
 */
export function requestFor(annotation: string | undefined, environment: string): string | undefined {
  if (annotation === undefined || annotation === '') return undefined;
  let isNamed = false;
  for (const part of annotation.split(',')) {
    const sign = part.indexOf('=');
    if (sign < 0) continue;
    const name = part.slice(0, sign).trimStart();
    const value = part.slice(sign + 1).trimEnd();
    if (!/^[a-z0-9.-]+$/.test(name) || /[\n\r]/.test(value)) continue;
    if (name === environment) return value;
    isNamed = true;
  }
  return isNamed ? undefined : annotation;
}

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
