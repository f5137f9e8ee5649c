import { BlockList, isIP } from 'node:net';
import type { RemoteUrl } from '../remote-url.ts';

/** The proxy's URL for a repository over HTTP; undefined where it is reached directly. */
export type ProxyRule = (remote: Pick<RemoteUrl, 'scheme' | 'host' | 'port'>) => string | undefined;

type Environment = Readonly<Record<string, string | undefined>>;

/** What is inside the cluster, and this machine, no proxy is ever asked for. */
const NEVER = ['localhost', 'svc', 'cluster.local', '127.0.0.0/8', '::1/128'];

/**
 * The rule that HTTPS_PROXY, HTTP_PROXY and NO_PROXY make, in either letter case. NO_PROXY lists hosts (their subdomains
 * are meant, too), with a port where only that one is meant, addresses and networks; `*` is everything.
 *
 * @throws Error with a sentence where a proxy's URL cannot be read; it does not repeat the URL, which may hold a password.
 */
export function proxyRule(environment: Environment): ProxyRule {
  const read = (name: string) => environment[name.toLowerCase()] || environment[name] || undefined;
  const proxies = {
    https: checked('HTTPS_PROXY', read('HTTPS_PROXY')),
    http: checked('HTTP_PROXY', read('HTTP_PROXY')),
  };
  const listed = (read('NO_PROXY') ?? '').split(',').map((entry) => entry.trim().toLowerCase());
  const entries = [...NEVER, ...listed.filter((entry) => entry !== '')];
  return ({ scheme, host, port }) =>
    scheme === 'ssh' || entries.some((entry) => covers(entry, host.toLowerCase(), port))
      ? undefined
      : proxies[scheme];
}

function checked(name: string, text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  const url = URL.parse(text);
  if (url !== null && (url.protocol === 'http:' || url.protocol === 'https:') && url.hostname !== '')
    return text;
  throw new Error(`${name} is no URL of a proxy: write it as http://host:port.`);
}

function covers(entry: string, host: string, port: number): boolean {
  if (entry === '*') return true;
  if (isIP(host) !== 0) return coversAddress(entry, host, port);
  const [, name = '', only] = /^(?:\*?\.)?([^:/]{1,253}?)\.?(?::(\d{1,5}))?$/.exec(entry) ?? [];
  if (name === '' || (only !== undefined && Number(only) !== port)) return false;
  const bare = host.endsWith('.') ? host.slice(0, -1) : host;
  return bare === name || bare.endsWith(`.${name}`);
}

function coversAddress(entry: string, host: string, port: number): boolean {
  const [network = '', bits] = entry.split('/', 2);
  const family = isIP(network);
  if (bits !== undefined) return family !== 0 && inNetwork(host, network, Number(bits));
  if (family !== 0) return inNetwork(host, network, family === 6 ? 128 : 32);
  return entry === `${host}:${port}` || entry === `[${host}]:${port}`;
}

function inNetwork(host: string, network: string, bits: number): boolean {
  const type = (address: string) => (isIP(address) === 6 ? 'ipv6' : 'ipv4');
  if (!Number.isInteger(bits) || bits < 0 || bits > (isIP(network) === 6 ? 128 : 32)) return false;
  const list = new BlockList();
  list.addSubnet(network, bits, type(network));
  return list.check(host, type(host));
}
