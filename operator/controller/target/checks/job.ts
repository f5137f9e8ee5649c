import { TowpathError } from '../../../api/errors.ts';
import { membersOf } from '../../../api/foreign-object.ts';
import { CHECK_LIMITS } from '../../../api/v1alpha1/checks.ts';
import { ANNOTATION_OWNER, LABEL_CHECK, LABEL_TARGET } from '../../../api/v1alpha1/names.ts';
import { addressOf } from '../../../manifest/digest.ts';
import { ownerAnnotation } from '../../../manifest/live.ts';
import type { ObjectId } from '../../../manifest/manifest.ts';
import type { Check, CheckRun } from '../../../promote/checks.ts';
import type { TargetIdentity } from '../../record/target.ts';

/** For what a check runs. */
export interface CheckSubject {
  readonly target: Pick<TargetIdentity, 'id' | 'name' | 'application' | 'environment'>;
  /** Where the target lands. */
  readonly namespace: string;
  /** Of the manifests that run there. */
  readonly digest: string;
  readonly revision: string;
}

/** A Job that has ended stays for so long, for who wants to read what it wrote. */
const KEPT_SECONDS = 86_400;
/** So much later than by our own deadline, the Job ends by Kubernetes': where no operator runs. */
const SPARE_SECONDS = 300;

/**
 * One name for each run, whoever computes it: what a process made that ended before it could say so is found again. At
 * most 58 characters, so that those of its Pods begin with all of it.
 */
export function jobOf(
  { target, namespace, digest }: Omit<CheckSubject, 'revision'>,
  { check, template, run }: Pick<CheckRun, 'check' | 'template' | 'run'>,
): ObjectId {
  const address = addressOf(JSON.stringify([target.id, digest, check, template, run]));
  const application = target.application.slice(target.application.indexOf('/') + 1);
  const name = `${beginOf(application, 20)}-${beginOf(check, 16)}-${address}`;
  return { group: 'batch', kind: 'Job', namespace, name };
}

function beginOf(name: string, length: number): string {
  const begin = name.slice(0, length);
  // A name has no such sign before the hyphen.
  const last = begin.search(/[^a-z0-9]{1,20}$/);
  return last < 0 ? begin : begin.slice(0, last);
}

/** How a person reads what a run wrote, while its Job is there. */
export function logsOf({ namespace, name }: ObjectId): string {
  return `kubectl -n ${namespace} logs job/${name}`;
}

/**
 * The Job of a run, as JSON.
 *
 * @throws TowpathError where its Pod template is too large
 */
export function jobText(subject: CheckSubject, { name, job }: Check, run: CheckRun): string {
  const { template, backoffLimit, activeDeadlineSeconds } = job.spec;
  if (Buffer.byteLength(JSON.stringify(template)) > CHECK_LIMITS.templateBytes)
    throw new TowpathError(
      'Person',
      'CheckInvalid',
      `its Pod template has more than ${CHECK_LIMITS.templateBytes} bytes of JSON; have the image bring what it needs`,
    );
  const id = jobOf(subject, run);
  const { id: targetId, name: targetName } = subject.target;
  return JSON.stringify({
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: {
      name: id.name,
      namespace: id.namespace,
      labels: { [LABEL_TARGET]: targetId, [LABEL_CHECK]: name },
      annotations: { [ANNOTATION_OWNER]: ownerAnnotation(targetName, id) },
    },
    spec: {
      backoffLimit,
      activeDeadlineSeconds: activeDeadlineSeconds + SPARE_SECONDS,
      ttlSecondsAfterFinished: KEPT_SECONDS,
      template: { ...template, spec: podSpec(template['spec'], variablesOf(subject)) },
    },
  });
}

type Variables = readonly { readonly name: string; readonly value: string }[];

function variablesOf({ target, digest, revision }: CheckSubject): Variables {
  const [namespace = '', application = ''] = target.application.split('/');
  return [
    { name: 'TOWPATH_APPLICATION', value: application },
    { name: 'TOWPATH_NAMESPACE', value: namespace },
    { name: 'TOWPATH_ENVIRONMENT', value: target.environment },
    { name: 'TOWPATH_REVISION', value: revision },
    { name: 'TOWPATH_DIGEST', value: digest },
  ];
}

/** What is no Pod spec is sent as it is: the API server says what is wrong with it. */
function podSpec(spec: unknown, variables: Variables): unknown {
  if (typeof spec !== 'object' || spec === null || Array.isArray(spec)) return spec;
  const members = membersOf(spec);
  const lists = ['initContainers', 'containers'].flatMap((list) => {
    const containers = members[list];
    return Array.isArray(containers) ? [[list, containers.map((one) => withVariables(one, variables))]] : [];
  });
  return {
    restartPolicy: 'Never',
    automountServiceAccountToken: false,
    ...members,
    ...Object.fromEntries(lists),
  };
}

/** Ours come first, so that others can be made of them: `$(TOWPATH_REVISION)`. */
function withVariables(container: unknown, variables: Variables): unknown {
  if (typeof container !== 'object' || container === null) return container;
  const { env } = membersOf(container);
  const ours = new Set<unknown>(variables.map(({ name }) => name));
  const own = Array.isArray(env) ? env.filter((one) => !ours.has(membersOf(one)['name'])) : [];
  return { ...container, env: [...variables, ...own] };
}
