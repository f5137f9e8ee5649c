import { type Remedy, TowpathError } from '../api/errors.ts';
import { fitBetween } from '../api/v1alpha1/bound-status.ts';
import {
  ApiError,
  isConflict,
  isFieldConflict,
  isInvalid,
  isNamespaceTerminating,
  isTransient,
  NotLeaderError,
  type Refuser,
} from '../kube/errors.ts';
import { describeObject, idOf, type ObjectId } from '../manifest/manifest.ts';
import { isAlreadyAllocated, isDefaultTaken, isRangeFull } from './allocations.ts';
import { wordsOf } from './refusal-words.ts';
import { isImmutable, RefusedChange, ROOT } from './refused-change.ts';

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

/** What a kind of refusal means: the verdict, the reason (documented in api/), what helps, and the next step. */
interface Meaning {
  verdict: Verdict;
  remedy: Remedy;
  reason: string;
  next: string;
}

const meaning = (verdict: Verdict, remedy: Remedy, reason: string, next: string): Meaning => ({
  verdict,
  remedy,
  reason,
  next,
});

const AGAIN = 'It is tried again.';

const refusedBy =
  (...refusers: readonly Refuser[]) =>
  ({ refuser }: ApiError): boolean =>
    refuser !== undefined && refusers.includes(refuser);

const IMMUTABLE_DEFINITION = meaning(
  'Principle',
  'Person',
  'ImmutableField',
  'Put the old value back: made anew, it would take all objects of its kind with it.',
);
const IMMUTABLE = meaning(
  'Principle',
  'Person',
  'ImmutableField',
  'Put the old value back, or annotate it towpath.dev/replace: "true" in Git to have it created anew.',
);

/** Git is right. */
const MADE_IMMUTABLE = meaning(
  'State',
  'Person',
  'ImmutableField',
  'Somebody made it so: delete it, or annotate it towpath.dev/replace: "true" in Git, to have it made anew as Git has it.',
);

/** The first row that fits tells. */
const MEANINGS: readonly [(error: ApiError, object: ObjectId) => boolean, Meaning][] = [
  [
    refusedBy('WebhookFailed', 'WebhookWithoutDryRun'),
    meaning('Undecided', 'Time', 'WebhookUnavailable', AGAIN),
  ],
  [
    isAlreadyAllocated,
    meaning(
      'State',
      'Resource',
      'AlreadyAllocated',
      'It is tried again every few seconds: have the Service that holds it give it up, or ask for another in Git.',
    ),
  ],
  [
    isRangeFull,
    meaning(
      'State',
      'Resource',
      'AlreadyAllocated',
      "It is tried again every few seconds: have Services give up what they do not need, or the API server's range made larger.",
    ),
  ],
  [
    isDefaultTaken,
    meaning(
      'State',
      'Resource',
      'AlreadyAllocated',
      'It is tried again every few seconds: take globalDefault off that one, or off this one in Git.',
    ),
  ],
  [
    isTransient,
    meaning('State', 'Time', 'ClusterUnreachable', 'It is tried again as soon as the API server answers.'),
  ],
  [
    // Whatever status code the policy or the webhook chose: it is this cluster's opinion, and may change.
    refusedBy('Webhook', 'Policy'),
    meaning(
      'State',
      'Person',
      'AdmissionDenied',
      'Correct it in Git, or ask who owns the policy; it is tried again.',
    ),
  ],
  [(error, object) => isImmutable(error) && object.kind === 'CustomResourceDefinition', IMMUTABLE_DEFINITION],
  [isImmutable, IMMUTABLE],
  [
    ({ code, causes }, object) =>
      code === 422 &&
      object.kind === 'CustomResourceDefinition' &&
      causes.some(({ field = '' }) => field.startsWith('status.storedVersions')),
    meaning(
      'State',
      'Person',
      'VersionStored',
      'Keep the version in Git with served: false until its objects are migrated and status.storedVersions is without it.',
    ),
  ],
  [isInvalid, meaning('Principle', 'Person', 'ManifestInvalid', 'Correct it in Git.')],
  [
    isNamespaceTerminating,
    meaning('State', 'Resource', 'NamespaceTerminating', 'It is tried again when the namespace is gone.'),
  ],
  [
    refusedBy('Quota'),
    meaning('State', 'Resource', 'QuotaExceeded', 'Raise the quota or ask for less; it is tried again.'),
  ],
  // Admission plugins (PodSecurity, LimitRanger, Priority …) answer 403 too, in words of their own.
  [
    refusedBy('Admission'),
    meaning(
      'State',
      'Person',
      'AdmissionDenied',
      'Make or allow in the cluster what it lacks, or change it in Git; it is tried again.',
    ),
  ],
  [
    (error) => error.code === 403,
    meaning('State', 'Resource', 'Forbidden', 'Grant the ServiceAccount this right; it is tried again.'),
  ],
  [
    (error, object) => isNamespaceMissing(error) && object.kind !== 'Namespace',
    meaning(
      'State',
      'Resource',
      'NamespaceMissing',
      'Make it, or add it to the manifests; it is tried again.',
    ),
  ],
  // The object itself went away between two requests.
  [
    (error, object) => error.code === 404 && error.subject.name === object.name,
    meaning('State', 'Time', 'Conflict', AGAIN),
  ],
  [
    (error) => error.code === 404,
    meaning(
      'State',
      'Resource',
      'KindMissing',
      'Install its CustomResourceDefinition, or correct apiVersion and kind; it is tried again.',
    ),
  ],
  [
    isFieldConflict,
    meaning(
      'State',
      'Person',
      'FieldManagerConflict',
      'Let one of the two set the field, or list it in spec.sync.ignore.',
    ),
  ],
  [isConflict, meaning('State', 'Time', 'Conflict', AGAIN)],
];

const UNKNOWN = meaning('State', 'Time', 'ApplyFailed', AGAIN);
const UNREACHABLE = meaning(
  'State',
  'Time',
  'ClusterUnreachable',
  'It is tried again as soon as the API server answers.',
);

/** Errors of ours that no cluster's state could heal. */
const PRINCIPLE_REASONS = new Set(['ManifestInvalid', 'ImmutableField']);

/** Whether an error of this reason is one that no further try could heal. */
export function isInPrinciple(reason: string): boolean {
  return PRINCIPLE_REASONS.has(reason);
}

/**
 * What a failure means that came while an Application's object was sent (or asked about) as a ServiceAccount.
 * `doing` begins the sentence: `apply`, `dry-run of`. Throws NotLeaderError on: that is nobody's refusal.
 */
export function classify(error: unknown, doing: string, object: ObjectId): Refusal {
  if (error instanceof NotLeaderError) throw error;
  if (error instanceof TowpathError)
    return { verdict: isInPrinciple(error.reason) ? 'Principle' : 'State', error };
  const { verdict, remedy, reason, next } = meaningOf(error, object);
  const { fields, short } = toldOf(error);
  // What differs comes first: it must not be what is cut off.
  const begin = `${doing} ${describeObject(object)}: ${fields}`;
  const cause = /[.!?]$/.test(short) ? short : `${short}.`;
  const message = fitBetween(begin, cause, ` ${next}`, LEAST_BYTES);
  // Each by itself, and as much of it as a status has room for.
  const details = [{ object: idOf(object), message: fitBetween(fields, cause, ` ${next}`, LEAST_BYTES) }];
  return { verdict, error: new TowpathError(remedy, reason, message, { cause: error, details, next }) };
}

/** What a condition's message has for the API server's own words at least. */
const LEAST_BYTES = 60;

/** The API server's words, and before them what differs, where it named no more than what that stands in. */
function toldOf(error: unknown): { fields: string; short: string } {
  if (!(error instanceof RefusedChange)) return { fields: '', short: wordsOf(error) };
  const short = wordsOf(error.answer);
  if (error.fields.length === 0) return { fields: '', short };
  const { field } = error.answer.causes[0] ?? {};
  const inside = field === ROOT ? '' : `${field}: `;
  return {
    fields: `${error.fields.join(', ')}: `,
    short: short.startsWith(inside) ? short.slice(inside.length) : short,
  };
}

function meaningOf(error: unknown, object: ObjectId): Meaning {
  if (error instanceof RefusedChange) {
    if (object.kind === 'CustomResourceDefinition') return IMMUTABLE_DEFINITION;
    return error.by === 'Git' ? IMMUTABLE : MADE_IMMUTABLE;
  }
  if (!(error instanceof ApiError)) return isTransient(error) ? UNREACHABLE : UNKNOWN;
  return MEANINGS.find(([fits]) => fits(error, object))?.[1] ?? UNKNOWN;
}

/** The namespace of an object that was to be created is not there. */
export function isNamespaceMissing(error: unknown): boolean {
  return error instanceof ApiError && error.code === 404 && error.subject.kind === 'namespaces';
}
