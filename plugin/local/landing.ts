import type { Application, ApplicationSpec } from '../../operator/api/v1alpha1/application.ts';
import {
  DEFAULT_NAMESPACE,
  type Environment,
  namespaceBy,
  parseEnvironment,
} from '../../operator/api/v1alpha1/environment.ts';
import { API_VERSION, GROUP } from '../../operator/api/v1alpha1/names.ts';
import { hasInexactNumber } from '../../operator/api/v1alpha1/values-text.ts';
import type { Bounds } from '../../operator/manifest/bounds.ts';
import { groupKind } from '../../operator/manifest/manifest.ts';
import { leftNote, RESOURCE } from '../application.ts';
import { type ApiServer, wordsIn } from '../cluster/api-server.ts';
import { CommandError } from '../exit-codes.ts';
import { isObject, jsonText, parseJson } from '../text/exact.ts';
import { stopsOf } from './in-the-way.ts';

type Entry = NonNullable<ApplicationSpec['environments']>[number];
type ValuesSource = NonNullable<Entry['valuesFrom']>[number];

/** Values of one place of the spec; a later layer wins. */
export interface Layer {
  field: string;
  valuesFiles: readonly string[];
  valuesFrom: readonly ValuesSource[];
  /** JSON, with all digits of integers. */
  values?: string;
}

/** Where an Application lands in one environment, and what of the clone is rendered there. */
export interface Landing {
  environment: string;
  namespace: string;
  /** Undefined of an Application without environments. */
  bounds: Bounds | undefined;
  path: string;
  /** Where the path stands, if it is the environment's own. */
  pathField?: string;
  /** Set where the environment follows another ref than the others. */
  ref: Entry['ref'];
  /** Values of the Environment, below all layers; JSON. */
  defaults: { name: string; text: string } | undefined;
  layers: readonly Layer[];
  /** The uid of the cluster that it is in; undefined where that is home, or not known. */
  clusterUid: string | undefined;
  isElsewhere: boolean;
  /** Whether the Environment could be read: without, neither its namespace nor its values are known. */
  isKnown: boolean;
  unknown: readonly string[];
  /** Why the Environment lets nothing new in for now, in sentences. */
  stops: readonly string[];
}

/** @throws CommandError where its Environment is missing or cannot be read by anybody: a sync would wait, too. */
export async function landingOf(
  server: ApiServer,
  application: Application,
  environment: string,
): Promise<Landing> {
  const { spec, metadata } = application;
  const exact = await exactSpec(server, application);
  const ofAll = layerOf('spec.helm', spec.helm, membersAt(exact, ['helm', 'values']));
  const ofHome = { clusterUid: undefined, isElsewhere: false, isKnown: true, unknown: [], stops: [] };
  const common = { environment, ...ofHome };
  const path = spec.source?.path ?? '.';
  if (spec.environments === undefined)
    return {
      ...common,
      namespace: metadata.namespace,
      bounds: undefined,
      path,
      ref: undefined,
      defaults: undefined,
      layers: [ofAll],
    };
  const index = spec.environments.findIndex(({ name }) => name === environment);
  const entry = spec.environments[index];
  if (entry === undefined) throw new CommandError(leftNote(application, environment));
  const own = layerOf(
    `spec.environments[${environment}]`,
    entry,
    membersAt(exact, ['environments', index, 'values']),
  );
  const place = await placeOf(server, application, environment);
  const pathField = entry.path === undefined ? {} : { pathField: `spec.environments[${environment}].path` };
  return {
    ...common,
    path: entry.path ?? path,
    ...pathField,
    ref: entry.ref,
    layers: [ofAll, own],
    ...place,
  };
}

type Place = Pick<
  Landing,
  'namespace' | 'bounds' | 'defaults' | 'clusterUid' | 'isElsewhere' | 'isKnown' | 'unknown' | 'stops'
>;

const FORBIDDEN = 403;
const NOT_FOUND = 404;

async function placeOf(server: ApiServer, application: Application, environment: string): Promise<Place> {
  const names = { namespace: application.metadata.namespace, name: application.metadata.name, environment };
  const { status, text } = await server.send(`/apis/${API_VERSION}/environments/${environment}`);
  if (status === FORBIDDEN) {
    const namespace = namespaceBy(DEFAULT_NAMESPACE, names);
    const unknown = `Environment ${environment} cannot be read with your rights: which values it has, and where its Applications land, is not known; ${namespace} is where they do by default. A ClusterRole that lets you get environments.${GROUP} is enough.`;
    const nothing = { bounds: undefined, defaults: undefined, clusterUid: undefined, isElsewhere: false };
    return { namespace, ...nothing, isKnown: false, unknown: [unknown], stops: [] };
  }
  if (status === NOT_FOUND)
    throw new CommandError(
      `Environment ${environment}, which spec.environments names, does not exist: a sync would wait for it. Create it, or name another one.`,
    );
  if (status !== 200)
    throw new CommandError(`Environment ${environment} cannot be read: ${wordsIn(text, status)}`);
  return placeBy(read(environment, text), names, text);
}

function read(name: string, text: string): Environment {
  const parsed = parseEnvironment(JSON.parse(text));
  if (parsed.ok) return parsed.environment;
  throw new CommandError(
    `Environment ${name} cannot be read: nothing is written there until it is corrected: ${parsed.errors.join('; ')}`,
  );
}

function placeBy(place: Environment, names: Parameters<typeof namespaceBy>[1], text: string): Place {
  const { environment } = names;
  const { spec, status } = place;
  const namespace = namespaceBy(spec.namespace, names);
  const { access = {} } = spec;
  const values = membersAt(parseJson(text), ['spec', 'values']);
  return {
    namespace,
    bounds: {
      environment,
      namespace,
      clusterScoped: new Set((access.clusterScoped ?? []).map(groupKind)),
      isManaged: access.serviceAccountName === undefined,
    },
    defaults:
      values === undefined
        ? undefined
        : { name: `spec.values of Environment ${environment}`, text: jsonText(values) },
    clusterUid: status?.cluster?.uid,
    isElsewhere: spec.cluster !== undefined,
    isKnown: true,
    unknown: [],
    stops: stopsOf(place),
  };
}

function layerOf(
  field: string,
  { valuesFiles = [], valuesFrom = [] }: Pick<Entry, 'valuesFiles' | 'valuesFrom'> = {},
  values: unknown,
): Layer {
  return { field, valuesFiles, valuesFrom, ...(values === undefined ? {} : { values: jsonText(values) }) };
}

/** The spec with all digits of its integers: large ones are read from the text that the API server sends. */
async function exactSpec(server: ApiServer, { spec, metadata, apiVersion }: Application): Promise<unknown> {
  if (!hasInexactNumber([spec.helm?.values, spec.environments?.map(({ values }) => values)])) return spec;
  const [plural] = RESOURCE.split('.');
  const { text } = await server.send(
    `/apis/${apiVersion}/namespaces/${metadata.namespace}/${plural}/${metadata.name}`,
  );
  return membersAt(parseJson(text), ['spec']) ?? spec;
}

function membersAt(value: unknown, path: readonly (string | number)[]): unknown {
  return path.reduce<unknown>((at, step) => {
    if (typeof step === 'number') return Array.isArray(at) ? at[step] : undefined;
    return isObject(at) ? at[step] : undefined;
  }, value);
}
