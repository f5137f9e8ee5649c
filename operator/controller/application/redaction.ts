import { parseAllDocuments } from 'yaml';
import { type ErrorDetail, TowpathError } from '../../api/errors.ts';
import { Quarantine } from './facts.ts';

/** Shorter values are words like `true` and `80`: no secrets, and messages need them. The engine's limit too. */
const LEAST = 4;

/**
 * Keeps the values of Secrets that went into a render out of what the API server answered to it (S5): it
 * quotes wrong values, and a chart may put one anywhere. The engine does the same for its own messages.
 */
export class Redaction {
  readonly #texts: readonly string[];
  #secrets: readonly string[] | undefined;

  /** `texts`: YAML documents whose every value is secret. */
  constructor(texts: readonly string[]) {
    this.#texts = texts;
  }

  /** The same error without secret values; what is no error for users is returned as it is. */
  of(error: unknown): unknown {
    if (this.#texts.length === 0) return error;
    if (error instanceof Quarantine) {
      return new Quarantine(error.rejected, this.#ofTowpath(error.error), error.retry);
    }
    return error instanceof TowpathError ? this.#ofTowpath(error) : error;
  }

  text(text: string): string {
    this.#secrets ??= secretsIn(this.#texts);
    let told = text;
    for (const secret of this.#secrets) told = told.replaceAll(secret, '***');
    return told;
  }

  #ofTowpath(error: TowpathError): TowpathError {
    const { remedy, reason, message, cause } = error;
    const details = error.details.map((detail) => this.#ofDetail(detail));
    return new TowpathError(remedy, reason, this.text(message), { cause, details });
  }

  #ofDetail(detail: ErrorDetail): ErrorDetail {
    const { object, message } = detail;
    if (object === undefined) return { ...detail, message: this.text(message) };
    const { group, kind, namespace, name } = object;
    const hidden = { group, kind: this.text(kind), namespace, name: this.text(name) };
    return { ...detail, object: hidden, message: this.text(message) };
  }
}

/** Every scalar, each line of longer ones, and both in base64; longest first, as one may contain another. */
function secretsIn(texts: readonly string[]): string[] {
  const secrets = new Set<string>();
  const add = (text: string) => {
    const quoted = JSON.stringify(text).slice(1, -1);
    for (const form of [text, quoted, Buffer.from(text).toString('base64')])
      if (text.length >= LEAST) secrets.add(form);
  };
  const collect = (value: unknown): void => {
    if (typeof value === 'object' && value !== null) {
      for (const inner of Object.values(value)) collect(inner);
    } else if (value !== undefined && value !== null && typeof value !== 'boolean') {
      add(String(value));
      for (const line of String(value).split('\n')) add(line.trim());
    }
  };
  // A text that is no YAML did not render, and the engine keeps it out of its message.
  for (const text of texts)
    for (const document of parseAllDocuments(text, { logLevel: 'silent' })) {
      if (document.errors.length === 0) collect(document.toJS({ maxAliasCount: 100 }));
    }
  return [...secrets].sort((a, b) => b.length - a.length);
}
