import { TowpathError } from '../../../api/errors.ts';
import { membersOf } from '../../../api/foreign-object.ts';
import type { Application } from '../../../api/v1alpha1/application.ts';

const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration';
const TOLD = 3;
/** Deeper ones are not looked for: the annotation may hold anything. */
const MAX_DEPTH = 64;

/**
 * `null` in `spec.helm.values` removes a default of the chart, but client-side `kubectl apply` takes it out of
 * what it sends; only its annotation still has it. Warns of each place, where there are any.
 */
export function droppedNulls({ metadata, spec }: Application): TowpathError[] {
  const applied = metadata.annotations[LAST_APPLIED];
  if (applied === undefined || !applied.includes('null')) return [];
  const wanted = parsed(applied)?.spec?.helm?.values;
  const found = nullsWithout(wanted, spec.helm?.values, 'spec.helm.values');
  if (found.length === 0) return [];
  const more = found.length > TOLD ? ` and ${found.length - TOLD} more` : '';
  const text = `kubectl apply left out the null of ${found.slice(0, TOLD).join(', ')}${more}, so that the chart's default stays. Use kubectl apply --server-side, or put it into a values file.`;
  return [new TowpathError('Person', 'ValuesNullDropped', text)];
}

function parsed(text: string): { spec?: { helm?: { values?: unknown } } } | undefined {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The places that are null in `wanted` and absent in `stored`. */
function nullsWithout(wanted: unknown, stored: unknown, path: string, depth = 0): string[] {
  if (depth > MAX_DEPTH) return [];
  if (typeof wanted !== 'object' || wanted === null || Array.isArray(wanted)) return [];
  const there = membersOf(stored);
  return Object.entries(wanted).flatMap(([key, value]) => {
    const found = Object.hasOwn(there, key) ? there[key] : undefined;
    if (value !== null) return nullsWithout(value, found, `${path}.${key}`, depth + 1);
    return found === undefined ? [`${path}.${key}`] : [];
  });
}
