import { isIP } from 'node:net';
import { TowpathError } from '../api/errors.ts';
import { hasControlCharacter } from './text.ts';

/** A repository's address, taken apart. */
export interface RemoteUrl {
  scheme: 'https' | 'http' | 'ssh';
  /** Without brackets for IPv6. */
  host: string;
  port: number;
  /** Over SSH, when the URL names one. */
  user?: string;
  /** As the server gets it; over SSH relative to the home directory unless it begins with `/`. */
  path: string;
  /** As written, safe to show: it holds no credentials. */
  text: string;
}

const maxLength = 2048;
const advice = 'Write it as https://host/path, http://host/path, ssh://user@host/path or user@host:path.';

/**
 * Parses a repository URL: `https`, `http`, `ssh://` or scp-like `user@host:path`.
 *
 * @throws TowpathError URLInvalid; the message never repeats a credential.
 */
export function parseRemoteUrl(text: string): RemoteUrl {
  if (text.length > maxLength) throw invalid(`The repository URL is longer than ${maxLength} characters.`);
  if (/\s/.test(text) || hasControlCharacter(text)) {
    throw invalid('The repository URL has white space or a control character in it. Remove it.');
  }
  return text.includes('://') ? parseUrl(text) : parseScpLike(text);
}

function parseUrl(text: string): RemoteUrl {
  const scheme = text.slice(0, text.indexOf('://')).toLowerCase();
  if (scheme !== 'https' && scheme !== 'http' && scheme !== 'ssh') {
    throw invalid(
      `The repository URL has the scheme "${safeScheme(scheme)}", which is not allowed. ${advice}`,
    );
  }
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    throw invalid(`The repository URL cannot be parsed. ${advice}`);
  }
  if (url.password !== '' || (url.username !== '' && scheme !== 'ssh')) {
    throw invalid(
      'The repository URL has credentials in it. Take them out (they are readable by everyone who can read the Application), change them where they were valid, and put the new ones in a Secret that spec.source.secretRef names.',
    );
  }
  if (url.search !== '' || url.hash !== '' || /[?#]/.test(text)) {
    throw invalid('The repository URL has a query or a fragment. Remove what begins with "?" or "#".');
  }
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  if (host === '') throw invalid(`The repository URL names no host. ${advice}`);
  if (url.pathname === '' || url.pathname === '/') {
    throw invalid(`The repository URL names no repository after the host "${host}". ${advice}`);
  }
  const ports = { https: 443, http: 80, ssh: 22 };
  const port = url.port === '' ? ports[scheme] : Number(url.port);
  if (scheme !== 'ssh') return { scheme, host, port, path: url.pathname, text };
  const user = decode(url.username);
  return {
    scheme,
    host: checkedHost(host),
    port,
    path: checkedPath(decode(url.pathname).replace(/^\/~/, '~')),
    ...(user === '' ? {} : { user: checkedUser(user) }),
    text,
  };
}

/** `user@host:path`, as scp and git have it. */
function parseScpLike(text: string): RemoteUrl {
  // Linear: each part ends at a sign that it cannot have.
  const match = /^(?:([^@:/]+)@)?(\[[^\]]+\]|[^@:/[\]]+):(.+)$/.exec(text);
  if (!match) {
    // What cannot be told apart may hold a password, so nothing of it is repeated.
    throw invalid(`The repository URL is none that Git servers have. ${advice}`);
  }
  const [, user, bracketed = '', path = ''] = match;
  if (path.startsWith(':') || (user === undefined && path.includes('@'))) {
    throw invalid(`The repository URL is none that Git servers have, or has a password in it. ${advice}`);
  }
  const host = checkedHost(bracketed.replace(/^\[(.*)\]$/, '$1'));
  return {
    scheme: 'ssh',
    host,
    port: 22,
    ...(user === undefined ? {} : { user: checkedUser(user) }),
    path: checkedPath(path),
    text,
  };
}

/** A leading dash would be read as an option by the programs that such values reach. */
function checkedHost(host: string): string {
  if (host.startsWith('-') || (isIP(host) === 0 && !/^[A-Za-z0-9._-]+$/.test(host))) {
    throw invalid(`The repository URL has no valid host name. ${advice}`);
  }
  return host;
}

function checkedUser(user: string): string {
  if (user.startsWith('-') || !/^[A-Za-z0-9._+-]+$/.test(user)) {
    throw invalid(`The repository URL has no valid user name before the host. ${advice}`);
  }
  return user;
}

function checkedPath(path: string): string {
  if (path.startsWith('-') || hasControlCharacter(path)) {
    throw invalid(`The repository URL has no valid path after the host. ${advice}`);
  }
  return path;
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw invalid(`The repository URL has a broken percent-encoding. ${advice}`);
  }
}

function safeScheme(scheme: string): string {
  return /^[a-z0-9+.-]{1,20}$/.test(scheme) ? scheme : '…';
}

function invalid(message: string): TowpathError {
  return new TowpathError('Person', 'URLInvalid', message);
}
