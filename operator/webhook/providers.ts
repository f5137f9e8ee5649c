import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { membersOf } from '../api/foreign-object.ts';

/** Where the repository is that something was pushed to, as a delivery says it. */
export interface Pushed {
  urls: string[];
  /** Paths on a host that the delivery does not name. */
  paths: string[];
}

/** One kind of Git server: how it proves that a delivery is its own, and where the repository stands in it. */
export interface Provider {
  /** Whether a delivery with these headers may be proven by what its body is. */
  mayProve(headers: IncomingHttpHeaders, secret: string): boolean;
  proves(delivery: Delivery, secret: string): boolean;
  isPush(headers: IncomingHttpHeaders): boolean;
  pushed(payload: unknown): Pushed;
}

export interface Delivery {
  headers: IncomingHttpHeaders;
  body: Buffer;
}

const MOST_URLS = 20;
const LONGEST_URL = 2_048;
/** Of an HMAC-SHA-256. */
const HEX = /^[0-9a-f]{64}$/;

type Proof = Pick<Provider, 'mayProve' | 'proves'>;

/** By the path at which each is received, which is the key of its secret, too. */
export const PROVIDERS: ReadonlyMap<string, Provider> = new Map<string, Provider>([
  [
    'github',
    {
      ...signed('x-hub-signature-256', 'sha256='),
      isPush: event('x-github-event', ['push', 'create', 'delete']),
      pushed: (payload) => urlsIn(at(payload, 'repository'), ['clone_url', 'ssh_url', 'html_url', 'svn_url']),
    },
  ],
  [
    'gitlab',
    {
      mayProve: hasToken,
      proves: ({ headers }, secret) => hasToken(headers, secret),
      isPush: event('x-gitlab-event', ['Push Hook', 'Tag Push Hook', 'System Hook']),
      pushed: (payload) =>
        merged(
          urlsIn(at(payload, 'project'), ['git_ssh_url', 'git_http_url', 'web_url', 'ssh_url', 'http_url']),
          urlsIn(at(payload, 'repository'), ['git_ssh_url', 'git_http_url', 'url', 'homepage']),
        ),
    },
  ],
  [
    'gitea',
    {
      ...either(signed('x-forgejo-signature', ''), signed('x-gitea-signature', '')),
      isPush: (headers) =>
        ['x-forgejo-event', 'x-gitea-event'].some((name) =>
          event(name, ['push', 'create', 'delete'])(headers),
        ),
      pushed: (payload) => urlsIn(at(payload, 'repository'), ['clone_url', 'ssh_url', 'html_url']),
    },
  ],
  [
    'bitbucket',
    {
      ...signed('x-hub-signature', 'sha256='),
      isPush: event('x-event-key', ['repo:push', 'repo:refs_changed']),
      pushed: bitbucketPushed,
    },
  ],
  [
    'azure',
    {
      mayProve: hasPassword,
      proves: ({ headers }, secret) => hasPassword(headers, secret),
      // What it tells of stands in the body.
      isPush: () => true,
      pushed: azurePushed,
    },
  ],
  [
    'generic',
    {
      ...signed('x-signature', 'sha256='),
      isPush: () => true,
      pushed: (payload) => {
        const { repository } = membersOf(payload);
        return { urls: texts(Array.isArray(repository) ? repository : [repository]), paths: [] };
      },
    },
  ],
]);

/** HMAC-SHA-256 of the body, in hex, in a header. */
function signed(name: string, prefix: string): Proof {
  const given = (headers: IncomingHttpHeaders) => header(headers, name).slice(prefix.length).toLowerCase();
  const mayProve = (headers: IncomingHttpHeaders) =>
    header(headers, name).startsWith(prefix) && HEX.test(given(headers));
  return {
    mayProve,
    proves({ headers, body }, secret) {
      if (!mayProve(headers)) return false;
      const wanted = createHmac('sha256', secret).update(body).digest('hex');
      return isSame(digest(given(headers)), digest(wanted));
    },
  };
}

function either(...proofs: readonly Proof[]): Proof {
  return {
    mayProve: (headers, secret) => proofs.some((proof) => proof.mayProve(headers, secret)),
    proves: (delivery, secret) => proofs.some((proof) => proof.proves(delivery, secret)),
  };
}

/** GitLab sends the secret itself. */
function hasToken(headers: IncomingHttpHeaders, secret: string): boolean {
  return isSame(digest(header(headers, 'x-gitlab-token')), digest(secret));
}

/** Azure DevOps sends the secret itself, as the password of whatever user (RFC 7617). */
function hasPassword(headers: IncomingHttpHeaders, secret: string): boolean {
  const [, encoded = ''] =
    /^Basic ([A-Za-z0-9+/]{1,4000}={0,2})$/i.exec(header(headers, 'authorization')) ?? [];
  const given = Buffer.from(encoded, 'base64');
  const text = given.toString('utf8');
  const password = text.slice(text.indexOf(':') + 1);
  // Of texts that are decoded alike only one is well-formed.
  return isSame(digest(password), digest(secret)) && given.toString('base64') === encoded;
}

function event(name: string, pushes: readonly string[]): Provider['isPush'] {
  return (headers) => pushes.includes(header(headers, name));
}

/** Bitbucket names no clone URL: Cloud's are those of the page, Data Center's are made of project and name. */
function bitbucketPushed(payload: unknown): Pushed {
  const repository = membersOf(at(payload, 'repository'));
  const { key } = membersOf(repository['project']);
  const { slug, full_name: fullName } = repository;
  const page = hrefs(at(repository['links'], 'html'));
  const clones = hrefs(at(repository['links'], 'clone'));
  const [own = ''] = hrefs(at(repository['links'], 'self'));
  if (typeof fullName === 'string') return { urls: texts([...page, ...clones]), paths: [] };
  if (typeof key !== 'string' || typeof slug !== 'string' || key.length + slug.length > LONGEST_URL)
    return { urls: texts(clones), paths: [] };
  const paths = [`${key}/${slug}`, `scm/${key}/${slug}`];
  const below = /^(https?:\/\/[^/]{1,300}(?:\/[^?#]{0,300})?)\/(?:projects|users)\//.exec(
    own.slice(0, 2_048),
  );
  // Where it says its host: below the path that the server has there, too. SSH may have another host.
  const made = below === null ? [] : [`${below[1]}/scm/${key}/${slug}`];
  return { urls: texts([...clones, ...made]), paths };
}

/** Its URL may have white space in it, as names of projects have. */
function azurePushed(payload: unknown): Pushed {
  const { remoteUrl } = membersOf(at(at(payload, 'resource'), 'repository'));
  const [url] = texts([remoteUrl]);
  return { urls: url === undefined ? [] : [url.replaceAll(' ', '%20')], paths: [] };
}

function hrefs(links: unknown): string[] {
  const all = Array.isArray(links) ? links.slice(0, MOST_URLS) : [links];
  return texts(all.map((link) => membersOf(link)['href']));
}

function urlsIn(object: unknown, names: readonly string[]): Pushed {
  const all = membersOf(object);
  return { urls: texts(names.map((name) => all[name])), paths: [] };
}

function merged(...all: Pushed[]): Pushed {
  return { urls: all.flatMap(({ urls }) => urls), paths: all.flatMap(({ paths }) => paths) };
}

function texts(values: readonly unknown[]): string[] {
  return values
    .slice(0, MOST_URLS)
    .filter((value) => typeof value === 'string')
    .filter((value) => value !== '' && value.length <= LONGEST_URL);
}

function at(value: unknown, name: string): unknown {
  return membersOf(value)[name];
}

function header(headers: IncomingHttpHeaders, name: string): string {
  const value = headers[name];
  return typeof value === 'string' ? value : '';
}

/** Digests are of one length, so that comparing them tells nothing of what they are of (S13). */
function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

function isSame(one: Buffer, other: Buffer): boolean {
  return timingSafeEqual(one, other);
}
