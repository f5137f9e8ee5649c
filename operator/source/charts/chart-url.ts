import { TowpathError } from '../../api/errors.ts';
import { hasControlCharacter, printable } from '../text.ts';
import { isOci, ociRepository } from './oci-reference.ts';

const LONGEST_URL = 2_048;

/**
 * The URL of a Helm repository, or of where a registry keeps charts, without a slash at its end.
 *
 * @throws TowpathError ChartRepositoryInvalid; the message never repeats a credential.
 */
export function repositoryUrl(text: string): URL {
  if (isOci(text)) return new URL(ociRepository(text).href);
  const url = checkedUrl(text, undefined, 'A chart repository in Chart.yaml');
  if (url.search !== '')
    throw invalid('A chart repository in Chart.yaml', 'has a query; remove what begins with "?"');
  while (url.pathname.length > 1 && url.pathname.endsWith('/')) url.pathname = url.pathname.slice(0, -1);
  return url;
}

/** Where a URL with `https`, `oci` or `http` leads: an address of IPv6 without its brackets, the port also where none is written. */
export function hostAndPort({ hostname, port, protocol }: URL): { host: string; port: number } {
  const byDefault = protocol === 'http:' ? 80 : 443;
  return { host: hostname.replace(/^\[(.*)\]$/, '$1'), port: port === '' ? byDefault : Number(port) };
}

/** What a file is called that is downloaded from a URL. */
export function lastPartOf({ pathname }: URL): string {
  const part = pathname.slice(pathname.lastIndexOf('/') + 1);
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** The URL of a file of a repository, absolute or relative to it, as its index, a redirect or a registry has it. */
export function fileUrl(text: string, base: URL | undefined, what: string): URL {
  return checkedUrl(text, base, what);
}

function checkedUrl(text: string, base: URL | undefined, what: string): URL {
  if (text.length > LONGEST_URL) throw invalid(what, `has a URL of more than ${LONGEST_URL} characters`);
  if (/\s/.test(text) || hasControlCharacter(text))
    throw invalid(what, 'has a URL with white space or a control character in it');
  const url = URL.parse(text, base?.href);
  if (url === null || url.hostname === '') throw invalid(what, 'has a URL that cannot be read');
  if (url.protocol !== 'https:')
    throw invalid(what, `leads to ${printable(url.protocol, 20)}//…, and only https:// is followed`);
  if (url.username !== '' || url.password !== '')
    throw invalid(what, 'has a URL with a credential in it; take it out, and change it where it was valid');
  url.hash = '';
  return url;
}

function invalid(what: string, why: string): TowpathError {
  return new TowpathError(
    'Person',
    'ChartRepositoryInvalid',
    `${what} ${why}. Correct it, or commit the chart to the folder charts.`,
  );
}
