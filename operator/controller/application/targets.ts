import { TowpathError } from '../../api/errors.ts';
import type { Application, ApplicationSpec } from '../../api/v1alpha1/application.ts';
import { parseDuration } from '../../api/v1alpha1/duration.ts';
import type { Environment } from '../../api/v1alpha1/environment.ts';
import { abandonFor, requestFor } from '../../api/v1alpha1/environment-request.ts';
import {
  ANNOTATION_ABANDON,
  ANNOTATION_ADOPT,
  ANNOTATION_PRUNE_CONSENT,
  ANNOTATION_SYNC_REQUESTED,
} from '../../api/v1alpha1/names.ts';
import { addressOf } from '../../manifest/digest.ts';
import type { Doubt } from '../../promote/doubt.ts';
import { FREE } from '../../promote/governance.ts';
import type { EnvironmentsView } from '../environment/environments.ts';
import { PlacementPending, placementOf } from '../environment/placement.ts';
import { NO_POLICIES, type PoliciesView } from '../policy/policies.ts';
import { applicationKey } from '../record/application-key.ts';
import { isAboutPlaceOf, type TargetRecord } from '../record/record.ts';
import { lastOf } from '../record/succession.ts';
import {
  HOME,
  type Overlay,
  type RefusedTarget,
  type SpecifiedTarget,
  type Target,
  type TargetIdentity,
  type TargetSettings,
  type ValuesAt,
  type ValuesLayer,
} from '../record/target.ts';
import { toldDeployed, wasDeployed } from '../target/lost-record.ts';

/** The environment of an Application that names none. */
const DEFAULT_ENVIRONMENT = 'default';
/** The ServiceAccount of an Application that names none. The schema has no default: what was named, and what was not, differ. */
const DEFAULT_ACCOUNT = 'towpath';

export interface TargetsOptions {
  /** As --installation says it. */
  installation: string;
  /** False only with --insecure-no-impersonation. */
  impersonate: boolean;
  environments: EnvironmentsView;
  /** Left out: there are none. */
  policies?: PoliciesView;
}

type Entry = NonNullable<ApplicationSpec['environments']>[number];

/** `Enters`: nothing of it is there yet. */
type How = 'Enters' | 'Stays' | 'Leaves';

export function isPlaced(target: SpecifiedTarget): target is Target {
  return 'cluster' in target;
}

/** One of which it is being found out where it is is none: there is nothing to tell of it. */
export function isRefused(target: SpecifiedTarget): target is RefusedTarget {
  return !isPlaced(target) && target.refusal !== undefined;
}

/**
 * Which targets Applications have: the only place that computes ids, and that knows what no environments means. Whoever
 * follows an Application asks once for each change of it, or of an Environment that it names (application-cache.ts).
 */
export class Targets {
  readonly #options: TargetsOptions;

  constructor(options: TargetsOptions) {
    this.#options = options;
  }

  /** The target in that environment of the Application with that key, `<namespace>/<name>`, whether that can be read or not. */
  named(application: string, environment = DEFAULT_ENVIRONMENT): TargetIdentity {
    const slash = application.indexOf('/');
    const parts = [application.slice(0, slash), application.slice(slash + 1), environment];
    const id = addressOf(JSON.stringify([this.#options.installation, ...parts]));
    return Object.freeze({ id, name: parts.join('/'), application, environment });
  }

  /**
   * One for each environment that the Application names, in that order, or `default`.
   *
   * @param records of its targets; where they are not known, its status says what runs where
   */
  of(application: Application, records: readonly TargetRecord[] = []): readonly SpecifiedTarget[] {
    const { environments } = application.spec;
    if (environments === undefined) return [this.#default(application)];
    const begun = records.filter(({ deployment }) => deployment !== undefined);
    const there = new Set(begun.map(environmentIn));
    const isDeployed = (target: Pick<Target, 'environment'>) =>
      there.has(target.environment) || toldDeployed(application, target);
    const isGoing = application.metadata.deletionTimestamp !== undefined;
    const how = (environment: string): How =>
      // What goes needs no policy to let it in.
      isGoing ? 'Leaves' : isDeployed({ environment }) ? 'Stays' : 'Enters';
    return apart(
      environments.map((entry) => this.#in(application, entry, how(entry.name))),
      (landing) => runningOf(landing, begun) ?? landing.find((target) => toldDeployed(application, target)),
    );
  }

  /**
   * The same, with those that it names no more: something of them is recorded, or the status tells of it. Those that
   * land where one of these did take over its objects.
   */
  withLeft(
    application: Application,
    records: readonly TargetRecord[],
  ): { specified: readonly SpecifiedTarget[]; left: readonly SpecifiedTarget[] } {
    const specified = this.of(application, records);
    const named = new Set(specified.map(({ environment }) => environment));
    const known = new Map(records.map((record) => [environmentIn(record), record]));
    const told = (application.status?.environments ?? []).filter(wasDeployed).map(({ name }) => name);
    const left = [...new Set([...known.keys(), ...told])]
      .filter((environment) => !named.has(environment))
      .map((environment) => this.#left(application, environment, known.get(environment)));
    return { specified: left.length === 0 ? specified : takingOver(specified, left, known), left };
  }

  #left(application: Application, environment: string, record: TargetRecord | undefined): SpecifiedTarget {
    if (environment !== DEFAULT_ENVIRONMENT) return this.#in(application, { name: environment }, 'Leaves');
    if (record?.account === undefined) return this.#default(application);
    // Beside environments the spec names its account no more.
    return this.#default({
      ...application,
      spec: { ...application.spec, serviceAccountName: record.account },
    });
  }

  #default(application: Application): Target {
    const { metadata, spec } = application;
    const { namespace } = metadata;
    return Object.freeze({
      ...this.named(applicationKey(application)),
      cluster: HOME,
      namespace,
      account: this.#account(namespace, spec.serviceAccountName ?? DEFAULT_ACCOUNT),
      overlay: overlayOf(spec),
      settings: settingsOf(application, DEFAULT_ENVIRONMENT),
      freezes: [],
      governance: FREE,
      gates: {},
      refusal: undefined,
    });
  }

  #in(application: Application, entry: Entry, how: How): SpecifiedTarget {
    const identity = this.named(applicationKey(application), entry.name);
    const settings = settingsOf(application, entry.name);
    const { environments, policies = NO_POLICIES } = this.#options;
    const gatesIn = (name: string) => environments.get(name)?.environment?.spec.gates;
    const governance = policies.governanceOf(application, entry.name, gatesIn);
    try {
      const by = { name: entry.name, isNew: how === 'Enters', ...(how === 'Leaves' ? {} : { governance }) };
      const placement = placementOf(application, by, environments);
      const { cluster, namespace, managedRole, bounds, refusal, lacksPolicy, environment } = placement;
      const { allowedRepositories } = environment.spec;
      return Object.freeze({
        ...identity,
        cluster,
        namespace,
        account: this.#account(namespace, placement.serviceAccountName),
        ...(managedRole === undefined ? {} : { managedRole }),
        ...(placement.landsByLabel ? { landsByLabel: true as const } : {}),
        bounds,
        overlay: overlayOf(application.spec, { entry, environment }),
        settings: environment.spec.suspend ? suspendedBy(environment, settings) : settings,
        freezes: environment.spec.freezes ?? [],
        ...(how === 'Leaves' ? {} : doubtsOf(environment, environments, policies)),
        governance,
        gates: environment.spec.gates ?? {},
        ...(allowedRepositories === undefined ? {} : { allowedRepositories }),
        refusal,
        ...(lacksPolicy === undefined ? {} : { lacksPolicy }),
      });
    } catch (error) {
      if (error instanceof PlacementPending)
        return Object.freeze({ ...identity, settings, refusal: undefined });
      if (!(error instanceof TowpathError)) throw error;
      return Object.freeze({ ...identity, settings, refusal: error });
    }
  }

  #account(namespace: string, name: string): Target['account'] {
    return this.#options.impersonate ? { namespace, name } : undefined;
  }
}

/** What could be listed once, and cannot be any more. */
function doubtsOf(
  environment: Environment,
  environments: EnvironmentsView,
  policies: PoliciesView,
): Pick<Target, 'doubts'> {
  const [ofEnvironment, ofPolicies] = [environments.doubt(environment), policies.doubt()];
  const doubts: Doubt[] = [
    ...(ofEnvironment === undefined
      ? []
      : [{ reason: 'EnvironmentsUnknown', problem: ofEnvironment } as const]),
    ...(ofPolicies === undefined ? [] : [{ reason: 'PoliciesUnknown', problem: ofPolicies } as const]),
  ];
  return doubts.length === 0 ? {} : { doubts };
}

function environmentIn({ target }: TargetRecord): string {
  return target.environment;
}

/**
 * Of several at one place one has it: the others would fight with it over each object. Who runs there keeps it, wherever
 * the list has who came later; else the first one has it that its Environment does not refuse. Of which that is only not
 * known yet keeps its turn.
 */
function apart(
  targets: readonly SpecifiedTarget[],
  runningIn: (there: readonly Target[]) => Target | undefined,
): readonly SpecifiedTarget[] {
  const holders = new Map<string, Target | undefined>();
  for (const [place, there] of Map.groupBy(targets.filter(isPlaced), placeOf))
    holders.set(place, runningIn(there) ?? there.find(mayLand) ?? there[0]);
  return targets.map((target) => {
    if (!isPlaced(target)) return target;
    const holder = holders.get(placeOf(target)) ?? target;
    return holder === target
      ? target
      : Object.freeze({ ...target, refusal: target.refusal ?? samePlace(target, holder.environment) });
  });
}

/** Of those of which something was deployed the one that took the place last: the record of a former name has what ran before. */
function runningOf(there: readonly Target[], begun: readonly TargetRecord[]): Target | undefined {
  const known = new Map(begun.map((record) => [environmentIn(record), record]));
  const [last] = lastOf(there.flatMap(({ environment }) => known.get(environment) ?? []));
  return last && there.find(({ environment }) => environment === environmentIn(last));
}

function mayLand({ refusal, lacksPolicy }: Target): boolean {
  const { remedy = 'Time' } = refusal ?? lacksPolicy ?? {};
  return remedy === 'Time';
}

function samePlace({ environment, namespace }: Target, other: string): TowpathError {
  return new TowpathError(
    'Person',
    'SamePlace',
    `Environment ${environment} lands where environment ${other} does, in namespace ${namespace} of the same cluster: nothing is written for it. Take one of them out of spec.environments.`,
  );
}

function placeOf({ cluster, namespace }: Target): string {
  return `${cluster} ${namespace}`;
}

function takingOver(
  specified: readonly SpecifiedTarget[],
  left: readonly SpecifiedTarget[],
  records: ReadonlyMap<string, TargetRecord>,
): readonly SpecifiedTarget[] {
  return specified.map((target) => {
    if (!isPlaced(target) || target.refusal?.reason === 'SamePlace') return target;
    const takesOver = left.filter((one) => {
      const record = records.get(one.environment);
      if (!isPlaced(one)) return wasAt(record, target);
      // What it has by its record may be in a cluster that was replaced.
      return placeOf(one) === placeOf(target) && (record === undefined || isAboutPlaceOf(one, record));
    });
    return takesOver.length === 0 ? target : Object.freeze({ ...target, takesOver });
  });
}

/** Where its Environment says no more where it is, as its record has it: an Environment writes to one namespace. */
function wasAt(record: TargetRecord | undefined, { cluster, namespace }: Target): boolean {
  if (record === undefined || !isAboutPlaceOf({ cluster }, record)) return false;
  return record.kinds.some((kind) => kind.namespace === namespace);
}

function settingsOf({ metadata, spec }: Application, environment: string): TargetSettings {
  const { annotations } = metadata;
  return Object.freeze({
    mode: spec.sync.mode,
    suspended: spec.suspend
      ? 'spec.suspend is true: nothing is written. Set it to false to go on.'
      : undefined,
    prune: spec.sync.prune,
    pruneBudget: spec.sync.pruneBudget,
    drift: spec.sync.drift,
    adopt: annotations[ANNOTATION_ADOPT] === 'true',
    ignore: spec.sync.ignore ?? [],
    timeoutMs: parseDuration(spec.sync.timeout),
    request: requestFor(annotations[ANNOTATION_SYNC_REQUESTED], environment),
    consent: requestFor(annotations[ANNOTATION_PRUNE_CONSENT], environment),
    abandoned: abandonFor(annotations[ANNOTATION_ABANDON], environment),
  });
}

function suspendedBy({ metadata }: Environment, settings: TargetSettings): TargetSettings {
  const suspended = `Environment ${metadata.name} is suspended: nothing is written there. Who runs it sets its spec.suspend to false to go on.`;
  return Object.freeze({ ...settings, suspended: settings.suspended ?? suspended });
}

/** What of the repository is rendered, without environments or in one of them. */
function overlayOf(
  { source, helm }: ApplicationSpec,
  { entry, environment }: { entry?: Entry; environment?: Environment } = {},
): Overlay {
  const layers = [layerOf('spec.helm', helm)];
  if (entry !== undefined) layers.push(layerOf(`spec.environments[${entry.name}]`, entry));
  const defaults = environment?.spec.values;
  return Object.freeze({
    path: entry?.path ?? source?.path ?? '.',
    ...(helm?.chart === undefined ? {} : { isPublished: true }),
    ...(entry?.path === undefined ? {} : { pathField: `spec.environments[${entry.name}].path` }),
    ref: entry?.ref ?? source?.ref ?? {},
    defaults:
      environment === undefined || defaults === undefined
        ? undefined
        : { field: `spec.values of Environment ${environment.metadata.name}`, values: defaults },
    layers,
  });
}

function layerOf(
  field: string,
  { valuesFiles = [], valuesFrom = [], values }: Pick<Entry, 'valuesFiles' | 'valuesFrom' | 'values'> = {},
): ValuesLayer {
  const at: ValuesAt | undefined = values === undefined ? undefined : { field: `${field}.values`, values };
  return { field, valuesFiles, valuesFrom, values: at };
}
