import { TowpathError } from '../api/errors.ts';
import { ApiError, isUnreachable } from '../kube/errors.ts';
import { describeObject, type ObjectId } from '../manifest/manifest.ts';

/**
 * What an answer of the API server says of a candidate:
 *
 * - `Principle`: no API server would take it (validation): the candidate is quarantined,
 * - `State`: this cluster, as it is now, does not take it: this target is blocked, and tried again,
 * - `Undecided`: the dry-run could not tell (a webhook without dry-run, or down): decided at the apply.
 */
export type Verdict = 'Principle' | 'State' | 'Undecided';

export interface Refusal {
  verdict: Verdict;
  error: TowpathError;
}

/** Refused while an Application's object was sent (or asked) as a ServiceAccount. */
export function classify(error: unknown, doing: string, object: ObjectId): Refusal {
  if (error instanceof TowpathError) {
    return {
      verdict:
        error.reason === 'ManifestInvalid' || error.reason === 'ImmutableField' ? 'Principle' : 'State',
      error,
    };
  }
  const what = `${doing} ${describeObject(object)}`;
  const state = (remedy: 'Person' | 'Resource' | 'Time', reason: string, next: string): Refusal => ({
    verdict: 'State',
    error: new TowpathError(
      remedy,
      reason,
      `${what}: ${messageOf(error)}${sentenceEnd(messageOf(error))} ${next}`.trim(),
      {
        cause: error,
        details: [{ object: idOf(object), message: messageOf(error) }],
      },
    ),
  });
  if (!(error instanceof ApiError)) {
    return isUnreachable(error)
      ? state('Time', 'ClusterUnreachable', 'It is tried again as soon as the API server answers.')
      : state('Time', 'ApplyFailed', 'It is tried again.');
  }
  if (isUnreachable(error) && !isWebhookFailure(error)) {
    return state('Time', 'ClusterUnreachable', 'It is tried again as soon as the API server answers.');
  }
  if (isWebhookFailure(error)) {
    const refusal = state('Time', 'WebhookUnavailable', 'It is tried again.');
    return { ...refusal, verdict: 'Undecided' };
  }
  if (
    error.code === 422 &&
    /field is immutable|may not change|updates to .* are forbidden|is immutable/i.test(error.message)
  ) {
    return principle(
      error,
      what,
      object,
      'ImmutableField',
      `Rename the object, or annotate it with towpath.dev/replace: "true" to have it deleted and created anew.`,
    );
  }
  if (error.code === 400 || error.code === 422 || error.code === 413) {
    return principle(error, what, object, 'ManifestInvalid', 'Correct it in Git.');
  }
  if (error.code === 403 && /exceeded quota/.test(error.message)) {
    return state('Time', 'QuotaExceeded', 'Free or raise the quota; it is tried again.');
  }
  if (error.code === 403 && /admission webhook|is being terminated/.test(error.message)) {
    return state('Time', 'AdmissionDenied', 'It is tried again.');
  }
  if (error.code === 403)
    return state('Person', 'Forbidden', 'Grant the ServiceAccount this right; it is tried again.');
  if (error.code === 404)
    return state(
      'Resource',
      isNamespaceMissing(error) ? 'NamespaceMissing' : 'KindMissing',
      'It is tried again.',
    );
  if (error.code === 409) return state('Time', 'Conflict', 'It is tried again.');
  return state('Time', 'ApplyFailed', 'It is tried again.');
}

function principle(error: ApiError, what: string, object: ObjectId, reason: string, next: string): Refusal {
  return {
    verdict: 'Principle',
    error: new TowpathError(
      'Person',
      reason,
      `${what}: ${error.message}${sentenceEnd(error.message)} ${next}`,
      {
        cause: error,
        details: [{ object: idOf(object), message: error.message }],
      },
    ),
  };
}

/** The namespace of an object that was to be created is not there. */
export function isNamespaceMissing(error: unknown): boolean {
  return error instanceof ApiError && error.code === 404 && /namespaces? ".*" not found/.test(error.message);
}

function isWebhookFailure(error: ApiError): boolean {
  return /failed calling webhook|does not support dry run/.test(error.message);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function sentenceEnd(text: string): string {
  return /[.!?]$/.test(text) ? '' : '.';
}

function idOf(object: ObjectId): ObjectId {
  return { group: object.group, kind: object.kind, namespace: object.namespace, name: object.name };
}
