import { z } from 'zod';
import type { Application } from '../../operator/api/v1alpha1/application.ts';
import { requestFor } from '../../operator/api/v1alpha1/environment-request.ts';
import { ANNOTATION_SYNC_REQUESTED, GROUP } from '../../operator/api/v1alpha1/names.ts';
import { namedEnvironments, watchApplications } from '../application.ts';
import { CommandError } from '../exit-codes.ts';
import { frozenText } from '../text/frozen.ts';
import type { Context } from './command.ts';

/** So long the operator is waited for: it asks the Git server, and judges what is new. */
const ANSWER_MS = 10_000;
export const NOT_TOLD = 'What came of it is not told yet.';

/** The environments that a request is about. */
export function askedOf(application: Application, environment: string | undefined): string[] {
  return environment === undefined ? namedEnvironments(application) : [environment];
}

/**
 * The Application as it was once the operator had acted on a request in each of these environments: what was pushed just
 * before is in no status before that. Undefined where that is not told in time, or may not be seen.
 */
export async function answerTo(
  { kubectl, signal }: Pick<Context, 'kubectl' | 'signal'>,
  name: string,
  environments: readonly string[],
  request: string,
): Promise<Application | undefined> {
  // Not AbortSignal.timeout: as one of several, Node 20 forgets it with the next garbage, and it never comes.
  const ending = new AbortController();
  const inTime = AbortSignal.any([ending.signal, signal]);
  const timer = setTimeout(() => ending.abort(), ANSWER_MS);
  const is = (annotation: string | undefined) =>
    environments.every((one) => requestFor(annotation, one) === request);
  try {
    for await (const { type, application } of watchApplications(kubectl, [name], inTime)) {
      const { metadata, status } = application;
      if (is(status?.handledSyncRequest)) return application;
      // What somebody else asked for since then is answered in its place.
      if (type === 'DELETED' || !is(metadata.annotations[ANNOTATION_SYNC_REQUESTED])) return undefined;
    }
  } catch (error) {
    // It was asked for all the same.
    if (!(error instanceof CommandError)) throw error;
  } finally {
    clearTimeout(timer);
    // Or kubectl goes on with the watch, and this process with it.
    ending.abort();
  }
  return undefined;
}

const frozenSchema = z.object({ status: z.object({ frozenUntil: z.string() }) });

/** Which of these Environments are frozen, and until when, as far as the user may read them. */
export async function freezesOf(
  { kubectl, signal }: Pick<Context, 'kubectl' | 'signal'>,
  { spec }: Application,
  environments: readonly string[],
): Promise<Map<string, string>> {
  if (spec.environments === undefined) return new Map();
  const told = await Promise.all(
    environments.map(async (name): Promise<[string, string][]> => {
      const args = ['get', `environments.${GROUP}`, name];
      const frozen = frozenSchema.safeParse(await kubectl.jsonIfAny(args, signal));
      if (!frozen.success) return [];
      return [[name, `${name}: ${frozenText(name, frozen.data.status.frozenUntil)}`]];
    }),
  );
  return new Map(told.flat());
}
