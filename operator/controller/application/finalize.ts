import { TowpathError } from '../../api/errors.ts';
import type { Application } from '../../api/v1alpha1/application.ts';
import { parseDuration } from '../../api/v1alpha1/duration.ts';
import { ANNOTATION_ABANDON, DEFAULT_ENVIRONMENT, GROUP } from '../../api/v1alpha1/names.ts';
import { classify } from '../../apply/classify.ts';
import { cleanUpHook, hookName, hooksFor, runHook } from '../../apply/hooks.ts';
import { pruneObject, releaseObject } from '../../apply/prune.ts';
import { inParallel } from '../../apply/run.ts';
import type { TargetAccess } from '../../apply/target.ts';
import type { KubeClient, ObjectPath } from '../../kube/client.ts';
import { isNotFound } from '../../kube/errors.ts';
import { keepReason } from '../../manifest/keep.ts';
import { describeObject, type HookEvent } from '../../manifest/manifest.ts';
import { deletionWaves } from '../../plan/order.ts';
import type { TargetRecord } from '../record.ts';
import { targetId } from '../record.ts';
import { accessOf, type Parts, targetOf } from './run.ts';

/** `Gone`: the finalizer may go. `Waiting`: the message says for what; changes in the cluster wake it. */
export type Finalized = { state: 'Gone' } | { state: 'Waiting'; message: string };

/**
 * Ends an Application's life in the cluster: objects are pruned in reverse order, or released, and the
 * record goes last. It never hangs for ever (D11): a namespace or a CRD that is going away takes the
 * Application along at once, and its objects are left to whoever deletes them.
 */
export async function finalize(
  parts: Parts,
  application: Application,
  signal: AbortSignal,
): Promise<Finalized> {
  const access = accessOf(parts, application, signal);
  const record = parts.store.get(targetId(parts.installation, targetOf(application)));
  if (record === undefined) return { state: 'Gone' };
  const isAbandoned = (application.metadata.annotations[ANNOTATION_ABANDON] ?? '')
    .split(',')
    .includes(DEFAULT_ENVIRONMENT);
  if (isAbandoned || (await isLeaving(parts.client, application, signal))) {
    await parts.store.remove(record, signal);
    return { state: 'Gone' };
  }
  await parts.inventory.ensure(record.kinds, access.as, signal).catch((error: unknown) => {
    signal.throwIfAborted();
    throw classify(error, 'look at', { group: '', kind: 'Application', ...targetNameOf(application) }).error;
  });
  if (application.spec.deletionPolicy === 'Prune') {
    const timeoutMs = parseDuration(application.spec.sync.timeout);
    await runDeleteHooks(parts, access, record, 'pre-delete', timeoutMs);
    const left = await pruneAll(parts, access);
    if (left !== undefined) return { state: 'Waiting', message: left };
    await runDeleteHooks(parts, access, record, 'post-delete', timeoutMs);
  }
  const remaining = [...parts.inventory.of(access.targetId).values()];
  await inParallel(remaining, (live) => releaseObject(access, live));
  await parts.store.remove(record, signal);
  return { state: 'Gone' };
}

function targetNameOf(application: Application) {
  return { namespace: application.metadata.namespace, name: application.metadata.name };
}

/** Prunes one stage after the other, the next when the one before is gone; undefined: nothing is left. */
async function pruneAll(parts: Parts, access: TargetAccess): Promise<string | undefined> {
  const live = [...parts.inventory.of(access.targetId).values()].filter(
    (object) => !object.hook && keepReason(object, { ...access, prune: true }) === undefined,
  );
  const [stage] = deletionWaves(live).flat();
  if (stage === undefined) return undefined;
  await inParallel(stage, async (object) => {
    if (object.deleting) return;
    try {
      await pruneObject(access, object);
    } catch (error) {
      access.signal.throwIfAborted();
      throw classify(error, 'delete', object).error;
    }
  });
  const [first] = stage;
  const what = first === undefined ? 'objects' : describeObject(first);
  return `Deleting: ${live.length} objects are left; waiting for ${what} to go. Where it stays, look at its finalizers.`;
}

async function runDeleteHooks(
  parts: Parts,
  access: TargetAccess,
  record: TargetRecord,
  event: HookEvent,
  timeoutMs: number,
): Promise<void> {
  const { deployment } = record;
  if (deployment === undefined) return;
  const manifests = await parts.store.manifests(record, deployment.candidate, access.signal);
  for (const hook of hooksFor(manifests?.hooks ?? [], event)) {
    const name = hookName(event, hook);
    if (!deployment.hooks.includes(name)) {
      await runHook(access, hook, {
        event,
        deployment: deployment.id,
        since: new Date(deployment.startedAt),
        deadline: new Date(access.client.now().getTime() + timeoutMs),
      });
      deployment.hooks.push(name);
      await parts.store.save(record, { signal: access.signal });
    }
    await cleanUpHook(access, hook);
  }
}

/** Whether the namespace or our own CRD is being deleted: then nobody may be held up by us. */
async function isLeaving(
  client: KubeClient,
  application: Application,
  signal: AbortSignal,
): Promise<boolean> {
  const paths: ObjectPath[] = [
    { resource: { group: '', version: 'v1', plural: 'namespaces' }, name: application.metadata.namespace },
    {
      resource: { group: 'apiextensions.k8s.io', version: 'v1', plural: 'customresourcedefinitions' },
      name: `applications.${GROUP}`,
    },
  ];
  for (const path of paths) {
    try {
      const { metadata } = await client.getMetadata(path, { signal });
      if (metadata.deletionTimestamp !== undefined) return true;
    } catch (error) {
      if (isNotFound(error)) return true;
      if (error instanceof TowpathError) throw error;
      throw classify(error, 'look at', {
        group: '',
        kind: 'Namespace',
        namespace: '',
        name: application.metadata.namespace,
      }).error;
    }
  }
  return false;
}
