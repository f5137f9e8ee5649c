import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Application, environmentOf } from '../../operator/api/v1alpha1/application.ts';
import type { PromotionStatus } from '../../operator/api/v1alpha1/promotion.ts';
import { newPluginShell } from '../harness/plugin.ts';
import {
  BEN,
  configMap,
  installPromotionPolicies,
  neverReady,
  newGuardedStage,
  OLGA,
  taken,
} from '../harness/promotions.ts';

type Changes = PromotionStatus['changes'];

test('A2, A26: what soaks for prod is lost neither by what failed there and is tried once more, nor by what is promoted past it and taken back; and it can be approved while something newer waits', async (t) => {
  const { stage, policy, staging, prod, inProd, runs, asked, promote, cancel, until } =
    await newGuardedStage(t);
  const { cluster, namespace, repository } = stage;
  await installPromotionPolicies(t, cluster, 'Validating', { name: policy, namespace });
  const stages = [
    { name: 'staging', environments: [staging.name] },
    { name: 'prod', after: ['staging'], environments: [prod.name], gates: { soak: '1h' } },
  ];
  await stage.kubectl(
    'patch',
    'promotionpolicies.towpath.dev/standard',
    '--type=merge',
    `--patch=${JSON.stringify({ spec: { stages } })}`,
  );
  const inStaging = ({ status }: Application) => environmentOf(status, staging.name);
  /** Resolves with the candidate of a commit, once both have seen it. */
  const comes = async (revision: string, isIn: (of: Application) => boolean): Promise<string> => {
    const told = await stage.until(
      'web',
      (of) =>
        of.status?.source?.revision === revision && inProd(of)?.desiredRevision === revision && isIn(of),
      `${revision.slice(0, 7)} to come`,
    );
    return told.status?.source?.candidate ?? '';
  };
  const runsIt = (revision: string) => (of: Application) =>
    inStaging(of)?.revision === revision && inStaging(of)?.sync === 'Synced';
  const one = await repository.revParse('main');
  const first = await comes(one, runsIt(one));
  await until(taken(await promote(BEN, first, { skipGates: ['soak'] })), 'Succeeded');

  const broken = await comes(await repository.commit(neverReady), (of) => inStaging(of)?.sync === 'Failed');
  const failing = taken(await promote(BEN, broken, { skipGates: ['order', 'soak'] }));
  const failed = await until(failing, 'Failed');
  const good = await repository.commit({ ...configMap('good'), 'slow.yaml': null });
  await comes(good, runsIt(good));
  const newer = await comes(
    await repository.commit({ ...configMap('newer'), ...neverReady }),
    (of) => inStaging(of)?.blockedBy?.[0]?.reason === 'Soak',
  );

  const again = await until(taken(await asked(OLGA, { type: 'Retry', promotion: failing })), 'Failed');
  assert.equal(again.status?.digest, failed.status?.digest);
  const mistaken = taken(await promote(BEN, newer, { skipGates: ['order', 'soak'] }));
  await until(mistaken, 'Deploying');
  await until(taken(await cancel(BEN, mistaken)), 'Succeeded');
  await until(mistaken, 'Cancelled');

  const told = await stage.until(
    'web',
    (of) => {
      const [first] = inProd(of)?.waiting ?? [];
      return first?.revision === good && first.changes !== undefined;
    },
    'prod to tell first of what soaks, and what that changes',
  );
  assert.equal(inStaging(told)?.revision, good, 'staging stays on what soaks');
  // An approver says yes to that, not to the newest.
  const { towpath } = await newPluginShell(t, cluster, { namespace });
  const yes = await towpath('approve', 'web', prod.name, `--revision=${good.slice(0, 12)}`, '-o', 'json');
  assert.equal(yes.code, 0, yes.stderr);
  const { digest, changes } = JSON.parse(yes.stdout) as { digest: string; changes: Changes };
  assert.equal(digest, inProd(told)?.waiting?.[0]?.digest);
  // Of exactly these manifests, from what runs there.
  assert.deepEqual(changes?.revision, { from: inProd(told)?.revision, to: good });
  assert.equal(changes?.objects?.find(({ kind }) => kind === 'ConfigMap')?.change, 'Changed');
  const other = await towpath('approve', 'web', prod.name, '--revision=0123456');
  assert.match(
    other.stderr.replaceAll(/\s+/g, ' '),
    new RegExp(`What waits is of revision .*${good.slice(0, 12)}`),
  );
  await until(taken(await promote(BEN, digest, { skipGates: ['soak'] })), 'Succeeded');
  await runs(good);
});
