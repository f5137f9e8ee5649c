import { TowpathError } from '../../api/errors.ts';
import { isForbidden, isUnauthorized, UnreachableError } from '../../kube/errors.ts';
import type { ClusterAccess } from '../../kube/kubeconfig.ts';

/**
 * Why a cluster cannot be used, as it is told where that kubeconfig stands: others may have the same in another Secret.
 *
 * @param where At the beginning of a sentence: `The kubeconfig in Secret towpath/eu`.
 */
export type Trouble = (where: string) => TowpathError;

/** The server's certificate is of another authority, or of another host. */
const UNTRUSTED = /CERT|UNABLE_TO_(?:VERIFY|GET)|SELF_SIGNED|ALTNAME/;
/** The server does not take ours. */
const NOT_TAKEN = /ALERT|ERR_SSL/;

/**
 * Why a cluster cannot be used, of the error of a request to it: out of reach, expired, refused, forbidden and not
 * trusted are different messages, since different persons help.
 */
export function troubleOf(
  error: unknown,
  given: Pick<ClusterAccess, 'access' | 'expiresAt'>,
  now: Date,
): Trouble {
  const { expiresAt } = given;
  const code = error instanceof UnreachableError ? error.code : '';
  const isRefused = isUnauthorized(error) || NOT_TAKEN.test(code);
  if (isRefused && expiresAt !== undefined && expiresAt.getTime() <= now.getTime())
    return (where) => credentialExpired(where, expiresAt, error);
  if (isUnauthorized(error)) return (where) => credentialRefused(where, error);
  if (isForbidden(error)) return (where) => clusterForbidden(where, error);
  if (UNTRUSTED.test(code)) return (where) => clusterUntrusted(where, error);
  return clusterUnreachable(hostOf(given), messageOf(error), error);
}

/** An API server that does not answer. */
export function clusterUnreachable(host: string, why: string, cause?: unknown): Trouble {
  const next = 'It is tried again; what runs there stays.';
  const message = `The API server at ${host} does not answer: ${withoutDot(why)}. ${next}`;
  return () => new TowpathError('Time', 'ClusterUnreachable', message, { cause, next });
}

export function hostOf({ access }: Pick<ClusterAccess, 'access'>): string {
  return URL.parse(access.server)?.host ?? 'an unknown address';
}

/** By a kubeconfig neither two Environments at one place are told from each other, nor the operator's own namespace. */
export function clusterIsHome(where: string): TowpathError {
  const next =
    'Make an Environment without spec.cluster, and have Applications name that; this one cannot change into it.';
  return new TowpathError(
    'Person',
    'ClusterIsHome',
    `${where} leads to the cluster that Towpath runs in, as the uid of its namespace kube-system says: nothing is written by it. ${next}`,
    { next },
  );
}

/** What the kubeconfig leads to is compared with the operator's own cluster first, and that one does not say who it is. */
export function homeUnknown(where: string, cause: unknown): TowpathError {
  return new TowpathError(
    'Time',
    'EnvironmentsUnknown',
    `It is not known whether ${where.replace(/^T/, 't')} leads to the operator's own cluster, whose namespace kube-system says that, and before that nothing is written there; it is tried again: ${messageOf(cause)}`,
    { cause },
  );
}

function credentialExpired(where: string, expiresAt: Date, cause: unknown): TowpathError {
  const next = 'Store a new one; what runs there stays.';
  const since = `${expiresAt.toISOString().slice(0, 19)}Z`;
  return new TowpathError(
    'Person',
    'CredentialExpired',
    `${where} has a credential that expired at ${since}, and the cluster refuses it. ${next}`,
    { cause, next },
  );
}

function credentialRefused(where: string, cause: unknown): TowpathError {
  const next = 'Store one that it takes; what runs there stays.';
  return new TowpathError(
    'Person',
    'CredentialRefused',
    `${where} has a credential that the cluster refuses: it was revoked, its ServiceAccount deleted, or it is another cluster's. ${next}`,
    { cause, next },
  );
}

function clusterForbidden(where: string, cause: unknown): TowpathError {
  const next = 'Give it the rights that docs/clusters.md lists; what runs there stays.';
  return new TowpathError(
    'Resource',
    'ClusterForbidden',
    `${where} is of an account that may not do what is needed: ${withoutDot(messageOf(cause))}. ${next}`,
    { cause, next },
  );
}

function clusterUntrusted(where: string, cause: unknown): TowpathError {
  const next = 'Store the authority that the cluster has now, if it is the right one; what runs there stays.';
  return new TowpathError(
    'Person',
    'ClusterUntrusted',
    `${where} does not have the authority of the certificate that the API server shows: ${withoutDot(messageOf(cause))}. ${next}`,
    { cause, next },
  );
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function withoutDot(sentence: string): string {
  return sentence.endsWith('.') ? sentence.slice(0, -1) : sentence;
}
