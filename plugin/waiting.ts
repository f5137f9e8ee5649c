import type { EnvironmentStatus } from '../operator/api/v1alpha1/application.ts';
import type { Promotion } from '../operator/api/v1alpha1/promotion.ts';
import { isMeant, partsOf } from '../operator/api/v1alpha1/revision.ts';
import { CommandError, EXIT } from './exit-codes.ts';

type Entry = Pick<
  EnvironmentStatus,
  'desiredDigest' | 'desiredRevision' | 'waiting' | 'changes' | 'revision'
>;

/** Manifests that wait in an environment: of which commit, and what they would change there, where that is known. */
export interface Waits {
  readonly revision: string;
  readonly digest: string;
  readonly changes?: NonNullable<EnvironmentStatus['changes']>;
}

/** Hexadecimal digits by which a digest is told, and of which fewer may be written. */
const SHOWN = 12;
const LEAST = 7;

/** What waits in an environment, the newest first: what the entry is about, and what came before it. */
export function allWaiting({
  desiredDigest,
  desiredRevision,
  changes,
  waiting = [],
}: Omit<Entry, 'revision'>): readonly Waits[] {
  const others = waiting.map((one) => waits(one.revision, one.digest, one.changes));
  return desiredDigest === undefined
    ? others
    : [waits(desiredRevision ?? '', desiredDigest, changes), ...others];
}

function waits(revision: string, digest: string, changes: EnvironmentStatus['changes']): Waits {
  return { revision, digest, ...(changes === undefined ? {} : { changes }) };
}

/** Whether somebody means that commit, or version of a chart, by what he wrote. */
export function isOfRevision(written: string, revision: string | undefined): boolean {
  const isLong = written.length >= LEAST || partsOf(written).version !== undefined;
  return isLong && revision !== undefined && isMeant(written, revision);
}

/** The same of manifests, or of a candidate, by its digest. */
export function isOfDigest(written: string, digest: string | undefined): boolean {
  const digits = written.replace(/^(c-|sha256:)/, '').toLowerCase();
  return digits.length >= LEAST && digest?.startsWith(`sha256:${digits}`) === true;
}

/**
 * What waits and is named so; undefined: nothing is.
 *
 * @throws CommandError where that is not one alone: of one commit there are several where the spec changed since
 */
export function waitingOf(
  named: { readonly revision: string } | { readonly candidate: string },
  entry: Omit<Entry, 'revision'> | undefined,
): Waits | undefined {
  const [first, ...more] = entry === undefined ? [] : allWaiting(entry).filter((one) => isNamed(named, one));
  if (first === undefined || more.length === 0) return first;
  const flag = 'revision' in named ? `--revision=${named.revision}` : `--candidate=${named.candidate}`;
  throw new CommandError(
    `${flag} names several that wait there: name one of them by --candidate=${[first, ...more].map(({ digest }) => shortDigest(digest)).join(' or --candidate=')}.`,
    EXIT.Usage,
  );
}

function isNamed(
  named: { readonly revision: string } | { readonly candidate: string },
  { revision, digest }: Waits,
): boolean {
  return 'revision' in named ? isOfRevision(named.revision, revision) : isOfDigest(named.candidate, digest);
}

/** By which one tells it from others, and may name it. */
export function shortDigest(digest: string): string {
  return digest.slice(0, 'sha256:'.length + SHOWN);
}

/** What that would change which waits there, told with both commits as a Promotion does. */
export function changesOf(
  { revision: from }: Pick<Entry, 'revision'>,
  { changes, revision: to }: Waits,
): NonNullable<Promotion['status']>['changes'] {
  if (changes === undefined) return undefined;
  const commits = { ...(from === undefined ? {} : { from }), ...(to === '' ? {} : { to }) };
  return { ...changes, revision: commits };
}
