import { endOfString, endOfValue, skip } from '../api/json-text.ts';
import type { Slices } from '../observe/event-loop-slices.ts';
import type { KubeObject } from './objects.ts';

/** A list as an API server answers it. */
export interface ListBody {
  apiVersion?: string;
  kind?: string;
  metadata?: { resourceVersion?: string; continue?: string };
  items?: KubeObject[] | null;
}

/** A list of so many characters is parsed at once, in a few milliseconds. */
const SHORT = 1 << 18;

/** Parses a list; a long one object by object, so that others get their turn. @throws SyntaxError */
export async function parseList(text: string, slices: Slices): Promise<ListBody> {
  if (text.length <= SHORT) return JSON.parse(text);
  const array = startOfItems(text);
  if (array === undefined) return JSON.parse(text);
  const items: KubeObject[] = [];
  let at = skip(text, array + 1);
  while (at < text.length && text[at] !== ']') {
    const pause = slices.pause();
    if (pause !== undefined) await pause;
    const end = endOfValue(text, at);
    items.push(JSON.parse(text.slice(at, end)));
    at = skip(text, end, ',');
  }
  return { ...JSON.parse(`${text.slice(0, array)}[]${text.slice(at + 1)}`), items };
}

/** Where the array of the member `items` begins. */
function startOfItems(text: string): number | undefined {
  let at = skip(text, 0, '{');
  while (text[at] === '"') {
    const endOfKey = endOfString(text, at) + 1;
    const value = skip(text, endOfKey, ':');
    if (text.slice(at, endOfKey) === '"items"') return text[value] === '[' ? value : undefined;
    at = skip(text, endOfValue(text, value), ',');
  }
  return undefined;
}
