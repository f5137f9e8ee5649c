import type { Application } from '../../api/v1alpha1/application.ts';
import { parseRemoteUrl } from '../../source/remote-url.ts';
import type { Access, Repository } from '../../source/sources.ts';
import type { ReferencedContent } from './references.ts';
import { gitAccessOf, gitSourceOf, namingSecret } from './spec-inputs.ts';

/** Who has a kustomization refer to a repository: the Application's own, or who has no say in what its credential reads. */
export type AskedBy = 'Its own' | 'Another';

/** How a repository is asked, and whether with the Application's credential. @throws TowpathError */
export type BaseAccess = (repository: string, askedBy: AskedBy) => { access: Access; isTrusted: boolean };

/**
 * The credential of `spec.source.secretRef` goes to the host of `spec.source.repoURL` and to no other, and for what the
 * Application's own repository refers to, or one that was read with it: another one must not have it read what it may not
 * read itself.
 */
export function baseAccessOf(application: Application, contents: Map<string, ReferencedContent>): BaseAccess {
  return (repository, askedBy) => {
    const remote = parseRemoteUrl(repository);
    const own = parseRemoteUrl(gitSourceOf(application).repoURL);
    const isOwnHost =
      remote.scheme === own.scheme &&
      remote.host.toLowerCase() === own.host.toLowerCase() &&
      remote.port === own.port;
    if (askedBy === 'Another' || !isOwnHost) return { access: { url: repository }, isTrusted: false };
    const access = namingSecret(application, () => gitAccessOf(application, contents));
    return { access: { ...access, url: repository }, isTrusted: true };
  };
}

/** Many Applications that are rendered at once share a look at a repository to which they refer. */
const RECENT_MS = 1_000;
/** What is rendered anew of an old commit goes by no older look. */
const OLD_MS = 60_000;

/**
 * Since when other repositories must have been asked: what their authors pushed before the commit, or before somebody asked
 * for a sync, is to be seen with it. On the clock of performance.now().
 *
 * @param requestedAt when that request was seen; undefined: nobody asked.
 */
export function askedSince(
  { kept, requestedAt }: { kept: readonly unknown[]; requestedAt: number | undefined },
  { changedAt = 0 }: Pick<Repository, 'changedAt'>,
): number {
  const now = performance.now();
  if (kept.length === 0) return now - RECENT_MS;
  // By each look's own time an answer that one look does not wait for would be too old for the next one, for ever.
  return Math.max(changedAt, requestedAt === undefined ? now - OLD_MS : requestedAt - RECENT_MS);
}
