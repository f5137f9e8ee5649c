import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { TowpathError } from '../api/errors.ts';
import { hasControlCharacter, printable } from './text.ts';

/** What a repository asks for before it lets someone read. Texts are as in the Secret, PEM where noted. */
export interface Credential {
  /** Basic authentication; over SSH the user name when the URL names none. */
  username?: string;
  password?: string;
  bearerToken?: string;
  /** SSH private key (OpenSSH or PEM). */
  identity?: string;
  /** Passphrase of the SSH key. */
  identityPassword?: string;
  /** Lines as in ~/.ssh/known_hosts. */
  knownHosts?: string;
  /** PEM: authorities that the server's certificate is checked against, instead of the public ones. */
  caCert?: string;
  /** PEM: client certificate and its key. */
  clientCert?: string;
  clientKey?: string;
  /** The hosts that it may be sent to, as towpath.dev/hosts lists them; undefined: it is bound to none (S17). */
  hosts?: string;
}

/** Keys of a Secret that are read, by how the repository is reached. */
const httpKeys = 'username and password, bearerToken, ca.crt, tls.crt and tls.key';
const sshKeys = 'identity, known_hosts and, where the key has a passphrase, password';
/** Characters; they are looked through whenever a connection is opened. */
export const MOST_KNOWN_HOSTS = 256 * 1024;
/** With more a handshake holds the event loop for more than 50 ms. */
const MOST_RSA_BITS = 8_192;
/** Characters. The largest that ssh-keygen makes has 13 KiB. */
const MOST_IDENTITY = 64 * 1024;

/**
 * Reads the data of a Secret (keys as documented for `spec.source.secretRef`) for a repository that is reached
 * so: one Secret may serve repositories over SSH and over HTTPS. Other keys are left alone: Secrets are often
 * shared with other tools.
 *
 * @throws TowpathError CredentialInvalid, naming keys, never values.
 */
export function parseCredential(
  data: Record<string, Uint8Array>,
  scheme: 'https' | 'http' | 'ssh',
): Credential {
  const text = (key: string) => textOf(data, key);
  return scheme === 'ssh' ? sshCredential(text) : httpCredential(text);
}

function sshCredential(text: (key: string) => string | undefined): Credential {
  const identity = text('identity');
  const knownHosts = text('known_hosts');
  if (identity === undefined && knownHosts === undefined) {
    throw invalid(`has none of the keys that are read for a repository over SSH: ${sshKeys}`);
  }
  if (identity === undefined) throw missing('identity', 'known_hosts');
  if (knownHosts === undefined) throw missing('known_hosts', 'identity');
  if (identity.length > MOST_IDENTITY)
    throw invalid(
      `has more than ${MOST_IDENTITY / 1024} KiB in its key "identity"; put one private SSH key there, and nothing else`,
    );
  if (knownHosts.length > MOST_KNOWN_HOSTS)
    throw invalid(
      `has more than ${MOST_KNOWN_HOSTS / 1024} KiB in its key "known_hosts"; keep the lines of the hosts that it is for (ssh-keyscan prints them)`,
    );
  return withoutUndefined({
    username: text('username'),
    identity,
    knownHosts,
    identityPassword: text('password'),
  });
}

function httpCredential(text: (key: string) => string | undefined): Credential {
  const username = text('username');
  const password = text('password');
  const bearerToken = text('bearerToken');
  const caCert = text('ca.crt');
  const clientCert = text('tls.crt');
  const clientKey = text('tls.key');
  if (bearerToken !== undefined && (username !== undefined || password !== undefined)) {
    throw invalid('has both bearerToken and username or password; keep one of the two');
  }
  if (username !== undefined && password === undefined) throw missing('password', 'username');
  if (password !== undefined && username === undefined) throw missing('username', 'password');
  requireCertificate('ca.crt', caCert);
  requireClientCertificate(clientCert, clientKey);
  if ([bearerToken, username, clientCert, caCert].every((value) => value === undefined)) {
    throw invalid(`has none of the keys that are read for a repository over HTTPS: ${httpKeys}`);
  }
  return withoutUndefined({ username, password, bearerToken, caCert, clientCert, clientKey });
}

/** Whether something in it proves who we are, so that it must not travel in the clear. */
export function isSecret(credential: Credential | undefined): boolean {
  return credential?.password !== undefined || credential?.bearerToken !== undefined;
}

/** Replaces every secret of the credential in a text that a server sent. */
export function redact(text: string, credential: Credential | undefined): string {
  let clean = text;
  for (const secret of secretsOf(credential)) clean = clean.replaceAll(secret, '[redacted]');
  return clean;
}

/** Characters of a server's answer that are looked at for a message, beside those of the longest secret. */
const QUOTED = 2_000;

/** How many characters of a server's answer `quoted` must be given so that it sees where it cuts. */
export function quotable(credential: Credential | undefined): number {
  return QUOTED + longestOf(credential) + 1;
}

/**
 * The beginning of what a server said, for a message. Secrets go first: what a cut leaves of one is not recognized
 * afterwards (S5).
 */
export function quoted(text: string, credential: Credential | undefined, maxLength = 160): string {
  const longest = longestOf(credential);
  const clean = redact(text.slice(0, QUOTED + longest), credential);
  // Where the text was cut there may be the beginning of a secret.
  const kept = text.length > QUOTED + longest ? clean.slice(0, Math.max(0, clean.length - longest)) : clean;
  return printable(kept, maxLength);
}

function longestOf(credential: Credential | undefined): number {
  return secretsOf(credential)[0]?.length ?? 0;
}

/** Every form that a secret travels in, longer ones first: one may be a part of another. */
function secretsOf(credential: Credential | undefined): string[] {
  const { username, password, bearerToken, identityPassword } = credential ?? {};
  const pair = Buffer.from(`${username}:${password}`).toString('base64');
  const basic = username === undefined || password === undefined ? undefined : pair;
  return [password, bearerToken, identityPassword, basic]
    .flatMap((secret) => (secret ? [secret, encodeURIComponent(secret)] : []))
    .sort((a, b) => b.length - a.length);
}

function textOf(data: Record<string, Uint8Array>, key: string): string | undefined {
  const bytes = data[key];
  if (bytes === undefined) return undefined;
  const text = Buffer.from(bytes).toString('utf8');
  const singleLine = !['identity', 'known_hosts', 'ca.crt', 'tls.crt', 'tls.key'].includes(key);
  // `echo token | kubectl create secret …` leaves a line break behind.
  const value = singleLine ? text.replace(/\r?\n$/, '') : text;
  if (value === '') throw invalid(`has an empty key "${key}"`);
  // A password, which may be a key in JSON of several lines, travels as base64.
  if (singleLine && key !== 'password' && hasControlCharacter(value)) {
    throw invalid(`has a control character in its key "${key}"`);
  }
  return value;
}

function requireCertificate(key: string, pem: string | undefined): X509Certificate | undefined {
  if (pem === undefined) return undefined;
  try {
    return new X509Certificate(pem);
  } catch {
    throw invalid(`has no certificate in PEM form in its key "${key}"`);
  }
}

function requireClientCertificate(certificate: string | undefined, key: string | undefined): void {
  if (certificate !== undefined && key === undefined) throw missing('tls.key', 'tls.crt');
  if (key !== undefined && certificate === undefined) throw missing('tls.crt', 'tls.key');
  const parsed = requireCertificate('tls.crt', certificate);
  if (parsed === undefined || key === undefined) return;
  const privateKey = privateKeyOf(key);
  const { modulusLength = 0 } = privateKey.asymmetricKeyDetails ?? {};
  if (modulusLength > MOST_RSA_BITS)
    throw invalid(
      `has an RSA key of ${modulusLength} bits in its key "tls.key", which takes long to sign with, and at most ${MOST_RSA_BITS} are taken; use a smaller one, or one of elliptic curves`,
    );
  if (!parsed.checkPrivateKey(privateKey)) {
    throw invalid(
      'has a private key in its key "tls.key" that does not belong to the certificate in "tls.crt"',
    );
  }
}

function privateKeyOf(pem: string): KeyObject {
  try {
    return createPrivateKey(pem);
  } catch {
    const isLocked = /-----BEGIN ENCRYPTED PRIVATE KEY-----|^Proc-Type: 4,ENCRYPTED/m.test(pem);
    throw invalid(
      isLocked
        ? 'has a private key with a passphrase in its key "tls.key"; put it there without one'
        : 'has no private key in PEM form in its key "tls.key"',
    );
  }
}

function missing(key: string, partner: string): TowpathError {
  return invalid(`has the key "${partner}" but lacks "${key}", which belongs to it`);
}

function invalid(what: string): TowpathError {
  return new TowpathError('Person', 'CredentialInvalid', `The Git credential ${what}.`);
}

type Loose<T> = { [K in keyof T]: T[K] | undefined };

function withoutUndefined(credential: Loose<Credential>): Credential {
  return Object.fromEntries(Object.entries(credential).filter(([, value]) => value !== undefined));
}
