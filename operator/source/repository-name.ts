import { withoutEnding } from '../api/foreign-text.ts';
import { azureName } from './azure-devops.ts';
import { parseRemoteUrl } from './remote-url.ts';

/** Hosts that a provider has for SSH, besides the one of its web pages. */
const KNOWN_ALIASES = [
  ['ssh.github.com', 'github.com'],
  ['altssh.gitlab.com', 'gitlab.com'],
  ['altssh.bitbucket.org', 'bitbucket.org'],
  ['ssh.dev.azure.com', 'dev.azure.com'],
] as const;

/** The one name of all hosts that are the same, by each of the others. */
export type HostAliases = ReadonlyMap<string, string>;

/** Reads `ssh.example.com=git.example.com,…`; undefined where it is none of that. */
export function hostAliases(text: string): HostAliases | undefined {
  const aliases = new Map<string, string>(KNOWN_ALIASES);
  for (const pair of text.split(',').filter((each) => each.trim() !== '')) {
    const [, alias, host] = /^([a-z0-9.-]{1,253})=([a-z0-9.-]{1,253})$/i.exec(pair.trim()) ?? [];
    if (alias === undefined || host === undefined) return undefined;
    join(aliases, comparableHost(alias), comparableHost(host));
  }
  return aliases;
}

/** What is the same as one of them is the same as the other from now on: pairs chain, in whatever order they come. */
function join(aliases: Map<string, string>, alias: string, host: string): void {
  const former = aliases.get(alias) ?? alias;
  const name = aliases.get(host) ?? host;
  if (former === name) return;
  for (const [other, nameOfOther] of aliases) if (nameOfOther === former) aliases.set(other, name);
  aliases.set(former, name);
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
    const host = comparableHost(remote.host);
    const path = remote.scheme === 'ssh' ? remote.path : decodeURIComponent(remote.path);
    return azureName(aliases.get(host) ?? host, comparablePath(path), remote.user);
  } catch {
    return undefined;
  }
}

function comparableHost(host: string): string {
  return withoutEnding(host.toLowerCase(), '.');
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
