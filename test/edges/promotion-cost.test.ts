import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { environmentOf } from '../../operator/api/v1alpha1/application.ts';
import { installPolicies } from '../harness/approvals.ts';
import type { FaultProxy } from '../harness/fault-proxy.ts';
import { fastLease, type Stage } from '../harness/operator.ts';
import { untilPolled } from '../harness/polls.ts';
import { newLine } from '../harness/promotions.ts';
import { inWords, isOfLedger, isWrite, newProxiedStage, writesOf } from '../harness/proxied-stage.ts';
import type { RecordedRequest } from '../harness/recorded-request.ts';
import { eventually } from '../harness/wait.ts';

/** Applications that are promoted together. */
const MANY = 6;

const file = (path: string, version: number) => ({
  [`${path}/all.yaml`]: `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ${path}}\ndata: {version: "${version}"}\n`,
});
const names = Array.from({ length: MANY }, (_, index) => `many-${index}`);
const files = (version: number) => Object.assign({}, ...names.map((name) => file(name, version)));

/** What a request of the operator is about. Of one that is made whatever is deployed nothing is said. */
function topicOf({ verb, path, dryRun, impersonate, query }: RecordedRequest): string | undefined {
  if (/\/(leases|events)(\/|$)/.test(path) || query.get('watch') !== null) return undefined;
  // What is served is asked by the clock.
  if (verb === 'other') return undefined;
  // Counts of all Applications, which are told once a second at most.
  if (/\/(environments|promotionpolicies)\//.test(path)) return undefined;
  if (impersonate !== '') return `${verb} of an object${dryRun ? ' (dry-run)' : ''}`;
  const of = /\/(applications|secrets|promotions|configmaps)(\/|$)/.exec(path)?.[1];
  return `${verb} of ${of ?? path}`;
}

function tallyOf(requests: readonly RecordedRequest[]): Record<string, number> {
  const tally: Record<string, number> = {};
  for (const request of requests) {
    const topic = topicOf(request);
    if (topic !== undefined) tally[topic] = (tally[topic] ?? 0) + 1;
  }
  return tally;
}

function atRest(stage: Stage, proxy: FaultProxy): Promise<unknown> {
  const sent = () => Object.values(tallyOf(proxy.find({}))).reduce((sum, count) => sum + count, 0);
  return eventually(
    async () => {
      const before = sent();
      await untilPolled(stage, 2);
      return sent() === before;
    },
    { describe: 'the operator to be at rest' },
  );
}

const STATUSES = 'patch of applications';
/**
 * What one commit with one object that changes asks of the API server at the most until it is in both: staging is
 * judged once, prod as it comes to wait and as it enters. What runs, and may be gone back to, is read once for each of
 * the two and each time.
 */
const MOST: Readonly<Record<string, number>> = {
  'apply of an object (dry-run)': 3,
  'apply of an object': 2,
  'patch of secrets': 6,
  'get of secrets': 4,
  'create of promotions': 2,
  // Two more where each takes longer than a second.
  'patch of promotions': 4,
};

/** @param others of the same repository, whose statuses tell that they were compared with what is newer there */
function assertCost(
  { [STATUSES]: statuses = 0, ...tally }: Record<string, number>,
  { of, others }: { of: number; others: number },
  which: string,
): void {
  const told = `${which}: ${statuses} statuses, ${JSON.stringify(tally)}`;
  assert.equal(tally['create of promotions'], 2 * of, `each is recorded: ${told}`);
  const more = Object.entries(tally).filter(([topic, count]) => count > (MOST[topic] ?? 0) * of);
  assert.deepEqual(more, [], told);
  // One for both environments, and not one for each.
  assert.ok(statuses <= 4 * of + others, told);
}

test('A14: a promotion costs the same requests, for one Application and for many, the first time and later, and at rest there are none', async (t) => {
  // What comes by the minute is of no promotion by itself.
  const flags = [...fastLease, '--archive-interval=1h'];
  const { stage, proxy } = await newProxiedStage(t, { files: { ...file('web', 1), ...files(1) }, flags });
  const { environments } = await newLine(t, stage);
  const deploy = (name: string) => stage.application(name, { source: { path: name }, environments });
  const promote = async (of: readonly string[], changed: Record<string, string>) => {
    proxy.forget();
    const revision = await stage.repository.commit(changed);
    for (const name of of) await stage.untilReadyAt(name, revision);
    await atRest(stage, proxy);
    return tallyOf(proxy.find({}));
  };

  await deploy('web');
  await atRest(stage, proxy);
  assertCost(await promote(['web'], file('web', 2)), { of: 1, others: 0 }, 'the only Application');
  for (const name of names) await deploy(name);
  for (const name of names) await stage.untilReadyAt(name, await stage.repository.revParse('main'));
  await atRest(stage, proxy);
  for (let version = 3; version < 5; version += 1)
    assertCost(
      await promote(['web'], file('web', version)),
      { of: 1, others: MANY },
      `beside others, version ${version}`,
    );
  assertCost(await promote(names, files(2)), { of: MANY, others: 1 }, 'many at once');

  // `atRest` said so already, and the counts of Environments and policies as well have come by now.
  proxy.forget();
  await untilPolled(stage, 3);
  const written = proxy.find({ where: (request) => isWrite(request) || isOfLedger(request) });
  assert.deepEqual(inWords(written), []);
});

test('A11, I3: a restart tells nothing else of what waits at gates', async (t) => {
  const policy = `approvals-${randomBytes(5).toString('hex')}`;
  const flags = [...fastLease, `--approval-policy=${policy}`];
  const { stage, proxy } = await newProxiedStage(t, { files: file('web', 1), flags });
  const { cluster, namespace, repository } = stage;
  await installPolicies(t, cluster, 'Validating', { name: policy, namespaces: [namespace] });
  const { prod, environments } = await newLine(t, stage);
  const path = `/apis/towpath.dev/v1alpha1/environments/${prod.name}`;
  await stage.application('web', { source: { path: 'web' }, environments });
  await stage.untilReadyAt('web', await repository.revParse('main'));
  await cluster.request('PATCH', path, {
    body: { spec: { gates: { approvals: { required: 1, groups: ['sre'] } } } },
    contentType: 'application/merge-patch+json',
  });
  await repository.commit(file('web', 2));
  await stage.until(
    'web',
    ({ status }) =>
      environmentOf(status, prod.name)?.blockedBy?.some(({ reason }) => reason === 'AwaitingApproval') ===
      true,
    'it to wait for an approval',
  );
  await atRest(stage, proxy);
  const before = await stage.get('web');
  proxy.forget();
  await stage.restart();
  await untilPolled(stage, 3);
  await atRest(stage, proxy);
  const isTold = ({ path, dryRun }: RecordedRequest) =>
    !dryRun && !/environments|promotionpolicies/.test(path);
  assert.deepEqual(inWords(writesOf(proxy).filter(isTold)), []);
  assert.deepEqual((await stage.get('web')).status, before.status);
});
