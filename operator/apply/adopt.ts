import type { KubeObject } from '../kube/client.ts';
import { isDeploymentTool } from '../manifest/field-managers.ts';
import { type FieldSet, mergeFields, withoutFields } from '../manifest/field-set.ts';
import { fieldManager, ignoredFieldManager } from '../manifest/live.ts';

export type ManagedFields = NonNullable<KubeObject['metadata']['managedFields']>;
export type Entry = ManagedFields[number];

/**
 * The managedFields of an object with all entries of deployment tools merged into one of ours, so that a field
 * removed from the chart later really goes (D13); undefined where no tool has an entry. Controllers that share the
 * object (autoscalers, injectors of CA bundles) keep theirs.
 */
export function mergedManagedFields(entries: readonly Entry[], targetId: string): Entry[] | undefined {
  return withFieldsMoved(entries, targetId, (entry) =>
    (entry.subresource ?? '') === '' && isDeploymentTool(entry.manager ?? 'unknown')
      ? fieldsOf(entry)
      : undefined,
  );
}

/**
 * The managedFields with what `taken` says of each entry of others moved into ours; undefined where that is
 * nothing. What the target's second manager holds for others stays there.
 */
export function withFieldsMoved(
  entries: readonly Entry[],
  targetId: string,
  taken: (entry: Entry) => FieldSet | undefined,
): Entry[] | undefined {
  const own = entries.find((entry) => isOwn(entry, targetId));
  const union: FieldSet = {};
  let from: Entry | undefined;
  const others = entries.flatMap((entry) => {
    if (entry === own) return [];
    const moved = entry.manager === ignoredFieldManager(targetId) ? undefined : taken(entry);
    if (moved === undefined) return [entry];
    from ??= entry;
    mergeFields(union, moved);
    const left = withoutFields(fieldsOf(entry), moved);
    return left === undefined ? [] : [{ ...entry, fieldsV1: left }];
  });
  if (from === undefined) return undefined;
  if (own !== undefined) mergeFields(union, fieldsOf(own));
  const { apiVersion, time } = own ?? from;
  return [
    {
      manager: fieldManager(targetId),
      operation: 'Apply',
      fieldsType: 'FieldsV1',
      fieldsV1: union,
      ...(apiVersion === undefined ? {} : { apiVersion }),
      ...(time === undefined ? {} : { time }),
    },
    ...others,
  ];
}

export function isOwn(entry: Entry, targetId: string): boolean {
  return (
    entry.manager === fieldManager(targetId) &&
    entry.operation === 'Apply' &&
    (entry.subresource ?? '') === ''
  );
}

export function fieldsOf(entry: Entry | undefined): FieldSet {
  return (entry?.fieldsV1 ?? {}) as FieldSet;
}
