import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';
import { parse } from 'yaml';
import { helm } from './helm.ts';
import { temporaryDirectory } from './process.ts';
import { selfSigned } from './self-signed.ts';
import { type SigningKey, signingWith } from './signing-key.ts';

/** A request that the server saw. */
export interface SeenFile {
  path: string;
  /** Of the answer; 0: none was given. */
  status: number;
}

export interface ServerCertificate {
  readonly key: string;
  readonly cert: string;
}

export interface ChartRepository {
  /** Of the repository: `https://127.0.0.1:1234/charts`. */
  readonly url: string;
  /** The directory that is served, with index.yaml and the archives. */
  readonly directory: string;
  /** Of the server's certificate, which is its own authority. */
  readonly caFile: string;
  /** Of the server, in PEM form. */
  readonly certificate: ServerCertificate;
  readonly requests: SeenFile[];
  /** Answers a request itself where it returns true. */
  intercept: ((request: IncomingMessage, response: ServerResponse) => boolean) | undefined;
  /** Packs a chart by the real helm, signs it with a key, and publishes it; files by their paths in the chart. */
  publish(files: Readonly<Record<string, string>>, key?: SigningKey): Promise<void>;
  /** So many requests were made for paths that end so. */
  count(ending: string): number;
  stop(): Promise<void>;
}

function newCertificate(): ServerCertificate {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2_048 });
  const key = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  return { key, cert: selfSigned(privateKey) };
}

/**
 * A Helm repository as `helm package` and `helm repo index` make one, served over HTTPS with entity tags.
 *
 * @param certificate that of another one, where both are to be trusted.
 */
export async function startChartRepository(certificate = newCertificate()): Promise<ChartRepository> {
  const root = temporaryDirectory('chart-repository');
  const directory = join(root, 'charts');
  await mkdir(directory);
  const caFile = join(temporaryDirectory('chart-authority'), 'ca.crt');
  await writeFile(caFile, certificate.cert);
  const requests: SeenFile[] = [];
  const server = createServer(certificate, (request, response) => {
    const seen = { path: request.url ?? '', status: 0 };
    requests.push(seen);
    response.on('finish', () => {
      seen.status = response.statusCode;
    });
    if (repository.intercept?.(request, response)) return;
    // Helm writes the index in place: half of it is for nobody.
    void indexed.then(() => answer(root, request, response));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  let count = 0;
  let indexed: Promise<unknown> = Promise.resolve();
  const repository: ChartRepository = {
    url: `https://127.0.0.1:${(server.address() as AddressInfo).port}/charts`,
    directory,
    caFile,
    certificate,
    requests,
    intercept: undefined,
    publish: async (files, key) => {
      const source = join(temporaryDirectory('chart-source'), String(count++));
      await writeFiles(source, files);
      await succeeded('package', source, '--destination', directory, ...signingWith(key));
      const indexing = succeeded('repo', 'index', directory);
      indexed = indexing.catch(() => undefined);
      await indexing;
    },
    count: (ending) => requests.filter(({ path }) => path.endsWith(ending)).length,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  await succeeded('repo', 'index', directory);
  return repository;
}

/** An index.yaml, or a part of one, by a reader of all of YAML. */
export function readIndex(text: string): { entries: Record<string, unknown> } {
  return parse(text);
}

export async function writeFiles(
  root: string,
  files: Readonly<Record<string, string | Uint8Array>>,
): Promise<void> {
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), text);
  }
}

/** The Chart.lock that `helm dependency update` makes of a chart; files by their paths in it. */
export async function lockOf(
  repository: ChartRepository,
  files: Readonly<Record<string, string>>,
): Promise<string> {
  const directory = join(temporaryDirectory('chart-lock'), 'chart');
  await writeFiles(directory, files);
  await updated(repository, directory);
  return readFile(join(directory, 'Chart.lock'), 'utf8');
}

/** Has `helm dependency update` fetch what a chart in a directory depends on. */
export async function updated(repository: ChartRepository, directory: string): Promise<void> {
  // helm dependency has no flag for an authority: it is told once, by the repository.
  await succeeded(
    'repo',
    'add',
    'published',
    repository.url,
    '--ca-file',
    repository.caFile,
    '--force-update',
  );
  await succeeded('dependency', 'update', directory);
}

async function succeeded(...args: string[]): Promise<string> {
  const result = await helm(...args);
  assert.equal(result.code, 0, result.stderr);
  return result.stdout;
}

async function answer(root: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const path = join(root, new URL(request.url ?? '/', 'https://localhost').pathname);
  const found = await stat(path).catch(() => undefined);
  if (found === undefined || !found.isFile()) return void response.writeHead(404).end('no such file');
  const etag = `"${found.mtimeMs}-${found.size}"`;
  if (request.headers['if-none-match'] === etag) return void response.writeHead(304, { etag }).end();
  response.writeHead(200, { etag, 'content-length': found.size });
  createReadStream(path).pipe(response);
}
