import { TowpathError } from '../../api/errors.ts';
import { hasControlCharacter } from '../text.ts';

/** Where a registry keeps charts: `oci://ghcr.io/acme/charts`. */
export interface OciRepository {
  /** With its port where that is none of HTTPS; in small letters. */
  host: string;
  /** Without slashes around it; '' for the registry's root. */
  path: string;
  href: string;
}

/** One chart's version in a registry, as an index has it. */
export interface OciPlace {
  reference: OciReference;
  /** `oci://ghcr.io/acme/redis` */
  href: string;
  /** The tag, or the digest of the manifest: `sha256:…`. */
  manifest: string;
}

/** One chart in a registry, as the distribution specification names what it keeps. */
export interface OciReference {
  /** Origin of the registry's API. */
  origin: string;
  host: string;
  /** `acme/charts/redis` */
  name: string;
}

const LONGEST_URL = 2_048;
const LONGEST_NAME = 255;
/** The registry of docker.io answers at another host than its name says. */
const HOSTS: Readonly<Record<string, string>> = { 'docker.io': 'registry-1.docker.io' };
const COMPONENT = '[a-z0-9]+(?:(?:\\.|__?|-+)[a-z0-9]+)*';
// Linear: what stands between the parts of a name is no part of them.
const NAME = new RegExp(`^${COMPONENT}(?:/${COMPONENT})*$`);
const AUTHORITY = /^(?:[A-Za-z0-9][A-Za-z0-9.-]*|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?$/;

export function isOci(repository: string): boolean {
  return /^oci:\/\//i.test(repository);
}

/**
 * @param what has the URL, for messages.
 * @throws TowpathError ChartRepositoryInvalid; the message never repeats a credential.
 */
export function ociRepository(text: string, what = 'A chart repository in Chart.yaml'): OciRepository {
  const invalid = (why: string) => invalidUrl(what, why);
  if (text.length > LONGEST_URL) throw invalid(`has a URL of more than ${LONGEST_URL} characters`);
  if (/\s/.test(text) || hasControlCharacter(text))
    throw invalid('has a URL with white space or a control character in it');
  const rest = text.slice('oci://'.length);
  const slash = rest.indexOf('/');
  const authority = slash < 0 ? rest : rest.slice(0, slash);
  if (authority.includes('@'))
    throw invalid('has a URL with a credential in it; take it out, and change it where it was valid');
  const url = AUTHORITY.test(authority) ? URL.parse(`https://${authority}`) : null;
  if (url === null) throw invalid('has a URL that cannot be read');
  let path = slash < 0 ? '' : rest.slice(slash + 1);
  while (path.endsWith('/')) path = path.slice(0, -1);
  if (path !== '' && !NAME.test(path))
    throw invalid(
      'has a path that no registry has: its parts are of small letters and digits, between which ".", "_" or "-" may stand; it has no tag, no digest, and no query',
    );
  return { host: url.host, path, href: `oci://${url.host}${path === '' ? '' : `/${path}`}` };
}

/** @throws TowpathError ChartNotFound where no registry can have a chart of that name. */
export function ociReference({ host, path, href }: OciRepository, chart: string): OciReference {
  const name = path === '' ? chart : `${path}/${chart}`;
  if (!NAME.test(name) || name.length > LONGEST_NAME)
    throw new TowpathError(
      'Person',
      'ChartNotFound',
      `A registry has no chart ${chart} at ${href}: names there are of small letters and digits, between which ".", "_" or "-" may stand, with at most ${LONGEST_NAME} characters in all. Correct Chart.yaml, and run \`helm dependency update\`.`,
    );
  return referenceOf(host, name);
}

function referenceOf(host: string, name: string): OciReference {
  return { origin: `https://${HOSTS[host] ?? host}`, host, name };
}

/**
 * Reads where an index has the archive of a version: `oci://ghcr.io/acme/redis:1.2.3`, or with the digest of its manifest
 * behind `@`. Without either the version's tag is meant, as to Helm.
 *
 * @param what is the entry, for messages.
 * @throws TowpathError ChartRepositoryInvalid; the message never repeats a credential.
 */
export function ociPlace(text: string, version: string, what: string): OciPlace {
  const slash = text.indexOf('/', 'oci://'.length);
  const end = slash < 0 ? text.length : slash;
  const [tagged, digest] = cut(text.slice(end), '@');
  const [name, tag] = cut(tagged, ':');
  const { host, path, href } = ociRepository(text.slice(0, end) + name, what);
  const named = tagOf(tag ?? version);
  const isDigest = digest === undefined || /^sha256:[0-9a-f]{64}$/.test(digest);
  if (path === '' || named === undefined || !isDigest)
    throw invalidUrl(
      what,
      'has a URL that a registry has no chart at: it has a name, and behind that a tag or the SHA-256 digest of a manifest',
    );
  return { reference: referenceOf(host, path), href, manifest: digest ?? named };
}

function cut(text: string, at: string): [before: string, after: string | undefined] {
  const found = text.indexOf(at);
  return found < 0 ? [text, undefined] : [text.slice(0, found), text.slice(found + 1)];
}

/** The tag under which Helm pushes a version: a tag has no plus sign. Undefined where no tag is like it. */
export function tagOf(version: string): string | undefined {
  const tag = version.replaceAll('+', '_');
  return /^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/.test(tag) ? tag : undefined;
}

export function versionOf(tag: string): string {
  return tag.replaceAll('_', '+');
}

function invalidUrl(what: string, why: string): TowpathError {
  return new TowpathError(
    'Person',
    'ChartRepositoryInvalid',
    `${what} ${why}. Correct it, or commit the chart to the folder charts.`,
  );
}
