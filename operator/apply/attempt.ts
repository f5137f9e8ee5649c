import type { KubeObject, Resource } from '../kube/client.ts';
import { ApiError, isNotFound } from '../kube/errors.ts';
import type { PlannedApply } from '../manifest/applied.ts';
import { callOptions, pathOf, type TargetAccess } from './target.ts';

/** One object on its way to the API server. */
export interface Attempt {
  access: TargetAccess;
  resource: Resource;
  planned: PlannedApply;
  dryRun: boolean;
}

/** The object as it is now; undefined where there is none of its name. */
export async function find({ access, planned, resource }: Attempt): Promise<KubeObject | undefined> {
  try {
    return await access.client.get(pathOf(resource, planned.manifest), callOptions(access));
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

/** The answer to an apply whose uid is that of an object that was deleted and made again by someone else. */
export function isOtherUid(error: unknown): boolean {
  return (
    error instanceof ApiError &&
    error.code === 422 &&
    error.causes.some((cause) => cause.field === 'metadata.uid')
  );
}
