import { ANNOTATION_ABANDON } from '../../../api/v1alpha1/names.ts';
import { describeObject } from '../../../manifest/manifest.ts';
import type { Gone } from '../../target/memory.ts';
import type { LeftBehind } from '../../target/removal/left-behind.ts';
import type { Unreported } from '../../target/words/unreported.ts';

/** A target of which nothing is looked after any more. */
export interface EndedTarget extends Gone {
  readonly environment: string;
  readonly unreported: Unreported;
}

/** Of so many environments their names are told. */
const NAMED = 5;

/** What the event says of an Application that is gone. Pure. */
export function deletedNote(key: string, targets: readonly Omit<EndedTarget, 'unreported'>[]): string {
  const left = Map.groupBy(targets, ({ behind }) => behind?.why);
  const behind = [...left].flatMap(([why, ones]) =>
    why === undefined
      ? []
      : [
          leftBehindIn(
            ones.map(({ environment }) => environment),
            why,
          ),
        ],
  );
  if (behind.length > 0) return `Application ${key} is gone. ${behind.join(' ')}`;
  const stayed = keptOf(targets.flatMap(({ kept }) => kept));
  return stayed === undefined
    ? `All objects of Application ${key} were deleted or released.`
    : `Application ${key} is gone; ${stayed}`;
}

/** The same of an environment that its Application names no more. Pure. */
export function leftNote({ environment, kept, behind }: Omit<EndedTarget, 'unreported'>): string {
  if (behind !== undefined)
    return `Environment ${environment} is gone. ${leftBehindIn([environment], behind.why)}`;
  const stayed = keptOf(kept);
  return stayed === undefined
    ? `Nothing of environment ${environment} is left: its objects were deleted, released or taken over.`
    : `Environment ${environment} is gone; ${stayed}`;
}

function keptOf(kept: Gone['kept']): string | undefined {
  const [first] = kept;
  const more = kept.length > 1 ? ` and ${kept.length - 1} more` : '';
  return first && `${describeObject(first.object)}${more} stayed: ${first.reason}`;
}

const BECAUSE: Readonly<Record<LeftBehind['why'], string>> = {
  Abandoned: `as ${ANNOTATION_ABANDON} asked: what is there stays`,
  Leaving: 'since its namespace, or the definition of Applications, is being deleted: what is there stays',
  Replaced: 'since its cluster was replaced: what the former cluster has stays there',
};

function leftBehindIn(environments: readonly string[], why: LeftBehind['why']): string {
  const more = environments.length > NAMED ? ` and ${environments.length - NAMED} more` : '';
  const where = `${environments.slice(0, NAMED).join(', ')}${more}`;
  return `Nothing was deleted in ${where}, ${BECAUSE[why]}, and nobody looks after it.`;
}
