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

/** Names of members that every reader of Kubernetes knows: they tell nothing, and hold what is shown together. */
const FIELDS: ReadonlySet<string> = new Set([
  'apiVersion',
  'kind',
  'metadata',
  'name',
  'namespace',
  'labels',
  'annotations',
  'data',
  'binaryData',
  'stringData',
  'spec',
]);

/** The same value with each of its texts, numbers and names of members, line by line, as `hide` has it. */
export function withTexts(value: unknown, hide: (line: string) => string): unknown {
  if (typeof value === 'string') return hiddenText(value, hide);
  if (typeof value === 'number' || typeof value === 'bigint') {
    const text = String(value);
    const hidden = hide(text);
    return hidden === text ? value : hidden;
  }
  if (Array.isArray(value)) return value.map((one) => withTexts(one, hide));
  if (!isObject(value)) return value;
  const members = new Map<string, unknown>();
  const alike = new Map<string, number>();
  for (const [key, one] of Object.entries(value)) {
    const hidden = FIELDS.has(key) ? key : hiddenText(key, hide);
    let name = hidden;
    // Of two that look alike none goes.
    while (members.has(name) || (name !== key && Object.hasOwn(value, name))) {
      const number = (alike.get(hidden) ?? 1) + 1;
      alike.set(hidden, number);
      name = `${hidden} ${number}`;
    }
    members.set(name, withTexts(one, hide));
  }
  return Object.fromEntries(members);
}

function hiddenText(text: string, hide: (line: string) => string): string {
  return text.split('\n').map(hide).join('\n');
}
