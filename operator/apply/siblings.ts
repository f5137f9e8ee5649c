import type { ApiError } from '../kube/errors.ts';
import type { KubeObject } from '../kube/objects.ts';
import { isRecord, type Json, parseExact, pointerSteps } from '../manifest/exact-json.ts';
import { type FieldSet, keysTo, memberAt, mergeFields, partAt } from '../manifest/field-set.ts';
import { fieldsOf, isOwn, type ManagedFields, withFieldsMoved } from './adopt.ts';

/** One refusal names few fields, and each has few beside it. */
const MOST = 20;

/**
 * JSON pointers into a manifest at which the live object has something that Git does not name, where a refusal
 * points: of several members that exclude each other (`emptyDir` and `configMap`, `value` and `valueFrom`, `Recreate`
 * and `rollingUpdate`) Git names one, and somebody, or a default that nobody owns, another.
 */
export function excluding({ causes }: ApiError, text: string, live: KubeObject): string[] {
  const desired = parseExact(text);
  const found = causes.flatMap(({ field = '' }) => beside(stepsOf(field), desired, live as unknown as Json));
  return [...new Set(found)].slice(0, MOST);
}

/**
 * The managedFields with what stands at the pointers made ours alone, whoever has it, or nobody: an apply that does
 * not name it takes it away then.
 */
export function withExcluded(
  live: KubeObject,
  text: string,
  pointers: readonly string[],
  targetId: string,
): ManagedFields {
  const document = parseExact(text);
  const entries = live.metadata.managedFields ?? [];
  const own = fieldsOf(entries.find((entry) => isOwn(entry, targetId)));
  const ways = pointers
    .map((each) => keysTo(own, pointerSteps(each), document))
    .filter((way) => way !== undefined);
  const moved = withFieldsMoved(entries, targetId, (entry) => {
    const taken: FieldSet = {};
    for (const way of ways) mergeFields(taken, partAt(fieldsOf(entry), way) ?? {});
    return Object.keys(taken).length === 0 ? undefined : taken;
  });
  return (moved ?? entries).map((entry) => {
    if (!isOwn(entry, targetId)) return entry;
    const fields = structuredClone(fieldsOf(entry));
    for (const way of ways) mergeFields(fields, whole(way, live as unknown as Json));
    return { ...entry, fieldsV1: fields };
  });
}

/** A way with all that the live object has at its end. */
function whole(way: readonly string[], live: Json): FieldSet {
  const end = way.reduce<Json | undefined>((at, key) => memberAt(at, key), live);
  return way.reduceRight<FieldSet>((inside, key) => ({ [key]: inside }), leavesOf(end));
}

function leavesOf(value: Json | undefined): FieldSet {
  if (!isRecord(value)) return {};
  const inside = Object.entries(value).map(([name, child]) => [`f:${name}`, leavesOf(child)] as const);
  return inside.length === 0 ? {} : { '.': {}, ...Object.fromEntries(inside) };
}

type Pair = readonly [desired: Json | undefined, live: Json | undefined];

function beside(steps: readonly string[] | undefined, desired: Json, live: Json): string[] {
  if (steps === undefined || steps.length === 0) return [];
  const way: Pair[] = [[desired, live]];
  for (const step of steps) way.push(below(way.at(-1) ?? [undefined, undefined], step));
  const at = way.at(-1);
  const around = way.at(-2);
  if (at === undefined || around === undefined) return [];
  const isLiveAlone = at[0] === undefined && at[1] !== undefined && isRecord(around[0]);
  if (isLiveAlone) return [pointer(steps)];
  const inside = unnamed(at).map((name) => pointer([...steps, name]));
  // Of a whole object nothing is taken but what its refusal names.
  if (inside.length > 0 || steps.length < 2) return inside;
  return unnamed(around).map((name) => pointer([...steps.slice(0, -1), name]));
}

/** `spec.template.spec.volumes[0].configMap`; undefined for the key of a map, which stands in brackets, too. */
function stepsOf(field: string): string[] | undefined {
  const steps = field.replaceAll('[', '.[').split('.');
  const isPath = steps.every((step) => /^(?:\w{1,100}|\[\d{1,6}\])$/.test(step));
  return isPath ? steps.map((step) => step.replaceAll(/[[\]]/g, '')) : undefined;
}

/** Items are counted as they are sent; in the live list the one of the same name may stand elsewhere. */
function below([desired, live]: Pair, step: string): Pair {
  if (Array.isArray(desired)) {
    const item = desired[Number(step)];
    const items = Array.isArray(live) ? live : [];
    const name = isRecord(item) ? item['name'] : undefined;
    const same = items.find((each) => name !== undefined && isRecord(each) && each['name'] === name);
    return [item, name === undefined ? items[Number(step)] : same];
  }
  const member = (of: Json | undefined) => (isRecord(of) && Object.hasOwn(of, step) ? of[step] : undefined);
  return [member(desired), member(live)];
}

function unnamed([desired, live]: Pair): string[] {
  if (!isRecord(desired) || !isRecord(live)) return [];
  return Object.keys(live).filter((name) => !Object.hasOwn(desired, name));
}

function pointer(steps: readonly string[]): string {
  return steps.map((step) => `/${step.replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
}
