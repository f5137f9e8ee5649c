import { STATUS_LIMITS } from '../../api/v1alpha1/application-status.ts';
import { cut } from '../../api/v1alpha1/bound-status.ts';
import { DEFAULT_ENVIRONMENT } from '../../api/v1alpha1/names.ts';
import { sha256 } from '../../manifest/digest.ts';

/**
 * Reads the grammar that towpath.dev/sync-requested and towpath.dev/prune-consent share: `<value>` for all
 * environments, or `<environment>=<value>`, several separated by commas. Returns the value for the
 * environment; undefined where there is none.
 */
export function requestFor(
  annotation: string | undefined,
  environment = DEFAULT_ENVIRONMENT,
): string | undefined {
  if (annotation === undefined || annotation === '') return undefined;
  const parts = annotation.split(',').map((part) => part.trim());
  // Linear: the equals sign ends the first part.
  const named = parts.map((part) => /^([a-z0-9.-]+)=(.*)$/.exec(part));
  if (named.every((match) => match === null)) return annotation;
  return named.find((match) => match?.[1] === environment)?.[2];
}

/**
 * What status.handledSyncRequest says once the annotation was acted on: the annotation, or of one that is too
 * long the beginning and a digest, so that no other one is taken for it.
 */
export function handledAs(annotation: string): string {
  const limit = STATUS_LIMITS.handledSyncRequest;
  if (cut(annotation, limit) === annotation) return annotation;
  const digest = sha256(annotation).slice(0, 12);
  return `${cut(annotation, limit - 1 - digest.length)} ${digest}`;
}
