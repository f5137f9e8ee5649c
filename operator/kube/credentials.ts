import { readFileSync } from 'node:fs';
import type { RequestOptions } from 'node:https';
import { homedir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { SecureContextOptions } from 'node:tls';
import { KubeConfig } from '@kubernetes/client-node';
import { parse } from 'yaml';
import { withoutEnding } from '../api/foreign-text.ts';
import { UnreachableError } from './errors.ts';

/** The part of tls.connect's options that a kubeconfig decides. */
export interface TlsOptions {
  ca?: NonNullable<SecureContextOptions['ca']>;
  cert?: NonNullable<SecureContextOptions['cert']>;
  key?: NonNullable<SecureContextOptions['key']>;
  passphrase?: string;
  servername?: string;
  rejectUnauthorized?: boolean;
}

/** Where the API server is and how to prove who we are. A new object is made whenever something changed. */
export interface Access {
  /** Without a trailing slash; may have a path (`https://host/k8s/clusters/c`). */
  server: string;
  proxyUrl: string | undefined;
  tls: TlsOptions;
  /** Header names and values, alternating. */
  headers: string[];
}

/** What a client asks for the access before each request. */
export interface AccessSource {
  /** The access to use now. @throws UnreachableError where there is none. */
  current(): Access | Promise<Access>;
  /** The server refused `refused` (401, TLS). */
  invalidate(refused: Access): void;
}

/** An access that somebody else keeps up to date: no file is read for it, and no program run. */
export class GivenAccess implements AccessSource {
  #access: Access;

  constructor(access: Access) {
    this.#access = access;
  }

  current(): Access {
    return this.#access;
  }

  /** Nothing is read anew: whoever gave it gives another one. */
  invalidate(): void {}

  /** From the next request on. What is under way goes on as it began. */
  replace(access: Access): void {
    this.#access = access;
  }
}

/** How old what was read from files or an exec plugin may get; rotated tokens live on for minutes, not hours. */
const REFRESH_MS = 10_000;
/** An exec plugin that hangs must not hold up calls, which have time-outs of their own only once they are sent. */
const READ_TIMEOUT_MS = 15_000;

/**
 * The current access of a kubeconfig, read again every ten seconds (by a monotonic clock, A13) and at once after
 * `invalidate`: token files, CA files and client certificates are followed when they are rotated.
 */
export class Credentials implements AccessSource {
  readonly #load: () => KubeConfig;
  #config: KubeConfig | undefined;
  #access: Access | undefined;
  #readAt = 0;
  #reading: Promise<Access> | undefined;

  constructor(load: () => KubeConfig) {
    this.#load = load;
    // A kubeconfig that cannot be used at all is told at once, not at the first request.
    this.#config = load();
    if (this.#config.getCurrentCluster() === null) {
      throw new Error('The kubeconfig names no current cluster; set current-context.');
    }
  }

  /** The access to use now. @throws UnreachableError where it cannot be read and none was read before. */
  current(): Access | Promise<Access> {
    if (this.#access !== undefined && performance.now() - this.#readAt < REFRESH_MS) return this.#access;
    this.#reading ??= this.#read().finally(() => {
      this.#reading = undefined;
    });
    return this.#reading;
  }

  /** The server refused `refused` (401, TLS): everything is read anew, exec plugins included. */
  invalidate(refused: Access): void {
    if (this.#access !== refused) return;
    this.#readAt = Number.NEGATIVE_INFINITY;
    this.#config = undefined;
  }

  async #read(): Promise<Access> {
    try {
      this.#config ??= this.#load();
      const next = await withinTime(accessOf(this.#config));
      if (this.#access === undefined || !sameAccess(this.#access, next)) this.#access = next;
    } catch (error) {
      // A file that is being replaced: what we have may still be good.
      if (this.#access === undefined) {
        throw new UnreachableError('Credentials', `Credentials cannot be read: ${messageOf(error)}`, error);
      }
    }
    this.#readAt = performance.now();
    return this.#access;
  }
}

async function withinTime(reading: Promise<Access>): Promise<Access> {
  const late = new AbortController();
  const timer = delay(READ_TIMEOUT_MS, undefined, { signal: late.signal }).then(() => {
    throw new Error(`nothing came within ${READ_TIMEOUT_MS / 1000} s`);
  });
  try {
    return await Promise.race([reading, timer]);
  } finally {
    timer.catch(() => undefined);
    late.abort();
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

async function accessOf(config: KubeConfig): Promise<Access> {
  const cluster = config.getCurrentCluster();
  if (cluster === null) throw new Error('the kubeconfig names no current cluster');
  const options: RequestOptions & { headers: Record<string, string> } = { headers: {} };
  await config.applyToHTTPSOptions(options);
  const headers = Object.entries(options.headers).flatMap(([name, value]) => [name, value.trim()]);
  if (typeof options.auth === 'string') {
    headers.push('Authorization', `Basic ${Buffer.from(options.auth).toString('base64')}`);
  }
  const tls: TlsOptions = {};
  if (options.ca !== undefined) tls.ca = options.ca;
  if (options.cert !== undefined) tls.cert = options.cert;
  if (options.key !== undefined) tls.key = options.key;
  if (options.passphrase !== undefined) tls.passphrase = options.passphrase;
  if (options.servername !== undefined) tls.servername = options.servername;
  if (options.rejectUnauthorized !== undefined) tls.rejectUnauthorized = options.rejectUnauthorized;
  return {
    server: withoutEnding(cluster.server, '/'),
    proxyUrl: cluster.proxyUrl || undefined,
    tls,
    headers,
  };
}

/** Whether connections made for one serve the other too. */
export function sameConnection(a: Access, b: Access): boolean {
  return (
    a.server === b.server && a.proxyUrl === b.proxyUrl && JSON.stringify(a.tls) === JSON.stringify(b.tls)
  );
}

function sameAccess(a: Access, b: Access): boolean {
  return sameConnection(a, b) && a.headers.join('\n') === b.headers.join('\n');
}

/** A kubeconfig's text; relative paths in it are taken from `directory`. */
export function parseKubeConfig(text: string, directory?: string): KubeConfig {
  const config = new KubeConfig();
  config.loadFromString(text);
  if (directory !== undefined) config.makePathsAbsolute(directory);
  followTokenFiles(config, text, directory);
  return config;
}

/** client-node knows `token-file`, which no kubeconfig has, but not `tokenFile`, which kubectl writes. */
function followTokenFiles(config: KubeConfig, text: string, directory: string | undefined): void {
  const parsed: { users?: { name?: string; user?: { tokenFile?: string } }[] } | null = parse(text);
  for (const { name, user } of parsed?.users ?? []) {
    const entry = config.users.find((candidate) => candidate.name === name);
    const index = entry === undefined ? -1 : config.users.indexOf(entry);
    if (entry === undefined || user?.tokenFile === undefined || index < 0) continue;
    const tokenFile =
      directory === undefined || user.tokenFile.startsWith('/')
        ? user.tokenFile
        : join(directory, user.tokenFile);
    const { token: _token, ...rest } = entry;
    config.users[index] = { ...rest, authProvider: { name: 'tokenFile', config: { tokenFile } } };
  }
}

export function kubeConfigFromFile(file: string): KubeConfig {
  return parseKubeConfig(readFileSync(file, 'utf8'), dirname(file));
}

function kubeConfigInCluster(): KubeConfig {
  if (process.env.KUBERNETES_SERVICE_HOST === undefined) {
    throw new Error(
      'This is no Pod: KUBERNETES_SERVICE_HOST is not set. Set KUBECONFIG to a kubeconfig file.',
    );
  }
  const config = new KubeConfig();
  config.loadFromCluster();
  return config;
}

/** The kubeconfig in $KUBECONFIG (several files are merged), else the Pod's own, else ~/.kube/config. */
export function kubeConfigByDefault(): KubeConfig {
  const [first, ...others] = (process.env.KUBECONFIG ?? '').split(delimiter).filter((file) => file !== '');
  if (first !== undefined) {
    const config = kubeConfigFromFile(first);
    for (const file of others) config.mergeConfig(kubeConfigFromFile(file), true);
    return config;
  }
  if (process.env.KUBERNETES_SERVICE_HOST !== undefined) return kubeConfigInCluster();
  return kubeConfigFromFile(join(homedir(), '.kube', 'config'));
}
