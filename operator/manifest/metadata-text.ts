import { endOfString, endOfValue } from '../api/json-text.ts';

/** Ends the name under which an object is tried as a creation, next to the one that exists. */
export const TRIAL_SUFFIX = '-towpath-dry-run';

/**
 * Puts members first into the `metadata` object of a manifest's JSON text without parsing it, so that the
 * rest reaches the API server byte for byte. Throws where the text has no top-level `metadata` object.
 */
export function withMetadata(text: string, members: Record<string, string>): string {
  const start = metadataStart(text);
  const inserted = Object.entries(members)
    .map(([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value)}`)
    .join(',');
  if (inserted === '') return text;
  const empty = /^\s*\}/.test(text.slice(start, start + 64));
  return `${text.slice(0, start)}${inserted}${empty ? '' : ','}${text.slice(start)}`;
}

/** Gives the object another name: for a dry-run as a creation, next to the object that exists. */
export function withName(text: string, name: string): string {
  // The last of two equal members counts for every JSON parser in use, the API server's included, but strict
  // validation refuses duplicates: so the member itself is replaced.
  const start = metadataStart(text);
  let position = start;
  while (position < text.length) {
    const keyEnd = endOfString(text, position) + 1;
    const key: unknown = JSON.parse(text.slice(position, keyEnd));
    const valueStart = skip(text, keyEnd, ':');
    const valueEnd = endOfValue(text, valueStart);
    if (key === 'name') return text.slice(0, valueStart) + JSON.stringify(name) + text.slice(valueEnd);
    if (text[valueEnd] !== ',') break;
    position = skip(text, valueEnd, ',');
  }
  throw new Error('the manifest has no metadata.name');
}

/** Index just behind the `{` of the top-level member `metadata`. */
function metadataStart(text: string): number {
  let position = skip(text, 0, '{');
  while (text[position] === '"') {
    const keyEnd = endOfString(text, position) + 1;
    const key = text.slice(position, keyEnd);
    const valueStart = skip(text, keyEnd, ':');
    if (key === '"metadata"' && text[valueStart] === '{') return skip(text, valueStart, '{');
    const valueEnd = endOfValue(text, valueStart);
    if (text[valueEnd] !== ',') break;
    position = skip(text, valueEnd, ',');
  }
  throw new Error('the manifest has no metadata');
}

/** Index of the first character behind `token` that is no white space. */
function skip(text: string, from: number, token: string): number {
  let position = from;
  while (/\s/.test(text[position] ?? '')) position += 1;
  if (text[position] !== token) throw new Error(`the manifest is not a JSON object at ${position}`);
  position += 1;
  while (/\s/.test(text[position] ?? '')) position += 1;
  return position;
}
