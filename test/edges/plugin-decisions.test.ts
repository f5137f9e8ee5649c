import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { environmentOf } from '../../operator/api/v1alpha1/application.ts';
import { APPROVAL_LIMITS, type Approval } from '../../operator/api/v1alpha1/approval.ts';
import { installPolicies, pathOf, say } from '../harness/approvals.ts';
import { newEnvironment } from '../harness/environments.ts';
import { fastLease, newStage } from '../harness/operator.ts';
import { newPluginShell } from '../harness/plugin.ts';

const oneLine = (text: string) => text.replaceAll(/\s+/g, ' ');
const configMap = (message: string) => ({
  'web.yaml': `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\ndata: {message: "${message}"}\n`,
});
/** Of a directory of people in which everybody is in very many groups. */
const many = (count: number) =>
  Array.from({ length: count }, (_, index) => `department-${String(index).padStart(4, '0')}`);

test('S14: a yes or a no is answered by whether the gate counts it, whoever gives it in however many groups', async (t) => {
  const policy = `approvals-${randomBytes(5).toString('hex')}`;
  const flags = [...fastLease, `--approval-policy=${policy}`];
  const stage = await newStage(t, { files: configMap('one'), flags });
  const { cluster, namespace, repository } = stage;
  const decides = { apiGroups: ['towpath.dev'], resources: ['approvals'], verbs: ['get', 'list', 'create'] };
  const reads = { apiGroups: ['towpath.dev'], resources: ['applications'], verbs: ['get', 'list'] };
  const metadata = { name: 'approvers' };
  const apiGroup = 'rbac.authorization.k8s.io';
  const rbac = `/apis/${apiGroup}/v1/namespaces/${namespace}`;
  const subjects = [{ apiGroup, kind: 'Group', name: 'system:authenticated' }];
  const roleRef = { apiGroup, kind: 'Role', name: 'approvers' };
  for (const [plural, body] of [
    ['roles', { metadata, rules: [decides, reads] }],
    ['rolebindings', { metadata, subjects, roleRef }],
  ] as const)
    assert.equal((await cluster.request('POST', `${rbac}/${plural}`, { body })).status, 201);
  await installPolicies(t, cluster, 'Validating', { name: policy, namespaces: [namespace] });
  const gates = { approvals: { required: 1, groups: ['sre'] } };
  const prod = await newEnvironment(t, stage, 'prod', { gates });
  await stage.application('web', { environments: [{ name: prod.name }] });
  const waits = async (revision: string, reason: string) => {
    const { status } = await stage.until(
      'web',
      (one) => {
        const { desiredRevision, desiredDigest, blockedBy } = environmentOf(one.status, prod.name) ?? {};
        return (
          desiredRevision === revision &&
          desiredDigest !== undefined &&
          blockedBy?.some((by) => by.reason === reason)
        );
      },
      `${revision} to wait: ${reason}`,
    );
    return environmentOf(status, prod.name)?.desiredDigest ?? '';
  };
  const { towpath } = await newPluginShell(t, cluster, { namespace });
  const as = (user: string, ...groups: string[]) => [
    `--as=${user}`,
    ...groups.map((group) => `--as-group=${group}`),
  ];
  const one = await repository.revParse('main');
  const digest = await waits(one, 'AwaitingApproval');

  await t.test('who is not asked is told that it counts for nothing', async () => {
    for (const verb of ['approve', 'reject'] as const) {
      const { code, stdout } = await towpath(verb, 'web', prod.name, ...as('eve', 'developers'));
      assert.equal(code, 3, stdout);
      assert.match(
        oneLine(stdout),
        /a (yes|no) counts only of who is asked\. It says: 0 of 1 approval .*, by sre/,
      );
    }
  });

  await t.test('a no holds back, is told, and said once', async () => {
    const { code, stdout } = await towpath('reject', 'web', prod.name, ...as('anna', 'sre'));
    assert.equal(code, 0, stdout);
    assert.match(
      oneLine(stdout),
      /They are held back there: .*: rejected by anna\. A newer commit may enter/,
    );
    assert.equal((await towpath('reject', 'web', prod.name, ...as('anna', 'sre'))).code, 11);
  });

  await t.test('who said yes before being put into the group says it again', async () => {
    const two = await repository.commit(configMap('two'));
    await waits(two, 'AwaitingApproval');
    assert.equal((await towpath('approve', 'web', prod.name, ...as('ben'))).code, 3);
    const again = await towpath('approve', 'web', prod.name, ...as('ben', 'sre'));
    assert.equal(again.code, 0, again.stderr);
    await stage.untilReadyAt('web', two);
  });

  const approvals = async () => {
    const { items } = JSON.parse((await cluster.request('GET', pathOf(namespace))).body) as {
      items: Approval[];
    };
    return items;
  };
  const groupsOf = async (user: string) =>
    (await approvals()).find(({ spec }) => spec.by === user)?.spec.groups ?? [];

  await t.test('who is in very many groups decides as others do', async () => {
    const three = await repository.commit(configMap('three'));
    await waits(three, 'AwaitingApproval');
    const groups = [...many(700), 'x'.repeat(APPROVAL_LIMITS.group + 1), 'sre', ...many(1_400).slice(700)];
    const { code, stderr } = await towpath('approve', 'web', prod.name, ...as('carl', ...groups));
    assert.equal(code, 0, stderr);
    await stage.untilReadyAt('web', three);
    const written = await groupsOf('carl');
    assert.deepEqual(
      written,
      groups.filter((group) => group.length <= APPROVAL_LIMITS.group).slice(0, APPROVAL_LIMITS.groups),
    );
  });

  await t.test('nobody gives himself a group among very many', async () => {
    const about = { application: 'web', environment: prod.name, digest };
    const groups = many(APPROVAL_LIMITS.groups);
    const mallory = { user: 'mallory', groups };
    const feigned = await say(cluster, namespace, mallory, { ...about, groups: ['sre', ...groups.slice(1)] });
    assert.notEqual(feigned.status, 201, feigned.body);
    const one = await say(cluster, namespace, mallory, { ...about, groups: ['sre'] });
    assert.match(one.body, /only groups that you are in/);
    const own = await say(cluster, namespace, mallory, { ...about, groups: groups.slice(-2) });
    assert.equal(own.status, 201, own.body);
  });

  await t.test('where the API server fills in the groups it takes as many', async (t) => {
    if (!(await installPolicies(t, cluster, 'Mutating', { name: policy, namespaces: [namespace] }))) {
      t.skip('This API server fills in nothing.');
      return;
    }
    const about = { application: 'web', environment: prod.name, digest };
    const groups = [...many(700), 'x'.repeat(APPROVAL_LIMITS.group + 1), 'sre', ...many(1_400).slice(700)];
    const made = await say(cluster, namespace, { user: 'dora', groups }, { ...about, groups: [] });
    assert.equal(made.status, 201, made.body);
    assert.deepEqual(
      (JSON.parse(made.body) as Approval).spec.groups,
      groups.filter((group) => group.length <= APPROVAL_LIMITS.group).slice(0, APPROVAL_LIMITS.groups),
    );
  });
});
