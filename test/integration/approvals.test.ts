import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { type TestContext, test } from 'node:test';
import {
  type Application,
  type EnvironmentStatus,
  environmentOf,
} from '../../operator/api/v1alpha1/application.ts';
import type { Approval } from '../../operator/api/v1alpha1/approval.ts';
import type { Promotion } from '../../operator/api/v1alpha1/promotion.ts';
import { assertUntied, installPolicies, pathOf, type Said, say } from '../harness/approvals.ts';
import type { ApiResponse, Person } from '../harness/cluster.ts';
import { newEnvironment } from '../harness/environments.ts';
import { fastLease, newStage, type Stage } from '../harness/operator.ts';
import { newPluginShell } from '../harness/plugin.ts';
import { namespaceFor } from '../harness/use-control-plane.ts';
import { eventually } from '../harness/wait.ts';

const configMap = (message: string) => ({
  'web.yaml': `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\ndata: {message: "${message}"}\n`,
});
const RBAC = '/apis/rbac.authorization.k8s.io/v1';

/** Lets a group make, see and delete Approvals in a namespace, as the chart's role for approvers does. */
async function letDecide({ cluster }: Pick<Stage, 'cluster'>, namespace: string, groups: readonly string[]) {
  const metadata = { name: 'approvers' };
  const verbs = ['get', 'list', 'create', 'patch', 'delete'];
  const rules = [
    { apiGroups: ['towpath.dev'], resources: ['approvals'], verbs },
    { apiGroups: ['towpath.dev'], resources: ['applications'], verbs: ['get', 'list'] },
  ];
  const kind = 'Group';
  const apiGroup = 'rbac.authorization.k8s.io';
  const subjects = groups.map((name) => ({ apiGroup, kind, name }));
  const roleRef = { apiGroup, kind: 'Role', name: 'approvers' };
  for (const [plural, body] of [
    ['roles', { metadata, rules }],
    ['rolebindings', { metadata, subjects, roleRef }],
  ] as const) {
    const { status, body: text } = await cluster.request(
      'POST',
      `${RBAC}/namespaces/${namespace}/${plural}`,
      { body },
    );
    assert.equal(status, 201, text);
  }
}

/** The operator by the chart's admission policy, with rights of its own on Approvals. */
async function letTrim({ cluster }: Pick<Stage, 'cluster'>, namespace: string): Promise<Person> {
  const user = `system:serviceaccount:${namespace}:towpath-operator`;
  const account = { user, groups: ['system:serviceaccounts'] };
  const apiGroup = 'rbac.authorization.k8s.io';
  const subjects = [{ apiGroup, kind: 'User', name: account.user }];
  const roleRef = { apiGroup, kind: 'Role', name: 'approvers' };
  const body = { metadata: { name: 'operator-trims' }, subjects, roleRef };
  const path = `${RBAC}/namespaces/${namespace}/rolebindings`;
  const { status, body: text } = await cluster.request('POST', path, { body });
  assert.equal(status, 201, text);
  return account;
}

function nameIn({ status, body }: ApiResponse): string {
  assert.equal(status, 201, body);
  return (JSON.parse(body) as Approval).metadata.name;
}

function assertRefused({ status, body }: ApiResponse, words: RegExp): void {
  assert.ok(status === 403 || status === 422, `${status} ${body}`);
  assert.match(body, words);
}

const ANNA: Person = { user: 'anna', groups: ['sre'] };
const BEN: Person = { user: 'ben', groups: ['sre', 'developers'] };
const CARL: Person = { user: 'carl', groups: ['sre'] };
const EVE: Person = { user: 'eve', groups: ['developers'] };

const TWO_OF_SRE = { gates: { approvals: { required: 2, groups: ['sre'] } } };

/** A stage whose environment prod wants two approvals of the group sre, or what else is said of it. */
async function guarded(t: TestContext, spec: object = TWO_OF_SRE) {
  const policy = `approvals-${randomBytes(5).toString('hex')}`;
  const stage = await newStage(t, {
    files: configMap('one'),
    flags: [...fastLease, `--approval-policy=${policy}`],
  });
  const { cluster, namespace } = stage;
  const staging = await newEnvironment(t, stage, 'staging');
  const prod = await newEnvironment(t, stage, 'prod', spec);
  await letDecide(stage, namespace, ['sre', 'developers']);
  await stage.application('web', { environments: [{ name: staging.name }, { name: prod.name }] });
  const inProd = async (holds: (entry: EnvironmentStatus) => unknown, describe: string) => {
    const of = ({ status }: Application) => environmentOf(status, prod.name);
    const told = await stage.until('web', (one) => holds(of(one) ?? { name: prod.name }), describe);
    return of(told) ?? { name: prod.name };
  };
  /** Resolves with the digest of what waits, once that is said of it. */
  const waiting = async (words: RegExp, not?: string) => {
    const entry = await inProd(
      ({ blockedBy, sync, desiredDigest }) =>
        sync === 'Waiting' && desiredDigest !== not && words.test(blockedBy?.[0]?.message ?? ''),
      `prod to wait: ${words}`,
    );
    return entry.desiredDigest ?? '';
  };
  const runs = (revision: string) =>
    inProd((one) => one.sync === 'Synced' && one.revision === revision, `prod to run ${revision}`);
  const decide = (as: Person, digest: string, more: Partial<Said> = {}) =>
    say(cluster, namespace, as, { application: 'web', environment: prod.name, digest, ...more });
  const remove = (as: Person, name: string) =>
    cluster.request('DELETE', `${pathOf(namespace)}/${name}`, { as });
  return { stage, policy, prod, waiting, inProd, runs, decide, remove };
}

/** Ben and Carl approve with kubectl towpath. */
async function byPlugin(
  t: TestContext,
  { cluster, namespace }: Stage,
  prod: string,
  digest: string,
): Promise<void> {
  const { towpath } = await newPluginShell(t, cluster, { namespace });
  const as = (user: string) => [`--as=${user}`, '--as-group=sre'];
  const early = await towpath('approve', 'web', `staging-${namespace}`, ...as('ben'));
  assert.equal(early.code, 11, early.stderr);
  assert.match(early.stderr, /^Nothing of .*\/web waits for that in staging-/);
  const other = await towpath('approve', 'web', prod, '--revision=0123456', ...as('ben'));
  assert.equal(other.code, 11, other.stderr);
  const bens = await towpath('approve', 'web', prod, ...as('ben'));
  assert.equal(bens.code, 0, bens.stderr);
  // What one says yes to comes first, with the rights of one who approves.
  assert.match(bens.stderr, /^Commit: [0-9a-f]{7} → [0-9a-f]{7}\nChanges: 1 changed, 0 added, 0 deleted\.\n/);
  assert.match(bens.stderr, /\n {2}~ ConfigMap \S+\/web\n/);
  const said = bens.stdout.replaceAll(/\s+/g, ' ');
  assert.ok(
    said.includes(`You approved manifests ${digest} of ${namespace}/web in ${prod} (revision `),
    said,
  );
  const again = await towpath('approve', 'web', prod, ...as('ben'));
  assert.equal(again.code, 11, again.stderr);
  assert.match(again.stderr, /already, as ben/);
  const sync = await towpath('sync', 'web', prod);
  assert.equal(sync.code, 8, 'it moves nothing');
  const carls = await towpath('approve', 'web', prod, '-o', 'json', ...as('carl'));
  assert.equal(carls.code, 0, carls.stderr);
  const { by, decision } = JSON.parse(carls.stdout) as Record<string, string>;
  assert.deepEqual([by, decision], ['carl', 'Approve']);
}

test('S14, A1, A4: what enters was approved by so many persons, each in the own name, for these very manifests, and nobody counts twice', async (t) => {
  const { stage, policy, prod, waiting, inProd, runs, decide, remove } = await guarded(t);
  const { cluster, namespace, repository } = stage;
  const blocked = await inProd(
    ({ blockedBy }) => blockedBy?.[0]?.reason === 'AdmissionPolicyMissing',
    'the missing policy to be told',
  );
  assert.equal(blocked.sync, 'Blocked');
  // Nobody proved who that was.
  const going = await namespaceFor(t, cluster);
  await letDecide(stage, going, ['sre']);
  await installPolicies(t, cluster, 'Validating', { name: policy, namespaces: [namespace, going] });
  const first = await waiting(/^0 of 2 approvals of manifests sha256:/);
  assert.match(first, /^sha256:[0-9a-f]{64}$/);

  // A namespace that goes takes its Approvals along, whoever gave them.
  nameIn(await say(cluster, going, ANNA, { application: 'web', environment: 'prod', digest: first }));
  await cluster.request('DELETE', `/api/v1/namespaces/${going}`);

  // Feigned, each in its way.
  assertRefused(await decide(EVE, first, { by: 'anna' }), /spec.by must be you.*eve/);
  assertRefused(await decide(EVE, first, { groups: ['developers', 'sre'] }), /only groups that you are in/);
  assertRefused(await decide({ user: 'mallory' }, first), /cannot create resource/);
  const annas = nameIn(await decide(ANNA, first));
  await waiting(/^1 of 2 approvals/);
  const edit = await cluster.request('PATCH', `${pathOf(namespace)}/${annas}`, {
    as: ANNA,
    body: { spec: { environment: 'staging' } },
    contentType: 'application/merge-patch+json',
  });
  assertRefused(edit, /an Approval cannot change|An Approval cannot change/);
  assertRefused(await remove(BEN, annas), /Only who gave an Approval may take it back/);
  await assertUntied(cluster, pathOf(namespace), {
    make: ANNA,
    edit: ANNA,
    kept: annas,
    object: {
      apiVersion: 'towpath.dev/v1alpha1',
      kind: 'Approval',
      spec: {
        application: 'web',
        environment: prod.name,
        digest: first,
        decision: 'Approve',
        by: 'anna',
        groups: ['sre'],
      },
    },
  });

  // In the own name, and of no use: once more, in another group, of other manifests, by a program.
  nameIn(await decide(ANNA, first));
  nameIn(await decide(EVE, first));
  nameIn(await decide(BEN, `sha256:${'0'.repeat(64)}`));
  const account = (name: string) => ({
    user: `system:serviceaccount:${namespace}:${name}`,
    groups: ['sre', 'system:serviceaccounts'],
  });
  nameIn(await decide(account('ci'), first));
  assertRefused(await decide(account('towpath'), first), /an account that Applications are deployed as/);
  const no = nameIn(await decide(CARL, first, { decision: 'Reject' }));
  await inProd(({ blockedBy }) => blockedBy?.[0]?.reason === 'Rejected', 'the rejection to be told');
  assert.equal((await remove(CARL, no)).status, 200);
  await waiting(/^1 of 2 approvals.*\(by anna\), by sre: kubectl towpath approve web/);

  const one = await repository.revParse('main');
  nameIn(await decide(BEN, first));
  await runs(one);
  await eventually(
    async () => {
      const { body } = await cluster.request('GET', pathOf(namespace));
      const { items } = JSON.parse(body) as { items: Approval[] };
      return items.every(({ spec, status }) => (spec.digest === first) === (status?.enteredAt !== undefined));
    },
    { describe: 'the Approvals to say that they were used' },
  );

  // Nor is one that was used had to count once more, by whoever may do all.
  const cleared = await cluster.request('PATCH', `${pathOf(namespace)}/${annas}/status`, {
    body: { status: { enteredAt: null } },
    contentType: 'application/merge-patch+json',
  });
  assertRefused(cleared, /Only the operator writes the status of an Approval/);

  // It takes away yeses of which there are too many, and lifts nobody's no.
  const operator = await letTrim(stage, namespace);
  const other = `sha256:${'1'.repeat(64)}`;
  const held = nameIn(await decide(ANNA, other, { decision: 'Reject' }));
  assertRefused(await remove(operator, held), /Only who gave an Approval may take it back/);
  assert.equal((await remove(operator, nameIn(await decide(ANNA, other)))).status, 200);

  // Who let it in stands in its record: not who was not asked, nor a program.
  const path = `/apis/towpath.dev/v1alpha1/namespaces/${namespace}/promotions/web-${prod.name}-1`;
  const recorded = await eventually(
    async () => {
      const { status: code, body } = await cluster.request('GET', path);
      const { status } = code === 200 ? (JSON.parse(body) as Promotion) : {};
      return status?.approvals === undefined ? undefined : status;
    },
    { describe: 'the record of what entered' },
  );
  assert.deepEqual(recorded.approvals?.map(({ by }) => by).sort(), ['anna', 'ben']);
  // With what they said yes to.
  assert.deepEqual([recorded.changes?.added, recorded.changes?.revision?.to], [1, one]);

  // What was approved says nothing of what comes next, nor of its own return.
  const two = await repository.commit(configMap('two'));
  const second = await waiting(/^0 of 2/, first);
  await stage.restart();
  await byPlugin(t, stage, prod.name, second);
  await runs(two);
  await repository.commit(configMap('one'));
  assert.equal(await waiting(/^0 of 2/, second), first);

  // Where the API server fills in who it is, nothing that was written there stays.
  if (await installPolicies(t, cluster, 'Mutating', { name: policy, namespaces: [namespace] })) {
    const stamped = await decide(EVE, first, { by: 'anna', groups: ['sre'] });
    const { spec } = JSON.parse(stamped.body) as Approval;
    assert.deepEqual([spec.by, spec.groups], ['eve', ['developers', 'system:authenticated']]);
  } else t.diagnostic('This API server fills in nothing.');
  await eventually(async () => (await cluster.request('GET', `/api/v1/namespaces/${going}`)).status === 404, {
    describe: 'the namespace with an Approval to be gone',
  });
});

test('S14: where nobody is asked for a yes, a no holds these manifests back all the same, after a restart too, until who gave it takes it back; what is newer enters', async (t) => {
  const frozen = { freezes: [{ from: '2026-01-01T00:00:00Z' }] };
  const { stage, policy, prod, waiting, inProd, runs, decide, remove } = await guarded(t, frozen);
  const { cluster, namespace, repository } = stage;
  await installPolicies(t, cluster, 'Validating', { name: policy, namespaces: [namespace] });
  const freeze = async (freezes: readonly object[]) => {
    const path = `/apis/towpath.dev/v1alpha1/environments/${prod.name}`;
    const merge = { body: { spec: { freezes } }, contentType: 'application/merge-patch+json' };
    assert.equal((await cluster.request('PATCH', path, merge)).status, 200);
  };
  const first = await waiting(/frozen/);
  const no = nameIn(await decide(CARL, first, { decision: 'Reject' }));
  const rejected = () =>
    inProd(
      ({ blockedBy, sync }) => sync === 'Waiting' && blockedBy?.[0]?.reason === 'Rejected',
      'the rejection to be told',
    );
  await rejected();
  await freeze([]);
  await stage.restart('SIGKILL');
  const request = await stage.requestSync('web');
  await stage.until('web', ({ status }) => status?.handledSyncRequest === request, 'a look');
  const held = await rejected();
  assert.match(held.blockedBy?.[0]?.message ?? '', /rejected by carl\. A newer commit may enter/);
  assert.equal(held.revision, undefined);
  assert.equal((await remove(CARL, no)).status, 200);
  await runs(await repository.revParse('main'));

  await freeze(frozen.freezes);
  await repository.commit(configMap('two'));
  const second = await waiting(/frozen/, first);
  nameIn(await decide(BEN, second, { decision: 'Reject' }));
  await rejected();
  await freeze([]);
  await runs(await repository.commit(configMap('three')));
});
