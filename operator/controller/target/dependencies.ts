import { TowpathError } from '../../api/errors.ts';
import { type Application, environmentOf } from '../../api/v1alpha1/application.ts';
import type { Dependency, VersionThere } from '../../promote/gate.ts';
import { rejectionOf } from '../../promote/rejection.ts';
import { parseRange, parseVersion } from '../../source/semver.ts';
import { passedBefore } from '../record/passed-before.ts';
import { type Candidate, candidateKey, type TargetRecord } from '../record/record.ts';
import type { RecordStore } from '../record/store.ts';

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
  { lookup, store }: { lookup: Lookup; store: Pick<RecordStore, 'recordsOf' | 'candidatesOf'> },
): Dependency[] {
  return (spec.dependsOn ?? []).map(({ name, version }) => {
    const application = `${namespace}/${name}`;
    const state = stateIn(environment, lookup(namespace, name));
    if (state !== 'Ready' || version === undefined) return { application, state };
    const there = versionIn(environment, application, version, store);
    return isInRange(there.runs, version) && there.verify === undefined
      ? { application, state }
      : { application, state: 'OtherVersion', version: there };
  });
}

/** By the records, which nobody else writes: a status may be written by who may edit it. */
function versionIn(
  environment: string,
  application: string,
  wanted: string,
  store: Pick<RecordStore, 'recordsOf' | 'candidatesOf'>,
): VersionThere {
  const record = store.recordsOf(application).find(({ target }) => target.environment === environment);
  const { deployment, pending, waiting = [] } = record ?? {};
  const runs = deployment?.outcome === 'Succeeded' ? versionOf(deployment.candidate.chart) : undefined;
  const waitingKeys = new Set([pending, ...waiting].flatMap((one) => one ?? []).map(candidateKey));
  const kept = () => store.candidatesOf({ application, environment });
  const waits =
    waitingKeys.size === 0
      ? undefined
      : kept()
          .filter((one) => waitingKeys.has(candidateKey(one)))
          .map(({ chart }) => versionOf(chart))
          .find((version) => isInRange(version, wanted));
  return {
    wanted,
    runs,
    ...(record !== undefined && isInRange(runs, wanted) ? unverified(record, wanted, kept) : {}),
    ...(waits === undefined ? {} : { waits }),
  };
}

/**
 * What is gone back from when it fails does not run yet, as far as others depend on it; unless what passed before it would
 * do as well.
 */
function unverified(
  record: TargetRecord,
  wanted: string,
  kept: () => readonly Candidate[],
): Pick<VersionThere, 'verify'> {
  const { verify } = record.deployment ?? {};
  if (verify === undefined || verify.outcome === 'Passed') return {};
  if (verify.outcome !== undefined) return { verify: verify.outcome };
  const former = passedBefore(record, kept());
  const isRejected =
    former !== undefined && rejectionOf(record.rejected, former.digest, former.id) !== undefined;
  return !isRejected && isInRange(versionOf(former?.chart), wanted) ? {} : { verify: 'UnderWay' };
}

/** A chart's name and version are told together; longer ones are none. */
const LONGEST_CHART = 300;

/** Of `podinfo-6.7.0` what stands behind the name, which may have hyphens, too. */
export function versionOf(chart = ''): string | undefined {
  if (chart.length > LONGEST_CHART) return undefined;
  for (let at = chart.indexOf('-'); at !== -1; at = chart.indexOf('-', at + 1)) {
    const version = chart.slice(at + 1);
    if (parseVersion(version) !== undefined) return version;
  }
  return undefined;
}

function isInRange(version: string | undefined, range: string): boolean {
  const parsed = version === undefined ? undefined : parseVersion(version);
  return parsed !== undefined && parseRange(range)?.(parsed) === true;
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
