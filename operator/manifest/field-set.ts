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

/**
 * The keys of a set to where the steps of a JSON pointer lead in `document`, also beyond what the set has; undefined
 * where it does not tell which item an index means.
 */
export function keysTo(
  fields: FieldSet,
  steps: readonly string[],
  document: Json | undefined,
): string[] | undefined {
  let at: { fields: FieldSet; document: Json | undefined } = { fields, document };
  const keys: string[] = [];
  for (const step of steps) {
    const { key, below = {}, child } = stepInto(at.fields, step, at.document);
    if (key === undefined) return undefined;
    keys.push(key);
    at = { fields: below, document: child };
  }
  return keys;
}

/** The part of a set at and below these keys; undefined where the set has nothing there. */
export function partAt(fields: FieldSet, [key, ...more]: readonly string[]): FieldSet | undefined {
  if (key === undefined) return structuredClone(fields);
  const below = fields[key];
  const part = below === undefined ? undefined : partAt(below, more);
  return part === undefined ? undefined : { [key]: part };
}

/** What a document has at a key of a set: a member, or the list item of these key fields. */
export function memberAt(document: Json | undefined, key: string): Json | undefined {
  return childrenOf(document)(key);
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
  return Object.keys(fields).find((key) => itemOf(key)(item));
}

/** Defaults of key fields: of the built-in kinds' keyed lists only the ports of Services and containers have one. */
const KEY_DEFAULTS: Readonly<Record<string, Json>> = { protocol: 'TCP' };

/** Tells the list item of such a key. Key fields that it leaves out have their defaults; one at least must be there. */
function itemOf(key: string): (item: Json) => boolean {
  if (key.startsWith('v:')) {
    const text = key.slice(2);
    return (item) => text === JSON.stringify(item);
  }
  if (!key.startsWith('k:')) return () => false;
  const keyFields = Object.entries(JSON.parse(key.slice(2)) as { [name: string]: Json });
  return (item) => {
    if (!isRecord(item)) return false;
    let given = 0;
    for (const [name, value] of keyFields) {
      const own = item[name];
      if (own === undefined) {
        if (value !== (KEY_DEFAULTS[name] ?? value)) return false;
        continue;
      }
      if (!isSame(own, value)) return false;
      given += 1;
    }
    return given > 0;
  };
}

function isSame(one: Json, other: Json): boolean {
  if (one === other) return true;
  return typeof other !== 'string' && JSON.stringify(one) === JSON.stringify(other);
}

/**
 * The document with the key fields that its list items leave out, as far as `own`, the set of who applied it, tells
 * what their defaults are: a CustomResourceDefinition's can be any.
 */
export function withKeys(document: Json, own: FieldSet): Json {
  if (isLeaf(own)) return document;
  if (Array.isArray(document)) return withItemKeys(document, own);
  if (!isRecord(document)) return document;
  const whole = { ...document };
  for (const [key, below] of Object.entries(own)) {
    const child = key.startsWith('f:') ? memberAt(document, key) : undefined;
    if (child !== undefined) whole[key.slice(2)] = withKeys(child, below);
  }
  return whole;
}

function withItemKeys(list: readonly Json[], own: FieldSet): Json[] {
  const keys = Object.keys(own).filter((key) => key.startsWith('k:'));
  const at = itemsOf(list);
  const byItem = Map.groupBy(keys, at);
  return list.map((item) => {
    const found = byItem.get(item) ?? [];
    const [key] = found;
    // More than one: what is left out cannot be told.
    if (key === undefined || found.length > 1 || !isRecord(item)) return item;
    const fields = JSON.parse(key.slice(2)) as { [name: string]: Json };
    return withKeys({ ...fields, ...item }, own[key] ?? {});
  });
}

/**
 * The part of a set that a document says nothing of: members that it leaves out. List items are all or nothing:
 * of one that the document does not have, nothing is left. Undefined where it names all.
 */
export function unnamedIn(document: Json | undefined, fields: FieldSet): FieldSet | undefined {
  const at = childrenOf(document);
  return collected(fields, (key, below) => {
    if (key === '.') return undefined;
    const child = at(key);
    if (child !== undefined) return unnamedIn(child, below);
    return key.startsWith('f:') ? structuredClone(below) : undefined;
  });
}

/** Whether a document says something of a field of the set: a member that both have, or a list item. */
export function namesAnyOf(document: Json | undefined, fields: FieldSet): boolean {
  const below = Object.entries(fields).filter(([key]) => key !== '.');
  if (document === undefined) return false;
  // An empty set is a whole value; one with `.` alone is a list or map that its owner made, not what is in it.
  if (below.length === 0) return !('.' in fields);
  const at = childrenOf(document);
  return below.some(([key, inside]) => namesAnyOf(at(key), inside));
}

/** The leaves that both sets have. Undefined where there is none. */
export function commonFields(one: FieldSet, other: FieldSet): FieldSet | undefined {
  if (isLeaf(one)) return isLeaf(other) ? {} : undefined;
  return collected(one, (key, below) => {
    const beside = other[key];
    return beside === undefined ? undefined : commonFields(below, beside);
  });
}

/** The set without the leaves that `taken` has, too. Undefined where nothing is left. */
export function withoutFields(fields: FieldSet, taken: FieldSet): FieldSet | undefined {
  if (isLeaf(fields)) return isLeaf(taken) ? undefined : {};
  return collected(fields, (key, below) => {
    const beside = taken[key];
    return beside === undefined ? structuredClone(below) : withoutFields(below, beside);
  });
}

/** The part of a set that a document has a value for. Undefined where it names nothing of it. */
export function namedIn(document: Json | undefined, fields: FieldSet): FieldSet | undefined {
  if (document === undefined || document === null) return undefined;
  if (isLeaf(fields)) return {};
  const at = childrenOf(document);
  return collected(fields, (key, below) => namedIn(key === '.' ? document : at(key), below));
}

/** What of a set is inside list items that `owned` has and the document no longer. Undefined where there is none. */
export function leftItems(
  document: Json | undefined,
  fields: FieldSet,
  owned: FieldSet,
): FieldSet | undefined {
  return insideItems(document, fields, owned, (_list, owns) => owns !== undefined);
}

/**
 * The same, together with all that is inside items which a list of the document does not have; but not of the
 * metadata, where finalizers and owners are.
 */
export function foreignItems(
  document: Json | undefined,
  fields: FieldSet,
  owned: FieldSet,
): FieldSet | undefined {
  const { 'f:metadata': _, ...content } = fields;
  return insideItems(document, content, owned, (list, owns) => owns !== undefined || Array.isArray(list));
}

function insideItems(
  document: Json | undefined,
  fields: FieldSet,
  owned: FieldSet | undefined,
  /** Asked about an item that the list does not have; `owns`: what of it is owned. */
  goes: (list: Json | undefined, owns: FieldSet | undefined) => boolean,
): FieldSet | undefined {
  const at = childrenOf(document);
  return collected(fields, (key, below) => {
    if (key === '.') return undefined;
    const child = at(key);
    const beside = owned?.[key];
    if (!key.startsWith('f:') && child === undefined && goes(document, beside)) return structuredClone(below);
    return insideItems(child, below, beside, goes);
  });
}

/** The leaves of a set as people write them: `spec.containers[web].image`. */
export function pathsOf(fields: FieldSet, at = ''): string[] {
  if (isLeaf(fields)) return [at];
  return Object.entries(fields).flatMap(([key, below]) => {
    if (key === '.') return [];
    if (key.startsWith('f:')) return pathsOf(below, at === '' ? key.slice(2) : `${at}.${key.slice(2)}`);
    const values = key.startsWith('k:') ? Object.values(JSON.parse(key.slice(2)) as object) : [key.slice(2)];
    return pathsOf(below, `${at}[${values.join(' ')}]`);
  });
}

function collected(
  fields: FieldSet,
  pick: (key: string, below: FieldSet) => FieldSet | undefined,
): FieldSet | undefined {
  const picked: FieldSet = {};
  for (const [key, below] of Object.entries(fields)) {
    const found = pick(key, below);
    if (found !== undefined) picked[key] = found;
  }
  return Object.keys(picked).length === 0 ? undefined : picked;
}

function isLeaf(fields: FieldSet): boolean {
  return Object.keys(fields).length === 0;
}

/** Tells what a document has at a key of a set: a member, or the list item of these key fields. */
function childrenOf(document: Json | undefined): (key: string) => Json | undefined {
  if (Array.isArray(document)) return itemsOf(document);
  if (!isRecord(document)) return () => undefined;
  return (key) => {
    const name = key.slice(2);
    return key.startsWith('f:') && Object.hasOwn(document, name) ? document[name] : undefined;
  };
}

/** The same of a list. Lists of thousands meet sets of thousands, so each item is found by what it has. */
function itemsOf(list: readonly Json[]): (key: string) => Json | undefined {
  const byPart = new Map<string, Json[]>();
  const add = (part: string, item: Json) => {
    const items = byPart.get(part);
    if (items === undefined) byPart.set(part, [item]);
    else items.push(item);
  };
  for (const item of list) {
    if (!isRecord(item)) add(`v:${JSON.stringify(item)}`, item);
    else for (const name of Object.keys(item)) if (!isNested(item[name])) add(partOf(name, item[name]), item);
  }
  return (key) => {
    if (key.startsWith('v:')) return byPart.get(key)?.[0];
    if (!key.startsWith('k:')) return undefined;
    const isIt = itemOf(key);
    for (const [name, value] of Object.entries(JSON.parse(key.slice(2)) as { [name: string]: Json })) {
      const item = byPart.get(partOf(name, value))?.find(isIt);
      if (item !== undefined) return item;
    }
    return undefined;
  };
}

function isNested(value: Json | undefined): boolean {
  return isRecord(value) || Array.isArray(value);
}

function partOf(name: string, value: Json | undefined): string {
  return `${name} ${JSON.stringify(value)}`;
}

/** What a live object has at the fields of a set, as an apply of exactly these fields sends it. */
export function valuesAt(fields: FieldSet, live: Json): Json {
  const keys = Object.keys(fields).filter((key) => key !== '.');
  if (keys.length === 0) return live;
  if (Array.isArray(live)) {
    const at = itemsOf(live);
    return keys.flatMap((key) => {
      const item = at(key);
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
