import type { CheckSpec } from '../../api/v1alpha1/checks.ts';
import { parseDuration } from '../../api/v1alpha1/duration.ts';
import { sha256 } from '../../manifest/digest.ts';
import type { Check } from '../../promote/checks.ts';

/** By the check as a policy or an Environment was read, which all its Applications share: a template may be long. */
const known = new WeakMap<CheckSpec, Check>();

/** The checks that a policy has in one of its lists, or an Environment of that name. */
export function checksOf(specs: readonly CheckSpec[] = [], environment?: string): readonly Check[] {
  return specs.map((spec) => {
    const check = known.get(spec) ?? checkOf(spec, environment);
    known.set(spec, check);
    return check;
  });
}

function checkOf({ name, job, validFor }: CheckSpec, environment: string | undefined): Check {
  return Object.freeze({
    name,
    template: sha256(JSON.stringify(job)),
    deadlineMs: job.spec.activeDeadlineSeconds * 1_000,
    ...(validFor === undefined ? {} : { validForMs: parseDuration(validFor) }),
    job,
    ...(environment === undefined ? {} : { environment }),
  });
}
