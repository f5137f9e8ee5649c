import { TowpathError } from '../../api/errors.ts';

/** For an annotated tag's own id where a commit's is wanted. */
export function notACommit(tag: string, commit: string | undefined): TowpathError {
  const instead = commit === undefined ? '' : ` (it is ${commit})`;
  return new TowpathError(
    'Person',
    'RefNotFound',
    `${tag} is the id of an annotated tag, not of a commit. Name the tag in spec.source.ref.tag, or the commit that it points at${instead} in spec.source.ref.commit.`,
  );
}
