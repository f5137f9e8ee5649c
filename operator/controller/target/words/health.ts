import { HEALTH_STATES, type HealthState } from '../../../api/v1alpha1/application.ts';
import { secondTime } from '../../../kube/times.ts';
import { describeObject, type ObjectId } from '../../../manifest/manifest.ts';

interface WithHealth extends ObjectId {
  health: { state: HealthState; message?: string; failedAt?: string };
}

/**
 * Why health will not come: the first object whose own controller gave it up since then (RFC 3339); what failed
 * before may be what is being corrected. Undefined: there is hope.
 */
export function finalFailure(objects: Iterable<WithHealth>, since: string): string | undefined {
  const second = secondTime(new Date(since));
  for (const object of objects)
    if (object.health.failedAt !== undefined && object.health.failedAt >= second) return sentenceOf(object);
  return undefined;
}

/**
 * The worst health of all, with the object it is about and why; of all that are Healthy what there is to tell. No
 * objects: Healthy.
 */
export function worstHealth(objects: Iterable<WithHealth>): { state: HealthState; message?: string } {
  let worst: WithHealth | undefined;
  for (const object of objects) {
    if (
      worst === undefined ||
      HEALTH_STATES.indexOf(object.health.state) < HEALTH_STATES.indexOf(worst.health.state)
    )
      worst = object;
  }
  if (worst === undefined) return { state: 'Healthy' };
  if (worst.health.state === 'Healthy') return { state: 'Healthy', ...noteOf(objects) };
  return { state: worst.health.state, message: sentenceOf(worst) };
}

/** What is to be told of healthy objects: of the first by name that has something, and how many there are. */
function noteOf(objects: Iterable<WithHealth>): { message?: string } {
  const explained = [...objects].filter(({ health }) => health.message !== undefined);
  const [first] = explained.sort((a, b) => (describeObject(a) < describeObject(b) ? -1 : 1));
  if (first === undefined) return {};
  const more = explained.length === 1 ? '' : ` And ${explained.length - 1} more.`;
  return { message: `${sentenceOf(first)}${more}` };
}

function sentenceOf(object: WithHealth): string {
  const why = object.health.message ?? object.health.state.toLowerCase();
  return `${describeObject(object)}: ${why}${/[.!?]$/.test(why) ? '' : '.'}`;
}
