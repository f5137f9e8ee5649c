import { TowpathError } from '../../../api/errors.ts';
import type { KubeClient, ServiceAccount } from '../../../kube/client.ts';
import { isNotFound } from '../../../kube/errors.ts';

/** A "forbidden" whose cause is that the ServiceAccount does not exist says so, with what makes it. */
export async function explainForbidden(
  client: KubeClient,
  account: ServiceAccount | undefined,
  error: TowpathError,
  signal: AbortSignal,
): Promise<TowpathError> {
  if (error.reason !== 'Forbidden' || account === undefined) return error;
  const { namespace, name } = account;
  try {
    await client.getMetadata(
      { resource: { group: '', version: 'v1', plural: 'serviceaccounts' }, namespace, name },
      { signal },
    );
    return error;
  } catch (failure) {
    if (!isNotFound(failure)) return error;
  }
  return new TowpathError(
    'Resource',
    'ServiceAccountMissing',
    `ServiceAccount ${namespace}/${name} does not exist. Make it: kubectl -n ${namespace} create serviceaccount ${name} && kubectl -n ${namespace} create rolebinding ${name} --clusterrole=edit --serviceaccount=${namespace}:${name}`,
    { cause: error },
  );
}
