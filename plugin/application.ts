import { z } from 'zod';
import {
  type Application,
  type ApplicationStatus,
  type EnvironmentStatus,
  environmentOf,
  parseApplication,
} from '../operator/api/v1alpha1/application.ts';
import { API_VERSION, GROUP } from '../operator/api/v1alpha1/names.ts';
import { CommandError } from './exit-codes.ts';
import type { Kubectl } from './kubectl.ts';
import { known } from './text/known.ts';

export const RESOURCE = `applications.${GROUP}`;

const listSchema = z.object({ items: z.array(z.unknown()) });

/** All Applications that kubectl's flags select, by namespace and name. @throws CommandError */
export async function readApplications(
  kubectl: Kubectl,
  flags: readonly string[] = [],
  signal?: AbortSignal,
): Promise<Application[]> {
  const { items } = listSchema.parse(await kubectl.json(['get', RESOURCE, ...flags], signal));
  return inOrder(items.map(applicationOf));
}

/** @throws CommandError where there is none of that name, with those that there are. */
export async function readApplication(
  kubectl: Kubectl,
  name: string,
  signal?: AbortSignal,
): Promise<Application> {
  try {
    return applicationOf(await kubectl.json(['get', RESOURCE, name], signal));
  } catch (error) {
    if (!(error instanceof CommandError) || !error.message.includes('(NotFound)')) throw error;
    const others = await readApplications(kubectl, [], signal);
    throw new CommandError(`There is no Application ${name} here; ${inWords(others)}`);
  }
}

/** Each change of what `kubectl get applications` with these arguments has, what is there first, until `signal` is aborted. */
export async function* watchApplications(
  kubectl: Kubectl,
  args: readonly string[],
  signal: AbortSignal,
): AsyncGenerator<{ type: string; application: Application }> {
  for await (const { type, object } of kubectl.follow([RESOURCE, ...args], signal))
    yield { type, application: applicationOf(object) };
}

/**
 * All Applications, of the namespace or of all, whenever one of them has changed, came or went, until `signal` is
 * aborted. @throws CommandError
 */
export async function* followApplications(
  kubectl: Kubectl,
  { namespace }: { namespace: string | undefined },
  signal: AbortSignal,
): AsyncGenerator<readonly Application[]> {
  const within = namespace === undefined ? '' : `/namespaces/${encodeURIComponent(namespace)}`;
  const all = new Map<string, Application>();
  for await (const event of kubectl.followAll(`/apis/${API_VERSION}${within}/applications`, signal)) {
    const told = ('objects' in event ? event.objects : [event.object]).map(applicationOf);
    // What went while nobody answered is in no event.
    if ('objects' in event) all.clear();
    for (const one of told)
      if (event.type === 'DELETED') all.delete(keyOf(one));
      else all.set(keyOf(one), one);
    yield inOrder(all.values());
  }
}

/** By namespace and name. */
export function inOrder(applications: Iterable<Application>): Application[] {
  return [...applications].sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
}

/** @throws CommandError where it cannot be read */
function applicationOf(object: unknown): Application {
  const parsed = parseApplication(object);
  if (parsed.ok) return parsed.application;
  throw new CommandError(
    `This plugin cannot read an Application of that cluster (${parsed.errors.join('; ')}): take the plugin of the Towpath that is installed there.`,
  );
}

export function keyOf({ metadata }: Application): string {
  return `${metadata.namespace}/${metadata.name}`;
}

/** A command to copy: it acts on that very Application, whatever the namespace of who runs it is. */
export function commandOn(
  {
    metadata: { namespace, name },
  }: { readonly metadata: Pick<Application['metadata'], 'namespace' | 'name'> },
  verb: string,
  ...words: readonly string[]
): string {
  return ['kubectl towpath', verb, name, ...words, '-n', namespace].join(' ');
}

/** Of an Application that names no environments. */
export const DEFAULT_ENVIRONMENT = 'default';

/** Those that the spec names, and those of which something is told still; `default` where it names none. */
export function environmentNames(application: Application): string[] {
  const told = (application.status?.environments ?? []).map(({ name }) => name);
  return [...new Set([...namedEnvironments(application), ...told])];
}

export function hasSeveral(application: Application): boolean {
  return environmentNames(application).length > 1;
}

/**
 * What is told of that environment, or of all; of one that the spec names, and nothing is told of yet, its name.
 *
 * @throws CommandError where it has none of that name, with those that it has.
 */
export function environmentsOf(
  application: Application,
  name: string | undefined,
): readonly EnvironmentStatus[] {
  const { status, spec } = application;
  const names = environmentNames(application);
  if (name !== undefined && !names.includes(name))
    throw new CommandError(
      `Application ${keyOf(application)} has no environment ${name}; it has ${names.join(', ')}.`,
    );
  if (name !== undefined) return [environmentOf(status, name) ?? { name }];
  if (spec.environments === undefined) return status?.environments ?? [];
  return names.map((one) => environmentOf(status, one) ?? { name: one });
}

/** What there is to say where it names that environment no more, though something is told of it still. */
export function leftNote(application: Application, environment: string): string {
  return `spec.environments of Application ${keyOf(application)} no longer has ${environment}: what runs there is being taken away.`;
}

/** Those that the spec names; `default` where it names none. */
export function namedEnvironments({ spec }: Application): string[] {
  return spec.environments?.map(({ name }) => name) ?? [DEFAULT_ENVIRONMENT];
}

/**
 * An Application, and what is told of one of its environments; undefined: nothing yet.
 *
 * @throws CommandError where there is none of that name, with those that there are.
 */
export async function readEnvironment(
  kubectl: Kubectl,
  name: string,
  environment: string,
): Promise<{ application: Application; entry: EnvironmentStatus | undefined }> {
  const application = await readApplication(kubectl, name);
  environmentsOf(application, environment);
  return { application, entry: environmentOf(application.status, environment) };
}

/** Whether what the status says is about the spec that there is now; of a spec that nobody has looked at it is not. */
export function isLookedAt({ metadata, status }: Application): boolean {
  return status?.observedGeneration === metadata.generation;
}

export function readyOf(status: ApplicationStatus | undefined) {
  return status?.conditions?.find(({ type }) => type === 'Ready');
}

function inWords(applications: readonly Application[]): string {
  const names = applications.map(({ metadata }) => metadata.name);
  const [first] = applications;
  if (first === undefined)
    return 'there are none: name another namespace with -n, or see all with status -A.';
  return `in namespace ${first.metadata.namespace} there are ${known(names)}.`;
}
