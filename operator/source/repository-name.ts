import { withoutEnding } from '../api/foreign-text.ts';
import { parseRemoteUrl } from './remote-url.ts';

/** Hosts that a provider has for SSH on port 443, besides the one of its web pages. */
const KNOWN_ALIASES = [
  ['ssh.github.com', 'github.com'],
  ['altssh.gitlab.com', 'gitlab.com'],
  ['altssh.bitbucket.org', 'bitbucket.org'],
] as const;

/** Other names of hosts: what each is also known as. */
export type HostAliases = ReadonlyMap<string, string>;

/** Reads `ssh.example.com=git.example.com,…`; undefined where it is none of that. */
export function hostAliases(text: string): HostAliases | undefined {
  const aliases = new Map<string, string>(KNOWN_ALIASES);
  for (const pair of text.split(',').filter((each) => each.trim() !== '')) {
    const [, alias, host] = /^([a-z0-9.-]{1,253})=([a-z0-9.-]{1,253})$/i.exec(pair.trim()) ?? [];
    if (alias === undefined || host === undefined) return undefined;
    aliases.set(alias.toLowerCase(), host.toLowerCase());
  }
  return aliases;
}

/**
 * `host/path` of a repository, the same for every way to write its URL: scheme, user, port, letter case and the
 * ending `.git` make no difference. Undefined where it is no URL of a repository. Two repositories that share it
 * are both asked on a push, which does no harm.
 */
export function repositoryName(url: string, aliases: HostAliases): string | undefined {
  try {
    // A clone URL of Bitbucket Data Center has the name of whoever pushed.
    const remote = parseRemoteUrl(url.replace(/^(https?:\/\/)[^/@]{0,500}@/i, '$1'));
    const host = withoutEnding(remote.host.toLowerCase(), '.');
    const path = remote.scheme === 'ssh' ? remote.path : decodeURIComponent(remote.path);
    return `${aliases.get(host) ?? host}/${comparablePath(path)}`;
  } catch {
    return undefined;
  }
}

/** A path as it is compared. */
export function comparablePath(path: string): string {
  const bare = path
    .toLowerCase()
    .split('/')
    .filter((part) => part !== '')
    .join('/');
  return bare.endsWith('.git') ? withoutEnding(bare.slice(0, -4), '/') : bare;
}
