import type { KubeObject } from './objects.ts';

export type FieldValidation = 'Strict' | 'Warn' | 'Ignore';

export interface WriteOptions {
  fieldManager?: string;
  dryRun?: boolean;
  fieldValidation?: FieldValidation;
}

export interface ApplyOptions extends WriteOptions {
  fieldManager: string;
  /** Take fields over that other managers own. */
  force: boolean;
}

export interface DeleteOptions {
  /** Preconditions: a 409 tells that the object is another one, or changed. */
  uid?: string;
  resourceVersion?: string;
  propagationPolicy?: 'Background' | 'Foreground' | 'Orphan';
  dryRun?: boolean;
}

export interface ListOptions {
  labelSelector?: string;
  fieldSelector?: string;
  /** Ask for PartialObjectMetadata: metadata with managedFields, nothing else. */
  metadataOnly?: boolean;
  /** Objects a page; default 500. 0 asks for all at once. */
  limit?: number;
}

export interface ListPage {
  items: KubeObject[];
  resourceVersion: string;
  /** '' on the last page. */
  continue: string;
}

export interface WatchOptions extends ListOptions {
  resourceVersion: string;
  /** After which the server ends the watch. */
  timeoutSeconds: number;
  /** Rejects with UnreachableError (code Silent) when not a byte came for this long. */
  silenceMs: number;
}

export interface ServerVersion {
  gitVersion: string;
  major: string;
  minor: string;
}
