import { TowpathError } from '../../../api/errors.ts';
import { finished } from '../../../apply/hooks.ts';
import { deleteCheckJob } from '../../../apply/prune.ts';
import { callOptions, pathOf, resourceOf, resourceToWrite } from '../../../apply/target.ts';
import type { KubeObject } from '../../../kube/client.ts';
import { isAlreadyExists, isForbidden, isNotFound } from '../../../kube/errors.ts';
import { inParallel } from '../../../kube/in-parallel.ts';
import { checkManager, isOurCheck, liveObject } from '../../../manifest/live.ts';
import { objectKey } from '../../../manifest/manifest.ts';
import { type Check, type CheckRule, type CheckRun, deadlineOf } from '../../../promote/checks.ts';
import type { ObservedObject } from '../../cluster/inventory.ts';
import type { DeployContext } from '../deploy-context.ts';
import { type CheckSubject, jobOf, jobText } from './job.ts';
import { type CheckResult, overdue, resultOf } from './result.ts';

const BATCH = { apiVersion: 'batch/v1' } as const;
const PODS = { group: '', version: 'v1', plural: 'pods' };
/** By which the Job controller marks the Pods of a Job. */
const LABEL_CONTROLLER = 'batch.kubernetes.io/controller-uid';

type Jobs = Pick<DeployContext, 'access' | 'inventory' | 'now'>;

/** Has Jobs of the target watched. @throws TowpathError where they cannot be seen */
export async function seeJobs({ access, inventory }: Jobs, namespace: string): Promise<void> {
  await inventory.watches.ensure([{ group: 'batch', kind: 'Job', namespace }], access);
}

/** Makes the Job of a run, unless a process before this one did. @throws what keeps it from being made */
export async function startJob(
  { access }: Jobs,
  subject: CheckSubject,
  check: Check,
  run: CheckRun,
): Promise<void> {
  const job = { ...jobOf(subject, run), ...BATCH };
  const text = jobText(subject, check, run);
  const resource = await resourceToWrite(access, { ...job, text, digest: '', annotations: {} });
  const { name: _, ...collection } = pathOf(resource, job);
  const how = { fieldManager: checkManager(access.targetId), fieldValidation: 'Strict' } as const;
  const made = await access.client
    .create(collection, text, how, callOptions(access))
    .catch((error: unknown) => {
      if (!isAlreadyExists(error)) throw error;
      return access.client.get(pathOf(resource, job), callOptions(access));
    });
  if (!isOurCheck(liveObject(resource, made.metadata), access.targetId, access.targetName))
    throw new TowpathError(
      'Person',
      'NotOwned',
      `Job ${job.namespace}/${job.name} exists and is not ours: delete it`,
    );
  access.observe(made, resource);
}

/** What a run came to; undefined: it has not ended, and need not have. */
export async function resultNow(
  jobs: Jobs,
  subject: CheckSubject,
  check: CheckRule,
  run: CheckRun,
): Promise<CheckResult | 'NotMade' | undefined> {
  const { access, inventory, now } = jobs;
  const id = jobOf(subject, run);
  const isLate = now() >= deadlineOf(check, run);
  const seen = inventory.of(access.targetId).get(objectKey(id));
  if (seen === undefined) return isLate ? { outcome: 'CouldNotRun', why: 'its Job is gone' } : 'NotMade';
  if (seen.runs === true && !isLate) return undefined;
  const resource = await resourceOf(access, { ...id, ...BATCH });
  const job = await access.client.get(pathOf(resource, id), callOptions(access)).catch(orNothing);
  if (job === undefined) return { outcome: 'CouldNotRun', why: 'its Job was deleted' };
  const pods = await podsOf(jobs, job);
  return finished(job).done ? resultOf(job, pods) : overdue(pods);
}

function orNothing(error: unknown): undefined {
  if (!isNotFound(error)) throw error;
}

/** Undefined: the account may not see them. */
async function podsOf({ access }: Jobs, { metadata }: KubeObject) {
  const { namespace = '', uid = '' } = metadata;
  const selection = { labelSelector: `${LABEL_CONTROLLER}=${uid}` };
  try {
    const { items } = await access.client.list({ resource: PODS, namespace }, selection, callOptions(access));
    return items.map((pod) => ({ ...pod, apiVersion: 'v1', kind: 'Pod' }));
  } catch (error) {
    if (isForbidden(error)) return undefined;
    throw error;
  }
}

/** Deletes those Jobs of the target's checks that nobody waits for any more. */
export async function endJobs(
  { access, inventory }: Pick<Jobs, 'access' | 'inventory'>,
  isOver: (job: ObservedObject) => boolean,
): Promise<void> {
  const over = [...inventory.of(access.targetId).values()].filter(
    (object) => !object.deleting && isOurCheck(object, access.targetId, access.targetName) && isOver(object),
  );
  await inParallel(over, async (object) => {
    try {
      await deleteCheckJob(access, await resourceOf(access, object), object);
    } catch {
      // Whoever may make Jobs and not delete them must not be held up by one: it is tried again at the next look.
      access.signal.throwIfAborted();
    }
  });
}
