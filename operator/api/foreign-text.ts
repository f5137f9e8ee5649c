/**
 * Texts that others decide (the API server, and whoever wrote what it quotes) are cut where they come in, and read
 * by these: in time that grows with the text alone.
 */

/** Ends what was cut off; what is left before it may be the beginning of a secret (S5). */
const ELLIPSIS = '…';

/** The value as a text of at most so many characters; what is no text is ''. */
export function cutAtEnd(value: unknown, limit: number): string {
  if (typeof value !== 'string') return '';
  return value.length <= limit ? value : value.slice(0, limit).toWellFormed() + ELLIPSIS;
}

/** What closes a value that the API server quotes (text, object, list, number in Go's words) before what is wrong with it. */
const CLOSINGS = ['": ', '}: ', ']: ', '): '];

/**
 * The same of a text that quotes a value and says then what is wrong with it: the value's end goes, and the
 * last words stay. Nothing of a value is left behind the ellipsis.
 */
export function cutWithin(value: unknown, limit: number): string {
  const start = cutAtEnd(value, limit);
  if (typeof value !== 'string' || value.length <= limit) return start;
  const tail = value.slice(-LAST_WORDS);
  const closing = Math.max(...CLOSINGS.map((end) => tail.lastIndexOf(end)));
  return closing < 0 ? start : start + tail.slice(closing).toWellFormed();
}

/** The API server's last words are shorter. */
const LAST_WORDS = 600;

/** Index behind a text in double quotes that begins at `start`, as Go and JSON write it; -1: there is none. */
export function endOfQuoted(text: string, start: number): number {
  if (text[start] !== '"') return -1;
  for (let at = start + 1; at < text.length; at += 1) {
    if (text[at] === '\\') at += 1;
    else if (text[at] === '"') return at + 1;
  }
  return -1;
}

/** Longer resource and kind names there are not. */
const LONGEST_KIND = 320;

/**
 * What follows the head of the API server's sentences: `ConfigMap "web"`, `deployments.apps "web"` or
 * `configmaps`, and then `verb`, such as ` is forbidden: `. undefined: the text does not begin so.
 */
export function afterHead(text: string, verb: string): string | undefined {
  const space = text.slice(0, LONGEST_KIND).indexOf(' ');
  if (space <= 0) return undefined;
  const named = text[space + 1] === '"' ? endOfQuoted(text, space + 1) : space;
  return named >= 0 && text.startsWith(verb, named) ? text.slice(named + verb.length) : undefined;
}

/** The text without the `ending`s that it ends with. */
export function withoutEnding(text: string, ending: string): string {
  let end = text.length;
  while (end > 0 && text.startsWith(ending, end - ending.length)) end -= ending.length;
  return text.slice(0, end);
}
