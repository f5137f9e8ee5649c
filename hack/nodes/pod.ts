/**
 * Annotation of a Pod (or Pod template) that makes simulated nodes treat the Pod otherwise than well:
 * - `waits`: its containers wait for ever, for the reason in `podReasonAnnotation` (`ImagePullBackOff`, …),
 * - `fails`: it runs and fails with exit code 1, the reason as message,
 * - `runs`: it becomes ready and, if it is a Job's, never completes.
 */
export const podAnnotation = 'test.towpath.dev/pod';
export const podReasonAnnotation = 'test.towpath.dev/reason';

/** A Pod, as far as a node looks at it. */
export interface Pod {
  metadata: {
    name: string;
    namespace: string;
    uid: string;
    annotations?: Record<string, string>;
    deletionTimestamp?: string;
    ownerReferences?: { kind: string }[];
  };
  spec: {
    nodeName?: string;
    containers: Container[];
    initContainers?: (Container & { restartPolicy?: string })[];
    readinessGates?: { conditionType: string }[];
  };
  status?: { phase?: string; startTime?: string };
}

interface Container {
  name: string;
  image: string;
}

/** What a node does next with a Pod of its own: remove it, write a status, or nothing. */
export type Step = { remove: true } | { status: object } | undefined;

/**
 * A node on which everything goes well and at once: a Pod becomes ready, one of a Job completes, one that is deleted
 * is gone. `ip` is called for a Pod that gets an address.
 */
export function nextStep(pod: Pod, now: Date, ip: () => string): Step {
  const { metadata, status: { phase = 'Pending', startTime } = {} } = pod;
  if (metadata.deletionTimestamp !== undefined) return { remove: true };
  const at = now.toISOString().replace(/\.\d+Z$/, 'Z');
  const wanted = metadata.annotations?.[podAnnotation];
  if (phase === 'Running') {
    const isOfJob = metadata.ownerReferences?.some(({ kind }) => kind === 'Job') === true;
    return isOfJob && wanted === undefined ? { status: succeeded(pod, at) } : undefined;
  }
  // A Pod that waits stays Pending: without the second it would be written again and again.
  if (phase !== 'Pending' || startTime !== undefined) return undefined;
  const reason = metadata.annotations?.[podReasonAnnotation] ?? '';
  if (wanted === 'waits') return { status: waiting(pod, at, reason) };
  if (wanted === 'fails') return { status: failed(pod, at, reason) };
  return { status: running(pod, at, ip()) };
}

function running({ spec }: Pod, at: string, ip: string): object {
  const types = ['Initialized', 'Ready', 'ContainersReady'];
  const gates = (spec.readinessGates ?? []).map(({ conditionType }) => conditionType);
  return {
    phase: 'Running',
    startTime: at,
    hostIP: '10.0.0.1',
    podIP: ip,
    podIPs: [{ ip }],
    conditions: [...types, ...gates].map((type) => ({ type, status: 'True', lastTransitionTime: at })),
    containerStatuses: containers(spec.containers, { running: { startedAt: at } }, { ready: true }),
    initContainerStatuses: (spec.initContainers ?? []).map((container) => ({
      ...containerOf(container),
      ready: true,
      state:
        container.restartPolicy === 'Always'
          ? { running: { startedAt: at } }
          : { terminated: { exitCode: 0, reason: 'Completed', startedAt: at, finishedAt: at } },
    })),
  };
}

function succeeded({ spec }: Pod, at: string): object {
  const terminated = { exitCode: 0, reason: 'Completed', startedAt: at, finishedAt: at };
  return {
    phase: 'Succeeded',
    containerStatuses: containers(spec.containers, { terminated }, { ready: false }),
  };
}

function waiting({ spec }: Pod, at: string, reason: string): object {
  const state = { waiting: { reason, message: 'made by the test' } };
  return {
    phase: 'Pending',
    startTime: at,
    conditions: [
      { type: 'Initialized', status: 'True', lastTransitionTime: at },
      ...['Ready', 'ContainersReady'].map((type) => unready(type, 'ContainersNotReady', at)),
    ],
    containerStatuses: containers(spec.containers, state, { ready: false }),
  };
}

function failed({ spec }: Pod, at: string, message: string): object {
  const terminated = { exitCode: 1, reason: 'Error', message, startedAt: at, finishedAt: at };
  return {
    phase: 'Failed',
    startTime: at,
    conditions: [unready('Ready', 'PodFailed', at)],
    containerStatuses: containers(spec.containers, { terminated }, { ready: false }),
  };
}

function unready(type: string, reason: string, at: string): object {
  return { type, status: 'False', reason, lastTransitionTime: at };
}

function containers(all: readonly Container[], state: object, { ready }: { ready: boolean }): object[] {
  return all.map((container) => ({ ...containerOf(container), ready, started: ready, state }));
}

function containerOf({ name, image }: Container): object {
  return { name, image, imageID: '', restartCount: 0 };
}
