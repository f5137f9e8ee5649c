import { comparablePath, type HostAliases, repositoryName } from '../source/repository-name.ts';
import type { Pushed } from './providers.ts';

/** What a push names, comparable. */
export interface Named {
  names: ReadonlySet<string>;
  /** On whatever host, and below whatever path. */
  paths: ReadonlySet<string>;
}

export function named({ urls, paths }: Pushed, aliases: HostAliases): Named {
  return {
    names: new Set(urls.flatMap((url) => repositoryName(url, aliases) ?? [])),
    paths: new Set(paths.map(comparablePath)),
  };
}
