/** One of the causes that a Status of the API server lists; `reason` is FieldValueInvalid, FieldManagerConflict … */
export interface ErrorCause {
  field?: string;
  reason?: string;
  message: string;
}

/**
 * Who refused, or could not tell, as the API server's words say at the place where it puts them: a webhook that
 * did not answer, that has side effects and so is not asked in a dry-run, or that denied; a policy; a quota; the
 * rights of whoever asked; another part of admission.
 */
export type Refuser =
  | 'WebhookFailed'
  | 'WebhookWithoutDryRun'
  | 'Webhook'
  | 'Policy'
  | 'Quota'
  | 'Rights'
  | 'Admission';

/** What an ApiError is about, as the API server tells it. `kind` is the kind or the plural resource name. */
export interface ErrorSubject {
  group: string;
  kind: string;
  name: string;
}

/**
 * An answer of the API server other than 2xx. `message` is the server's own; it never contains what was sent,
 * and for Secrets nothing that could quote a value (S5).
 */
export class ApiError extends Error {
  /** HTTP status; for an ERROR event of a watch the code in its Status. */
  readonly code: number;
  /** StatusReason: NotFound, Conflict, Invalid …; '' where none is told. */
  readonly reason: string;
  readonly causes: readonly ErrorCause[];
  readonly subject: ErrorSubject;
  readonly refuser?: Refuser;
  /** From the Retry-After header or the Status. */
  readonly retryAfterMs?: number;

  constructor(
    code: number,
    reason: string,
    message: string,
    more: {
      causes?: readonly ErrorCause[];
      subject?: ErrorSubject;
      refuser?: Refuser | undefined;
      retryAfterMs?: number | undefined;
    } = {},
  ) {
    super(message);
    this.name = 'ApiError';
    this.code = code;
    this.reason = reason;
    this.causes = more.causes ?? [];
    this.subject = more.subject ?? { group: '', kind: '', name: '' };
    if (more.refuser !== undefined) this.refuser = more.refuser;
    if (more.retryAfterMs !== undefined) this.retryAfterMs = more.retryAfterMs;
  }
}

/** No answer came: the name is unknown, the connection refused or reset, TLS failed, or time ran out. */
export class UnreachableError extends Error {
  /** A code of Node or undici (ECONNREFUSED, UND_ERR_SOCKET …), or Timeout, TooLarge, Credentials. */
  readonly code: string;

  constructor(code: string, message: string, cause?: unknown) {
    super(message, { cause });
    this.name = 'UnreachableError';
    this.code = code;
  }
}

/** A write was not sent because this process does not hold the Lease (D8). */
export class NotLeaderError extends Error {
  constructor() {
    super('This replica does not lead, so it writes nothing.');
    this.name = 'NotLeaderError';
  }
}

/** A webhook or a policy refused, with whatever code it chose: that says nothing of the object, nor of the server. */
export function isDenied(error: unknown): boolean {
  return error instanceof ApiError && (error.refuser === 'Webhook' || error.refuser === 'Policy');
}

function hasCode(error: unknown, code: number): error is ApiError {
  return error instanceof ApiError && error.code === code && !isDenied(error);
}

export function isNotFound(error: unknown): error is ApiError {
  return hasCode(error, 404);
}

/** 409 of any sort but AlreadyExists: a stale resourceVersion, a wrong uid, another field manager. */
export function isConflict(error: unknown): error is ApiError {
  return hasCode(error, 409) && error.reason !== 'AlreadyExists';
}

/** Server-side apply met fields that another manager owns; `causes` names managers and fields. */
export function isFieldConflict(error: unknown): error is ApiError {
  return isConflict(error) && error.causes.some((cause) => cause.reason === 'FieldManagerConflict');
}

export function isAlreadyExists(error: unknown): error is ApiError {
  return hasCode(error, 409) && error.reason === 'AlreadyExists';
}

export function isForbidden(error: unknown): error is ApiError {
  return hasCode(error, 403);
}

/** 403 because the namespace is being deleted, which no permission helps. */
export function isNamespaceTerminating(error: unknown): error is ApiError {
  return isForbidden(error) && error.causes.some((cause) => cause.reason === 'NamespaceTerminating');
}

export function isUnauthorized(error: unknown): error is ApiError {
  return hasCode(error, 401);
}

/** 410: a resourceVersion or continue token that the server no longer has. */
export function isGone(error: unknown): error is ApiError {
  return hasCode(error, 410);
}

/** The object itself is wrong, and sending it again cannot help. */
export function isInvalid(error: unknown): error is ApiError {
  return error instanceof ApiError && [400, 413, 415, 422].includes(error.code);
}

/** The answer is more than is taken at once: a list is asked for in smaller pages. */
export function isTooLarge(error: unknown): boolean {
  return error instanceof UnreachableError && error.code === 'TooLarge';
}

/** The API server, or something before it, cannot answer now: no answer, 429 or 5xx. Time helps. */
export function isUnreachable(error: unknown): boolean {
  if (error instanceof UnreachableError) return true;
  if (!(error instanceof ApiError) || isDenied(error)) return false;
  return error.code === 429 || error.code >= 500;
}

/** Time alone may help: unreachable, or credentials that have run out and will be rotated. */
export function isTransient(error: unknown): boolean {
  return isUnreachable(error) || isUnauthorized(error);
}
