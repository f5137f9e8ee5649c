import { TowpathError } from '../../../api/errors.ts';
import { shownDigest } from '../../../manifest/digest.ts';
import { rejectionOf } from '../../../promote/rejection.ts';
import { Quarantine } from '../../candidate/quarantine.ts';
import { shortRevision } from '../../candidate/revision.ts';
import { type Candidate, candidateKey, type Deployment, type Manifests } from '../../record/record.ts';
import type { DeployContext } from '../deploy-context.ts';
import { Planning } from '../planning.ts';
import type { Run } from '../run.ts';
import type { Outcome } from '../state.ts';
import { judgeManifests } from './judge.ts';
import { lastId, replaceDeployment, withKinds, writeAhead } from './write-ahead.ts';

/** What is gone back to. */
interface Former {
  readonly candidate: Candidate;
  readonly manifests: Manifests;
}

/**
 * Goes back to what passed there last, of which the manifests are kept: nothing is asked of Git, and no gate is. Once;
 * what is refused before its first write, or is not kept, leaves the environment as it is (A27).
 */
export async function goBack(run: Run): Promise<Outcome> {
  const { context } = run;
  const former = await formerOf(run);
  if (typeof former === 'string') return stay(context, former);
  const { candidate, manifests } = former;
  try {
    const { deferred } = await judgeManifests(context, candidate, manifests, 'NoDefinitions');
    await beginBack(run, former, deferred);
    return { type: 'WentBack' };
  } catch (error) {
    const refusal = error instanceof Quarantine ? error.error : error;
    if (!(refusal instanceof TowpathError) || refusal.remedy === 'Time') throw error;
    const { revision, ref } = candidate;
    return stay(context, `Revision ${shortRevision(revision, ref)} before it is refused: ${refusal.message}`);
  }
}

/** What passed there last; or why there is nothing to go back to. */
async function formerOf({ context, target }: Run): Promise<Former | string> {
  const { record, store, signal } = context;
  const { succeeded, deployment, rejected } = record;
  const candidate = store.candidatesOf(target).find((one) => candidateKey(one) === succeeded);
  if (candidate === undefined || candidate.digest === deployment?.candidate.digest)
    return 'Nothing passed there before it, so that there is nothing to go back to.';
  if (rejectionOf(rejected, candidate.digest) !== undefined)
    return `What passed there before it, manifests ${shownDigest(candidate.digest)}, was rejected since.`;
  const manifests = await store.manifests(record, candidate, signal);
  return manifests === undefined
    ? `The manifests of what passed there before it, ${shownDigest(candidate.digest)}, are not kept any more.`
    : { candidate, manifests };
}

/** It stays where it is, which is told, and not tried again. */
async function stay(context: DeployContext, why: string): Promise<Outcome> {
  const { record, store, signal } = context;
  const { deployment } = record;
  if (deployment?.verify === undefined) throw new Error('there is nothing to go back from');
  const verify = { ...deployment.verify, wentBack: 'Impossible' as const };
  record.deployment = { ...deployment, verify, message: `${deployment.message ?? ''} ${why}`.trim() };
  store.changed(record);
  await store.save(record, { signal });
  return { type: 'Stayed' };
}

/** Written down before the first write, as any deployment. */
async function beginBack(
  { context, application, target }: Run,
  { candidate, manifests }: Former,
  deferred: readonly string[],
): Promise<void> {
  const { record } = context;
  const planning = await Planning.of(context, manifests.objects, 'NoDefinitions');
  const baseline = planning.baseline();
  const deployment: Deployment = {
    id: lastId(application, target, record) + 1,
    candidate,
    trigger: 'Rollback',
    startedAt: context.now().toISOString(),
    clusterStartedAt: context.clusterNow().toISOString(),
    install: false,
    hooks: [],
    generation: application.metadata.generation,
    deferred: [...deferred],
    applied: false,
    ...(baseline.objects === 0 ? {} : { baseline }),
  };
  await writeAhead(context, (changed) => {
    replaceDeployment(changed, deployment, 'RolledBack');
    if (target.account !== undefined) changed.account = target.account.name;
    changed.kinds = withKinds(changed, manifests);
  });
  context.unreported.begin({ how: 'begun', deployment });
}
