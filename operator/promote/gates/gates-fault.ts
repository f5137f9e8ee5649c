import { TowpathError } from '../../api/errors.ts';
import type { Gates } from '../../api/v1alpha1/gates.ts';
import { unknownTimeZone } from './window.ts';

/**
 * What of gates nothing could ever pass, as they are.
 *
 * @param whose as a sentence begins: `Environment prod`
 * @param field where they stand there: `spec.gates`
 */
export function gatesFault(
  whose: string,
  field: string,
  { windows = [] }: Gates = {},
): TowpathError | undefined {
  const timeZone = unknownTimeZone(windows);
  if (timeZone === undefined) return undefined;
  const next = `Name one of the IANA database in ${field}.windows, such as Europe/Berlin.`;
  return new TowpathError(
    'Person',
    'WindowInvalid',
    `${whose} has a window in time zone ${timeZone}, which is not known (data of ${process.versions.tz ?? 'unknown version'}): nothing new is deployed there. ${next}`,
    { next },
  );
}
