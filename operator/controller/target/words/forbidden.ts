import { TowpathError } from '../../../api/errors.ts';
import { fitBetween } from '../../../api/v1alpha1/bound-status.ts';
import type { KubeClient, ObjectPath, ServiceAccount } from '../../../kube/client.ts';
import { isNotFound } from '../../../kube/errors.ts';
import type { Target } from '../../record/target.ts';
import type { Parts } from '../run.ts';
import { addTo, grantTo, type MissingRight, missingRight, shortRule } from './missing-right.ts';

/** What a message has for the API server's own words at least. */
const LEAST_WORDS = 60;
/** What says that the access an Environment has managed may be gone. */
const OF_ACCESS: ReadonlySet<string> = new Set(['Forbidden', 'ServiceAccountMissing', 'NamespaceMissing']);
/** Kubernetes' own ClusterRoles, which gather others by label. */
const GATHERING: ReadonlySet<string> = new Set(['view', 'edit', 'admin']);

/**
 * A "forbidden" with who has to do what about it: that the ServiceAccount does not exist, that the operator may not act
 * as it, or which rule it lacks. The API server's own words stay.
 */
export async function explainForbidden(
  { home, clusterOf, access }: Pick<Parts, 'home' | 'clusterOf' | 'access'>,
  target: Target,
  error: TowpathError,
  signal: AbortSignal,
): Promise<TowpathError> {
  if (OF_ACCESS.has(error.reason)) access.doubt(target);
  const { account, bounds } = target;
  if (error.reason !== 'Forbidden' || account === undefined) return error;
  const { client } = clusterOf(target);
  const right = missingRight(error);
  if (right?.verb === 'impersonate')
    return notActedAs(account, error, client === home ? 'Home' : 'Elsewhere');
  if (await isMissing(client, accountPath(account), signal)) {
    const isHomeless = await isMissing(client, namespacePath(account), signal);
    return isHomeless ? missingNamespace(account, error) : missingAccount(account, error);
  }
  return bounds === undefined || right === undefined ? error : withRule(target, account, right, error);
}

const accountPath = ({ namespace, name }: ServiceAccount): ObjectPath => ({
  resource: { group: '', version: 'v1', plural: 'serviceaccounts' },
  namespace,
  name,
});

const namespacePath = ({ namespace: name }: ServiceAccount): ObjectPath => ({
  resource: { group: '', version: 'v1', plural: 'namespaces' },
  name,
});

async function isMissing(client: KubeClient, path: ObjectPath, signal: AbortSignal): Promise<boolean> {
  try {
    await client.getMetadata(path, { signal });
    return false;
  } catch (failure) {
    return isNotFound(failure);
  }
}

/** Where an Environment names an account, the platform makes both. */
function missingNamespace({ namespace, name }: ServiceAccount, cause: TowpathError): TowpathError {
  return new TowpathError(
    'Resource',
    'NamespaceMissing',
    `Namespace ${namespace} does not exist, nor ServiceAccount ${name} in it: kubectl create namespace ${namespace}, then make the account and bind what it may. Or leave both to Towpath: spec.access.clusterRole of the Environment.`,
    { cause },
  );
}

/** With the commands that make it. */
function missingAccount({ namespace, name }: ServiceAccount, cause: TowpathError): TowpathError {
  return new TowpathError(
    'Resource',
    'ServiceAccountMissing',
    `ServiceAccount ${namespace}/${name} does not exist. Make it: kubectl -n ${namespace} create serviceaccount ${name} && kubectl -n ${namespace} create rolebinding ${name} --clusterrole=edit --serviceaccount=${namespace}:${name}`,
    { cause },
  );
}

function notActedAs({ namespace, name }: ServiceAccount, error: TowpathError, where: 'Home' | 'Elsewhere') {
  const next =
    where === 'Home'
      ? ` Add the name to the chart's values: impersonate: [..., ${name}]`
      : ` Grant it to the account of the kubeconfig.`;
  const message = fitBetween(
    `Towpath may not act as ServiceAccount ${namespace}/${name}: `,
    wordsIn(error),
    next,
    LEAST_WORDS,
  );
  return new TowpathError(error.remedy, error.reason, message, {
    cause: error,
    details: error.details,
    next,
  });
}

/** What the platform would have to add: on one line in the message, and as YAML to apply in the event. */
function withRule(
  { managedRole, bounds }: Target,
  account: ServiceAccount,
  right: MissingRight,
  error: TowpathError,
): TowpathError {
  const holder = managedRole === undefined ? `a role of ${account.namespace}/${account.name}` : managedRole;
  const next = ` Add to ${managedRole === undefined ? holder : `ClusterRole ${holder}`}: ${shortRule(right)}`;
  const message = fitBetween('', withoutHead(wordsIn(error)), next, LEAST_WORDS);
  const advice = adviceOf(managedRole, account, right);
  return new TowpathError(error.remedy, error.reason, message, {
    cause: error,
    details: error.details,
    next,
    ...(advice === undefined
      ? {}
      : {
          advice: `To let Applications in environment ${bounds?.environment ?? ''} do this, apply:\n${advice}`,
        }),
  });
}

function adviceOf(managedRole: string | undefined, account: ServiceAccount, right: MissingRight) {
  if (managedRole === undefined) return grantTo(account, right);
  return GATHERING.has(managedRole) && right.namespace !== '' ? addTo(managedRole, right) : undefined;
}

const HEAD = ' is forbidden: User "';

/** Without `widgets.example.com "web" is forbidden: ` behind the object, which the sentence names already. */
function withoutHead(text: string): string {
  const end = text.indexOf(HEAD);
  const begin = text.slice(0, Math.max(end, 0)).lastIndexOf(': ');
  return begin < 0 ? text : `${text.slice(0, begin + 2)}${text.slice(end + HEAD.indexOf('User'))}`;
}

/** The error's sentence without the next step that it had. */
function wordsIn({ message, next }: TowpathError): string {
  return message.endsWith(next) ? message.slice(0, message.length - next.length).trimEnd() : message;
}
