import { execFileSync, spawn } from 'node:child_process';
import {
  createServer as createHttpServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { join } from 'node:path';

/** One request that the server saw. */
export interface SeenRequest {
  method: string;
  /** Path and query. */
  url: string;
  headers: IncomingHttpHeaders;
  /** Bytes of the response's body sent so far. */
  bytesSent: number;
}

export interface GitHttpOptions {
  /** The directory whose repositories are served. */
  root: string;
  /** Requests without it get 401. */
  basic?: { username: string; password: string };
  bearerToken?: string;
  /** PEM texts; with `clientCa` a client certificate of that authority is required. */
  tls?: { cert: string; key: string; clientCa?: string };
  /** Answers a request itself when it returns true, before anything else is looked at. */
  intercept?: (request: IncomingMessage, response: ServerResponse) => boolean;
  port?: number;
  /** Another address than 127.0.0.1, in a network namespace of this run's own. */
  host?: string;
}

export interface GitHttpServer {
  readonly port: number;
  /** The URL of a repository below the root. */
  url(repositoryName: string): string;
  readonly requests: SeenRequest[];
  /** While true, requests are accepted and never answered; set to false, the held ones go on. */
  hang: boolean;
  /** Set to a number, each pack stops after that many bytes, or a few more; set to undefined, they go on. */
  holdPacksAt: number | undefined;
  stop(): Promise<void>;
}

/** Serves repositories by the real `git http-backend`, on 127.0.0.1 unless told another address. */
export async function startGitHttp(options: GitHttpOptions): Promise<GitHttpServer> {
  const backend = join(execFileSync('git', ['--exec-path']).toString().trim(), 'git-http-backend');
  const requests: SeenRequest[] = [];
  const held: (() => void)[] = [];
  let hang = false;
  let holdPacksAt: number | undefined;
  const paused: (() => void)[] = [];
  const afterBytes = (seen: SeenRequest, goOn: () => void) => {
    if (holdPacksAt === undefined || seen.method !== 'POST' || seen.bytesSent < holdPacksAt) return false;
    paused.push(goOn);
    return true;
  };
  const answer = (request: IncomingMessage, response: ServerResponse, seen: SeenRequest) => {
    if (!authorized(options, request)) {
      response.writeHead(401, { 'www-authenticate': 'Basic realm="git"' }).end('Unauthorized');
    } else runBackend(backend, options.root, request, response, seen, afterBytes);
  };
  const listener = (request: IncomingMessage, response: ServerResponse) => {
    const seen = {
      method: request.method ?? '',
      url: request.url ?? '',
      headers: request.headers,
      bytesSent: 0,
    };
    requests.push(seen);
    if (options.intercept?.(request, response)) return;
    if (hang) held.push(() => answer(request, response, seen));
    else answer(request, response, seen);
  };
  const server = createServer(options, listener);
  const { host = '127.0.0.1' } = options;
  await listen(server, options.port ?? 0, host);
  const address = server.address();
  const port = address !== null && typeof address === 'object' ? address.port : 0;
  return {
    port,
    requests,
    url: (name) => `${options.tls ? 'https' : 'http'}://${host}:${port}/${name}`,
    get hang() {
      return hang;
    },
    set hang(value) {
      hang = value;
      if (!value) for (const go of held.splice(0)) go();
    },
    get holdPacksAt() {
      return holdPacksAt;
    },
    set holdPacksAt(value) {
      holdPacksAt = value;
      for (const go of paused.splice(0)) go();
    },
    stop: () => stop(server),
  };
}

function createServer(
  { tls }: GitHttpOptions,
  listener: (request: IncomingMessage, response: ServerResponse) => void,
): Server {
  if (!tls) return createHttpServer(listener);
  const client = tls.clientCa ? { ca: tls.clientCa, requestCert: true, rejectUnauthorized: true } : {};
  return createHttpsServer({ cert: tls.cert, key: tls.key, ...client }, listener);
}

function listen(server: Server, port: number, host: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.on('error', reject);
    server.listen(port, host, () => resolve());
  });
}

function stop(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}

function authorized(options: GitHttpOptions, request: IncomingMessage): boolean {
  const given = request.headers.authorization;
  if (options.basic) {
    const { username, password } = options.basic;
    return given === `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
  }
  return options.bearerToken === undefined || given === `Bearer ${options.bearerToken}`;
}

function runBackend(
  backend: string,
  root: string,
  request: IncomingMessage,
  response: ServerResponse,
  seen: SeenRequest,
  isHeld: (seen: SeenRequest, goOn: () => void) => boolean,
): void {
  const url = new URL(request.url ?? '/', 'http://localhost');
  const child = spawn(backend, [], {
    env: {
      PATH: process.env.PATH,
      GIT_CONFIG_NOSYSTEM: '1',
      GIT_CONFIG_GLOBAL: '/dev/null',
      GIT_PROJECT_ROOT: root,
      GIT_HTTP_EXPORT_ALL: '1',
      PATH_INFO: decodeURIComponent(url.pathname),
      QUERY_STRING: url.search.slice(1),
      REQUEST_METHOD: request.method,
      CONTENT_TYPE: request.headers['content-type'] ?? '',
      CONTENT_LENGTH: request.headers['content-length'] ?? '',
      HTTP_CONTENT_ENCODING: request.headers['content-encoding'] ?? '',
      GIT_PROTOCOL: String(request.headers['git-protocol'] ?? ''),
      REMOTE_ADDR: '127.0.0.1',
    },
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  child.on('error', () => response.destroy());
  child.stdin.on('error', () => {
    // The backend ended without reading the request's body.
  });
  request.pipe(child.stdin);
  response.on('close', () => child.kill());
  let header: Buffer | undefined = Buffer.alloc(0);
  child.stdout.on('data', (chunk: Buffer) => {
    let body = chunk;
    if (header !== undefined) {
      header = Buffer.concat([header, chunk]);
      const end = header.indexOf('\r\n\r\n');
      if (end < 0) return;
      writeHead(response, header.subarray(0, end).toString());
      body = header.subarray(end + 4);
      header = undefined;
    }
    seen.bytesSent += body.length;
    const isDrained = body.length === 0 || response.write(body);
    const goOn = () => child.stdout.resume();
    if (isHeld(seen, goOn)) child.stdout.pause();
    else if (!isDrained) {
      child.stdout.pause();
      response.once('drain', goOn);
    }
  });
  child.stdout.on('end', () => response.end());
}

/** The head of a CGI response (RFC 3875): fields, with the status among them. */
function writeHead(response: ServerResponse, head: string): void {
  let status = 200;
  for (const line of head.split('\r\n')) {
    const [name = '', value = ''] = line.split(/:\s*/, 2);
    if (name.toLowerCase() === 'status') status = Number.parseInt(value, 10);
    else response.setHeader(name, value);
  }
  response.writeHead(status);
}
