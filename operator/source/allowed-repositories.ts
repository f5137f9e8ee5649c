import { isOci, ociRepository } from './charts/oci-reference.ts';
import { parseRemoteUrl, type RemoteUrl } from './remote-url.ts';
import { hasControlCharacter } from './text.ts';

const DEFAULT_PORTS = { https: 443, http: 80, ssh: 22, oci: 443 } as const;

/** Characters of a pattern as it is written, of which an Environment takes as many; none that is longer opens anything. */
const LONGEST_PATTERN = 1_024;

/**
 * Whether one of the patterns allows the repository. Both are compared in one form: scheme and host in lower case,
 * `user@host:path` as `ssh://host/path`, no user, no port that the scheme has anyway, no `/` or `.git` at the end; the
 * letter case of a path counts. In a pattern `*` stands for anything but `/`, `**` for anything.
 *
 * An address whose path a server may read in another way than it is written (`..`, an encoded `/`, an empty part) is
 * allowed by no pattern: what is compared must be what is fetched.
 */
export function isAllowedRepository(patterns: readonly string[], url: string): boolean {
  const name = comparableRepository(url);
  return name !== undefined && patterns.some((pattern) => allows(pattern, name));
}

/**
 * The same of a repository of charts. To Git `acme` and `acme.git` are one repository, to a server of files two. As a
 * pattern is written for a repository, or for what is below it: one may be at the root of its host. In a registry a
 * chart has a name of its own, `oci://ghcr.io/acme/redis`, and may be allowed by itself.
 */
export function isAllowedChartRepository(patterns: readonly string[], url: string, chart: string): boolean {
  if (isOci(url)) return ociNames(url, chart).some((name) => patterns.some((each) => allows(each, name)));
  const withSlash = url.endsWith('/') ? url : `${url}/`;
  if (isAllowedRepository(patterns, `${withSlash}index.yaml`)) return true;
  return !/\.git\/{0,200}$/i.test(decodedPath(url)) && isAllowedRepository(patterns, url);
}

function allows(pattern: string, name: string): boolean {
  return pattern.length <= LONGEST_PATTERN && fits(comparablePattern(pattern), name);
}

/** Without a chart whose name could lead elsewhere. */
function ociNames(url: string, chart: string): string[] {
  if (chart === '' || chart.includes('/')) return [];
  try {
    const { host, path, href } = ociRepository(url);
    const at = path === '' ? [] : [href];
    return [...at, `${href}/${chart}`].map((name) =>
      name.replace(`//${host}`, () => `//${comparableHost(host)}`),
    );
  } catch {
    return [];
  }
}

/** The form in which a repository's URL is compared; undefined where it has none that is sure. */
export function comparableRepository(url: string): string | undefined {
  let remote: RemoteUrl;
  try {
    remote = parseRemoteUrl(url);
  } catch {
    return undefined;
  }
  const path = comparablePath(writtenPath(url, remote));
  if (path === undefined) return undefined;
  const port = remote.port === DEFAULT_PORTS[remote.scheme] ? '' : `:${remote.port}`;
  return `${remote.scheme}://${comparableHost(remote.host)}${port}/${path}`;
}

/** The path as it stands in the text: `new URL` takes `..` out of it, and makes `/` of a backslash. */
function writtenPath(url: string, { path }: RemoteUrl): string {
  const scheme = url.indexOf('://');
  if (scheme < 0) return path.startsWith('/') ? path : `/${path}`;
  return url.includes('\\') ? '' : url.slice(url.indexOf('/', scheme + 3));
}

/** Without what stands around it; undefined where servers may read another path in it. */
function comparablePath(written: string): string | undefined {
  let decoded: string;
  try {
    decoded = decodeURIComponent(written);
  } catch {
    return undefined;
  }
  const slashes = (text: string) => text.split('/').length;
  if (slashes(decoded) !== slashes(written)) return undefined;
  if (hasControlCharacter(decoded) || /[\\%]/.test(decoded)) return undefined;
  const path = withoutSuffix(decoded.slice(1));
  const parts = path.split('/');
  return parts.some((part) => part === '' || part === '.' || part === '..') ? undefined : path;
}

/** `git.example.com` for the same with a dot at its end, which DNS takes for the same; an IPv6 address in brackets. */
function comparableHost(host: string): string {
  const lower = host.toLowerCase();
  if (lower.includes(':')) return `[${lower.replace(/^\[|\]$/g, '')}]`;
  return lower.endsWith('.') ? lower.slice(0, -1) : lower;
}

function withoutSuffix(path: string): string {
  const bare = withoutSlashes(path);
  return bare.endsWith('.git') ? withoutSlashes(bare.slice(0, -'.git'.length)) : bare;
}

function withoutSlashes(path: string): string {
  let end = path.length;
  while (end > 0 && path[end - 1] === '/') end -= 1;
  return path.slice(0, end);
}

/** A pattern in the same form; what is no address, such as `**`, as it is. */
function comparablePattern(pattern: string): string {
  const scheme = pattern.indexOf('://');
  if (scheme >= 0) {
    const name = pattern.slice(0, scheme).toLowerCase();
    const rest = pattern.slice(scheme + 3);
    const slash = rest.indexOf('/');
    const authority = slash < 0 ? rest : rest.slice(0, slash);
    const path = slash < 0 ? '' : rest.slice(slash + 1);
    const host = withoutPort(name, authority.slice(authority.lastIndexOf('@') + 1));
    // To a registry `acme` and `acme.git` are two.
    const ending = name === 'oci' ? withoutSlashes(path) : withoutSuffix(decodedPath(path));
    return `${name}://${host}${slash < 0 ? '' : `/${ending}`}`;
  }
  // Linear: each part ends at a sign that it cannot have.
  const [, host, path] = /^(?:[^@:/]*@)?(\[[^\]]*\]|[^@:/[\]]+):(.+)$/.exec(pattern) ?? [];
  if (host === undefined || path === undefined) return pattern;
  const relative = path.startsWith('/') ? path.slice(1) : path;
  return `ssh://${comparableHost(host)}/${withoutSuffix(relative)}`;
}

function withoutPort(scheme: string, authority: string): string {
  const colon = authority.endsWith(']') ? -1 : authority.lastIndexOf(':');
  const host = comparableHost(colon < 0 ? authority : authority.slice(0, colon));
  const port = colon < 0 ? '' : authority.slice(colon + 1);
  const isDefault = Object.entries(DEFAULT_PORTS).some(
    ([name, number]) => name === scheme && String(number) === port,
  );
  return port === '' || isDefault ? host : `${host}:${port}`;
}

function decodedPath(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}

/** `*` and `**` in a pattern that was taken apart; anything else is the code of one character. */
const WITHIN = -1;
const ACROSS = -2;
const SLASH = '/'.charCodeAt(0);

function tokensOf(pattern: string): number[] {
  const tokens: number[] = [];
  for (let at = 0; at < pattern.length; at += 1) {
    if (pattern[at] !== '*') tokens.push(pattern.charCodeAt(at));
    else if (pattern[at + 1] !== '*') tokens.push(WITHIN);
    else {
      while (pattern[at + 1] === '*') at += 1;
      tokens.push(ACROSS);
    }
  }
  return tokens;
}

/**
 * Whether a pattern stands for a text: `*` for anything but `/`, `**` for anything.
 *
 * All places of the pattern where the text so far may be are followed at once, so that no text takes longer than its
 * length times the pattern's: of 1,024 characters each a few milliseconds.
 */
export function fits(pattern: string, text: string): boolean {
  const tokens = tokensOf(pattern);
  let places = new Uint8Array(tokens.length + 1);
  let next = new Uint8Array(tokens.length + 1);
  places[0] = 1;
  let first = passWildcards(tokens, places, 0);
  for (let at = 0; at < text.length; at += 1) {
    const sign = text.charCodeAt(at);
    next.fill(0);
    for (let place = first; place < tokens.length; place += 1) {
      if (places[place] === 0) continue;
      const token = tokens[place];
      if (token === ACROSS || (token === WITHIN && sign !== SLASH)) next[place] = 1;
      else if (token === sign) next[place + 1] = 1;
    }
    if (!next.includes(1)) return false;
    first = passWildcards(tokens, next, first);
    [places, next] = [next, places];
  }
  return places[tokens.length] === 1;
}

/**
 * Adds the places behind wildcards that stand for nothing, from one on.
 *
 * @returns the last `**` that was reached: what comes before it is needed no more
 */
function passWildcards(tokens: readonly number[], places: Uint8Array, from: number): number {
  let first = from;
  for (let place = from; place < tokens.length; place += 1) {
    const token = tokens[place];
    if (places[place] === 0 || (token !== WITHIN && token !== ACROSS)) continue;
    places[place + 1] = 1;
    if (token === ACROSS) first = place;
  }
  return first;
}
