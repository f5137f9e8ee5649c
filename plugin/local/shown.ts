import { ANNOTATION_OWNER, LABEL_TARGET } from '../../operator/api/v1alpha1/names.ts';
import { isObject } from '../text/exact.ts';
import { maskedSecret, withTexts } from '../text/masked.ts';

/** What stands for a value of a Secret. */
const MASK = '(masked)';

/** An object as it stands in Git, without what Towpath adds to know it by, and without values of Secrets. */
export function shownOf(object: unknown, hide: (line: string) => string): unknown {
  if (!isObject(object) || !isObject(object['metadata'])) return object;
  const metadata = { ...object['metadata'] };
  for (const [field, ours] of [
    ['labels', LABEL_TARGET],
    ['annotations', ANNOTATION_OWNER],
  ] as const) {
    const members = metadata[field];
    if (!isObject(members)) continue;
    const { [ours]: _, ...rest } = members;
    if (Object.keys(rest).length === 0) delete metadata[field];
    else metadata[field] = rest;
  }
  return hidden(
    maskedSecret({ ...object, metadata }, () => MASK),
    hide,
  );
}

/** Of an object without values of Secrets, too; what it is called, its status tells as well. */
function hidden(object: unknown, hide: (line: string) => string): unknown {
  const whole = withTexts(object, hide);
  if (!isObject(object) || !isObject(whole) || !isObject(object['metadata'])) return whole;
  const { apiVersion, kind, metadata } = object;
  const { name, namespace } = metadata;
  const called = { name, ...(namespace === undefined ? {} : { namespace }) };
  return {
    ...whole,
    apiVersion,
    kind,
    metadata: { ...(isObject(whole['metadata']) ? whole['metadata'] : {}), ...called },
  };
}

/** Both sides of a difference without values of Secrets: where one changes, so does what stands for it. */
export function shownSides(
  { live, wanted }: { live?: Record<string, unknown>; wanted?: Record<string, unknown> },
  hide: (line: string) => string,
): { live?: unknown; wanted?: unknown } {
  if (live === undefined || wanted === undefined)
    return wanted === undefined ? {} : { wanted: shownOf(wanted, hide) };
  const isChanged = (key: string) => secretValue(live, key) !== secretValue(wanted, key);
  const word = (when: string) => (key: string) => (isChanged(key) ? `(masked, ${when})` : MASK);
  return {
    live: hidden(maskedSecret(live, word('as it is')), hide),
    wanted: hidden(maskedSecret(wanted, word('as it would be')), hide),
  };
}

function secretValue(object: Record<string, unknown>, key: string): unknown {
  const { data } = object;
  return isObject(data) ? data[key] : undefined;
}
