import type { IncomingHttpHeaders } from 'node:http';
import type { Delivery } from './providers.ts';

const FORM = 'application/x-www-form-urlencoded';
const FIELD = 'payload=';

/** Whether a body of that type may hold JSON: as such, as a form's field, or of a sender that names no better type. */
export function isReadable(headers: IncomingHttpHeaders): boolean {
  const type = typeOf(headers);
  return ['', 'application/json', FORM, 'text/plain'].includes(type) || type.endsWith('+json');
}

/**
 * JSON, or JSON in the field `payload` of a form, as GitHub and Gitea send it where they are told to. curl calls
 * everything a form. Undefined where it is neither.
 */
export function payloadOf({ headers, body }: Delivery): unknown {
  const text = body.toString('utf8');
  try {
    return JSON.parse(typeOf(headers) === FORM ? (fieldOf(text) ?? text) : text);
  } catch {
    return undefined;
  }
}

/** The field alone is read, not what may be a million others. */
function fieldOf(form: string): string | undefined {
  const before = form.startsWith(FIELD) ? 0 : form.indexOf(`&${FIELD}`) + 1;
  if (!form.startsWith(FIELD, before)) return undefined;
  const [value = ''] = form.slice(before + FIELD.length).split('&', 1);
  return decodeURIComponent(value.replaceAll('+', ' '));
}

function typeOf(headers: IncomingHttpHeaders): string {
  return (headers['content-type'] ?? '').slice(0, 200).split(';', 1)[0]?.trim().toLowerCase() ?? '';
}
