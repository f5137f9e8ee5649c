import type { KubeObject } from '../kube/client.ts';
import { type FieldSet, mergeFields } from '../manifest/field-set.ts';
import { fieldManager, ignoredFieldManager } from '../manifest/live.ts';

type Entry = NonNullable<KubeObject['metadata']['managedFields']>[number];

/**
 * Tools whose fields become ours on adoption, so that a field removed from the chart later really goes (D13).
 * Controllers that share the object (autoscalers, injectors of CA bundles) keep theirs.
 */
const TOOLS =
  /^(kubectl|helm|Helm|before-first-apply|Go-http-client|argocd|kustomize-controller|helm-controller|flux|terraform|Terraform|pulumi|kapp|node-fetch|unknown|towpath-)/;

/**
 * The managedFields of an object with all entries of deployment tools merged into one of ours, which owns
 * the union of their fields; undefined where no tool has an entry.
 */
export function mergedManagedFields(entries: readonly Entry[], targetId: string): Entry[] | undefined {
  const isTool = (entry: Entry) =>
    (entry.subresource ?? '') === '' &&
    entry.manager !== ignoredFieldManager(targetId) &&
    TOOLS.test(entry.manager ?? 'unknown');
  const tools = entries.filter(isTool);
  if (tools.length === 0) return undefined;
  const union: FieldSet = {};
  for (const entry of tools) mergeFields(union, (entry.fieldsV1 ?? {}) as FieldSet);
  const first = tools[0];
  return [
    {
      manager: fieldManager(targetId),
      operation: 'Apply',
      fieldsType: 'FieldsV1',
      fieldsV1: union,
      ...(first?.apiVersion === undefined ? {} : { apiVersion: first.apiVersion }),
      ...(first?.time === undefined ? {} : { time: first.time }),
    },
    ...entries.filter((entry) => !isTool(entry)),
  ];
}
