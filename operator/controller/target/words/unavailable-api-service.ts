import { TowpathError } from '../../../api/errors.ts';
import { cutAtEnd } from '../../../api/foreign-text.ts';
import { fitBetween } from '../../../api/v1alpha1/bound-status.ts';
import type { KubeClient, KubeObject } from '../../../kube/client.ts';
import { describeObject } from '../../../manifest/manifest.ts';

interface APIService extends KubeObject {
  spec?: { group?: string; service?: unknown };
  status?: { conditions?: { type?: string; status?: string; reason?: string; message?: string }[] };
}

const API_SERVICES = { group: 'apiregistration.k8s.io', version: 'v1', plural: 'apiservices' };
/** What an aggregated API server that is down looks like: its kinds are unknown, or its answers are missing. */
const REASONS: ReadonlySet<string> = new Set(['KindMissing', 'ClusterUnreachable']);
/** Of the condition's message so much is told at least. */
const LEAST_BYTES = 60;

/** A kind that is missing because the API server that brings it is not available says so, with the condition. */
export async function explainUnserved(
  client: KubeClient,
  error: TowpathError,
  signal: AbortSignal,
): Promise<TowpathError> {
  const { object } = error.details[0] ?? {};
  // Kubernetes' own groups without a dot are served by the API server itself.
  if (!REASONS.has(error.reason) || object === undefined || !object.group.includes('.')) return error;
  const service = await unavailable(client, object.group, signal);
  if (service === undefined) return error;
  const { reason = 'Unknown', message = '' } = availabilityOf(service) ?? {};
  const begin = `${describeObject(object)} needs APIService ${service.metadata.name}, which is not available: ${cutAtEnd(reason, 60)}`;
  const next = 'Look at the Service that it names, and its Pods; it is tried again.';
  const why = cutAtEnd(message, 500);
  const sentence = fitBetween(
    begin,
    why === '' ? '.' : `: ${why}${/[.!?]$/.test(why) ? '' : '.'}`,
    ` ${next}`,
    LEAST_BYTES,
  );
  return new TowpathError('Resource', 'KindMissing', sentence, {
    cause: error,
    details: [{ object, message: sentence }],
    next,
  });
}

async function unavailable(
  client: KubeClient,
  group: string,
  signal: AbortSignal,
): Promise<APIService | undefined> {
  try {
    const { items } = await client.list({ resource: API_SERVICES }, {}, { signal });
    return (items as APIService[]).find(
      (one) =>
        one.spec?.group === group &&
        (one.spec.service ?? undefined) !== undefined &&
        availabilityOf(one)?.status !== 'True',
    );
  } catch {
    // Without the right, or an answer, the message is as it was.
    signal.throwIfAborted();
    return undefined;
  }
}

function availabilityOf({ status }: APIService) {
  return status?.conditions?.find(({ type }) => type === 'Available');
}
