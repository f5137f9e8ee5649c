import { TowpathError } from '../../api/errors.ts';
import { dryRunAll } from '../../apply/run.ts';
import type { KubeClient, ServiceAccount } from '../../kube/client.ts';
import { isNotFound } from '../../kube/errors.ts';
import { type DeployContext, planFor } from './deploy-context.ts';
import { combined } from './refusals.ts';
import type { Run } from './run.ts';

/**
 * What runs is written as the ServiceAccount that the spec names now: one that was not looked at yet must be
 * there, and may what the one before it could; and whoever asks for a sync is told when it is gone.
 *
 * @throws TowpathError ServiceAccountMissing, Forbidden; then it counts as not looked at.
 */
export async function confirmAccount(run: Run, isNew: boolean): Promise<void> {
  const { access, record, store, signal } = run.context;
  if (access.as === undefined) return;
  const isKnown = record.account === access.as.name;
  // A candidate that is new is judged anyway: what it costs is to stay the same for every commit.
  if (isKnown && (isNew || run.request === undefined)) return;
  try {
    if (await isMissing(run.parts.client, access.as, signal)) throw missing(access.as);
    if (!isKnown) await askForAll(run.context);
  } catch (error) {
    if (record.account !== undefined) store.changed(record);
    delete record.account;
    throw error;
  }
  if (isKnown) return;
  record.account = access.as.name;
  store.changed(record);
}

/** Asks the API server whether the account may write all that runs, not only what happens to change next. */
async function askForAll(context: DeployContext): Promise<void> {
  const { access, record, signal } = context;
  if (record.deployment?.applied !== true) return;
  const manifests = await context.store.manifests(record, record.deployment.candidate, signal);
  if (manifests === undefined) return;
  const all = { ...context, record: { ...record, applied: new Map() } };
  const { refusals } = await dryRunAll(access, planFor(all, manifests.objects).apply, manifests.objects);
  const forbidden = refusals.filter(({ error }) => error.reason === 'Forbidden');
  if (forbidden.length > 0) throw combined(forbidden, 'nothing was applied');
}

/** A "forbidden" whose cause is that the ServiceAccount does not exist says so, with what makes it. */
export async function explainForbidden(
  client: KubeClient,
  account: ServiceAccount | undefined,
  error: TowpathError,
  signal: AbortSignal,
): Promise<TowpathError> {
  if (error.reason !== 'Forbidden' || account === undefined) return error;
  return (await isMissing(client, account, signal)) ? missing(account, error) : error;
}

/** False also where that cannot be found out. */
async function isMissing(client: KubeClient, account: ServiceAccount, signal: AbortSignal): Promise<boolean> {
  const resource = { group: '', version: 'v1', plural: 'serviceaccounts' };
  try {
    await client.getMetadata({ resource, ...account }, { signal });
    return false;
  } catch (error) {
    signal.throwIfAborted();
    return isNotFound(error);
  }
}

function missing({ namespace, name }: ServiceAccount, cause?: Error): TowpathError {
  return new TowpathError(
    'Resource',
    'ServiceAccountMissing',
    `ServiceAccount ${namespace}/${name} does not exist. Make it: kubectl -n ${namespace} create serviceaccount ${name} && kubectl -n ${namespace} create rolebinding ${name} --clusterrole=edit --serviceaccount=${namespace}:${name}`,
    { cause },
  );
}
