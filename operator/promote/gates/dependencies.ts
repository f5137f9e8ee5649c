import type { BlockedBy, Dependency, Entry, VersionThere } from '../gate.ts';

/** The first Application in spec.dependsOn that is not Ready in the same environment, or in another version than is wanted. */
export function dependencies({ environment, dependencies: all }: Entry): BlockedBy | undefined {
  const unmet = all.find(({ state }) => state !== 'Ready');
  return unmet && blockedBy(unmet, environment);
}

function blockedBy({ application, state, version }: Dependency, environment: string): BlockedBy {
  const where = environment === 'default' ? '' : ` in environment ${environment}`;
  const its = { remedy: 'Resource', standing: 'Blocked' } as const;
  switch (state) {
    case 'Missing':
      return {
        ...its,
        reason: 'DependencyNotFound',
        message: `Application ${application}, which spec.dependsOn names, does not exist: create it; it is noticed at once.`,
      };
    case 'ElsewhereOnly':
      return {
        ...its,
        reason: 'DependencyNotFound',
        message: `Application ${application}, which spec.dependsOn names, is not deployed to environment ${environment}: add that to its spec.environments, or take it out of dependsOn.`,
      };
    case 'OtherVersion':
      return otherVersion(application, where, version);
    default:
      return {
        ...its,
        reason: 'DependencyNotReady',
        message: `Waiting for Application ${application} to be Ready${where}; look at its status if it does not become so.`,
      };
  }
}

/** No fault of anybody's: its chart comes to be of that version, or somebody changes what is asked for. */
function otherVersion(
  application: string,
  where: string,
  { wanted, runs, verify, waits }: VersionThere = { wanted: '*', runs: undefined },
): BlockedBy {
  const is = runs === undefined ? 'no chart with a version' : `version ${cut(runs)} of its chart`;
  const comes = waits === undefined ? '' : `, and ${cut(waits)} waits to enter there`;
  const its = { reason: 'DependencyVersion', remedy: 'Resource', standing: 'Waiting' } as const;
  if (verify === 'UnderWay')
    return {
      ...its,
      message: `Application ${application} verifies ${is}${where}, which spec.dependsOn wants (${cut(wanted)}): it goes on when that has passed.`,
    };
  if (verify === 'Failed')
    return {
      ...its,
      message: `Application ${application} runs ${is}${where}, which spec.dependsOn wants (${cut(wanted)}), and which failed when it was verified${comes}: it goes on when another one has passed.`,
    };
  return {
    ...its,
    message: `Application ${application} runs ${is}${where}, and spec.dependsOn wants ${cut(wanted)}${comes}: it goes on when that runs there.`,
  };
}

/** Charts and specs may have long ones. */
function cut(version: string): string {
  return version.length <= 30 ? version : `${version.slice(0, 29)}…`;
}
