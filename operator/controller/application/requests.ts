import { DEFAULT_ENVIRONMENT } from '../../api/v1alpha1/names.ts';

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
  const named = parts.map((part) => /^([a-z0-9.-]+)=(.*)$/.exec(part));
  if (named.every((match) => match === null)) return annotation;
  return named.find((match) => match?.[1] === environment)?.[2];
}
