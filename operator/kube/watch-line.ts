import { membersOf } from '../api/foreign-object.ts';
import { UnreachableError } from './errors.ts';
import { isKubeObject, type KubeObject } from './objects.ts';
import { errorFromStatus } from './refusal.ts';

/** What a line of a watch tells: an object as it is, or was when it was deleted, or how far the watch has come. */
export interface WatchLine {
  type: 'BOOKMARK' | 'DELETED' | 'PRESENT';
  resourceVersion: string | undefined;
  object?: KubeObject;
}

/** @throws ApiError where the line is an error, UnreachableError where it is malformed */
export function readWatchLine(text: string, plural: string): WatchLine {
  const { type, object } = parse(text, plural);
  if (type === 'ERROR') throw errorFromStatus(object ?? {}, 500, { plural });
  if (type === 'BOOKMARK') return { type, resourceVersion: versionOf(object) };
  if (!isKubeObject(object)) throw malformed(plural, 'it has no object');
  const { resourceVersion } = object.metadata;
  return { type: type === 'DELETED' ? type : 'PRESENT', resourceVersion, object };
}

function parse(text: string, plural: string): { type?: string; object?: object } {
  try {
    return JSON.parse(text) ?? {};
  } catch {
    throw malformed(plural, 'it is not JSON');
  }
}

function malformed(plural: string, why: string): UnreachableError {
  return new UnreachableError('Malformed', `A line of the watch of ${plural} is malformed: ${why}.`);
}

function versionOf(object: object | undefined): string | undefined {
  const { resourceVersion } = membersOf(membersOf(object)['metadata']);
  return typeof resourceVersion === 'string' ? resourceVersion : undefined;
}
