import type { TestContext } from 'node:test';
import type { Cluster } from './cluster.ts';
import { type FaultProxy, startFaultProxy } from './fault-proxy.ts';
import { newStage, type Stage, type StageOptions } from './operator.ts';
import type { RecordedRequest } from './recorded-request.ts';
import { useControlPlane } from './use-control-plane.ts';

/** A stage whose operator talks to the API server through a fault proxy; the test itself talks to it directly. */
export interface ProxiedStage {
  cluster: Cluster;
  proxy: FaultProxy;
  stage: Stage;
}

export async function newProxiedStage(
  t: TestContext,
  options: Omit<StageOptions, 'kubeconfigPath' | 'proxy'> = {},
): Promise<ProxiedStage> {
  const cluster = options.cluster ?? (await useControlPlane());
  const proxy = await startFaultProxy(cluster);
  t.after(() => proxy.stop());
  // Without impersonation it needs the rights of all for whom it writes: an administrator's.
  const isItself = options.flags?.includes('--insecure-no-impersonation') === true;
  const access = isItself ? { kubeconfigPath: proxy.kubeconfigPath } : { proxy };
  const stage = await newStage(t, { ...options, ...access, cluster });
  return { cluster, proxy, stage };
}

const WRITES = ['create', 'update', 'patch', 'apply', 'delete', 'deletecollection'];

/**
 * Any write, dry-runs too, but those of Leases, which go on at rest, and of Events and the ledger, which come beside
 * what they tell of, or late.
 */
export function isWrite(request: RecordedRequest): boolean {
  const { verb, path } = request;
  return WRITES.includes(verb) && !/\/(leases|events)(\/|$)/.test(path) && !isOfLedger(request);
}

/** Of Promotions, or of their archive. */
export function isOfLedger({ path, impersonate, verb }: RecordedRequest): boolean {
  const isOfArchive =
    /\/configmaps\/towpath-ledger\./.test(path) || (verb === 'create' && /\/configmaps$/.test(path));
  return /\/promotions(\/|$)/.test(path) || (isOfArchive && impersonate === '');
}

/** Such writes among a proxy's recorded requests. */
export function writesOf(proxy: FaultProxy): RecordedRequest[] {
  return proxy.find({ where: isWrite });
}

/** Requests in words: `patch /api/v1/namespaces/…`. */
export function inWords(requests: readonly RecordedRequest[]): string[] {
  return requests.map(({ verb, path }) => `${verb} ${path}`);
}

/** What the operator watches whatever Applications there are, or since the first one came. */
const OWN_WATCHES =
  /\/(applications|environments|promotionpolicies|promotions|approvals|validatingadmissionpolic(?:ies|ybindings)|customresourcedefinitions|storageclasses|leases|clusterroles)\?|v2\/horizontalpodautoscalers\?|metadata\.name(=|%3D)towpath-(webhooks|pushes)\b/;

/** Open watches that Applications need, and that end with them. */
export function watchesForApplications(proxy: FaultProxy): number {
  return proxy.openWatches() - proxy.openWatches({ path: OWN_WATCHES });
}
