import { TowpathError } from '../../api/errors.ts';
import { type Application, environmentOf } from '../../api/v1alpha1/application.ts';
import type { Dependency } from '../../promote/gate.ts';

/** Reads an Application by namespace and name; undefined where there is none. */
export type Lookup = (namespace: string, name: string) => Application | undefined;

/** What runs, although something newer waits, or is held. */
const RUNS: readonly (string | undefined)[] = ['Synced', 'Held', 'Waiting'];

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

/** What an Application depends on, as it is in the same environment. */
export function dependenciesIn(
  environment: string,
  { metadata: { namespace }, spec }: Application,
  lookup: Lookup,
): Dependency[] {
  return (spec.dependsOn ?? []).map(({ name }) => ({
    application: `${namespace}/${name}`,
    state: stateIn(environment, lookup(namespace, name)),
  }));
}

function stateIn(environment: string, other: Application | undefined): Dependency['state'] {
  if (other === undefined) return 'Missing';
  const { environments } = other.spec;
  const names = environments?.map(({ name }) => name) ?? ['default'];
  if (!names.includes(environment)) return 'ElsewhereOnly';
  return isReadyIn(environment, other) ? 'Ready' : 'NotReady';
}

function isReadyIn(environment: string, { metadata, spec, status }: Application): boolean {
  if (status?.observedGeneration !== metadata.generation) return false;
  if (spec.environments === undefined)
    return status?.conditions?.some(({ type, status: is }) => type === 'Ready' && is === 'True') === true;
  const { sync, health } = environmentOf(status, environment) ?? {};
  return RUNS.includes(sync) && health === 'Healthy';
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
