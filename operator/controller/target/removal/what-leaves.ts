import type { Application } from '../../../api/v1alpha1/application.ts';
import { GROUP } from '../../../api/v1alpha1/names.ts';
import { classify } from '../../../apply/classify.ts';
import type { KubeClient, ObjectPath } from '../../../kube/client.ts';
import { isNotFound } from '../../../kube/errors.ts';
import type { Target } from '../../record/target.ts';
import type { Parts } from '../run.ts';

/** What is being deleted around an Application: then nobody may be held up by us. */
export interface Leaving {
  /** Going in the target's cluster, with all that is in it. */
  namespace?: string;
}

const NAMESPACES = { group: '', version: 'v1', plural: 'namespaces' };
const DEFINITIONS = { group: 'apiextensions.k8s.io', version: 'v1', plural: 'customresourcedefinitions' };
const OWN_DEFINITION = { resource: DEFINITIONS, name: `applications.${GROUP}` };

/**
 * Of the namespaces of the Application and of its target, and of our own CRD; undefined: nothing is being deleted but
 * the Application itself.
 */
export async function whatLeaves(
  { home, clusterOf }: Parts,
  application: Application,
  target: Target,
  signal: AbortSignal,
): Promise<Leaving | undefined> {
  const { namespace } = application.metadata;
  const { client } = clusterOf(target);
  const isAtHome = client === home && target.namespace === namespace;
  if (await isLeaving(home, 'Namespace', { resource: NAMESPACES, name: namespace }, signal))
    return isAtHome ? { namespace } : {};
  if (await isLeaving(home, 'CustomResourceDefinition', OWN_DEFINITION, signal)) return {};
  if (isAtHome) return undefined;
  const other = { resource: NAMESPACES, name: target.namespace };
  return (await isLeaving(client, 'Namespace', other, signal)) ? { namespace: target.namespace } : undefined;
}

async function isLeaving(
  client: KubeClient,
  kind: string,
  path: ObjectPath & { name: string },
  signal: AbortSignal,
): Promise<boolean> {
  try {
    const { metadata } = await client.getMetadata(path, { signal });
    return metadata.deletionTimestamp !== undefined;
  } catch (error) {
    signal.throwIfAborted();
    if (isNotFound(error)) return true;
    const { resource, name } = path;
    throw classify(error, 'look at', { group: resource.group, kind, namespace: '', name }).error;
  }
}
