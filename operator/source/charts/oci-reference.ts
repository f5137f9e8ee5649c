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

/** @throws TowpathError ChartRepositoryInvalid; the message never repeats a credential. */
export function ociRepository(text: string): OciRepository {
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
  return { origin: `https://${HOSTS[host] ?? host}`, host, name };
}

/** The tag under which Helm pushes a version: a tag has no plus sign. Undefined where no tag is like it. */
export function tagOf(version: string): string | undefined {
  const tag = version.replaceAll('+', '_');
  return /^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/.test(tag) ? tag : undefined;
}

export function versionOf(tag: string): string {
  return tag.replaceAll('_', '+');
}

function invalid(why: string): TowpathError {
  return new TowpathError(
    'Person',
    'ChartRepositoryInvalid',
    `A chart repository in Chart.yaml ${why}. Correct it, or commit the chart to the folder charts.`,
  );
}
