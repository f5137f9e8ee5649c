import { isIP } from 'node:net';
import type { RemoteUrl } from './remote-url.ts';

/** Characters of the list, and of one entry; no host name is longer. */
const maxList = 8_192;
const maxEntry = 300;
/** How many entries a message repeats. */
const shown = 3;

/** A host as it is compared, and its port; undefined: all of them. */
interface ListedHost {
  host: string;
  port: number | undefined;
}

/**
 * What a list has instead of a repository's host, as the end of a sentence; undefined where it has the host (S17).
 * The list is the text of the annotation towpath.dev/hosts: `host` (every port of it) or `host:port`, separated by
 * commas. Letter case, a dot at the end, and the ways to write an IPv6 address or an international name make no
 * difference; there are no wildcards. What is no host opens none, and an empty list opens none.
 */
export function refusedBy(list: string, remote: Pick<RemoteUrl, 'host' | 'port'>): string | undefined {
  if (list.length > maxList) return `has more than ${maxList} characters`;
  const entries = list
    .split(',')
    .map((entry) => entry.trim())
    .filter((entry) => entry !== '');
  const wanted = comparable(remote.host);
  const hosts = entries.map(parseEntry);
  const isListed = hosts.some(
    (each) => each !== undefined && each.host === wanted && (each.port ?? remote.port) === remote.port,
  );
  if (wanted !== undefined && isListed) return undefined;
  const wrong = entries.find((_, index) => hosts[index] === undefined);
  if (wrong !== undefined)
    return `has "${wrong.slice(0, 80)}", which is no host: write git.example.com or git.example.com:8443, without scheme, path or wildcard`;
  if (entries.length === 0) return 'lists no host';
  const listed = entries.slice(0, shown).map((entry) => entry.slice(0, 80));
  const more = entries.length > shown ? ` and ${entries.length - shown} more` : '';
  return `lists ${listed.join(', ')}${more}`;
}

function parseEntry(entry: string): ListedHost | undefined {
  if (entry.length > maxEntry) return undefined;
  if (isIP(entry) === 6) return { host: comparable(entry) ?? '', port: undefined };
  const [, name = '', digits] = /^(\[[^\]]*\]|[^:[\]]+)(?::(\d{1,5}))?$/.exec(entry) ?? [];
  const port = digits === undefined ? undefined : Number(digits);
  const host = comparable(name.replace(/^\[(.*)\]$/, '$1'));
  if (host === undefined || port === 0 || (port ?? 0) > 65_535) return undefined;
  return { host, port };
}

/** The one form of a host that URLs have, too; undefined for what is none. */
function comparable(host: string): string | undefined {
  if (host === '' || /[\s/\\?#@*%]/.test(host)) return undefined;
  const written = isIP(host) === 6 ? `[${host}]` : host;
  try {
    return new URL(`https://${written}/`).hostname.replace(/\.$/, '');
  } catch {
    return undefined;
  }
}
