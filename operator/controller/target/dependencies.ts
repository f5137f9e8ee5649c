import { TowpathError } from '../../api/errors.ts';
import type { Application } from '../../api/v1alpha1/application.ts';

/** Reads an Application by namespace and name; undefined where there is none. */
export type Lookup = (namespace: string, name: string) => Application | undefined;

/** Throws DependencyCycle, which names the way round, where the Application waits for itself. */
export function checkCycle(application: Application, lookup: Lookup): void {
  const { namespace, name } = application.metadata;
  const cycle = findCycle(application, lookup);
  if (cycle !== undefined) {
    throw new TowpathError(
      'Person',
      'DependencyCycle',
      `Application ${namespace}/${name} waits for itself: ${cycle.join(' → ')}. Take one of these out of spec.dependsOn.`,
    );
  }
}

/** The first dependency that is not Ready: it stands between the Application and its next deployment. */
export function unmetDependency(application: Application, lookup: Lookup): TowpathError | undefined {
  const { namespace } = application.metadata;
  for (const dependency of application.spec.dependsOn ?? []) {
    const other = lookup(namespace, dependency.name);
    if (other === undefined) {
      return new TowpathError(
        'Resource',
        'DependencyNotFound',
        `Application ${namespace}/${dependency.name}, which spec.dependsOn names, does not exist: create it; it is noticed at once.`,
      );
    }
    if (isReady(other)) continue;
    return new TowpathError(
      'Resource',
      'DependencyNotReady',
      `Waiting for Application ${namespace}/${dependency.name} to be Ready; look at its status if it does not become so.`,
    );
  }
  return undefined;
}

function isReady(application: Application): boolean {
  const ready = application.status?.conditions?.find((condition) => condition.type === 'Ready');
  return (
    ready?.status === 'True' && application.status?.observedGeneration === application.metadata.generation
  );
}

function findCycle(application: Application, lookup: Lookup): string[] | undefined {
  const { namespace } = application.metadata;
  const visited = new Set<string>();
  const walk = (current: Application, path: string[]): string[] | undefined => {
    for (const { name } of current.spec.dependsOn ?? []) {
      if (name === application.metadata.name) return [...path, name];
      if (visited.has(name)) continue;
      visited.add(name);
      const next = lookup(namespace, name);
      const found = next === undefined ? undefined : walk(next, [...path, name]);
      if (found !== undefined) return found;
    }
    return undefined;
  };
  return walk(application, [application.metadata.name]);
}
