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
} from '../kube/errors.ts';
import { describeObject, idOf, type ObjectId } from '../manifest/manifest.ts';
import { TRIAL_SUFFIX } from '../manifest/metadata-text.ts';

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

/** The first row that fits tells. */
const MEANINGS: readonly [(error: ApiError, object: ObjectId) => boolean, Meaning][] = [
  [isWebhookFailure, meaning('Undecided', 'Time', 'WebhookUnavailable', AGAIN)],
  [
    isTransient,
    meaning('State', 'Time', 'ClusterUnreachable', 'It is tried again as soon as the API server answers.'),
  ],
  [
    isDeniedByPolicy,
    meaning(
      'State',
      'Person',
      'AdmissionDenied',
      'Correct it in Git, or ask who owns the policy; it is tried again.',
    ),
  ],
  [
    (error, object) => isImmutable(error) && object.kind === 'CustomResourceDefinition',
    meaning(
      'Principle',
      'Person',
      'ImmutableField',
      'Put the old value back: made anew, it would take all objects of its kind with it.',
    ),
  ],
  [
    isImmutable,
    meaning(
      'Principle',
      'Person',
      'ImmutableField',
      'Put the old value back, or annotate it towpath.dev/replace: "true" in Git to have it created anew.',
    ),
  ],
  [isInvalid, meaning('Principle', 'Person', 'ManifestInvalid', 'Correct it in Git.')],
  [
    isNamespaceTerminating,
    meaning('State', 'Resource', 'NamespaceTerminating', 'It is tried again when the namespace is gone.'),
  ],
  [
    (error) => error.code === 403 && /exceeded quota|failed quota/.test(error.message),
    meaning('State', 'Resource', 'QuotaExceeded', 'Raise the quota or ask for less; it is tried again.'),
  ],
  // Admission plugins (PodSecurity, LimitRanger, Priority …) answer 403 too, in words of their own.
  [
    (error) => error.code === 403 && / is forbidden: (?!user )/i.test(error.message),
    meaning(
      'State',
      'Person',
      'AdmissionDenied',
      'Correct it in Git, or ask who owns the policy; it is tried again.',
    ),
  ],
  [
    (error) => error.code === 403,
    meaning('State', 'Resource', 'Forbidden', 'Grant the ServiceAccount this right; it is tried again.'),
  ],
  [
    isNamespaceMissing,
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
  const words = error instanceof Error ? error.message : String(error);
  const told = inOrder(words.replaceAll(TRIAL_SUFFIX, ''));
  const short = withoutRepetition(told);
  const begin = `${doing} ${describeObject(object)}: `;
  const cause = /[.!?]$/.test(short) ? short : `${short}.`;
  const message = fitBetween(begin, cause, ` ${next}`, LEAST_BYTES);
  // Each by itself, and as much of it as a status has room for.
  const details = [{ object: idOf(object), message: fitBetween('', cause, ` ${next}`, LEAST_BYTES) }];
  return { verdict, error: new TowpathError(remedy, reason, message, { cause: error, details, next }) };
}

/** What a condition's message has for the API server's own words at least. */
const LEAST_BYTES = 60;
/** More of the API server's words is not looked at: the expressions below take their time. */
const LONGEST = 16_384;

/**
 * The API server's words on one line, without the object, which the sentence names already, without whole objects
 * that it was given, without regular expressions and Go's marks of a value: what is left must fit into a condition together with the
 * next step.
 */
function withoutRepetition(told: string): string {
  return withoutEchoes(told)
    .slice(0, LONGEST)
    .replace(/^\S+ "[^"]*" is invalid: /, '')
    .replace(/^failed to create typed patch object \([^)]*\): /, '')
    .replace(/^\S+ "[^"]*" is forbidden: (?!user )/i, '')
    .replace(/ with binding '[^']*'/, '')
    .replace(/^errors:/, '')
    .replace(/^\S+ in version "[^"]*" cannot be handled as a \S+: strict decoding error: /, '')
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
    .join('; ')
    .replaceAll(/&(?:value\.valueUnstructured)?\{(?:Value:)?(.*?)\}/g, '$1')
    .replaceAll(/ \((?:e\.g\. .*?, )?regex used for validation is '.*?'\)/g, '');
}

/** Wrong types come in the order of a map in Go, another at each try: one and the same refusal is told as one. */
function inOrder(told: string): string {
  const list = 'errors:\n';
  const at = told.indexOf(list);
  if (at < 0) return told;
  const first = at + list.length;
  return (
    told.slice(0, first) +
    told
      .slice(first)
      .split(/\n(?= {2}\.)/)
      .sort()
      .join('\n')
  );
}

/** An object in the words of the API server, as JSON or as Go writes it, is followed by what is wrong with it. */
function withoutEchoes(told: string): string {
  const echo = /Invalid value: [\w.*[\]]{0,80}\{/g;
  let kept = '';
  let at = 0;
  for (let match = echo.exec(told); match !== null; match = echo.exec(told)) {
    const end = told.indexOf('}: ', echo.lastIndex);
    if (end < 0) break;
    kept += told.slice(at, match.index);
    at = end + '}: '.length;
    echo.lastIndex = at;
  }
  return kept + told.slice(at);
}

function meaningOf(error: unknown, object: ObjectId): Meaning {
  if (!(error instanceof ApiError)) return isTransient(error) ? UNREACHABLE : UNKNOWN;
  return MEANINGS.find(([fits]) => fits(error, object))?.[1] ?? UNKNOWN;
}

/** The namespace of an object that was to be created is not there. */
export function isNamespaceMissing(error: unknown): boolean {
  return error instanceof ApiError && error.code === 404 && /namespaces? ".*" not found/.test(error.message);
}

const IMMUTABLE =
  /field is immutable|is immutable after|value is immutable|may not change|cannot change|updates? to .* (?:is|are) forbidden|\bis immutable\b/i;

/**
 * A field differs that cannot change in a live object. The API server has no code for it but its words; of a
 * Secret those are not told (S5), but there only these two fields can be refused so.
 */
export function isImmutable(error: unknown): error is ApiError {
  if (!(error instanceof ApiError) || error.code !== 422) return false;
  if (error.subject.kind === 'Secret' || error.subject.kind === 'secrets') {
    return error.causes.some(
      ({ field, reason }) =>
        field === 'type' || (['data', 'immutable'].includes(field ?? '') && reason === 'FieldValueForbidden'),
    );
  }
  return IMMUTABLE.test(error.message);
}

/** A webhook that is down, or that has side effects and so is not asked in a dry-run. */
function isWebhookFailure(error: ApiError): boolean {
  return /failed calling webhook|does not support dry run/.test(error.message);
}

/** Whatever status code the policy or the webhook chose: it is this cluster's opinion, and may change. */
function isDeniedByPolicy(error: ApiError): boolean {
  return /admission webhook "[^"]*" denied|ValidatingAdmissionPolicy '[^']*' with binding '[^']*' denied/.test(
    error.message,
  );
}
