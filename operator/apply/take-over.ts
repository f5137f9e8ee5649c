import type { KubeObject } from '../kube/client.ts';
import type { PlannedApply } from '../manifest/applied.ts';
import { canonicalJson, isRecord, type Json, parseExact, pointerSteps } from '../manifest/exact-json.ts';
import { isController } from '../manifest/field-managers.ts';
import {
  commonFields,
  type FieldSet,
  fieldsAt,
  foreignItems,
  leftItems,
  mergeFields,
  namedIn,
  withKeys,
  withoutFields,
} from '../manifest/field-set.ts';
import type { Manifest } from '../manifest/manifest.ts';
import { type Entry, fieldsOf, isOwn, type ManagedFields, withFieldsMoved } from './adopt.ts';

/**
 * The managedFields with all fields made ours alone that Git names, or named until now, and that somebody set by
 * hand or with another tool: else one that Git takes out would stay for the other's sake (D16). So does a list item
 * of ours in which somebody set a field. `former` is what was applied last, where somebody may have taken fields of
 * it from us since. What controllers decide stays theirs, and what is ignored everybody's. Undefined where nobody
 * shares a field of ours.
 */
export function withSharedFields(
  current: KubeObject,
  planned: PlannedApply,
  targetId: string,
  former: Manifest | undefined,
) {
  const own = ownFields(current, targetId);
  const document = withKeys(parseExact(planned.manifest.text), own);
  const before = former === undefined ? undefined : withKeys(parseExact(former.text), own);
  return moved(current, targetId, (entry) => {
    if (isController(entry.manager ?? 'unknown', entry.subresource)) return undefined;
    const fields = fieldsOf(entry);
    const shared: FieldSet = {};
    mergeFields(shared, namedIn(document, fields) ?? {});
    mergeFields(shared, namedIn(before, fields) ?? {});
    mergeFields(shared, commonFields(fields, own) ?? {});
    mergeFields(shared, leftItems(document, fields, own) ?? {});
    const left: FieldSet = {};
    for (const path of planned.ignore)
      mergeFields(left, fieldsAt(shared, pointerSteps(path), document) ?? {});
    return nonEmpty(withoutFields(shared, left));
  });
}

/**
 * The managedFields with all made ours that others have inside list items which Git's lists do not have: the next
 * apply takes these items away, whoever made them. Undefined where there are none.
 */
export function withForeignItems(current: KubeObject, planned: PlannedApply, targetId: string) {
  const own = ownFields(current, targetId);
  const document = withKeys(parseExact(planned.manifest.text), own);
  return moved(current, targetId, (entry) => foreignOf(entry, own, document));
}

/**
 * A manifest's text as a merge patch (RFC 7386), which replaces each list as a whole, with null for lists that Git
 * does not name and whose items `withForeignItems` takes.
 */
export function asMergePatch(text: string, current: KubeObject, targetId: string): string {
  const document = parseExact(text);
  const own = ownFields(current, targetId);
  const whole = withKeys(document, own);
  const taken: FieldSet = {};
  for (const entry of current.metadata.managedFields ?? [])
    mergeFields(taken, foreignOf(entry, own, whole) ?? {});
  return canonicalJson(withNulls(document, taken));
}

function withNulls(document: Json, taken: FieldSet): Json {
  if (!isRecord(document)) return document;
  const patch = { ...document };
  for (const [key, below] of Object.entries(taken)) {
    const name = key.slice(2);
    const child = patch[name];
    if (child !== undefined) patch[name] = withNulls(child, below);
    else if (Object.keys(below).some((inside) => !inside.startsWith('f:'))) patch[name] = null;
    else patch[name] = withNulls({}, below);
  }
  return patch;
}

/** A status is nobody's business here: it has no list of Git's. */
function foreignOf(entry: Entry, own: FieldSet, document: Json): FieldSet | undefined {
  return entry.subresource === 'status' ? undefined : foreignItems(document, fieldsOf(entry), own);
}

function ownFields({ metadata }: KubeObject, targetId: string): FieldSet {
  return fieldsOf(metadata.managedFields?.find((entry) => isOwn(entry, targetId)));
}

function moved(
  { metadata }: KubeObject,
  targetId: string,
  taken: (entry: Entry) => FieldSet | undefined,
): ManagedFields | undefined {
  return withFieldsMoved(metadata.managedFields ?? [], targetId, taken);
}

function nonEmpty(fields: FieldSet | undefined): FieldSet | undefined {
  return fields === undefined || Object.keys(fields).length === 0 ? undefined : fields;
}
