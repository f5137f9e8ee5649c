import { ANNOTATION_REPLACE } from '../api/v1alpha1/names.ts';
import type { ApiError } from '../kube/errors.ts';
import type { PlannedApply } from '../manifest/applied.ts';
import { withoutPaths } from '../manifest/exact-json.ts';
import { type GroupKind, groupKind, type Manifest, type ObjectId } from '../manifest/manifest.ts';

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
  const isTaken = (words: string) => TAKEN.some((end) => words.endsWith(end));
  if (code === 500) return message.startsWith(FAILED) && isTaken(message);
  if (code !== 422 || causes.length === 0) return false;
  return causes.every((cause) => isAllocatedField(cause.field ?? '') && isTaken(cause.message));
}

/** No port or no address is left for a Service that may have any: so it is until another one gives its own up. */
export function isRangeFull({ code, message }: ApiError): boolean {
  return code === 500 && message.startsWith(FAILED) && message.endsWith(': range is full');
}

/** Another PriorityClass is the default; a name, which comes before, has no space in it (seen on 1.37). */
export function isDefaultTaken({ code, message, refuser }: ApiError): boolean {
  const words = ' is already marked as default. Only one default can exist';
  return code === 403 && refuser === 'Admission' && message.endsWith(words);
}

interface ServiceSpec {
  type?: string;
  clusterIP?: string;
  clusterIPs?: string[];
  externalTrafficPolicy?: string;
  healthCheckNodePort?: number;
  ports?: ServicePort[];
}

export interface ServicePort {
  name?: string;
  port?: number;
  protocol?: string;
  nodePort?: number;
}

/** An object, live or as a manifest has it, as far as it can have what only one can. */
export interface Holder {
  spec?: ServiceSpec;
  globalDefault?: boolean;
}

const SERVICE: GroupKind = '/Service';
const PRIORITY_CLASS: GroupKind = 'scheduling.k8s.io/PriorityClass';
const DEFAULT = 'the default of PriorityClasses';

/** Whether objects of its kind can have what only one of them can. */
export function canHold(object: ObjectId): boolean {
  return isService(object) || isPriorityClass(object);
}

function isService(object: ObjectId): boolean {
  return groupKind(object) === SERVICE;
}

export function isPriorityClass(object: ObjectId): boolean {
  return groupKind(object) === PRIORITY_CLASS;
}

/** What an object has, or asks for, that only one can have: `TCP 30444`, `10.96.0.7`, being the default. */
export function allocationsIn(id: ObjectId, { spec = {}, globalDefault }: Holder): Set<string> {
  if (isPriorityClass(id)) return new Set(globalDefault === true ? [DEFAULT] : []);
  if (!isService(id)) return new Set();
  return new Set([...addressesIn(spec), ...(spec.ports ?? []).flatMap(portsIn), ...healthPortIn(spec)]);
}

function addressesIn({ clusterIP = '', clusterIPs = [] }: ServiceSpec): string[] {
  return [clusterIP, ...clusterIPs].filter((ip) => ip !== '' && ip !== 'None');
}

/** A node's port as it is told apart: `TCP 30444`. */
export function portsIn({ protocol = 'TCP', nodePort = 0 }: ServicePort): string[] {
  return nodePort > 0 ? [`${protocol} ${nodePort}`] : [];
}

function healthPortIn({ healthCheckNodePort = 0 }: ServiceSpec): string[] {
  return healthCheckNodePort > 0 ? [`TCP ${healthCheckNodePort}`] : [];
}

/** What a manifest asks for. */
export function askedFor(manifest: Manifest): Set<string> {
  return canHold(manifest) ? allocationsIn(manifest, JSON.parse(manifest.text) as Holder) : new Set();
}

/**
 * What an object that stays gives up of what it has, when it is applied. The API server keeps for it whatever the
 * manifest does not say otherwise: addresses, and the port of a port of the same name.
 */
export function givenUp({ manifest, ignore }: PlannedApply, live: Holder): Set<string> {
  const wanted = JSON.parse(withoutPaths(manifest.text, ignore)) as Holder;
  const held = allocationsIn(manifest, live);
  const wantedNow = allocationsIn(manifest, wanted);
  if (isPriorityClass(manifest))
    return ignore.includes('/globalDefault') ? new Set() : held.difference(wantedNow);
  const kept = isMadeAnew(manifest, wanted, live) ? [] : keptFor(wanted.spec ?? {}, live.spec ?? {});
  return held.difference(wantedNow).difference(new Set(kept));
}

function keptFor(wanted: ServiceSpec, live: ServiceSpec): string[] {
  const { type = 'ClusterIP', ports = [], externalTrafficPolicy } = wanted;
  if (type === 'ExternalName') return [];
  const kept = addressesIn(live);
  if (type === 'ClusterIP') return kept;
  const isSame = (one: ServicePort, other: ServicePort) =>
    (one.name ?? '') === (other.name ?? '') || portKey(one) === portKey(other);
  const unsaid = ports.filter(({ nodePort = 0 }) => nodePort === 0);
  for (const port of live.ports ?? [])
    if (unsaid.some((one) => isSame(one, port))) kept.push(...portsIn(port));
  const hasHealthPort = type === 'LoadBalancer' && externalTrafficPolicy === 'Local';
  return hasHealthPort ? [...kept, ...healthPortIn(live)] : kept;
}

/** What an apply tells a Service's ports apart by. */
export function portKey({ port, protocol = 'TCP' }: ServicePort): string {
  return `${protocol} ${port}`;
}

/** Whether a Service is deleted and made again, as what changes cannot change and its annotation says so. */
function isMadeAnew({ annotations }: Manifest, wanted: Holder, live: Holder): boolean {
  if (annotations[ANNOTATION_REPLACE] !== 'true') return false;
  const { clusterIP, healthCheckNodePort } = live.spec ?? {};
  const differs = <Value>(one: Value | undefined, other: Value | undefined) =>
    Boolean(one) && Boolean(other) && one !== other;
  return (
    differs(wanted.spec?.clusterIP, clusterIP) ||
    differs(wanted.spec?.healthCheckNodePort, healthCheckNodePort)
  );
}

/** A manifest's text without the ports, addresses or default that others have still. */
export function withoutHeld(manifest: Manifest, held: ReadonlySet<string>): string {
  const object = JSON.parse(manifest.text) as Holder;
  if (isPriorityClass(manifest)) return JSON.stringify({ ...object, globalDefault: undefined });
  const { spec = {} } = object;
  const free = (taken: readonly string[]) => taken.every((each) => !held.has(each));
  const { clusterIP, clusterIPs, healthCheckNodePort, ports, ...rest } = spec;
  return JSON.stringify({
    ...object,
    spec: {
      ...rest,
      ports: ports?.map((port) => (free(portsIn(port)) ? port : { ...port, nodePort: undefined })),
      ...(free(addressesIn(spec)) ? { clusterIP, clusterIPs } : {}),
      ...(free(healthPortIn(spec)) ? { healthCheckNodePort } : {}),
    },
  });
}
