import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { type TestContext, test } from 'node:test';
import { environmentOf } from '../../operator/api/v1alpha1/application.ts';
import type { Approval } from '../../operator/api/v1alpha1/approval.ts';
import { install, installPolicies, pathOf, say } from '../harness/approvals.ts';
import type { ApiResponse, Person } from '../harness/cluster.ts';
import { newEnvironment } from '../harness/environments.ts';
import { promotionsOf } from '../harness/ledger.ts';
import { fastLease, newStage, type Stage } from '../harness/operator.ts';
import { configMap, installPromotionPolicies, promotionsPath } from '../harness/promotions.ts';
import { eventually } from '../harness/wait.ts';

const FLAGS = [...fastLease, '--archive-interval=300ms', '--promotion-history=1'];
const ADMIN: Person = { user: 'admin', groups: ['system:masters'] };
const MERGE = 'application/merge-patch+json';
const EVERYTHING = { apiGroups: ['*'], resources: ['*'], verbs: ['*'] };
const OF_OPERATORS = [
  { apiGroups: ['towpath.dev'], resources: ['promotions'], verbs: ['record', 'create', 'delete'] },
  { apiGroups: ['towpath.dev'], resources: ['promotions/status', 'approvals/status'], verbs: ['patch'] },
];

/** The policies of a release that waits for an older one, which hold from `helm install` on all the same. */
async function installOther(t: TestContext, { cluster, namespace }: Stage): Promise<void> {
  const name = `other-${randomBytes(5).toString('hex')}`;
  const releasedIn = 'of-another-release';
  const approvals = { name: `${name}.approvals`, namespaces: [namespace], releasedIn };
  const promotions = { name: `${name}.promotions`, namespace, releasedIn };
  await installPolicies(t, cluster, 'Validating', approvals);
  await installPromotionPolicies(t, cluster, 'Validating', promotions);
  await installPromotionPolicies(t, cluster, 'Mutating', promotions);
  const deletion = { name: `${name}.deletion`, namespaces: [namespace], releasedIn };
  const [one] = await promotionsOf({ cluster, namespace });
  assert.ok(one !== undefined);
  const path = `${promotionsPath(namespace)}/${one.metadata.name}?dryRun=All`;
  await install(t, cluster, 'Validating', 'promotions-deletion', deletion, async () => {
    const { body } = await cluster.request('DELETE', path, { as: ADMIN });
    return body.includes('is the record of a deployment');
  });
}

/** A ServiceAccount with a role in all namespaces, or in the stage's alone. */
async function newAccount(
  t: TestContext,
  { cluster, namespace }: Stage,
  name: string,
  rules: readonly object[],
  where: 'everywhere' | 'here',
): Promise<Person> {
  const rbac = '/apis/rbac.authorization.k8s.io/v1';
  const metadata = { name: `${name}-${namespace}` };
  const prefix = where === 'here' ? '' : 'cluster';
  const kind = where === 'here' ? 'Role' : 'ClusterRole';
  const at = where === 'here' ? `${rbac}/namespaces/${namespace}` : rbac;
  const subjects = [{ kind: 'ServiceAccount', name, namespace }];
  const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind, name: metadata.name };
  for (const [path, body] of [
    [`${at}/${prefix}roles`, { metadata, rules }],
    [`${at}/${prefix}rolebindings`, { metadata, subjects, roleRef }],
  ] as const) {
    t.after(() => cluster.request('DELETE', `${path}/${metadata.name}`));
    const { status, body: text } = await cluster.request('POST', path, { body });
    assert.equal(status, 201, text);
  }
  return { user: `system:serviceaccount:${namespace}:${name}` };
}

test('S14: beside the policies of a second installation, which waits, this one records, marks what was used and clears away, and nobody else may', async (t) => {
  const policy = `own-${randomBytes(5).toString('hex')}`;
  const stage = await newStage(t, {
    files: configMap('one'),
    flags: [...FLAGS, `--approval-policy=${policy}`],
  });
  const { cluster, namespace } = stage;
  await installPolicies(t, cluster, 'Validating', { name: policy, namespaces: [namespace] });
  await stage.deployed('plain');
  const prod = await newEnvironment(t, stage, 'prod', { gates: { approvals: { required: 1 } } });
  await stage.application('web', { environments: [{ name: prod.name }] });
  const waits = (revision: string) =>
    stage.until(
      'web',
      ({ status }) => {
        const entry = environmentOf(status, prod.name);
        return entry?.sync === 'Waiting' && entry.desiredRevision === revision;
      },
      'an approval to be under way',
    );
  const approve = async (revision: string) => {
    const digest = environmentOf((await waits(revision)).status, prod.name)?.desiredDigest ?? '';
    const answer = await say(cluster, namespace, ADMIN, {
      application: 'web',
      environment: prod.name,
      digest,
      groups: [...(ADMIN.groups ?? []), 'system:authenticated'],
    });
    assert.equal(answer.status, 201, answer.body);
    await stage.until(
      'web',
      ({ status }) => environmentOf(status, prod.name)?.revision === revision,
      'what was approved to enter',
    );
  };
  const ofWeb = async () =>
    (await promotionsOf(stage)).filter(({ metadata }) => metadata.name.startsWith(`web-${prod.name}`));
  const first = await stage.repository.revParse('main');
  await waits(first);
  await eventually(async () => (await promotionsOf(stage)).length > 0, { describe: 'a record' });
  await installOther(t, stage);

  await approve(first);
  const used = await eventually(
    async () => {
      const { items } = JSON.parse((await cluster.request('GET', pathOf(namespace))).body) as {
        items: Approval[];
      };
      return items.find(({ status }) => status?.enteredAt !== undefined)?.metadata.name;
    },
    { describe: 'the Approval to say that it was used' },
  );
  const recorded = async (id: string) => {
    const [one, ...more] = await ofWeb();
    return more.length === 0 && one?.metadata.name.endsWith(id) && one.status?.phase === 'Succeeded' && one;
  };
  const record = await eventually(() => recorded('-1'), { describe: 'the record of what entered' });
  assert.match(record.spec.requestedBy, /^towpath:/, 'it is nobody’s but the operator’s');
  await approve(await stage.repository.commit(configMap('two')));
  const left = await eventually(() => recorded('-2'), { describe: 'the older record to go' });

  // Who may do all is no operator by that, nor is who has its rights in one namespace.
  const promotion = `${promotionsPath(namespace)}/${left.metadata.name}`;
  for (const as of [
    await newAccount(t, stage, 'pipeline', [EVERYTHING], 'everywhere'),
    await newAccount(t, stage, 'tenant', [EVERYTHING], 'here'),
    await newAccount(t, stage, 'likewise', OF_OPERATORS, 'here'),
  ]) {
    const phase = { as, body: { status: { phase: 'Pending' } }, contentType: MERGE };
    assertRefused(await cluster.request('PATCH', `${promotion}/status`, phase), /Only the operator writes/);
    const entered = { as, body: { status: { enteredAt: null } }, contentType: MERGE };
    const marked = await cluster.request('PATCH', `${pathOf(namespace)}/${used}/status`, entered);
    assertRefused(marked, /Only the operator writes/);
    assertRefused(await cluster.request('DELETE', promotion, { as }), /is the record of a deployment/);
  }
  // Nor does an operator that is another's ask for something in the name of a person.
  const account = { user: `system:serviceaccount:${namespace}:towpath-operator` };
  const { deployment: _, ...spec } = left.spec;
  const feigned = { ...left, metadata: { generateName: 'feigned-' }, spec: { ...spec, requestedBy: 'anna' } };
  const answer = await cluster.request('POST', promotionsPath(namespace), { as: account, body: feigned });
  assertRefused(answer, /asks for none in the name of a person/);
});

function assertRefused({ status, body }: ApiResponse, words: RegExp): void {
  assert.ok(status === 403 || status === 422, `${status} ${body}`);
  assert.match(body, words);
}
