import assert from 'node:assert/strict';
import { generateKeyPairSync, randomUUID, sign } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { registryBinary } from '../../hack/programs.ts';
import { writeFiles } from './chart-repository.ts';
import { helm } from './helm.ts';
import { startProcess, temporaryDirectory } from './process.ts';
import { selfSigned } from './self-signed.ts';
import { type SigningKey, signingWith } from './signing-key.ts';
import { eventually } from './wait.ts';

/** A request that the registry, or who gives its tokens, saw. */
export interface SeenRegistryRequest {
  method: string;
  /** Path and query. */
  path: string;
  authorization: string | undefined;
}

export interface OciRegistry {
  /** `127.0.0.1:1234` */
  readonly host: string;
  /** Everybody may read what is there: `oci://127.0.0.1:1234/public`. */
  readonly url: string;
  /** Only who has the credential may. */
  readonly privateUrl: string;
  readonly credential: { username: string; password: string };
  /** Of the server's certificate, which is its own authority. */
  readonly caFile: string;
  /** What another server is trusted with, too. */
  readonly tls: { key: string; cert: string };
  readonly requests: SeenRegistryRequest[];
  /** Where tokens are said to be had; default: at the same server. */
  realm: string;
  /** Answers a request itself where it returns true. */
  intercept: ((request: IncomingMessage, response: ServerResponse) => boolean) | undefined;
  /** Packs a chart by the real helm, signs it with a key, and pushes it; files by their paths in the chart. */
  publish(files: Readonly<Record<string, string>>, to?: string, key?: SigningKey): Promise<void>;
  /** So many requests were made for paths in which this stands. */
  count(part: string): number;
  stop(): Promise<void>;
}

const ISSUER = 'test';
const SERVICE = 'registry of the tests';
const CREDENTIAL = { username: 'alice', password: 'p@ss:word' };

/** The reference registry over HTTPS, with tokens as registries give them, for what helm pushes. */
export async function startOciRegistry(): Promise<OciRegistry> {
  const directory = temporaryDirectory('oci-registry');
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2_048 });
  const cert = selfSigned(privateKey);
  const caFile = join(directory, 'ca.crt');
  await writeFile(caFile, cert);
  const requests: SeenRegistryRequest[] = [];
  const tokens = newTokens();
  const socket = join(directory, 'socket');
  const key = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  const server = createServer({ key, cert }, (request, response) => {
    const { method = '', url = '' } = request;
    requests.push({ method, path: url, authorization: request.headers.authorization });
    if (registry.intercept?.(request, response)) return;
    if (url.startsWith('/token')) tokens.answer(request, response);
    else forward(socket, registry.realm, request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const running = await startRegistry(directory, socket, `https://${host}/token`, tokens.jwks);
  const registry: OciRegistry = {
    host,
    url: `oci://${host}/public`,
    privateUrl: `oci://${host}/private`,
    credential: CREDENTIAL,
    caFile,
    tls: { key, cert },
    requests,
    realm: `https://${host}/token`,
    intercept: undefined,
    publish: (files, to = `oci://${host}/public`, key) => push(files, to, caFile, key),
    count: (part) => requests.filter(({ path }) => path.includes(part)).length,
    stop: async () => {
      await running.stop();
      await new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      });
    },
  };
  return registry;
}

async function startRegistry(directory: string, socket: string, realm: string, jwks: object) {
  const keys = join(directory, 'jwks.json');
  await writeFile(keys, JSON.stringify(jwks));
  const configuration = join(directory, 'config.json');
  await writeFile(
    configuration,
    JSON.stringify({
      version: '0.1',
      log: { level: 'error', accesslog: { disabled: true } },
      storage: { inmemory: {}, maintenance: { uploadpurging: { enabled: false } } },
      http: { relativeurls: true },
      auth: {
        token: { realm, service: SERVICE, issuer: ISSUER, jwks: keys, signingalgorithms: ['RS256'] },
      },
    }),
  );
  const running = startProcess({
    name: 'registry',
    command: await registryBinary(),
    args: [configuration, socket],
    logPath: join(directory, 'log'),
  });
  const answers = () =>
    new Promise<boolean>((resolve) => {
      const request = httpRequest({ socketPath: socket, path: '/v2/' }, (response) => {
        response.resume();
        resolve(true);
      });
      request.on('error', () => resolve(false)).end();
    });
  await eventually(answers, { describe: `the registry to answer (${running.logPath})` });
  return running;
}

/** Tokens as Docker's documentation of them describes: everybody reads below public/, one user may do anything. */
function newTokens(): { jwks: object; answer(request: IncomingMessage, response: ServerResponse): void } {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2_048 });
  const kid = 'tests';
  const jwks = { keys: [{ ...publicKey.export({ format: 'jwk' }), kid, alg: 'RS256', use: 'sig' }] };
  const encoded = (part: object) => Buffer.from(JSON.stringify(part)).toString('base64url');
  const expected = `Basic ${Buffer.from(`${CREDENTIAL.username}:${CREDENTIAL.password}`).toString('base64')}`;
  return {
    jwks,
    answer: (request, response) => {
      const given = request.headers.authorization;
      if (given !== undefined && given !== expected)
        return void response.writeHead(401).end('wrong password');
      const { searchParams } = new URL(request.url ?? '', 'https://localhost');
      const access = searchParams.getAll('scope').flatMap((scope) => {
        const [type = '', name = '', actions = ''] = scope.split(':');
        if (given !== undefined) return [{ type, name, actions: actions.split(',') }];
        return name.startsWith('public/') ? [{ type, name, actions: ['pull'] }] : [];
      });
      const now = Math.floor(Date.now() / 1_000);
      const claims = {
        iss: ISSUER,
        sub: '',
        aud: searchParams.get('service') ?? '',
        jti: randomUUID(),
        access,
      };
      const times = { iat: now, nbf: now - 60, exp: now + 300 };
      const signed = `${encoded({ typ: 'JWT', alg: 'RS256', kid })}.${encoded({ ...claims, ...times })}`;
      const signature = sign('sha256', Buffer.from(signed), privateKey).toString('base64url');
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ token: `${signed}.${signature}`, expires_in: 300 }));
    },
  };
}

function forward(
  socketPath: string,
  realm: string,
  request: IncomingMessage,
  response: ServerResponse,
): void {
  const { method, url: path, headers } = request;
  const onward = httpRequest({ socketPath, method, path, headers }, (answer) => {
    const challenge = answer.headers['www-authenticate'];
    if (challenge !== undefined)
      answer.headers['www-authenticate'] = challenge.replace(/realm="[^"]*"/, () => `realm="${realm}"`);
    response.writeHead(answer.statusCode ?? 500, answer.headers);
    answer.pipe(response);
  });
  onward.on('error', () => response.destroy());
  request.pipe(onward);
}

async function push(
  files: Readonly<Record<string, string>>,
  to: string,
  caFile: string,
  key: SigningKey | undefined,
): Promise<void> {
  const root = temporaryDirectory('chart-source');
  await writeFiles(join(root, 'chart'), files);
  const packed = await succeeded('package', join(root, 'chart'), '--destination', root, ...signingWith(key));
  const [, archive = ''] = /: (\S+\.tgz)/.exec(packed) ?? [];
  const { username, password } = CREDENTIAL;
  await succeeded('push', archive, to, '--ca-file', caFile, '--username', username, '--password', password);
}

/** The Chart.lock that `helm dependency update` makes of a chart; files by their paths in it. */
export async function registryLockOf(
  { caFile, credential: { username, password } }: OciRegistry,
  files: Readonly<Record<string, string>>,
): Promise<string> {
  const directory = join(temporaryDirectory('chart-lock'), 'chart');
  await writeFiles(directory, files);
  const given = ['--ca-file', caFile, '--username', username, '--password', password];
  await succeeded('dependency', 'update', directory, ...given);
  return readFile(join(directory, 'Chart.lock'), 'utf8');
}

async function succeeded(...args: string[]): Promise<string> {
  const result = await helm(...args);
  assert.equal(result.code, 0, result.stderr);
  return result.stdout;
}
