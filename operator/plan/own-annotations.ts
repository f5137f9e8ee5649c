import { TowpathError } from '../api/errors.ts';
import {
  ANNOTATION_ADOPT,
  ANNOTATION_PRUNE,
  ANNOTATION_REPLACE,
  ANNOTATION_WAVE,
} from '../api/v1alpha1/names.ts';
import { describeObject, idOf, type ObjectId } from '../manifest/manifest.ts';

interface Annotated extends ObjectId {
  readonly annotations: Readonly<Record<string, string>>;
  readonly file?: string;
}

/** The annotations that an object in Git may carry for us: what their values are, and how that is told. */
const RULES: readonly { annotation: string; holds(value: string): boolean; advice: string }[] = [
  {
    annotation: ANNOTATION_WAVE,
    holds: (value) => waveNumber(value) !== undefined,
    advice: 'write an integer, like "1" or "-1"',
  },
  {
    annotation: ANNOTATION_PRUNE,
    holds: (value) => value === 'enabled' || value === 'disabled',
    advice: 'write "enabled" or "disabled"',
  },
  ...[ANNOTATION_REPLACE, ANNOTATION_ADOPT].map((annotation) => ({
    annotation,
    holds: (value: string) => value === 'true' || value === 'false',
    advice: 'write "true" or "false"',
  })),
];

/** The wave that the annotation's value names, 0 where there is none, undefined where it is no integer. */
export function waveNumber(value: string | undefined): number | undefined {
  if (value === undefined) return 0;
  return /^[+-]?[0-9]{1,9}$/.test(value) ? Number(value) : undefined;
}

/**
 * A value that we do not know must not be passed over: an object whose pruning is "disable" would be deleted.
 *
 * @throws TowpathError ManifestInvalid that lists every object with such a value.
 */
export function checkOwnAnnotations(objects: readonly Annotated[]): void {
  const details = objects.flatMap((object) => wrongIn(object));
  const [first] = details;
  if (first === undefined) return;
  const others = details.length > 1 ? ` (and ${details.length - 1} more)` : '';
  throw new TowpathError(
    'Person',
    'ManifestInvalid',
    `${describeObject(first.object)}${others}: ${first.message}.`,
    { details },
  );
}

function wrongIn(object: Annotated) {
  const { annotations, file } = object;
  return RULES.flatMap(({ annotation, holds, advice }) => {
    const value = annotations[annotation];
    if (value === undefined || holds(value)) return [];
    const message = `the annotation ${annotation} is "${value}"; ${advice}`;
    return [{ object: idOf(object), message, ...(file === undefined ? {} : { file }) }];
  });
}
