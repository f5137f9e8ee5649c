import { isDeepStrictEqual } from 'node:util';
import type { Application } from '../../operator/api/v1alpha1/application.ts';
import { ANNOTATION_REPLACE } from '../../operator/api/v1alpha1/names.ts';
import { errorFromAnswer } from '../../operator/kube/refusal.ts';
import { outOfBounds } from '../../operator/manifest/bounds.ts';
import { pointerSteps } from '../../operator/manifest/exact-json.ts';
import { fieldManager, isOurs, type LiveObject, wasScaled } from '../../operator/manifest/live.ts';
import {
  describeObject,
  groupKind,
  idOf,
  type Manifest,
  type ObjectId,
  objectKey,
} from '../../operator/manifest/manifest.ts';
import { ignoredPaths } from '../../operator/plan/ignore.ts';
import { type Answer, type ApiServer, wordsIn } from '../cluster/api-server.ts';
import { pathOf, type Resource } from '../cluster/discovery.ts';
import { inParallel } from '../cluster/in-parallel.ts';
import { isObject, parseJson } from '../text/exact.ts';
import type { Landing } from './landing.ts';
import { metadataOf, type Place } from './live.ts';

/** What a sync would do to one object. */
export interface Difference {
  change: 'Created' | 'Changed' | 'Replaced' | 'Refused' | 'Deleted' | 'Kept';
  object: ObjectId;
  /** What is to be known of it, in sentences. */
  message?: string;
  /** As it is, and as it would be: without what the API server writes by itself. */
  live?: Record<string, unknown>;
  wanted?: Record<string, unknown>;
}

export interface Comparison {
  differences: readonly Difference[];
  unchanged: number;
  unknown: readonly string[];
}

export interface Compared {
  application: Application;
  landing: Landing;
  /** With the objects. */
  server: ApiServer;
  targetId: string;
  /** `<namespace>/<application>/<environment>` */
  targetName: string;
  places: readonly Place[];
  /** Keeps values of Secrets out of a line. */
  hide(line: string): string;
}

type Outcome = Difference | 'Unchanged' | { unknown: string };

/**
 * Asks the API server for each object what it would be after a sync: a dry-run of the same server-side apply, as the
 * same field manager, so that fields which left Git go, too.
 */
export async function compare(compared: Compared): Promise<Comparison> {
  const { places, application, landing } = compared;
  const scaled = new Set<string>();
  for (const { manifest, resource, live } of places)
    if (resource !== undefined && live !== undefined && wasScaled(metadataOf(resource, live)))
      scaled.add(objectKey(manifest));
  const ignored = ignoredPaths(
    application.spec.sync.ignore ?? [],
    places.map(({ manifest }) => manifest),
    landing.namespace,
    (key) => scaled.has(key),
  );
  const outcomes = await inParallel(places, (place) => outcomeOf(compared, place, ignored(place.manifest)));
  const differences: Difference[] = [];
  const unknown: string[] = [];
  for (const outcome of outcomes) {
    if (outcome === 'Unchanged') continue;
    if ('unknown' in outcome) unknown.push(outcome.unknown);
    else differences.push(outcome);
  }
  return { differences, unknown, unchanged: outcomes.filter((one) => one === 'Unchanged').length };
}

async function outcomeOf(
  compared: Compared,
  { manifest, resource, live, unknown }: Place,
  ignored: readonly string[],
): Promise<Outcome> {
  const object = idOf(manifest);
  if (unknown !== undefined) return { unknown };
  const asRendered = () => comparable(parseJson(manifest.text), []);
  if (resource === undefined) {
    if (comes(compared, 'CustomResourceDefinition', ({ text }) => isDefinitionOf(text, manifest)))
      return { change: 'Created', object, wanted: asRendered(), message: 'Its definition comes with it.' };
    const message = `The cluster does not serve the kind ${manifest.kind} of ${manifest.apiVersion}.`;
    return { change: 'Refused', object, message };
  }
  const { bounds } = compared.landing;
  const outside = bounds && outOfBounds(manifest, { namespaced: resource.isNamespaced }, bounds);
  if (outside !== undefined) return { change: 'Refused', object, message: outside };
  const answer = await dryRun(compared, resource, manifest);
  if (answer.status === 404 && comes(compared, 'Namespace', ({ name }) => name === manifest.namespace))
    return { change: 'Created', object, wanted: asRendered(), message: 'Its namespace comes with it.' };
  if (answer.status === 404 && bounds?.isManaged === true && isNamespaceMissing(answer, bounds.namespace))
    return { change: 'Created', object, wanted: asRendered(), message: 'Towpath makes its namespace.' };
  if (answer.status >= 300) return refusal(compared, resource, manifest, answer);
  if (live === undefined) return { change: 'Created', object, wanted: asRendered() };
  const before = comparable(live, ignored);
  const after = comparable(parseJson(answer.text), ignored);
  if (isDeepStrictEqual(before, after)) return 'Unchanged';
  const message = whyNotOurs(compared, metadataOf(resource, live));
  return { change: 'Changed', object, live: before, wanted: after, ...(message && { message }) };
}

function isNamespaceMissing({ text }: Answer, namespace: string): boolean {
  return wordsIn(text, 404).includes(`namespaces "${namespace}" not found`);
}

function whyNotOurs({ targetId, targetName }: Compared, live: LiveObject): string | undefined {
  if (isOurs(live, targetId, targetName)) return undefined;
  const [owner = ''] = live.owner.split(' ');
  if (owner !== '' && owner !== targetName)
    return `It is of ${owner}: a sync does not take it over while that has it.`;
  return 'It is there already, and this Application did not apply it: a sync takes it over only where towpath.dev/adopt says so.';
}

function dryRun({ server, targetId }: Compared, resource: Resource, manifest: Manifest): Promise<Answer> {
  const query = `dryRun=All&force=true&fieldValidation=Strict&fieldManager=${fieldManager(targetId)}`;
  return server.send(`${pathOf(resource, manifest)}?${query}`, {
    method: 'PATCH',
    body: manifest.text,
    // JSON is YAML.
    contentType: 'application/apply-patch+yaml',
  });
}

/** What no API server takes, or not this one as it is now. */
const REFUSALS: readonly number[] = [400, 404, 409, 413, 415, 422];

function refusal(
  { hide }: Compared,
  { plural }: Resource,
  manifest: Manifest,
  { status, text }: Answer,
): Outcome {
  // Of a Secret it has no values.
  const { code, message, refuser } = errorFromAnswer(status, text, { plural });
  const said = message.split('\n').map(hide).join(' ');
  const isRefused =
    refuser === undefined
      ? REFUSALS.includes(code)
      : !['Rights', 'WebhookFailed', 'WebhookWithoutDryRun'].includes(refuser);
  if (!isRefused) return { unknown: `${describeObject(manifest)} cannot be tried: ${said}` };
  const object = idOf(manifest);
  if (code === 422 && manifest.annotations[ANNOTATION_REPLACE] === 'true')
    return { change: 'Replaced', object, message: `It would be deleted and made anew: ${said}` };
  return { change: 'Refused', object, message: said };
}

function comes({ places }: Compared, kind: string, is: (manifest: Manifest) => boolean): boolean {
  return places.some(({ manifest }) => manifest.kind === kind && is(manifest));
}

function isDefinitionOf(text: string, manifest: Manifest): boolean {
  const definition = parseJson(text);
  const spec = isObject(definition) ? definition['spec'] : undefined;
  if (!isObject(spec) || !isObject(spec['names'])) return false;
  return groupKind(manifest) === `${String(spec['group'])}/${String(spec['names']['kind'])}`;
}

/** What the API server writes by itself, whatever is applied. */
const WRITTEN_BY_SERVER = [
  'managedFields',
  'resourceVersion',
  'generation',
  'creationTimestamp',
  'uid',
  'selfLink',
];

/** An object without what the API server and others decide. */
function comparable(object: unknown, ignored: readonly string[]): Record<string, unknown> {
  if (!isObject(object)) return {};
  const { status: _, ...rest } = structuredClone(object);
  if (isObject(rest['metadata'])) for (const field of WRITTEN_BY_SERVER) delete rest['metadata'][field];
  for (const pointer of ignored) remove(rest, pointerSteps(pointer));
  return rest;
}

function remove(value: unknown, [step, ...below]: readonly string[]): void {
  if (step === undefined || typeof value !== 'object' || value === null) return;
  const members = value as Record<string, unknown>;
  if (below.length > 0) remove(members[step], below);
  else if (Array.isArray(value)) value[Number(step)] = null;
  else delete members[step];
}
