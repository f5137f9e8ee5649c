import { sha256 } from '../../manifest/digest.ts';
import type { Credential } from '../credential.ts';
import { repositoryUrl } from './chart-url.ts';
import type { FileRequest } from './https-files.ts';

/** One version of a chart in a Helm repository or a registry, as Chart.yaml and Chart.lock name it. */
export interface WantedChart {
  name: string;
  version: string;
  repository: string;
  /** SHA-256 of what it was for the one who wants it, in hexadecimal: nothing else will do. Undefined: not known. */
  digest?: string | undefined;
}

/** A chart's archive where it is published. */
export interface Published {
  digest: string;
  /** What has that digest for it. */
  says: 'index.yaml' | 'manifest';
  /** @param room is aborted where it has to make room for others. */
  open(room: AbortSignal): Promise<AsyncIterable<Buffer>>;
  /** What the archive may be called in what its publisher signed. */
  files: readonly string[];
  /** The file with that; undefined where there is none. @throws TowpathError */
  openProvenance(): Promise<AsyncIterable<Buffer> | undefined>;
}

/** As `helm package` calls a chart's archive. */
export function archiveName({ name, version }: Pick<WantedChart, 'name' | 'version'>): string {
  return `${name}-${version}.tgz`;
}

/** What is asked for, as whom: what one credential may read is kept for those who have the same (D14). */
export interface Asking {
  wanted: WantedChart;
  repository: URL;
  credential: Credential | undefined;
  /** Of the credential; '' without one. */
  scope: string;
  /** Who waits for it: of one of them counts what it takes of what all share. */
  tenants: ReadonlySet<string>;
}

/** What a repository, or a registry, is asked with. @throws TowpathError */
export type CredentialFor = (repository: string) => Credential | undefined;

/** @throws TowpathError ChartRepositoryInvalid. */
export function askingFor(
  wanted: WantedChart,
  credential: Credential | undefined,
  tenants: Iterable<string> = [],
): Asking {
  const all = new Set(tenants);
  if (all.size === 0) all.add('');
  const repository = repositoryUrl(wanted.repository);
  return { wanted, repository, credential, scope: scopeOf(credential), tenants: all };
}

/** '' without a credential. */
export function scopeOf(credential: Credential | undefined): string {
  return credential === undefined ? '' : sha256(JSON.stringify(Object.entries(credential).sort()));
}

/** By what is wanted, and as whom it is asked for. */
export function keyOf({ wanted: { name, version }, repository, scope }: Asking): string {
  return JSON.stringify([repository.href, name, version, scope]);
}

/** The name of a file in the cache. */
export function keptAs(name: string, { scope }: Asking): string {
  return scope === '' ? name : `${name} of ${scope}`;
}

/** What a server is shown of a credential: nothing, where it is another one than the repository's (S4). */
export function shownTo(
  url: URL,
  repository: URL,
  credential: Credential | undefined,
): Pick<FileRequest, 'authorization' | 'tls' | 'trusts'> {
  if (url.origin !== repository.origin) return {};
  if (credential === undefined) return { trusts: 'Secret' };
  const { username, password, bearerToken } = credential;
  const authorization = bearerToken === undefined ? basic(username, password) : `Bearer ${bearerToken}`;
  return { authorization, tls: credential, trusts: 'Secret' };
}

function basic(username: string | undefined, password: string | undefined): string | undefined {
  if (username === undefined || password === undefined) return undefined;
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
}
