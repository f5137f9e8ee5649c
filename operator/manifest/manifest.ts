import type { ErrorObject } from '../api/errors.ts';

/** Identity of an object in a cluster, whatever its version. `namespace` is '' outside namespaces. */
export type ObjectId = ErrorObject;

/** Helm's hook events as chart authors write them, without the test hooks, which never run. */
export const HOOK_EVENTS = [
  'pre-install',
  'post-install',
  'pre-upgrade',
  'post-upgrade',
  'pre-rollback',
  'post-rollback',
  'pre-delete',
  'post-delete',
] as const;
export type HookEvent = (typeof HOOK_EVENTS)[number];

export const HOOK_DELETE_POLICIES = ['before-hook-creation', 'hook-succeeded', 'hook-failed'] as const;
export type HookDeletePolicy = (typeof HOOK_DELETE_POLICIES)[number];

export interface Hook {
  events: HookEvent[];
  weight: number;
  deletePolicies: HookDeletePolicy[];
}

/** One rendered object, as it is sent to the API server. */
export interface Manifest extends ObjectId {
  /** `apps/v1`, `v1` … */
  apiVersion: string;
  /** Canonical JSON: keys sorted, numbers as written. Never parsed and serialized again on its way to the server. */
  text: string;
  /** SHA-256 of `text`, hex. */
  digest: string;
  /** The object's own towpath.dev/* and helm.sh/* annotations. */
  annotations: Record<string, string>;
  /** The file (path in the chart or repository) it was rendered from, where known. */
  file?: string;
  /** Present on Helm hooks; these are no part of the inventory. */
  hook?: Hook;
}

/** `apps/Deployment`, `/Service`: a kind without its version. */
export type GroupKind = string;

export function groupKind(object: { group: string; kind: string }): GroupKind {
  return `${object.group}/${object.kind}`;
}

/** A string that identifies the object within a cluster; usable as a map key. */
export function objectKey(object: ObjectId): string {
  return `${object.group}/${object.kind}/${object.namespace}/${object.name}`;
}

/** `Deployment shop/web`, as messages name an object. */
export function describeObject(object: ObjectId): string {
  return object.namespace === ''
    ? `${object.kind} ${object.name}`
    : `${object.kind} ${object.namespace}/${object.name}`;
}

/** The identity alone, for what leaves the process: a Manifest's text must not (S5). */
export function idOf(object: ObjectId): ObjectId {
  return { group: object.group, kind: object.kind, namespace: object.namespace, name: object.name };
}
