/** What a server asks for before it answers (RFC 9110, section 11.6.1). */
export interface Challenge {
  /** In small letters. */
  scheme: string;
  /** By their names in small letters; the first of each counts. */
  parameters: ReadonlyMap<string, string>;
}

/** Characters that are read of all headers together. */
const MOST_CHARACTERS = 8_192;
const TOKEN = /[!#$%&'*+.^_`|~0-9A-Za-z-]+/y;
const SPACE = /[ \t]*/y;
const BETWEEN = /[ \t,]*/y;
const EQUALS = /[ \t]*=[ \t]*/y;
const QUOTED = /"((?:[^"\\]|\\[\s\S])*)"/y;
// Linear: it is tried at one place, and each part ends at a sign that it cannot have.
const TOKEN_68 = /[A-Za-z0-9._~+/-]+=*[ \t]*(?=,|$)/y;

/** The challenges of WWW-Authenticate headers; reading ends at what cannot be one. Linear in their length. */
export function challengesOf(headers: readonly string[]): Challenge[] {
  const text = headers.join(', ').slice(0, MOST_CHARACTERS);
  const found: { scheme: string; parameters: Map<string, string> }[] = [];
  const reader = new Reader(text);
  for (;;) {
    reader.take(BETWEEN);
    const word = reader.take(TOKEN);
    if (word === undefined) return found;
    const current = found.at(-1);
    if (current !== undefined && reader.take(EQUALS) !== undefined) {
      const value = reader.takeValue();
      if (value === undefined) return found;
      const name = word.toLowerCase();
      if (!current.parameters.has(name)) current.parameters.set(name, value);
      continue;
    }
    found.push({ scheme: word.toLowerCase(), parameters: new Map() });
    reader.take(SPACE);
    reader.take(TOKEN_68);
  }
}

class Reader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  take(pattern: RegExp): string | undefined {
    return this.#match(pattern)?.[0];
  }

  takeValue(): string | undefined {
    const quoted = this.#match(QUOTED)?.[1];
    return quoted === undefined ? this.take(TOKEN) : quoted.replaceAll(/\\([\s\S])/g, '$1');
  }

  #match(pattern: RegExp): RegExpExecArray | undefined {
    pattern.lastIndex = this.#at;
    const match = pattern.exec(this.#text);
    if (match === null) return undefined;
    this.#at = pattern.lastIndex;
    return match;
  }
}
