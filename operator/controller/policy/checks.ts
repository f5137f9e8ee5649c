import type { CheckSpec } from '../../api/v1alpha1/checks.ts';
import { parseDuration } from '../../api/v1alpha1/duration.ts';
import { sha256 } from '../../manifest/digest.ts';
import type { Check } from '../../promote/checks.ts';

/** By the check as a policy was read, which all its Applications share: a template may be long. */
const known = new WeakMap<CheckSpec, Check>();

/** The checks that a policy has in one of its lists. */
export function checksOf(specs: readonly CheckSpec[] = []): readonly Check[] {
  return specs.map((spec) => {
    const check = known.get(spec) ?? checkOf(spec);
    known.set(spec, check);
    return check;
  });
}

function checkOf({ name, job, validFor }: CheckSpec): Check {
  return Object.freeze({
    name,
    template: sha256(JSON.stringify(job)),
    deadlineMs: job.spec.activeDeadlineSeconds * 1_000,
    ...(validFor === undefined ? {} : { validForMs: parseDuration(validFor) }),
    job,
  });
}
