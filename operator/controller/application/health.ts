import { HEALTH_STATES, type HealthState } from '../../api/v1alpha1/application.ts';
import { describeObject, type ObjectId } from '../../manifest/manifest.ts';

interface WithHealth extends ObjectId {
  health: { state: HealthState; message?: string };
}

/** The worst health of all, with the object it is about and why. No objects: Healthy. */
export function worstHealth(objects: Iterable<WithHealth>): { state: HealthState; message?: string } {
  let worst: WithHealth | undefined;
  for (const object of objects) {
    if (
      worst === undefined ||
      HEALTH_STATES.indexOf(object.health.state) < HEALTH_STATES.indexOf(worst.health.state)
    )
      worst = object;
  }
  if (worst === undefined || worst.health.state === 'Healthy') return { state: 'Healthy' };
  const why = worst.health.message === undefined ? worst.health.state.toLowerCase() : worst.health.message;
  return {
    state: worst.health.state,
    message: `${describeObject(worst)}: ${why}${/[.!?]$/.test(why) ? '' : '.'}`,
  };
}
