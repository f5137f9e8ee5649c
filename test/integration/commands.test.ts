import assert from 'node:assert/strict';
import { test } from 'node:test';
import { environmentOf } from '../../operator/api/v1alpha1/application.ts';
import { DAYS } from '../../operator/api/v1alpha1/gates.ts';
import { assertUntied } from '../harness/approvals.ts';
import type { ApiResponse, Person } from '../harness/cluster.ts';
import type { Stage } from '../harness/operator.ts';
import {
  ANNA,
  ask,
  BEN,
  CARL,
  configMap,
  installPromotionPolicies,
  letCommand,
  neverReady,
  newGuardedStage,
  OLGA,
  promotionsPath,
  taken,
} from '../harness/promotions.ts';

function assertRefused({ status, body }: ApiResponse, words: RegExp): void {
  assert.ok(status === 403 || status === 422, `${status} ${body}`);
  assert.match(body, words);
}

/** An Application whose repository promotes another one, by an account that may write Promotions. */
async function bringsOne(
  stage: Stage,
  spec: { environment: string; candidate: string; requestedBy: string },
) {
  const { cluster, namespace, repository } = stage;
  const of = { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'brings' };
  const rules = [{ apiGroups: ['towpath.dev'], resources: ['promotions'], verbs: ['*'] }];
  const subjects = [{ kind: 'ServiceAccount', name: 'towpath', namespace }];
  const rights = { apiVersion: 'rbac.authorization.k8s.io/v1', metadata: { name: 'brings' } };
  await stage.apply({ ...rights, kind: 'Role', rules });
  await stage.apply({ ...rights, kind: 'RoleBinding', subjects, roleRef: of });
  const brought = {
    apiVersion: 'towpath.dev/v1alpha1',
    kind: 'Promotion',
    metadata: { name: 'brought' },
    spec: { type: 'Promote', application: 'web', skipGates: ['windows'], ...spec },
  };
  await repository.branch('brings');
  await repository.commit(
    { 'web.yaml': null, 'brought.json': JSON.stringify(brought) },
    { branch: 'brings' },
  );
  await stage.application('brings', { source: { ref: { branch: 'brings' } } });
  await stage.until(
    'brings',
    ({ status }) => /denied request: .* is an account/.test(environmentOf(status, 'default')?.message ?? ''),
    'what the repository brings to be refused',
  );
  const { status } = await cluster.request('GET', `${promotionsPath(namespace)}/brought`);
  assert.equal(status, 404);
}

test('S14, A2, A3, A5, A20, A21: what a person promotes enters as far as that person may, the newest counts, and what is taken back leaves nothing', async (t) => {
  const { stage, policy, prod, inProd, waiting, runs, asked, promote, cancel, until } =
    await newGuardedStage(t);
  const { cluster, namespace, repository } = stage;
  // The API server's authorizer learns of it a moment later.
  await letCommand(cluster, namespace, CARL, 'default', ['promote']);
  const one = await repository.revParse('main');
  const first = await waiting(one);

  // Nobody proves who that was.
  const early = taken(await promote(BEN, first, { skipGates: ['windows'] }));
  const unproven = await until(early, 'Pending');
  assert.equal(unproven.status?.blockedBy?.[0]?.reason, 'AdmissionPolicyMissing');
  await installPromotionPolicies(t, cluster, 'Validating', { name: policy, namespace });
  await until(early, 'Failed', /make it again/);

  // Feigned, or more than one may.
  assertRefused(await promote(ANNA, first, { requestedBy: 'ben' }), /spec.requestedBy must be you.*anna/);
  assertRefused(
    await promote(ANNA, first, {
      deployment: { applicationUID: 'x', id: 1, startedAt: '2026-01-01T00:00:00Z' },
    }),
    /Only the operator records deployments/,
  );
  assertRefused(await promote(ANNA, first, { skipGates: ['windows'] }), /You may not skip gates.*override/);
  assertRefused(await promote(CARL, first), /You may not promote to environment/);
  assertRefused(await promote(OLGA, first), /You may not promote to environment/);
  assertRefused(await asked(ANNA, { type: 'Rollback', candidate: first }), /You may not roll back/);
  assertRefused(await asked(ANNA, { type: 'Resume', promotion: early }), /You may not roll back or resume/);
  assertRefused(await asked(ANNA, { type: 'Retry', promotion: early }), /You may not retry/);
  assertRefused(await cancel(CARL, early), /You may not cancel/);
  const deployer: Person = { user: `system:serviceaccount:${namespace}:towpath`, groups: ['system:masters'] };
  assertRefused(await promote(deployer, first), /what a repository brings does not let itself in/);
  await bringsOne(stage, { environment: prod.name, candidate: first, requestedBy: deployer.user });
  const edit = await cluster.request('PATCH', `${promotionsPath(namespace)}/${early}`, {
    body: { spec: { skipGates: ['order'] } },
    contentType: 'application/merge-patch+json',
  });
  assertRefused(edit, /cannot change/);
  // Nor does what is asked for leave no record, by an owner with which it goes.
  const administrator: Person = { user: 'admin', groups: ['system:masters'] };
  await assertUntied(cluster, promotionsPath(namespace), {
    make: BEN,
    edit: administrator,
    kept: early,
    object: {
      apiVersion: 'towpath.dev/v1alpha1',
      kind: 'Promotion',
      spec: {
        type: 'Promote',
        application: 'web',
        environment: prod.name,
        candidate: first,
        requestedBy: 'ben',
      },
    },
  });

  const lost = taken(await promote(ANNA, first, { application: 'absent' }));
  const absent = await until(lost, 'Pending', /There is no Application absent/);
  assert.equal(absent.status?.blockedBy?.[0]?.reason, 'ApplicationNotFound');
  const recalled = taken(await asked(ANNA, { type: 'Cancel', application: 'absent', promotion: lost }));
  await until(lost, 'Cancelled', /^anna took it back/);
  await until(recalled, 'Succeeded');

  // What is not skipped is waited for, and says so; the newest counts.
  const annas = taken(await promote(ANNA, first));
  const gated = await until(annas, 'Gated');
  assert.deepEqual(
    gated.status?.blockedBy?.map(({ reason }) => reason),
    ['OutsideWindow'],
  );
  assert.ok(Date.parse(gated.status?.blockedBy?.[0]?.clearsAt ?? '') > Date.now());
  assert.deepEqual(gated.status?.changes?.objects, [
    { change: 'Added', group: '', kind: 'ConfigMap', namespace: prod.namespace, name: 'web' },
  ]);
  const bens = taken(await promote(BEN, first, { skipGates: ['windows'], reason: 'it is urgent' }));
  await until(annas, 'Superseded', new RegExp(`${bens} \\(Promote, by ben\\) took its place`));
  const done = await until(bens, 'Succeeded');
  assert.equal(done.status?.revision, one);
  const [entered] = inProd(await runs(one))?.history ?? [];
  assert.equal(entered?.trigger, 'Promotion');
  assert.equal(entered?.id, done.status?.deployment);

  // What is over is not had to run once more, by whoever may do all.
  const cleared = await cluster.request('PATCH', `${promotionsPath(namespace)}/${early}/status`, {
    body: { status: { phase: null } },
    contentType: 'application/merge-patch+json',
  });
  assertRefused(cleared, /Only the operator writes the status of a Promotion/);

  // Taken back before it was begun, also by an operator that was killed meanwhile.
  const two = await repository.commit(configMap('two'));
  const second = await waiting(two);
  const mistaken = taken(await promote(ANNA, second));
  await until(mistaken, 'Gated');
  await stage.restart('SIGKILL');
  const taking = taken(await cancel(OLGA, mistaken));
  await until(mistaken, 'Cancelled', /^olga took it back/);
  await until(taking, 'Succeeded');
  await until(taken(await cancel(ANNA, mistaken)), 'Failed', /There is nothing to take back/);
  assert.equal(await waiting(two), second);
  assert.equal(inProd(await stage.get('web'))?.revision, one);

  // What makes no sense says why.
  await until(taken(await promote(ANNA, first)), 'Succeeded', /runs there already/);
  await until(taken(await promote(ANNA, `sha256:${'0'.repeat(64)}`)), 'Failed', /waits in environment/);
  await stage.application('free', {});
  const free = { type: 'Promote', application: 'free', environment: 'default', candidate: first };
  const freely = taken(await ask(cluster, namespace, CARL, free));
  await until(freely, 'Failed', /follows its source, since no PromotionPolicy/);

  // Where the API server fills in who it is, nothing that was written there stays.
  const fillsIn = await installPromotionPolicies(t, cluster, 'Mutating', { name: policy, namespace });
  const requestedBy = fillsIn ? 'anna' : 'ben';
  const stamped = taken(await promote(BEN, second, { requestedBy, skipGates: ['windows'] }));
  const last = await until(stamped, 'Succeeded');
  assert.equal(last.spec.requestedBy, 'ben');
  await runs(two);

  // One that ran before is promoted again, past the order of what waits.
  const back = taken(
    await asked(BEN, { type: 'Promote', historyID: entered?.id, skipGates: ['windows', 'order'] }),
  );
  await until(back, 'Succeeded');
  await runs(one);

  // Only what failed is tried once more, past the gates that it passed as it entered; in a window, though.
  const third = await waiting(await repository.commit(neverReady));
  const failing = taken(await promote(BEN, third, { skipGates: ['windows', 'order'] }));
  const failed = await until(failing, 'Failed');
  await until(taken(await asked(OLGA, { type: 'Retry', promotion: back })), 'Failed', /not what .* is at/);
  const retry = taken(await asked(OLGA, { type: 'Retry', promotion: failing }));
  const later = await until(retry, 'Gated');
  assert.deepEqual(
    later.status?.blockedBy?.map(({ reason }) => reason),
    ['OutsideWindow'],
  );
  const always = [{ days: [...DAYS], from: '00:00', until: '24:00', timeZone: 'UTC' }];
  await stage.kubectl(
    'patch',
    'promotionpolicies.towpath.dev/standard',
    '--type=json',
    `--patch=${JSON.stringify([{ op: 'replace', path: '/spec/stages/1/gates/windows', value: always }])}`,
  );
  const again = await until(retry, 'Failed');
  assert.equal(again.status?.deployment, (failed.status?.deployment ?? 0) + 1);
  assert.equal(again.status?.digest, third);

  // What lost its policy keeps what it runs, until a person promotes.
  await stage.kubectl('delete', 'promotionpolicies.towpath.dev', 'standard');
  const four = await repository.commit({ ...configMap('four'), 'slow.yaml': null });
  const gone = await stage.until(
    'web',
    (of) => inProd(of)?.desiredRevision === four && inProd(of)?.blockedBy?.[0]?.reason === 'PolicyGone',
    'prod to keep what it runs',
  );
  await until(taken(await promote(ANNA, gone.status?.source?.candidate ?? '')), 'Succeeded');
  await runs(four);
});
