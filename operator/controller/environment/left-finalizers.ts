import { TowpathError } from '../../api/errors.ts';
import { GROUP } from '../../api/v1alpha1/names.ts';
import { addressOf } from '../../manifest/digest.ts';
import type { KnownInstallations } from '../home/installations.ts';

const USED_BY = `${GROUP}/used-by-`;

/** Several installations may deploy to one Environment, each for namespaces of its own. */
export function environmentFinalizer(installation: string): string {
  return `${USED_BY}${addressOf(installation)}`;
}

/** Of the finalizers of an Environment those of installations that are none, by their ClusterRoles, any more. */
export function leftFinalizers(
  finalizers: readonly string[],
  known: KnownInstallations | undefined,
): string[] {
  if (known === undefined) return [];
  const there = new Set([...known.ids].map(environmentFinalizer));
  return finalizers.filter((one) => one.startsWith(USED_BY) && !there.has(one));
}

/** Of these those that this installation takes off one that is being deleted: where it may be sure that nobody has them. */
export function oursToTakeOff(
  finalizers: readonly string[],
  known: KnownInstallations | undefined,
): string[] {
  return known?.isOnly === true ? leftFinalizers(finalizers, known) : [];
}

/** Whether nobody who is there has the Environment in use, and somebody who is not still holds it. */
export function isLeftHeld(finalizers: readonly string[], known: KnownInstallations | undefined): boolean {
  const used = finalizers.filter((one) => one.startsWith(USED_BY));
  return used.length > 0 && leftFinalizers(used, known).length === used.length;
}

/**
 * Why an Environment that is being deleted, and that this installation does not use, stays.
 *
 * @param finalizers those that it has
 */
export function heldUp(
  environment: string,
  finalizers: readonly string[],
  ours: string,
  known: KnownInstallations | undefined,
): TowpathError | undefined {
  // Those of Kubernetes itself, which has them for a moment, have no domain.
  const others = finalizers.filter((one) => one !== ours && one.includes('/'));
  if (others.length === 0) return undefined;
  const [left] = leftFinalizers(others, known);
  if (left === undefined) {
    const [which, it] = others.length === 1 ? ['finalizer', 'it'] : ['finalizers', 'them'];
    const message = `Environment ${environment} is to be deleted, and stays until whoever set its ${which} ${others.join(', ')} takes ${it} away.`;
    return new TowpathError('Resource', 'EnvironmentInUse', message);
  }
  const next = `Take ${left} off it: kubectl edit environments.${GROUP} ${environment}`;
  const message = `Environment ${environment} is to be deleted, and waits for an installation that is gone, unless it runs from source. ${next}`;
  return new TowpathError('Person', 'EnvironmentInUse', message, { next });
}
