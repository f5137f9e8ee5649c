import { isObject } from './exact.ts';

/** Has the whole Secret as a value where kubectl apply made it. */
const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration';

/** Whether an object is a Secret, whose values nobody is shown. */
function isSecret(object: unknown): boolean {
  return isObject(object) && object['kind'] === 'Secret' && object['apiVersion'] === 'v1';
}

/** The same object with `word` for each value of a Secret, and without what else has them. */
export function maskedSecret(object: unknown, word: (key: string) => string): unknown {
  if (!isObject(object) || !isSecret(object)) return object;
  const masked = { ...object };
  for (const field of ['data', 'stringData']) {
    const values = object[field];
    if (isObject(values))
      masked[field] = Object.fromEntries(Object.keys(values).map((key) => [key, word(key)]));
  }
  const { metadata } = object;
  if (isObject(metadata) && isObject(metadata['annotations'])) {
    const { [LAST_APPLIED]: _, ...annotations } = metadata['annotations'];
    masked['metadata'] = { ...metadata, annotations };
  }
  return masked;
}

/** The same value with each of its texts, line by line, as `hide` has it; names of members stay. */
export function withTexts(value: unknown, hide: (line: string) => string): unknown {
  if (typeof value === 'string') return value.split('\n').map(hide).join('\n');
  if (Array.isArray(value)) return value.map((one) => withTexts(one, hide));
  if (!isObject(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, withTexts(one, hide)]));
}
