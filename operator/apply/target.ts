import { TowpathError } from '../api/errors.ts';
import { ANNOTATION_ADOPT } from '../api/v1alpha1/names.ts';
import type { KubeClient, KubeObject, ObjectPath, Resource, ServiceAccount } from '../kube/client.ts';
import type { Discovery } from '../kube/discovery.ts';
import type { AppliedObject } from '../manifest/applied.ts';
import { type Bounds, outOfBounds } from '../manifest/bounds.ts';
import type { LiveObject } from '../manifest/live.ts';
import { describeObject, idOf, type Manifest, type ObjectId } from '../manifest/manifest.ts';

/** Where and as whom a target writes. */
export interface TargetAccess {
  client: KubeClient;
  discovery: Discovery;
  /** Absent only with --insecure-no-impersonation. */
  as?: ServiceAccount;
  /** What may be written at all, whatever that account may; absent: anything. */
  bounds?: Bounds;
  targetId: string;
  /** `<namespace>/<application>/<environment>` */
  targetName: string;
  /** Whether the Application takes over objects that no target owns. */
  adopt: boolean;
  /**
   * Whether the target that applied an object of others has it still: in what it runs, or is about to run. `Unknown`: nothing
   * is recorded of that target here.
   */
  holderOf(object: LiveObject): 'Holds' | 'Left' | 'Unknown';
  /** Whether a target of the same Application applied it, or made it as a hook's, whose place this one takes. */
  isHandedOver(object: LiveObject): boolean;
  /**
   * The manifest that the object was applied with, where it is still kept and the same paths were left to others.
   */
  former(applied: AppliedObject, ignore: readonly string[]): Promise<Manifest | undefined>;
  /** Told of every object that a write returned, so that the inventory is never behind our own writes. */
  observe(object: KubeObject, resource: Resource): LiveObject;
  signal: AbortSignal;
}

/** Whether the Application takes over an object of this manifest that it did not make. */
export function adopts(access: Pick<TargetAccess, 'adopt'>, manifest: Manifest): boolean {
  return access.adopt || manifest.annotations[ANNOTATION_ADOPT] === 'true';
}

export function callOptions(access: TargetAccess) {
  const tenant = access.targetName.slice(0, access.targetName.indexOf('/'));
  return {
    signal: access.signal,
    sharer: { tenant, target: access.targetId },
    ...(access.as === undefined ? {} : { as: access.as }),
  };
}

/** The served resource of an object's kind; throws KindMissing where the cluster has none. */
export async function resourceOf(
  access: TargetAccess,
  object: ObjectId & { apiVersion: string },
): Promise<Resource> {
  const version = object.apiVersion.slice(object.apiVersion.indexOf('/') + 1);
  const resource = await access.discovery.ensure(object.group, object.kind, version, {
    signal: access.signal,
  });
  if (resource !== undefined) return resource;
  throw new TowpathError(
    'Resource',
    'KindMissing',
    `The cluster does not serve kind ${object.kind} of ${object.apiVersion}, which ${describeObject(object)} needs: install its CustomResourceDefinition or correct the apiVersion; it is tried again.`,
    {
      details: [
        { object: idOf(object), message: `The cluster does not serve ${object.apiVersion} ${object.kind}.` },
      ],
    },
  );
}

/**
 * The same for what is about to be sent, or asked about. Only here it is sure what the kind is served as: that may have
 * changed since the candidate was judged.
 */
export async function resourceToWrite(access: TargetAccess, manifest: Manifest): Promise<Resource> {
  const resource = await resourceOf(access, manifest);
  const refusal = refusalOf(access, manifest, resource);
  if (refusal !== undefined) throw refusal;
  return resource;
}

type Located = ObjectId & { readonly file?: string };

/** What keeps an object out of where the target may write (S3), by what the cluster serves now; undefined: nothing. */
export function boundsRefusal(access: TargetAccess, object: Located): TowpathError | undefined {
  const { group, kind } = object;
  return refusalOf(access, object, access.discovery.resourceFor(group, kind));
}

function refusalOf(
  { bounds }: TargetAccess,
  object: Located,
  served: Resource | undefined,
): TowpathError | undefined {
  const message = bounds === undefined ? undefined : outOfBounds(object, served, bounds);
  if (message === undefined) return undefined;
  const file = object.file === undefined ? {} : { file: object.file };
  return new TowpathError('Person', 'OutOfBounds', message, {
    details: [{ object: idOf(object), message, ...file }],
  });
}

export function pathOf(resource: Resource, object: ObjectId): ObjectPath {
  return {
    resource,
    name: object.name,
    ...(resource.namespaced ? { namespace: object.namespace } : {}),
  };
}
