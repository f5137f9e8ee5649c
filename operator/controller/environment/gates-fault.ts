import { TowpathError } from '../../api/errors.ts';
import type { Gates } from '../../api/v1alpha1/gates.ts';
import { unknownTimeZone } from '../../promote/gates/window.ts';

/** What of an Environment's gates nothing could ever pass, as it is. */
export function gatesFault(environment: string, { windows = [] }: Gates = {}): TowpathError | undefined {
  const timeZone = unknownTimeZone(windows);
  if (timeZone === undefined) return undefined;
  const next = 'Name one of the IANA database in spec.gates.windows, such as Europe/Berlin.';
  return new TowpathError(
    'Person',
    'WindowInvalid',
    `Environment ${environment} has a window in time zone ${timeZone}, which is not known (data of ${process.versions.tz ?? 'unknown version'}): nothing new is deployed there. ${next}`,
    { next },
  );
}
