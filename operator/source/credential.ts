import { X509Certificate } from 'node:crypto';
import { TowpathError } from '../api/errors.ts';
import { hasControlCharacter } from './text.ts';

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
}

/**
 * Reads the data of a Secret (keys as documented for `spec.source.secretRef`). Unknown keys are left alone:
 * Secrets are often shared with other tools.
 *
 * @throws TowpathError CredentialInvalid, naming keys, never values.
 */
export function parseCredential(data: Record<string, Uint8Array>): Credential {
  const text = (key: string) => textOf(data, key);
  const username = text('username');
  const password = text('password');
  const bearerToken = text('bearerToken');
  const identity = text('identity');
  const knownHosts = text('known_hosts');
  const caCert = text('ca.crt');
  const clientCert = text('tls.crt');
  const clientKey = text('tls.key');
  if (bearerToken !== undefined && (username !== undefined || password !== undefined)) {
    throw invalid('has both bearerToken and username or password; keep one of the two');
  }
  if (identity !== undefined) {
    if (knownHosts === undefined) throw missing('known_hosts', 'identity');
    return withoutUndefined({ username, identity, knownHosts, identityPassword: password, caCert });
  }
  if (username !== undefined && password === undefined) throw missing('password', 'username');
  if (password !== undefined && username === undefined) throw missing('username', 'password');
  if (clientCert !== undefined && clientKey === undefined) throw missing('tls.key', 'tls.crt');
  if (clientKey !== undefined && clientCert === undefined) throw missing('tls.crt', 'tls.key');
  requireCertificate('ca.crt', caCert);
  requireCertificate('tls.crt', clientCert);
  if (
    bearerToken === undefined &&
    username === undefined &&
    clientCert === undefined &&
    caCert === undefined
  ) {
    throw invalid(
      'has none of the keys that are read: username and password, bearerToken, identity and known_hosts, ca.crt, tls.crt and tls.key',
    );
  }
  return withoutUndefined({ username, password, bearerToken, knownHosts, caCert, clientCert, clientKey });
}

/** Whether something in it proves who we are, so that it must not travel in the clear. */
export function isSecret(credential: Credential | undefined): boolean {
  return credential?.password !== undefined || credential?.bearerToken !== undefined;
}

/** Replaces every secret of the credential in a text that a server sent. */
export function redact(text: string, credential: Credential | undefined): string {
  if (!credential) return text;
  const { username, password, bearerToken, identityPassword } = credential;
  const secrets = [password, bearerToken, identityPassword];
  if (username !== undefined && password !== undefined) {
    secrets.push(Buffer.from(`${username}:${password}`).toString('base64'));
  }
  let clean = text;
  for (const secret of secrets) {
    if (secret === undefined || secret === '') continue;
    clean = clean.replaceAll(secret, '[redacted]').replaceAll(encodeURIComponent(secret), '[redacted]');
  }
  return clean;
}

function textOf(data: Record<string, Uint8Array>, key: string): string | undefined {
  const bytes = data[key];
  if (bytes === undefined) return undefined;
  const text = Buffer.from(bytes).toString('utf8');
  const singleLine = !['identity', 'known_hosts', 'ca.crt', 'tls.crt', 'tls.key'].includes(key);
  // `echo token | kubectl create secret …` leaves a line break behind.
  const value = singleLine ? text.replace(/\r?\n$/, '') : text;
  if (value === '') throw invalid(`has an empty key "${key}"`);
  if (singleLine && hasControlCharacter(value)) {
    throw invalid(`has a control character in its key "${key}"`);
  }
  return value;
}

function requireCertificate(key: string, pem: string | undefined): void {
  if (pem === undefined) return;
  try {
    new X509Certificate(pem);
  } catch {
    throw invalid(`has no certificate in PEM form in its key "${key}"`);
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
