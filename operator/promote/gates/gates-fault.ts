import { TowpathError } from '../../api/errors.ts';
import { membersOf } from '../../api/foreign-object.ts';
import { CHECK_LIMITS, type CheckSpec } from '../../api/v1alpha1/checks.ts';
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

/** What of checks could never run, as they are. @param field as above, of the list: `spec.stages[prod].gates.checks` */
export function checksFault(
  whose: string,
  field: string,
  checks: readonly CheckSpec[] = [],
): TowpathError | undefined {
  for (const { name, job } of checks) {
    const { template } = job.spec;
    const { containers } = membersOf(template['spec']);
    const where = `${field}[${name}].job.spec.template`;
    if (!Array.isArray(containers) || containers.length === 0)
      return checkInvalid(whose, name, 'has no container', `Name one in ${where}.spec.containers.`);
    if (Buffer.byteLength(JSON.stringify(template)) > CHECK_LIMITS.templateBytes)
      return checkInvalid(
        whose,
        name,
        `has a Pod template of more than ${CHECK_LIMITS.templateBytes} bytes of JSON`,
        `Have the image bring what it needs, and make ${where} smaller.`,
      );
  }
  return undefined;
}

function checkInvalid(whose: string, check: string, what: string, next: string): TowpathError {
  const message = `${whose} has a check ${check} that ${what}: it cannot run, and nothing is let in by it. ${next}`;
  return new TowpathError('Person', 'CheckInvalid', message, { next });
}
