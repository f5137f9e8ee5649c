import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import { TowpathError } from '../../api/errors.ts';
import { withoutEnding } from '../../api/foreign-text.ts';

/** A line of a known_hosts file (sshd(8), "SSH_KNOWN_HOSTS FILE FORMAT"). */
interface KnownHost {
  revoked: boolean;
  /** Patterns or one hash, as written. */
  names: string[];
  keyType: string;
  key: Buffer;
}

/** What known_hosts says of one host. */
export interface ExpectedHostKeys {
  /** Types of the keys that are known, such as `ssh-ed25519`. */
  types: Set<string>;
  /** Whether exactly this key (in SSH's wire form) is known and not revoked. */
  accepts(key: Buffer): boolean;
}

/**
 * The keys that known_hosts lines give to a host: hashed names, wildcards, negations, `[host]:port`, and
 * `@revoked`. Lines of `@cert-authority` are passed over, as are comments and what is no key.
 *
 * @throws TowpathError CredentialInvalid when that would hold the event loop for long.
 */
export function expectedHostKeys(text: string, host: string, port: number): ExpectedHostKeys {
  const name = port === 22 ? host.toLowerCase() : `[${host.toLowerCase()}]:${port}`;
  const matcher = new Matcher(name);
  const matching = parseLines(text).filter(({ names }) => matcher.matches(names));
  const good = matching.filter(({ revoked }) => !revoked);
  const revoked = matching.filter((line) => line.revoked);
  return {
    types: new Set(good.map(({ keyType }) => keyType)),
    accepts: (key) =>
      good.some((line) => line.key.equals(key)) && !revoked.some((line) => line.key.equals(key)),
  };
}

/** As ssh-keygen prints it. */
export function fingerprint(key: Buffer): string {
  return `SHA256:${withoutEnding(createHash('sha256').update(key).digest('base64'), '=')}`;
}

/** Lines that say something: thousands of empty ones are passed over. */
function* linesOf(text: string): Generator<string> {
  for (let start = 0; start < text.length; ) {
    const found = text.indexOf('\n', start);
    const end = found < 0 ? text.length : found;
    const line = end === start ? '' : text.slice(start, end).trim();
    if (line !== '') yield line;
    start = end + 1;
  }
}

function parseLines(text: string): KnownHost[] {
  const found: KnownHost[] = [];
  for (const line of linesOf(text)) {
    const fields = line.split(/\s+/);
    const marker = fields[0]?.startsWith('@') ? fields.shift() : undefined;
    const [names = '', keyType = '', key = ''] = fields;
    if (names.startsWith('#') || key === '' || (marker !== undefined && marker !== '@revoked')) continue;
    const bytes = Buffer.from(key, 'base64');
    // The wire form begins with the type, too; where the two differ the line is no key.
    if (bytes.length < 8 || bytes.toString('latin1', 4, 4 + bytes.readUInt32BE(0)) !== keyType) continue;
    found.push({ revoked: marker === '@revoked', names: names.split(','), keyType, key: bytes });
  }
  return found;
}

/** More than lines with a key in what known_hosts may have at most; each takes about 5 µs. */
const MOST_HASHED = 2_000;
/** Characters that are compared, about 10 ms: only patterns made for it need as many. */
const MOST_COMPARED = 2_000_000;
/** Characters of an HMAC-SHA1 in base64. */
const HASH_LENGTH = 28;

/** Looks for one host in the names of a whole file, and gives up before that holds the event loop. */
class Matcher {
  readonly #host: string;
  #hashed = 0;
  #compared = 0;

  constructor(host: string) {
    this.#host = host;
  }

  matches(names: readonly string[]): boolean {
    let matched = false;
    for (const name of names) {
      if (name.startsWith('|')) matched ||= this.#matchesHash(name);
      else if (name.startsWith('!')) {
        if (this.#matchesPattern(name.slice(1))) return false;
      } else matched ||= this.#matchesPattern(name);
    }
    return matched;
  }

  /** `|1|<salt>|<HMAC-SHA1 of the name with that salt>`, both in base64. */
  #matchesHash(hashed: string): boolean {
    this.#hashed += 1;
    if (this.#hashed > MOST_HASHED) throw tooMuch(`more than ${MOST_HASHED} hashed names`);
    const [, version, salt = '', hash = ''] = hashed.split('|');
    if (version !== '1' || hash.length !== HASH_LENGTH) return false;
    const expected = Buffer.from(hash, 'base64');
    const actual = createHmac('sha1', Buffer.from(salt, 'base64')).update(this.#host).digest();
    return expected.length === actual.length && timingSafeEqual(expected, actual);
  }

  /** `*` is any text, `?` any one character. No expression that backtracks: a Secret must not hold up the operator. */
  #matchesPattern(written: string): boolean {
    const host = this.#host;
    const pattern = written.toLowerCase();
    let at = 0;
    let star = -1;
    /** Where the text that the last `*` stands for ends. */
    let resume = 0;
    for (let i = 0; i < host.length; ) {
      this.#compared += 1;
      if (this.#compared > MOST_COMPARED) throw tooMuch('patterns with "*" that take too long to compare');
      if (pattern[at] === '*') {
        star = at++;
        resume = i;
      } else if (pattern[at] === '?' || pattern[at] === host[i]) {
        at++;
        i++;
      } else if (star >= 0) {
        at = star + 1;
        i = ++resume;
      } else return false;
    }
    while (pattern[at] === '*') at++;
    return at === pattern.length;
  }
}

function tooMuch(what: string): TowpathError {
  return new TowpathError(
    'Person',
    'CredentialInvalid',
    `The Git credential has ${what} in its key "known_hosts"; keep the lines of the hosts that it is for (ssh-keyscan prints them).`,
  );
}
