import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LABEL_LEDGER } from '../../operator/api/v1alpha1/names.ts';
import type { Promotion } from '../../operator/api/v1alpha1/promotion.ts';
import { archived, promotionsOf } from '../harness/ledger.ts';
import type { Stage } from '../harness/operator.ts';
import { newPluginShell } from '../harness/plugin.ts';
import {
  BEN,
  configMap,
  installPromotionPolicies,
  newGuardedStage,
  OLGA,
  promotionsPath,
  taken,
} from '../harness/promotions.ts';
import { eventually } from '../harness/wait.ts';

interface Stored {
  kind: string;
  metadata: Record<string, unknown> & { name: string; namespace: string };
  status?: unknown;
}

async function stored(stage: Stage, ...of: string[]): Promise<Stored[]> {
  const { items } = JSON.parse(await stage.kubectl('get', ...of, '-o', 'json')) as { items: Stored[] };
  return items;
}

/** What docs/ledger.md names: records, archive, Applications; and the Promotions, which may be left out. */
async function backUp(stage: Stage) {
  const secrets = await stored(stage, 'secrets');
  return {
    records: secrets.filter(({ metadata }) => metadata.name.startsWith('towpath-')),
    archive: await stored(stage, 'configmaps', '-l', LABEL_LEDGER),
    applications: await stored(stage, 'applications.towpath.dev'),
    promotions: await stored(stage, 'promotions.towpath.dev'),
  };
}

async function lose(stage: Stage, items: readonly Stored[]): Promise<void> {
  for (const { kind, metadata } of items) {
    await stage.kubectl(
      'patch',
      kind,
      metadata.name,
      '--type=merge',
      '-p',
      '{"metadata":{"finalizers":null}}',
    );
    await stage.kubectl('delete', kind, metadata.name);
  }
}

/** As a tool for backups makes objects: anew, with another uid; the status by a second write. */
async function restore(stage: Stage, items: readonly Stored[]): Promise<void> {
  for (const item of items) {
    const {
      uid: _,
      resourceVersion: __,
      creationTimestamp: ___,
      managedFields: ____,
      ...metadata
    } = item.metadata;
    const input = JSON.stringify({ ...item, metadata });
    const created = await stage.cluster.kubectl(['create', '-f', '-'], { input });
    assert.equal(created.code, 0, created.stderr);
    if (item.status === undefined) continue;
    const patch = JSON.stringify({ status: item.status });
    const of = [item.kind, item.metadata.name, '--subresource=status', '--type=merge'];
    await stage.kubectl('patch', ...of, '-p', patch);
  }
}

/** What the operator makes in place of a person's that is gone, once it has looked at all. */
function standIn(stage: Stage, of: string): Promise<Promotion> {
  return eventually(
    async () => (await promotionsOf(stage)).find(({ status }) => status?.inPlaceOf?.promotion === of),
    { describe: `one in place of ${of}` },
  );
}

test('D7, S14, A26: with its records, the archive and the Applications restored, a hold holds, a rejection rejects, and what a person asked for is recorded anew, as at says it', async (t) => {
  const guarded = await newGuardedStage(t, ['--archive-interval=300ms']);
  const { stage, policy, prod, inProd, waiting, runs, asked, promote, until } = guarded;
  const { cluster, namespace, repository } = stage;
  await installPromotionPolicies(t, cluster, 'Validating', { name: policy, namespace });
  const enter = async (revision: string) => {
    await until(taken(await promote(BEN, await waiting(revision), { skipGates: ['windows'] })), 'Succeeded');
    return inProd(await runs(revision));
  };
  const first = await enter(await repository.revParse('main'));
  await enter(await repository.commit(configMap('two')));
  const hold = taken(await asked(OLGA, { type: 'Rollback', historyID: first?.history?.[0]?.id }));
  await until(hold, 'Succeeded');
  await archived(stage, 5);
  const { towpath } = await newPluginShell(t, cluster, { namespace });
  /** Each change of an hour, and what ran after it. */
  const ledger = async () => {
    const from = [`--operator-namespace=${namespace}`, '-o', 'json'];
    const { code, stdout, stderr } = await towpath('at', 'web', '--time=1h..', ...from);
    assert.equal(code, 0, stderr);
    const answers = JSON.parse(stdout) as { ran: string; phase?: string; record?: Record<string, unknown> }[];
    return answers.map(({ ran, phase, record = {} }) =>
      [ran, phase, ...['environment', 'deployment', 'revision', 'by'].map((field) => record[field])].join(
        ' ',
      ),
    );
  };
  const before = await ledger();
  assert.equal(before.filter((line) => /Succeeded .* olga$/.test(line)).length, 1, before.join('\n'));

  await stage.operator.stop();
  const { records, archive, applications, promotions } = await backUp(stage);
  assert.ok(records.length > 0 && archive.length > 0 && promotions.length > 0);
  await lose(stage, [...applications, ...promotions, ...archive, ...records]);
  await restore(stage, [...records, ...archive, ...applications]);
  // Nobody makes records of deployments, also no tool for backups: those that ended the archive has.
  const { status, apiVersion, ...rest } = promotions[0] as Stored & { apiVersion: string };
  const { name, labels } = rest.metadata;
  const again = { ...rest, apiVersion, metadata: { name, labels } };
  const refused = await cluster.request('POST', promotionsPath(namespace), { body: again });
  assert.equal(refused.status, 422, refused.body);

  await stage.restart();
  const three = await repository.commit(configMap('three'));
  const held = await stage.until(
    'web',
    (of) => inProd(of)?.sync === 'Held' && inProd(of)?.desiredRevision === three,
    'prod to be held, with something newer that waits',
  );
  assert.match(inProd(held)?.message ?? '', /olga/);
  const { body } = await cluster.request('GET', `/api/v1/namespaces/${prod.namespace}/configmaps/web`);
  assert.match(body, /"message":"one"/);
  const after = await ledger();
  assert.deepEqual(
    after.filter((line) => before.includes(line)),
    before,
    'all that ran before',
  );
  const standsIn = await standIn(stage, hold);
  assert.equal(standsIn.spec.environment, prod.name);
  assert.match(standsIn.status?.message ?? '', new RegExp(`Promotion ${hold} of olga, .* is gone`));
  // In its place: with that the archive has nothing twice.
  const olgas = await ledger();
  assert.deepEqual(
    olgas.filter((line) => / olga$/.test(line)),
    before.filter((line) => / olga$/.test(line)),
  );
  const resumed = await towpath('resume', 'web', prod.name);
  assert.equal(resumed.code, 0, resumed.stderr + resumed.stdout);
  const reverted = await repository.commit(configMap('two'));
  await stage.until(
    'web',
    (of) => inProd(of)?.desiredRevision === reverted && inProd(of)?.blockedBy?.[0]?.reason === 'Rejected',
    'what was left to be rejected still',
  );
});
