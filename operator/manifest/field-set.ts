import { isRecord, type Json } from './exact-json.ts';

/**
 * A set of fields as managedFields has it (FieldsV1 of meta/v1): `f:<name>` a member, `k:<json>` the list item
 * with these key fields, `v:<json>` the list item of this value, `.` the thing itself. `{}` is a whole value.
 */
export type FieldSet = { [key: string]: FieldSet };

/** Adds the fields of another set. */
export function mergeFields(into: FieldSet, from: FieldSet): void {
  for (const [key, children] of Object.entries(from)) {
    const existing = into[key];
    if (existing === undefined) into[key] = structuredClone(children);
    else mergeFields(existing, children);
  }
}

/**
 * The part of a set at and below a path; undefined where the set has nothing there. `steps` are those of a
 * JSON pointer into `document`, whose lists tell which item an index means.
 */
export function fieldsAt(
  fields: FieldSet,
  steps: readonly string[],
  document: Json | undefined,
): FieldSet | undefined {
  const [step, ...rest] = steps;
  if (step === undefined) return structuredClone(fields);
  const { key, below, child } = stepInto(fields, step, document);
  if (key === undefined || below === undefined) return undefined;
  const found = fieldsAt(below, rest, child);
  return found === undefined ? undefined : { [key]: found };
}

/** One step of a JSON pointer, in a set and in the document beside it. */
function stepInto(fields: FieldSet, step: string, document: Json | undefined) {
  let key: string | undefined = `f:${step}`;
  let child: Json | undefined;
  if (Array.isArray(document)) {
    child = /^\d+$/.test(step) ? document[Number(step)] : undefined;
    key = child === undefined ? undefined : itemKey(fields, child);
  } else if (isRecord(document)) child = document[step];
  return { key, below: key === undefined ? undefined : fields[key], child };
}

/**
 * Whether a path leads into a value that the set knows only as a whole: an atomic list or map. `steps` are those
 * of a JSON pointer into `document`.
 */
export function isInsideAtomic(
  fields: FieldSet,
  steps: readonly string[],
  document: Json | undefined,
): boolean {
  const [step, ...rest] = steps;
  if (step === undefined || rest.length === 0) return false;
  const { below, child } = stepInto(fields, step, document);
  if (below === undefined) return false;
  return Object.keys(below).length === 0 || isInsideAtomic(below, rest, child);
}

function itemKey(fields: FieldSet, item: Json): string | undefined {
  return Object.keys(fields).find((key) => isItem(key, item));
}

/** Key fields that the item leaves out have their defaults; one at least must be there. */
function isItem(key: string, item: Json): boolean {
  if (key.startsWith('v:')) return key.slice(2) === JSON.stringify(item);
  if (!key.startsWith('k:') || !isRecord(item)) return false;
  const keyFields = Object.entries(JSON.parse(key.slice(2)) as { [name: string]: Json });
  const given = keyFields.filter(([name]) => item[name] !== undefined);
  return (
    given.length > 0 && given.every(([name, value]) => JSON.stringify(item[name]) === JSON.stringify(value))
  );
}

/**
 * The part of a set that a document says nothing of: members that it leaves out. List items are all or nothing:
 * of one that the document does not have, nothing is left. Undefined where it names all.
 */
export function unnamedIn(document: Json | undefined, fields: FieldSet): FieldSet | undefined {
  const unnamed: FieldSet = {};
  for (const [key, below] of Object.entries(fields)) {
    if (key === '.') continue;
    const isMember = key.startsWith('f:');
    let child: Json | undefined;
    if (isMember) child = isRecord(document) ? document[key.slice(2)] : undefined;
    else if (Array.isArray(document)) child = document.find((item) => isItem(key, item));
    if (child === undefined && !isMember) continue;
    const left = child === undefined ? structuredClone(below) : unnamedIn(child, below);
    if (left !== undefined) unnamed[key] = left;
  }
  return Object.keys(unnamed).length === 0 ? undefined : unnamed;
}

/** Whether a document says something of a field of the set: a member that both have, or a list item. */
export function namesAnyOf(document: Json | undefined, fields: FieldSet): boolean {
  const below = Object.entries(fields).filter(([key]) => key !== '.');
  if (document === undefined) return false;
  // An empty set is a whole value; one with `.` alone is a list or map that its owner made, not what is in it.
  if (below.length === 0) return !('.' in fields);
  return below.some(([key, inside]) => {
    if (!key.startsWith('f:'))
      return (
        Array.isArray(document) &&
        namesAnyOf(
          document.find((item) => isItem(key, item)),
          inside,
        )
      );
    const name = key.slice(2);
    return isRecord(document) && Object.hasOwn(document, name) && namesAnyOf(document[name], inside);
  });
}

/** What a live object has at the fields of a set, as an apply of exactly these fields sends it. */
export function valuesAt(fields: FieldSet, live: Json): Json {
  const keys = Object.keys(fields).filter((key) => key !== '.');
  if (keys.length === 0) return live;
  if (Array.isArray(live)) {
    return keys.flatMap((key) => {
      const item = live.find((candidate) => isItem(key, candidate));
      if (item === undefined) return [];
      const values = valuesAt(fields[key] ?? {}, item);
      if (!key.startsWith('k:') || !isRecord(values)) return [values];
      return [{ ...(JSON.parse(key.slice(2)) as { [name: string]: Json }), ...values }];
    });
  }
  if (!isRecord(live)) return live;
  const values: { [key: string]: Json } = {};
  for (const key of keys) {
    const value = live[key.slice(2)];
    if (value !== undefined) values[key.slice(2)] = valuesAt(fields[key] ?? {}, value);
  }
  return values;
}
