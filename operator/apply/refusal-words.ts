import { afterHead, cutWithin, endOfQuoted } from '../api/foreign-text.ts';
import { ApiError, type ErrorCause } from '../kube/errors.ts';
import { TRIAL_SUFFIX } from '../manifest/metadata-text.ts';
import { ROOT } from './refused-change.ts';

/** More is not told of an error of any kind. */
const LONGEST = 4_096;
const INVALID = ' is invalid: ';
const FORBIDDEN = ' is forbidden: ';

/**
 * The API server's words on one line, without the object, which the sentence names already, without whole objects
 * that it was given, without regular expressions and Go's marks of a value: what is left must fit into a
 * condition together with the next step. All in time that grows with the text alone: it may quote what a tenant
 * wrote.
 */
export function wordsOf(error: unknown): string {
  const words = error instanceof Error ? error.message : String(error);
  const text = cutWithin(words, LONGEST).replaceAll(TRIAL_SUFFIX, '');
  const isList = error instanceof ApiError && error.causes.length > 0;
  if (isList && afterHead(text, INVALID) !== undefined)
    return tidied([...new Set(wrongIn(error.causes).map(causeWords))].join(', '));
  return tidied(lines(withoutEchoes(withoutHead(inOrder(text)))).join('; '));
}

/** `spec.ports[0].port: Invalid value: 0: must be …`: a list of differences may follow, which is left out. */
function causeWords({ field = '', message }: ErrorCause): string {
  const [first = ''] = lines(message.replaceAll(TRIAL_SUFFIX, ''));
  const text = withoutNothing(withoutComposite(first));
  return withShortValue(field === '' || field === ROOT ? text : `${field}: ${text}`);
}

const UNCHECKED = 'Invalid value: null: some validation rules were not checked';

/** Without what says only that there may be more. */
function wrongIn(causes: readonly ErrorCause[]): readonly ErrorCause[] {
  const wrong = causes.filter(({ message }) => !message.startsWith(UNCHECKED));
  return wrong.length === 0 ? causes : wrong;
}

const NOTHING = ['Invalid value: null: ', 'Invalid value: "null": '];

/** The value of what was taken out, and of what the API server does not keep: it tells nobody anything. */
function withoutNothing(text: string): string {
  const begin = NOTHING.find((one) => text.startsWith(one)) ?? '';
  return text.slice(begin.length);
}

/** An object or a list, as JSON or as Go writes it, is followed by what is wrong with it, to the end. */
function withoutComposite(text: string): string {
  if (!/^Invalid value: [\w.*[\]]{0,80}[{[]/.test(text)) return text;
  const end = Math.max(text.lastIndexOf('}: '), text.lastIndexOf(']: '));
  return end < 0 ? text : text.slice(end + '}: '.length);
}

function lines(text: string): string[] {
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
}

const VALUE = 'Invalid value: ';
/** As much of a value that the API server quotes is told: what is wrong with it stands behind it. */
const SHORT_VALUE = 64;

function withShortValue(text: string): string {
  const at = text.indexOf(VALUE);
  const start = at + VALUE.length;
  const end = at < 0 ? -1 : endOfQuoted(text, start);
  if (end - start <= SHORT_VALUE) return text;
  // No quote behind the ellipsis: it marks where a secret value was cut (S5).
  return `${text.slice(0, start + SHORT_VALUE).toWellFormed()}…${text.slice(end)}`;
}

function withoutHead(text: string): string {
  const invalid = afterHead(text, INVALID);
  if (invalid !== undefined) return invalid;
  const forbidden = afterHead(text, FORBIDDEN);
  if (forbidden !== undefined && !/^user /i.test(forbidden)) return withoutBinding(forbidden);
  const strict = text.indexOf(STRICT);
  if (strict >= 0 && text.slice(0, strict).includes(' cannot be handled as a '))
    return text.slice(strict + STRICT.length);
  if (!text.startsWith(TYPED)) return text;
  const body = text.slice(text.indexOf('): ') + '): '.length);
  return body.startsWith(ERRORS) ? body.slice(ERRORS.length) : body;
}

const STRICT = ': strict decoding error: ';
const TYPED = 'failed to create typed patch object (';
const ERRORS = 'errors:';
const BINDING = " with binding '";

function withoutBinding(text: string): string {
  const at = text.indexOf(BINDING);
  const end = at < 0 ? -1 : text.indexOf("'", at + BINDING.length);
  return end < 0 ? text : text.slice(0, at) + text.slice(end + 1);
}

/** Wrong types come in the order of a map in Go, another at each try: one and the same refusal is told as one. */
function inOrder(text: string): string {
  const list = `${ERRORS}\n`;
  const at = text.indexOf(list);
  if (at < 0) return text;
  const first = at + list.length;
  return (
    text.slice(0, first) +
    text
      .slice(first)
      .split(/\n(?= {2}\.)/)
      .sort()
      .join('\n')
  );
}

/** An object in the words of the API server, as JSON or as Go writes it, is followed by what is wrong with it. */
function withoutEchoes(text: string): string {
  const echo = /Invalid value: [\w.*[\]]{0,80}\{/g;
  let kept = '';
  let at = 0;
  for (let match = echo.exec(text); match !== null; match = echo.exec(text)) {
    const end = text.indexOf('}: ', echo.lastIndex);
    if (end < 0) break;
    kept += text.slice(at, match.index);
    at = end + '}: '.length;
    echo.lastIndex = at;
  }
  return kept + text.slice(at);
}

function tidied(text: string): string {
  return withoutExpressions(
    text.replaceAll(/&(?:value\.valueUnstructured)?\{(?:Value:)?([^}\n]{0,200})\}/g, '$1'),
  );
}

const EXPRESSION = "regex used for validation is '";

/** Without the ` (e.g. 'my-name', or 'abc.123', regex used for validation is '[a-z0-9]…')` behind what is wrong. */
function withoutExpressions(text: string): string {
  let kept = '';
  let at = 0;
  for (;;) {
    const found = text.indexOf(EXPRESSION, at);
    const end = found < 0 ? -1 : text.indexOf("')", found + EXPRESSION.length);
    if (end < 0) return kept + text.slice(at);
    const before = text.slice(at, found);
    const begin = before.lastIndexOf(' (');
    kept += begin < 0 ? before : before.slice(0, begin);
    at = end + "')".length;
  }
}
