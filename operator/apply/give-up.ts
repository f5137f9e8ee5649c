import type { KubeObject } from '../kube/client.ts';
import { ApiError, isNotFound } from '../kube/errors.ts';
import { canonicalJson, isRecord, type Json } from '../manifest/exact-json.ts';
import { valuesAt } from '../manifest/field-set.ts';
import { fieldManager, type LiveObject } from '../manifest/live.ts';
import type { Manifest } from '../manifest/manifest.ts';
import { fieldsOf, isOwn } from './adopt.ts';
import {
  allocationsIn,
  type Holder,
  isAllocatedField,
  isPriorityClass,
  portKey,
  portsIn,
  type ServicePort,
} from './allocations.ts';
import { callOptions, pathOf, resourceOf, type TargetAccess } from './target.ts';

/** So many ports on either side of the one that is given up are tried, where the one that Git has is not free yet. */
const NEAR = 16;

/** What an object is that has, or had, what only one can have; undefined where it is gone. */
export async function findHolder(
  access: TargetAccess,
  live: LiveObject,
): Promise<(KubeObject & Holder) | undefined> {
  try {
    return await access.client.get(pathOf(await resourceOf(access, live), live), callOptions(access));
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

/**
 * Has an object of ours give up ports, or being the default, ahead of its own apply, and nothing else of it changes: a
 * port becomes the one that Git has for it, or one beside it until that is free. Returns what it has of it still: of
 * what stays with a Service as long as it is what it is, only its own apply takes it away.
 */
export async function giveUp(
  access: TargetAccess,
  live: LiveObject,
  contested: ReadonlySet<string>,
  wanted: { manifest: Manifest | undefined; avoid: ReadonlySet<string> },
): Promise<Set<string>> {
  let current = await findHolder(access, live);
  if (current?.metadata.uid !== live.uid) return new Set();
  if (isPriorityClass(live)) {
    if (current.globalDefault === true)
      current = await applyAsIs(access, live, current, (own) => ({ ...own, globalDefault: false }));
  } else {
    for (const port of current.spec?.ports ?? [])
      if (portsIn(port).some((each) => contested.has(each)))
        current = await movePort(access, live, current, port, wanted);
  }
  return allocationsIn(live, current).intersection(contested);
}

/** Returns the object as it is then, as it was where no port could be had. */
async function movePort(
  access: TargetAccess,
  live: LiveObject,
  current: KubeObject & Holder,
  port: ServicePort,
  { manifest, avoid }: { manifest: Manifest | undefined; avoid: ReadonlySet<string> },
): Promise<KubeObject & Holder> {
  for (const nodePort of portsFor(port, manifest, avoid)) {
    try {
      return await applyAsIs(access, live, current, (own) => withNodePort(own, { ...port, nodePort }));
    } catch (error) {
      if (!isOfPort(error)) throw error;
    }
  }
  return current;
}

/** Which ports a Service's port may have instead: first what Git has for it, then those beside it that nobody asks for. */
function portsFor(
  port: ServicePort,
  manifest: Manifest | undefined,
  avoid: ReadonlySet<string>,
): readonly number[] {
  const { spec = {} } = manifest === undefined ? {} : (JSON.parse(manifest.text) as Holder);
  const wanted = spec.ports?.find((one) => portKey(one) === portKey(port))?.nodePort ?? 0;
  const { nodePort: before = 0, protocol = 'TCP' } = port;
  const near = Array.from({ length: NEAR }, (_, index) => [before + index + 1, before - index - 1]).flat();
  const free = near.filter((nodePort) => !portsIn({ protocol, nodePort }).some((each) => avoid.has(each)));
  return wanted > 0 ? [wanted, ...free] : free;
}

/** The port is another one's, or outside of what the API server has to give. */
function isOfPort(error: unknown): boolean {
  if (!(error instanceof ApiError) || error.code !== 422 || error.causes.length === 0) return false;
  return error.causes.every(({ field = '' }) => isAllocatedField(field));
}

/** Where the port is not one of ours, it stays. */
function withNodePort(own: { [name: string]: Json }, moved: ServicePort): { [name: string]: Json } {
  const { spec } = own;
  if (!isRecord(spec) || !Array.isArray(spec['ports'])) return own;
  const ports = spec['ports'].map((port) =>
    isRecord(port) && portKey(port as ServicePort) === portKey(moved)
      ? { ...port, nodePort: moved.nodePort ?? null }
      : port,
  );
  return { ...own, spec: { ...spec, ports } };
}

/** Applies once more what is ours of an object, with the values that it has now but for what changes. */
async function applyAsIs(
  access: TargetAccess,
  live: LiveObject,
  current: KubeObject,
  change: (own: { [name: string]: Json }) => { [name: string]: Json },
): Promise<KubeObject & Holder> {
  const { uid, resourceVersion, managedFields = [] } = current.metadata;
  const fields = fieldsOf(managedFields.find((entry) => isOwn(entry, access.targetId)));
  const own = valuesAt(fields, current as unknown as Json);
  if (Object.keys(fields).length === 0 || !isRecord(own)) return current;
  const { metadata, ...rest } = change(own);
  const resource = await resourceOf(access, live);
  const object = await access.client.apply(
    pathOf(resource, live),
    canonicalJson({
      ...rest,
      apiVersion: live.apiVersion,
      kind: live.kind,
      metadata: {
        ...(isRecord(metadata) ? metadata : {}),
        name: live.name,
        ...(resource.namespaced ? { namespace: live.namespace } : {}),
        uid,
        resourceVersion,
      },
    }),
    { fieldManager: fieldManager(access.targetId), force: true, fieldValidation: 'Strict' },
    callOptions(access),
  );
  access.observe(object, resource);
  return object;
}
