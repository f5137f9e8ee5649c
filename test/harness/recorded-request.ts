import type { IncomingHttpHeaders } from 'node:http';

/** Kubernetes' request verbs, as RBAC names them, with `apply` for a server-side apply; `other` is non-resource. */
export type Verb =
  | 'get'
  | 'list'
  | 'watch'
  | 'create'
  | 'update'
  | 'patch'
  | 'apply'
  | 'delete'
  | 'deletecollection'
  | 'other';

/** What the fault proxy noted of a request. */
export interface RecordedRequest {
  /** Counted from 1. */
  readonly number: number;
  /** `performance.now()` of its arrival, in milliseconds. */
  readonly at: number;
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly verb: Verb;
  readonly dryRun: boolean;
  readonly contentType: string;
  readonly accept: string;
  readonly userAgent: string;
  /** The impersonated user, '' if none. */
  readonly impersonate: string;
  readonly authorization: string;
  readonly body: string;
  /** HTTP status given to the client; undefined while it waits and when it got none. */
  status: number | undefined;
  /** What the proxy did to it, in words; undefined for a request passed on untouched. */
  fault: string | undefined;
}

/** Which requests a rule is about; what is left out matches all. */
export interface RequestMatch {
  method?: string | readonly string[];
  verb?: Verb | readonly Verb[];
  /** Tested against path and query: `/api/v1/pods?watch=true`. */
  path?: RegExp;
  watch?: boolean;
  where?: (request: RecordedRequest) => boolean;
}

export function matches(match: RequestMatch, request: RecordedRequest): boolean {
  const query = request.query.toString();
  const url = query ? `${request.path}?${query}` : request.path;
  return (
    among(match.method, request.method) &&
    among(match.verb, request.verb) &&
    (match.path?.test(url) ?? true) &&
    (match.watch === undefined || match.watch === (request.verb === 'watch')) &&
    (match.where?.(request) ?? true)
  );
}

function among(wanted: string | readonly string[] | undefined, value: string): boolean {
  return wanted === undefined || (typeof wanted === 'string' ? wanted === value : wanted.includes(value));
}

/** What a request line, its headers and its body say. */
export function recordRequest(
  number: number,
  line: { method: string; url: string; headers: IncomingHttpHeaders; body: string },
): RecordedRequest {
  const url = new URL(line.url, 'https://localhost');
  const header = (name: string) => String(line.headers[name] ?? '');
  const contentType = header('content-type');
  return {
    number,
    at: performance.now(),
    method: line.method,
    path: url.pathname,
    query: url.searchParams,
    verb: verbOf(line.method, url, contentType),
    dryRun: url.searchParams.has('dryRun'),
    contentType,
    accept: header('accept'),
    userAgent: header('user-agent'),
    impersonate: header('impersonate-user'),
    authorization: header('authorization'),
    body: line.body,
    status: undefined,
    fault: undefined,
  };
}

function verbOf(method: string, url: URL, contentType: string): Verb {
  const resource = /^\/(?:api\/[^/]+|apis\/[^/]+\/[^/]+)\/(?:namespaces\/[^/]+\/(?!status$|finalize$))?(.+)$/;
  const rest = resource.exec(url.pathname)?.[1];
  if (rest === undefined) return 'other';
  const named = rest.includes('/');
  switch (method) {
    case 'GET':
      if (['true', '1'].includes(url.searchParams.get('watch') ?? '')) return 'watch';
      return named ? 'get' : 'list';
    case 'POST':
      return 'create';
    case 'PUT':
      return 'update';
    case 'PATCH':
      return contentType.startsWith('application/apply-patch') ? 'apply' : 'patch';
    case 'DELETE':
      return named ? 'delete' : 'deletecollection';
    default:
      return 'other';
  }
}
