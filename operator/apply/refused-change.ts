import { endOfQuoted } from '../api/foreign-text.ts';
import { ApiError, isDenied } from '../kube/errors.ts';
import type { KubeObject } from '../kube/objects.ts';
import { isRecord, type Json, parseExact } from '../manifest/exact-json.ts';
import { type FieldSet, pathsOf, unnamedIn } from '../manifest/field-set.ts';
import { fieldManager } from '../manifest/live.ts';
import { isAllocatedField } from './allocations.ts';

/**
 * A change that the API server refuses, while it would take the object as a new one: what is wrong is no value of
 * its own, but that it differs from what is there.
 */
export class RefusedChange extends Error {
  readonly answer: ApiError;
  /** Where the object differs below what was refused, as far as that is told apart: `spec.serviceName`. */
  readonly fields: readonly string[];
  /** Who made it differ: a commit, or somebody who changed the live object. */
  readonly by: 'Git' | 'Somebody';

  constructor(answer: ApiError, fields: readonly string[], by: 'Git' | 'Somebody' = 'Git') {
    super(answer.message, { cause: answer });
    this.name = 'RefusedChange';
    this.answer = answer;
    this.fields = fields;
    this.by = by;
  }
}

/** What comes before a value that the API server repeats. */
const VALUE = 'Invalid value: ';
/** How it says of a value that it cannot change: behind the value, at the very end. */
const UNCHANGEABLE_VALUE = [
  ': field is immutable',
  ': value is immutable',
  ': may not change in an update',
  ': may not change once set',
  ': cannot change roleRef',
];
/** The same of a field, whose value it does not quote. */
const UNCHANGEABLE_FIELD =
  /^Forbidden: (?:updates to |spec is immutable|pod updates may not change|may not be changed|may not change|field is immutable|[\w.]{1,100} is immutable)/;

/**
 * A field differs that cannot change in a live object, as far as words say so where the API server puts its own;
 * of a Secret those are not told (S5), but there only these two fields can be refused so.
 */
export function isImmutable(error: unknown): error is ApiError {
  if (!(error instanceof ApiError) || error.code !== 422 || isDenied(error)) return false;
  return error.causes.some(({ field = '', reason, message }) => {
    if (message === reason)
      return field === 'type' || (['data', 'immutable'].includes(field) && reason === 'FieldValueForbidden');
    if (reason === 'FieldValueForbidden') return UNCHANGEABLE_FIELD.test(message);
    return reason === 'FieldValueInvalid' && isUnchangeable(message);
  });
}

/** Behind a value in quotes nothing else may stand: words of another refusal may end with the value once more. */
function isUnchangeable(message: string): boolean {
  const end = message.startsWith(VALUE) ? endOfQuoted(message, VALUE.length) : -1;
  return UNCHANGEABLE_VALUE.some((words) =>
    end < 0 ? message.endsWith(words) : message.slice(end) === words,
  );
}

/** Whether a trial as a new object tells more of the refusal than its words. */
export function isForTrial(error: unknown): error is ApiError {
  if (!(error instanceof ApiError) || error.code !== 422 || isDenied(error)) return false;
  if (error.causes.length === 0) return false;
  return error.causes.every(
    ({ field = '', reason }) =>
      reason !== undefined && reason !== 'FieldValueDuplicate' && field !== '' && !isAllocatedField(field),
  );
}

/** What the API server calls the whole object. */
export const ROOT = '<nil>';

/** So many paths are told of one object. */
const MOST_PATHS = 3;
/** Deeper than any kind is. */
const DEEPEST = 20;

/**
 * Where what Git sets differs from the live object, below the refused fields: the API server often names no more
 * than `spec`, and what in it may change. What was applied for the target and is no longer in Git is among it, with
 * these words: the API server says `null` of it.
 */
export function changedFields(
  { causes }: ApiError,
  manifest: string,
  live: KubeObject,
  targetId: string,
): string[] {
  const found: string[] = [];
  const desired = parseExact(manifest);
  const takenOut = pathsOf(unnamedIn(desired, ownFields(live, targetId)) ?? {});
  for (const { field = '', message } of causes) {
    const root = field === ROOT ? '' : field;
    const below = differing(at(desired, root), at(live as unknown as Json, root), root, 0);
    found.push(...below.filter((path) => path !== field && !isSaidToChange(path, message)));
    const gone = takenOut.filter((path) => isWithin(path, root) && !isSaidToChange(path, message));
    found.push(...gone.map((path) => `${path} (taken out of Git)`));
  }
  return [...new Set(found)].slice(0, MOST_PATHS);
}

function ownFields({ metadata }: KubeObject, targetId: string): FieldSet {
  const own = metadata.managedFields?.find(
    ({ manager, operation }) => manager === fieldManager(targetId) && operation === 'Apply',
  );
  return (own?.fieldsV1 ?? {}) as FieldSet;
}

/** Whether a path is that of the field, in it, or leads to it. */
function isWithin(path: string, field: string): boolean {
  const starts = (long: string, short: string) =>
    long === short || long.startsWith(`${short}.`) || long.startsWith(`${short}[`);
  return field === '' || starts(path, field) || starts(field, path);
}

function at(value: Json | undefined, path: string): Json | undefined {
  if (path === '') return value;
  return path
    .split('.')
    .reduce<Json | undefined>((inner, name) => (isRecord(inner) ? inner[name] : undefined), value);
}

/** `fields other than 'replicas', …` and `` `spec.containers[*].image` `` name what may change. */
function isSaidToChange(path: string, message: string): boolean {
  const [, first = ''] = path.split('.');
  return message.includes(`'${first}'`) || message.includes(`\`${path.replaceAll(/\[\d{1,6}\]/g, '[*]')}\``);
}

function differing(desired: Json | undefined, live: Json | undefined, path: string, depth: number): string[] {
  if (desired === undefined || depth > DEEPEST) return [];
  if (isRecord(desired) && isRecord(live)) {
    return Object.entries(desired).flatMap(([name, value]) =>
      differing(value, live[name], path === '' ? name : `${path}.${name}`, depth + 1),
    );
  }
  if (Array.isArray(desired) && Array.isArray(live) && desired.length === live.length)
    return desired.flatMap((item, index) => differing(item, live[index], `${path}[${index}]`, depth + 1));
  return JSON.stringify(desired) === JSON.stringify(live) ? [] : [path];
}
