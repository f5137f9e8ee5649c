import { TowpathError } from '../../api/errors.ts';
import type { KubeClient, ServiceAccount } from '../../kube/client.ts';
import { isNotFound } from '../../kube/errors.ts';

/** A "forbidden" whose cause is that the ServiceAccount does not exist says so, with what makes it. */
export async function explainForbidden(
  client: KubeClient,
  account: ServiceAccount | undefined,
  error: TowpathError,
  signal: AbortSignal,
): Promise<TowpathError> {
  if (error.reason !== 'Forbidden' || account === undefined) return error;
  return (await missingAccount(client, account, signal, error)) ?? error;
}

/** Says that the ServiceAccount does not exist; undefined where it does, or where that cannot be found out. */
export async function missingAccount(
  client: KubeClient,
  account: ServiceAccount,
  signal: AbortSignal,
  cause?: Error,
): Promise<TowpathError | undefined> {
  const { namespace, name } = account;
  const resource = { group: '', version: 'v1', plural: 'serviceaccounts' };
  try {
    await client.getMetadata({ resource, namespace, name }, { signal });
    return undefined;
  } catch (failure) {
    if (!isNotFound(failure)) return undefined;
  }
  return new TowpathError(
    'Resource',
    'ServiceAccountMissing',
    `ServiceAccount ${namespace}/${name} does not exist. Make it: kubectl -n ${namespace} create serviceaccount ${name} && kubectl -n ${namespace} create rolebinding ${name} --clusterrole=edit --serviceaccount=${namespace}:${name}`,
    { cause },
  );
}
