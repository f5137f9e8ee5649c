import type { KubeObject } from '../kube/client.ts';
import { type ApiError, isNotFound } from '../kube/errors.ts';
import { groupKind, type Manifest, type ObjectId } from '../manifest/manifest.ts';
import { callOptions, pathOf, resourceOf, type TargetAccess } from './target.ts';

/** Fields of what only one Service can have; a trial under another name is made without them. */
const ALLOCATED = /(?:^|\.)(?:clusterIPs?|nodePort|healthCheckNodePort)(?:\[\d{1,3}\])?$/;

export function isAllocatedField(field: string): boolean {
  return ALLOCATED.test(field);
}

/** How the API server ends what it says of a port or an address that another Service has (seen on 1.37). */
const TAKEN = [': provided port is already allocated', ': provided IP is already allocated'];
/** How it begins to say so with code 500: of a port for health checks, and where none is left. */
const FAILED = 'Internal error occurred: failed to allocate ';

/** A port or an address that the object asks for is another one's: it is free when that goes. */
export function isAlreadyAllocated({ code, message, causes }: ApiError): boolean {
  const isTaken = (told: string) => TAKEN.some((end) => told.endsWith(end));
  if (code === 500) return message.startsWith(FAILED) && isTaken(message);
  if (code !== 422 || causes.length === 0) return false;
  return causes.every((cause) => isAllocatedField(cause.field ?? '') && isTaken(cause.message));
}

/** No port or no address is left for a Service that may have any: so it is until another one gives its own up. */
export function isRangeFull({ code, message }: ApiError): boolean {
  return code === 500 && message.startsWith(FAILED) && message.endsWith(': range is full');
}

interface ServiceSpec {
  clusterIP?: string;
  clusterIPs?: string[];
  healthCheckNodePort?: number;
  ports?: { protocol?: string; nodePort?: number }[];
}

/** What a Service has, or asks for, that only one can have: `TCP 30444`, `10.96.0.7`. Of other kinds nothing. */
export function allocationsIn(spec: unknown): Set<string> {
  const { clusterIP, clusterIPs = [], healthCheckNodePort, ports = [] } = (spec ?? {}) as ServiceSpec;
  const found = [clusterIP, ...clusterIPs].filter((ip) => ip !== undefined && ip !== '' && ip !== 'None');
  for (const { protocol = 'TCP', nodePort = 0 } of ports)
    if (nodePort > 0) found.push(`${protocol} ${nodePort}`);
  if (healthCheckNodePort) found.push(`TCP ${healthCheckNodePort}`);
  return new Set(found.filter((each) => each !== undefined));
}

export function isService(object: ObjectId): boolean {
  return groupKind(object) === '/Service';
}

/** What a manifest asks for. */
export function askedFor(manifest: Manifest): Set<string> {
  if (!isService(manifest)) return new Set();
  return allocationsIn((JSON.parse(manifest.text) as { spec?: unknown }).spec);
}

/**
 * Whether a Service that stays loses all of what it has there: ports go when it asks for others, or for none by its
 * type; addresses stay, and what it does not ask for the API server keeps for it.
 */
export function givesUp(manifest: Manifest, held: ReadonlySet<string>): boolean {
  const { spec } = JSON.parse(manifest.text) as { spec?: { type?: string } };
  const asked = allocationsIn(spec);
  const hasPorts = ['NodePort', 'LoadBalancer'].includes(spec?.type ?? '');
  if (!asked.isDisjointFrom(held)) return false;
  return [...held].every((each) => each.includes(' ')) && (asked.size > 0 || !hasPorts);
}

/** What a live Service has; nothing where it is gone. */
export async function heldBy(
  access: TargetAccess,
  object: ObjectId & { apiVersion: string },
): Promise<Set<string>> {
  try {
    const path = pathOf(await resourceOf(access, object), object);
    const found: KubeObject & { spec?: unknown } = await access.client.get(path, callOptions(access));
    return allocationsIn(found.spec);
  } catch (error) {
    if (isNotFound(error)) return new Set();
    throw error;
  }
}
