import { membersOf } from '../api/foreign-object.ts';
import { afterHead, cutAtEnd, cutWithin, endOfQuoted } from '../api/foreign-text.ts';
import { ApiError, type ErrorCause, type Refuser } from './errors.ts';

/** A Status as it came: whoever answers decides on every member. */
interface StatusBody {
  kind?: unknown;
  code?: unknown;
  reason?: unknown;
  message?: unknown;
  details?: unknown;
}

/** What to know of an answer beside its text. `plural` decides whether values must be kept out. */
export interface AnswerContext {
  plural: string;
  retryAfterMs?: number | undefined;
}

/** Characters of an answer that is no Status, of a Status' message, and of each cause and how many causes. */
const PAGE = 200;
const MESSAGE = 4_096;
const CAUSE = 1_024;
const CAUSES = 50;
/** Of names, reasons and paths of fields. */
const WORD = 512;

/** Turns an answer that is no success into an ApiError. A text that is no Status (a proxy's page) is cut short. */
export function errorFromAnswer(code: number, text: string, context: AnswerContext): ApiError {
  const status = statusIn(text);
  if (status !== undefined) return errorFromStatus(status, code, context);
  const why =
    context.plural === 'secrets'
      ? ''
      : text
          .slice(0, 2 * PAGE)
          .trim()
          .slice(0, PAGE);
  const message = `The API server answered ${code}${why === '' ? '' : `: ${why}`}`;
  return new ApiError(code, '', message, { retryAfterMs: context.retryAfterMs });
}

function statusIn(text: string): StatusBody | undefined {
  // The API server writes the kind first: a page of something else is not parsed, however it is nested.
  if (!text.slice(0, PAGE).includes('"Status"')) return undefined;
  try {
    const parsed = membersOf(JSON.parse(text));
    return parsed.kind === 'Status' ? parsed : undefined;
  } catch {
    return undefined; // not JSON
  }
}

/** A Status object (an answer's body, or the object of an ERROR event) as an ApiError. */
export function errorFromStatus(status: StatusBody, httpCode: number, context: AnswerContext): ApiError {
  const details = membersOf(status.details);
  const seconds = details.retryAfterSeconds;
  const code = typeof status.code === 'number' ? status.code : httpCode;
  const reason = cutAtEnd(status.reason, WORD);
  const message = cutWithin(status.message, MESSAGE);
  const isMisfit = code === 500 && reason === '' && MISFIT.some((begin) => message.startsWith(begin));
  const error = new ApiError(isMisfit ? 422 : code, isMisfit ? 'Invalid' : reason, message, {
    causes: isMisfit ? misfitsIn(message) : causesIn(details.causes),
    subject: {
      group: cutAtEnd(details.group, WORD),
      kind: cutAtEnd(details.kind, WORD),
      name: cutAtEnd(details.name, WORD),
    },
    refuser: refuserIn(code, message),
    retryAfterMs: context.retryAfterMs ?? (typeof seconds === 'number' ? seconds * 1000 : undefined),
  });
  return context.plural === 'secrets' ? withoutValues(error) : error;
}

function causesIn(causes: unknown): ErrorCause[] {
  if (!Array.isArray(causes)) return [];
  return causes.slice(0, CAUSES).map((cause: unknown) => {
    const { field, reason, message } = membersOf(cause);
    return {
      ...(field === undefined ? {} : { field: cutAtEnd(field, WORD) }),
      ...(reason === undefined ? {} : { reason: cutAtEnd(reason, WORD) }),
      message: cutWithin(message, CAUSE),
    };
  });
}

/**
 * Server-side apply answers an object that does not fit its schema with a bare 500 (seen on 1.37):
 * `failed to create typed patch object (/web; apps/v1, Kind=Deployment): .spec.x: field not declared in schema`.
 * It is told as the 422 that it is, or it would be tried again for ever.
 */
const MISFIT = ['failed to create typed ', 'failed to convert new ', 'strconv.'];

/** Each `.path: what is wrong` of such a message; several stand in lines of their own. */
function misfitsIn(message: string): ErrorCause[] {
  const causes: ErrorCause[] = [];
  const [head = '', ...lines] = message.split('\n');
  for (const line of [head.slice(head.indexOf(': .') + 2), ...lines.slice(0, CAUSES)]) {
    const text = line.trim();
    const end = text.indexOf(': ');
    if (text.startsWith('.') && end > 0 && !text.slice(0, end).includes(' '))
      causes.push({ field: text.slice(0, end), message: text.slice(end + 2) });
  }
  return causes;
}

const FAILED = 'Internal error occurred: failed calling webhook ';
const ASKED = 'admission webhook ';
const DENIED = ' denied the request';
const FORBIDDEN = ' is forbidden: ';
const POLICY = "ValidatingAdmissionPolicy '";

/** Only the beginning counts: whatever follows may quote what a tenant wrote. */
function refuserIn(code: number, message: string): Refuser | undefined {
  if (message.startsWith(`${FAILED}"`)) return 'WebhookFailed';
  if (message.startsWith(`${ASKED}"`)) {
    const after = message.slice(endOfQuoted(message, ASKED.length));
    if (after.startsWith(DENIED)) return 'Webhook';
    return after === ' does not support dry run' ? 'WebhookWithoutDryRun' : undefined;
  }
  const why = afterHead(message, FORBIDDEN);
  if (why === undefined) return undefined;
  if (why.startsWith(POLICY)) return 'Policy';
  if (code !== 403) return undefined;
  if (why.startsWith('exceeded quota: ') || why.startsWith('failed quota: ')) return 'Quota';
  return why.startsWith('User ') || why.startsWith('user ') ? 'Rights' : 'Admission';
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
  const parts = [base64, namesOf(error), ...fields].filter((part) => part !== undefined).join(', ');
  const message = `The Secret is refused (${error.reason || error.code})${parts && `: ${parts}`}; values are not shown.`;
  const { code, reason, subject, refuser, retryAfterMs } = error;
  return new ApiError(code, reason, message, { causes, subject, refuser, retryAfterMs });
}

/** Who refused, without what they said: that may quote values. */
function namesOf({ refuser, message }: ApiError): string | undefined {
  switch (refuser) {
    case 'WebhookFailed':
      return message.slice(FAILED.lastIndexOf('failed'), endOfQuoted(message, FAILED.length));
    case 'Webhook':
      return message.slice(0, endOfQuoted(message, ASKED.length)) + DENIED;
    case 'WebhookWithoutDryRun':
      return message;
    case 'Policy': {
      const why = afterHead(message, FORBIDDEN) ?? '';
      const denied = ' denied request';
      const end = why.indexOf(denied);
      return end < 0 ? undefined : why.slice(0, end + denied.length);
    }
    default:
      return undefined;
  }
}

function knownMisfit(message: string): string {
  return /^(expected \w{1,20}|field not declared in schema)/.exec(message)?.[0] ?? 'invalid';
}
