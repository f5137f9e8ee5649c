import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import { withoutEnding } from '../api/foreign-text.ts';

/** A line of a known_hosts file (sshd(8), "SSH_KNOWN_HOSTS FILE FORMAT"). */
interface KnownHost {
  revoked: boolean;
  /** Patterns or one hash, as written. */
  names: string[];
  keyType: string;
  key: Buffer;
}

/** What known_hosts says of one host. */
export interface KnownKeys {
  /** Types of the keys that are known, such as `ssh-ed25519`. */
  types: Set<string>;
  /** Whether exactly this key (in SSH's wire form) is known and not revoked. */
  accepts(key: Buffer): boolean;
}

/**
 * The keys that known_hosts lines give to a host: hashed names, wildcards, negations, `[host]:port`, and
 * `@revoked`. Lines of `@cert-authority` are passed over, as are comments and what is no key.
 */
export function knownKeys(text: string, host: string, port: number): KnownKeys {
  const name = port === 22 ? host.toLowerCase() : `[${host.toLowerCase()}]:${port}`;
  const matching = parseLines(text).filter(({ names }) => matches(names, name));
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

function matches(names: readonly string[], host: string): boolean {
  let matched = false;
  for (const name of names) {
    if (name.startsWith('|')) matched ||= matchesHash(name, host);
    else if (name.startsWith('!')) {
      if (matchesPattern(name.slice(1), host)) return false;
    } else matched ||= matchesPattern(name, host);
  }
  return matched;
}

/** `|1|<salt>|<HMAC-SHA1 of the name with that salt>`, both in base64. */
function matchesHash(hashed: string, host: string): boolean {
  const [, version, salt = '', hash = ''] = hashed.split('|');
  if (version !== '1') return false;
  const expected = Buffer.from(hash, 'base64');
  const actual = createHmac('sha1', Buffer.from(salt, 'base64')).update(host).digest();
  return expected.length === actual.length && timingSafeEqual(expected, actual);
}

/** `*` is any text, `?` any one character. No expression that backtracks: a Secret must not hold up the operator. */
function matchesPattern(written: string, host: string): boolean {
  const pattern = written.toLowerCase();
  let at = 0;
  let star = -1;
  /** Where the text that the last `*` stands for ends. */
  let resume = 0;
  for (let i = 0; i < host.length; ) {
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
