/** Of so many the names are told. */
const MOST = 20;

/** Names that there are, where one is not among them: `a, b and 3 more`, or `none`. */
export function known(names: readonly string[]): string {
  if (names.length === 0) return 'none';
  const more = names.length > MOST ? ` and ${names.length - MOST} more` : '';
  return `${names.slice(0, MOST).join(', ')}${more}`;
}
