/** One of the causes that a Status of the API server lists; `reason` is FieldValueInvalid, FieldManagerConflict … */
export interface ErrorCause {
  field?: string;
  reason?: string;
  message: string;
}

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
  /** From the Retry-After header or the Status. */
  readonly retryAfterMs?: number;

  constructor(
    code: number,
    reason: string,
    message: string,
    more: { causes?: readonly ErrorCause[]; subject?: ErrorSubject; retryAfterMs?: number | undefined } = {},
  ) {
    super(message);
    this.name = 'ApiError';
    this.code = code;
    this.reason = reason;
    this.causes = more.causes ?? [];
    this.subject = more.subject ?? { group: '', kind: '', name: '' };
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

function hasCode(error: unknown, code: number): error is ApiError {
  return error instanceof ApiError && error.code === code;
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

/** The API server, or something before it, cannot answer now: no answer, 429 or 5xx. Time helps. */
export function isUnreachable(error: unknown): boolean {
  if (error instanceof UnreachableError) return true;
  if (!(error instanceof ApiError)) return false;
  return error.code === 429 || error.code >= 500;
}

/** Time alone may help: unreachable, or credentials that have run out and will be rotated. */
export function isTransient(error: unknown): boolean {
  return isUnreachable(error) || isUnauthorized(error);
}

interface StatusBody {
  kind?: unknown;
  code?: number;
  reason?: string;
  message?: string;
  details?: {
    name?: string;
    group?: string;
    kind?: string;
    causes?: { field?: string; reason?: string; message?: string }[];
    retryAfterSeconds?: number;
  };
}

/** What to know of an answer beside its text. `plural` decides whether values must be kept out. */
export interface AnswerContext {
  plural: string;
  retryAfterMs?: number | undefined;
}

/** Turns an answer that is no success into an ApiError. A text that is no Status (a proxy's page) is cut short. */
export function errorFromAnswer(code: number, text: string, context: AnswerContext): ApiError {
  let status: StatusBody | undefined;
  try {
    const parsed: unknown = JSON.parse(text);
    if (typeof parsed === 'object' && parsed !== null) status = parsed;
  } catch {
    // Not JSON: told below as it is.
  }
  if (status?.kind === 'Status') return errorFromStatus(status, code, context);
  const told = context.plural === 'secrets' ? '' : text.trim().slice(0, 200);
  const message = `The API server answered ${code}${told === '' ? '' : `: ${told}`}`;
  return new ApiError(code, '', message, { retryAfterMs: context.retryAfterMs });
}

/** A Status object (an answer's body, or the object of an ERROR event) as an ApiError. */
export function errorFromStatus(status: StatusBody, code: number, context: AnswerContext): ApiError {
  const details = status.details ?? {};
  const seconds = details.retryAfterSeconds;
  const { message = '' } = status;
  const isMisfit = (status.code ?? code) === 500 && status.reason === undefined && MISFIT.test(message);
  const told = (details.causes ?? []).map((cause) => ({
    ...(cause.field === undefined ? {} : { field: cause.field }),
    ...(cause.reason === undefined ? {} : { reason: cause.reason }),
    message: cause.message ?? '',
  }));
  const error = new ApiError(
    isMisfit ? 422 : (status.code ?? code),
    isMisfit ? 'Invalid' : (status.reason ?? ''),
    message,
    {
      causes: isMisfit ? misfitsIn(message) : told,
      subject: { group: details.group ?? '', kind: details.kind ?? '', name: details.name ?? '' },
      retryAfterMs: context.retryAfterMs ?? (seconds === undefined ? undefined : seconds * 1000),
    },
  );
  return context.plural === 'secrets' ? withoutValues(error) : error;
}

/**
 * Server-side apply answers an object that does not fit its schema with a bare 500 (seen on 1.37):
 * `failed to create typed patch object (/web; apps/v1, Kind=Deployment): .spec.x: field not declared in schema`.
 * It is told as the 422 that it is, or it would be tried again for ever.
 */
const MISFIT = /^failed to (create typed|convert new) |^strconv\./;

/** Each `.path: what is wrong` of such a message; several stand in lines of their own. */
function misfitsIn(message: string): ErrorCause[] {
  return [...message.matchAll(/(?:^|: |\n)\s*(\.[^\s:]+): (.+)/g)].map(([, field = '', text = '']) => ({
    field,
    message: text,
  }));
}

/** The server quotes wrong values in 400, 422 and 500 (seen on 1.37); of a Secret only fields and reasons pass. */
function withoutValues(error: ApiError): ApiError {
  if (![400, 422, 500].includes(error.code)) return error;
  const causes = error.causes.map((cause) => ({
    ...cause,
    message: cause.reason ?? knownMisfit(cause.message),
  }));
  const fields = causes.map((cause) => [cause.field, cause.message].filter((part) => part).join(': '));
  const base64 = /illegal base64 data at input byte \d+/.exec(error.message)?.[0];
  const told = [base64, ADMISSION.exec(error.message)?.[0], ...fields]
    .filter((part) => part !== undefined)
    .join(', ');
  const message = `The Secret is refused (${error.reason || error.code})${told && `: ${told}`}; values are not shown.`;
  const { code, reason, subject, retryAfterMs } = error;
  return new ApiError(code, reason, message, { causes, subject, retryAfterMs });
}

/** Who refused, without what they said: that may quote values. */
const ADMISSION =
  /failed calling webhook "[^"]*"|admission webhook "[^"]*" (?:denied the request|does not support dry run)|ValidatingAdmissionPolicy '[^']*' with binding '[^']*' denied request/;

function knownMisfit(message: string): string {
  return /^(expected \w+|field not declared in schema)/.exec(message)?.[0] ?? 'invalid';
}
