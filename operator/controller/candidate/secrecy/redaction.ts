import { isDeepStrictEqual } from 'node:util';
import { parseAllDocuments, visit } from 'yaml';
import { type ErrorDetail, TowpathError } from '../../../api/errors.ts';
import { STATUS_LIMITS } from '../../../api/v1alpha1/application-status.ts';
import { Quarantine } from '../quarantine.ts';
import { SecretTexts } from './secret-texts.ts';

/** What is read of Secrets to search for it: parsing holds up everybody, and takes some 20 ms for 1,000 marks (A15). */
const MOST_BYTES = 128 * 1024;
const MOST_MARKS = 1_500;
/** Every value of YAML is set off from the next by one of these, and every comment begins with one. */
const MARKS = /[:,[{#]|[-?]\s/g;

const HIDDEN =
  'What is wrong cannot be told: it may repeat values of the Secrets that values come from, which are too large or too unusual to be searched for. Try the candidate with "kubectl apply --dry-run=server", or take what is not secret out of them.';

/**
 * Keeps the values of Secrets that went into a render out of what the API server answered to it (S5): it
 * quotes wrong values, and a chart may put one anywhere. The engine does the same for its own messages.
 */
export class Redaction {
  readonly #texts: readonly string[];
  #secrets: SecretTexts | 'Unknown' | undefined;

  /** `texts`: YAML documents whose every value is secret. */
  constructor(texts: readonly string[]) {
    this.#texts = texts;
  }

  /** For Secrets that could not be read: nothing of a message can be told. */
  static ofUnknown(): Redaction {
    const redaction = new Redaction(['']);
    redaction.#secrets = 'Unknown';
    return redaction;
  }

  isOf(texts: readonly string[]): boolean {
    return isDeepStrictEqual(this.#texts, texts);
  }

  /** The same error without secret values; what is no error for users is returned as it is. */
  of(error: unknown): unknown {
    if (this.#texts.length === 0) return error;
    if (error instanceof Quarantine)
      return new Quarantine(error.rejected, this.#ofTowpath(error.error), error.retry, error.refusedBy);
    return error instanceof TowpathError ? this.#ofTowpath(error) : error;
  }

  text(text: string): string {
    this.#secrets ??= secretsIn(this.#texts) ?? 'Unknown';
    return this.#secrets === 'Unknown' ? HIDDEN : this.#secrets.hideIn(text);
  }

  /** As many details as a status lists keep their text; the others are only counted. */
  #ofTowpath(error: TowpathError): TowpathError {
    const { remedy, reason, cause } = error;
    const message = this.text(error.message);
    const next = message.endsWith(error.next) ? error.next : '';
    const details = error.details.map((detail, index) =>
      index < STATUS_LIMITS.quarantineErrorsOfOne ? this.#ofDetail(detail) : { message: '***' },
    );
    return new TowpathError(remedy, reason, message, { cause, details, next });
  }

  #ofDetail(detail: ErrorDetail): ErrorDetail {
    const message = this.text(detail.message);
    const { object } = detail;
    if (object === undefined) return { ...detail, message };
    if (this.#secrets === 'Unknown') return { message };
    const { group, kind, namespace, name } = object;
    const hidden = { group, kind: this.text(kind), namespace, name: this.text(name) };
    return { ...detail, object: hidden, message };
  }
}

/**
 * Every value, each line of longer ones, and both as JSON and base64 write them; undefined where they cannot be
 * told. Aliases repeat what stands elsewhere, and are not followed.
 */
function secretsIn(texts: readonly string[]): SecretTexts | undefined {
  const all = texts.join('\n');
  if (all.length > MOST_BYTES || (all.match(MARKS) ?? []).length > MOST_MARKS) return undefined;
  const found = new Set<string>();
  const add = (text: string) => {
    const quoted = JSON.stringify(text).slice(1, -1);
    const bytes = Buffer.from(text);
    for (const form of [text, quoted, bytes.toString('base64'), bytes.toString('base64url')]) found.add(form);
  };
  const addValue = (text: string) => {
    add(text);
    for (const line of text.split('\n')) add(line.trim());
  };
  try {
    for (const text of texts) {
      // As Go reads it: 0644 is a number, a key that stands twice no error.
      const options = { logLevel: 'silent', version: '1.1', uniqueKeys: false } as const;
      for (const document of parseAllDocuments(text, options)) {
        if (document.errors.length > 0) return undefined;
        visit(document, {
          Scalar: (key, { value, source }) => {
            if (key === 'key' || value === null || typeof value === 'boolean') return;
            addValue(String(value));
            if (source !== undefined) addValue(source);
          },
        });
      }
    }
  } catch {
    return undefined; // nested too deep
  }
  return new SecretTexts(found);
}
