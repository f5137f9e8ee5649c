import type { TestContext } from 'node:test';
import type { StagedEnvironment } from '../harness/environments.ts';
import type { FaultProxy } from '../harness/fault-proxy.ts';
import { fastLease, type Stage } from '../harness/operator.ts';
import { untilPolled } from '../harness/polls.ts';
import { newLine } from '../harness/promotions.ts';
import { isWrite, newProxiedStage } from '../harness/proxied-stage.ts';
import type { RecordedRequest } from '../harness/recorded-request.ts';
import { eventually } from '../harness/wait.ts';

/** Staging, and prod after it, of one Application. */
export interface Ground {
  readonly stage: Stage;
  readonly proxy: FaultProxy;
  readonly staging: StagedEnvironment;
  readonly prod: StagedEnvironment;
}

export const configMap = (version: number) => ({
  'web.yaml': `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\ndata: {version: "${version}"}\n`,
});
/** What a promotion writes, but for statuses of Environments and policies, which count and come late. */
export const isOfPromotion = (request: RecordedRequest) =>
  isWrite(request) && !request.dryRun && !/\/(environments|promotionpolicies)\//.test(request.path);

export async function versionIn({ cluster }: Stage, { namespace }: StagedEnvironment): Promise<number> {
  const { status, body } = await cluster.request('GET', `/api/v1/namespaces/${namespace}/configmaps/web`);
  return status === 200 ? Number((JSON.parse(body) as { data: { version: string } }).data.version) : 0;
}

/** @returns when the Application is through with its first version. @param gates of prod */
export async function newGround(t: TestContext, gates?: object): Promise<Ground> {
  const { stage, proxy } = await newProxiedStage(t, { files: configMap(1), flags: fastLease });
  const { staging, prod, environments } = await newLine(t, stage, gates);
  await stage.deployed('web', { environments, revisionHistoryLimit: 100 });
  return { stage, proxy, staging, prod };
}

export function commit({ stage }: Ground, version: number): Promise<string> {
  return stage.repository.commit(configMap(version));
}

function atRest({ stage, proxy }: Ground): Promise<unknown> {
  const writes = () => proxy.find({ where: isOfPromotion }).length;
  return eventually(
    async () => {
      const before = writes();
      await untilPolled(stage, 2);
      return writes() === before;
    },
    { describe: 'the operator to be at rest' },
  );
}

/** All that the promotion of the second version writes. */
export async function writesOfOne(ground: Ground): Promise<readonly RecordedRequest[]> {
  const { stage, proxy } = ground;
  await atRest(ground);
  proxy.forget();
  await stage.untilReadyAt('web', await commit(ground, 2));
  await atRest(ground);
  return proxy.find({ where: isOfPromotion });
}

/** Promotes a version, and kills the operator when one of the writes of that was made and not answered yet. */
export async function killedAt(ground: Ground, version: number, write: number): Promise<void> {
  const { stage, proxy } = ground;
  let seen = 0;
  const held = proxy.hold({
    at: 'response',
    where: (request) => isOfPromotion(request) && ++seen === write,
  });
  const revision = await commit(ground, version);
  const over = stage.untilReadyAt('web', revision).then(() => atRest(ground));
  over.catch(() => undefined);
  const isHeld = await Promise.race([held.seen.then(() => true), over.then(() => false)]);
  if (isHeld) {
    await stage.operator.stop('SIGKILL');
    held.drop();
    await stage.restart();
  }
  held.release();
  await stage.untilReadyAt('web', revision);
}
