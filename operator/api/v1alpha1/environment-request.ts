/**
 * Reads towpath.dev/abandon: `<environment>`, or `<environment>=<any value>`, several separated by commas. Returns what it
 * says of the environment; undefined: nothing.
 */
export function abandonFor(annotation: string | undefined, environment: string): string | undefined {
  const said = annotation?.split(',').map((part) => part.trim());
  return said?.find((part) => part === environment || part.startsWith(`${environment}=`));
}

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
