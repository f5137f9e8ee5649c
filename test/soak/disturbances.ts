import { setTimeout as delay } from 'node:timers/promises';
import type { ControlPlane } from '../harness/control-plane.ts';
import type { FaultProxy } from '../harness/fault-proxy.ts';

/** What goes wrong for a while between the operator and its API server; ends when its promise settles. */
export interface Disturbance {
  name: string;
  run(proxy: FaultProxy, controlPlane: ControlPlane): Promise<void>;
}

/** How long each lasts, in milliseconds. */
const LASTS_MS = 5_000;
/** Of so many requests one is met. */
const ONE_IN = 10;

const isMet = { where: ({ number }: { number: number }) => number % ONE_IN === 0, watch: false };

/** For a while one request in ten is met by a fault. */
function fault(name: string, what: Parameters<FaultProxy['fail']>[0]['fault']): Disturbance {
  return {
    name,
    async run(proxy) {
      const rule = proxy.fail({ ...isMet, fault: what });
      await delay(LASTS_MS);
      rule.remove();
    },
  };
}

/** One after the other, from the beginning again after the last. */
export const DISTURBANCES: readonly Disturbance[] = [
  { name: 'none', run: () => Promise.resolve() },
  fault('429', { status: 429, retryAfter: 1 }),
  fault('500', { status: 500 }),
  fault('503', { status: 503 }),
  fault('resets', 'reset'),
  fault('latency', { latencyMs: 200 }),
  {
    name: 'expired watches',
    async run(proxy) {
      proxy.expireWatches();
    },
  },
  {
    name: 'refused connections',
    async run(proxy) {
      await proxy.refuseConnections();
      await delay(LASTS_MS);
      await proxy.acceptConnections();
    },
  },
  {
    name: 'API server restarted',
    async run(_, controlPlane) {
      await controlPlane.stopApiServer();
      await controlPlane.startApiServer();
    },
  },
];
