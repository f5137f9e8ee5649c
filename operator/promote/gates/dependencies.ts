import type { BlockedBy, Dependency, Entry } from '../gate.ts';

/** The first Application in spec.dependsOn that is not Ready in the same environment. */
export function dependencies({ environment, dependencies: all }: Entry): BlockedBy | undefined {
  const unmet = all.find(({ state }) => state !== 'Ready');
  return unmet && blockedBy(unmet, environment);
}

function blockedBy({ application, state }: Dependency, environment: string): BlockedBy {
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
    default:
      return {
        ...its,
        reason: 'DependencyNotReady',
        message: `Waiting for Application ${application} to be Ready${where}; look at its status if it does not become so.`,
      };
  }
}
