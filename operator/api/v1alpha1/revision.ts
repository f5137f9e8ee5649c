/**
 * What an Application runs, or is to run, in one text: a commit of Git; the version of a chart that somebody published;
 * or both, as `6.7.0@<commit>`, where the values files of such a chart come from Git. No version has an `@` in it, and no
 * commit a dot.
 */

/** Characters of a version of a chart that is followed. */
export const CHART_VERSION_LIMIT = 40;
const COMMIT_LENGTH = 40;
export const REVISION_LIMIT = CHART_VERSION_LIMIT + 1 + COMMIT_LENGTH;

/** Whether a version of a chart can be a revision, or a part of one. */
export function isFollowable(version: string): boolean {
  return version.length <= CHART_VERSION_LIMIT && version.includes('.');
}

export interface RevisionParts {
  readonly version?: string;
  readonly commit?: string;
}

export function revisionOf({ version, commit }: RevisionParts): string {
  return [version, commit].filter((part) => part !== undefined).join('@');
}

export function partsOf(revision: string): RevisionParts {
  const at = revision.indexOf('@');
  if (at >= 0) return { version: revision.slice(0, at), commit: revision.slice(at + 1) };
  return revision.includes('.') ? { version: revision } : { commit: revision };
}

/** `4f2c81a`, `6.7.0`, `6.7.0@4f2c81a` */
export function shortened(revision: string, digits = 7): string {
  const { version, commit } = partsOf(revision);
  return revisionOf({
    ...(version === undefined ? {} : { version }),
    ...(commit === undefined ? {} : { commit: commit.slice(0, digits) }),
  });
}

/** Whether somebody means it by what he wrote: the beginning of a commit, a version, or both. */
export function isMeant(written: string, revision: string): boolean {
  const means = partsOf(written);
  const { version, commit } = partsOf(revision);
  if (means.version !== undefined && means.version !== version) return false;
  return means.commit === undefined ? means.version !== undefined : commit?.startsWith(means.commit) === true;
}
