import { type ApiError, UnreachableError } from './errors.ts';
import { describePath, isKubeObject, type KubeObject, type ObjectPath } from './objects.ts';
import { errorFromAnswer } from './refusal.ts';
import type { WireAnswer } from './transport.ts';

/** The error that an answer other than 2xx stands for. */
export function errorOf(answer: WireAnswer, plural: string): ApiError {
  const seconds = Number(answer.headers['retry-after']);
  const retryAfterMs = Number.isFinite(seconds) && seconds >= 0 ? seconds * 1000 : undefined;
  return errorFromAnswer(answer.status, answer.text, { plural, retryAfterMs });
}

/** An answer that is not JSON comes from something in between that is broken: time helps. */
export function parsed<T>(answer: WireAnswer, path: ObjectPath): T {
  try {
    return JSON.parse(answer.text);
  } catch {
    throw malformed(path);
  }
}

export function malformed(path: ObjectPath): UnreachableError {
  return new UnreachableError('Malformed', `The answer for ${describePath(path)} is not JSON.`);
}

/** The object that an answer consists of. */
export function objectIn(answer: WireAnswer, path: ObjectPath): KubeObject {
  const object: unknown = parsed(answer, path);
  if (!isKubeObject(object)) {
    throw new UnreachableError('Malformed', `The answer for ${describePath(path)} is no object.`);
  }
  return object;
}
