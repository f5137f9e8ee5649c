import assert from 'node:assert/strict';
import { test } from 'node:test';
import { processorMs } from '../../../../test/harness/processor-time.ts';
import { TowpathError } from '../../../api/errors.ts';
import { errorFromAnswer } from '../../../kube/refusal.ts';
import { addTo, grantTo, missingRight } from './missing-right.ts';

const USER = 'system:serviceaccount:shop-staging:towpath';

function forbidden(message: string): Error {
  const status = { kind: 'Status', code: 403, reason: 'Forbidden', message };
  return errorFromAnswer(403, JSON.stringify(status), { plural: 'widgets' });
}

test("the right that is missing is read from the API server's words", () => {
  const ofRole = `User "${USER}" cannot`;
  const table: [message: string, expected: ReturnType<typeof missingRight>][] = [
    [
      `configmaps "web" is forbidden: ${ofRole} patch resource "configmaps" in API group "" in the namespace "shop-staging"`,
      { verb: 'patch', resource: 'configmaps', group: '', namespace: 'shop-staging' },
    ],
    [
      `widgets.example.com is forbidden: ${ofRole} create resource "widgets" in API group "example.com" in the namespace "shop-staging"`,
      { verb: 'create', resource: 'widgets', group: 'example.com', namespace: 'shop-staging' },
    ],
    [
      `namespaces is forbidden: ${ofRole} create resource "namespaces" in API group "" at the cluster scope`,
      { verb: 'create', resource: 'namespaces', group: '', namespace: '' },
    ],
    [
      `deployments.apps "web" is forbidden: ${ofRole} patch resource "deployments/scale" in API group "apps" in the namespace "shop-staging": no`,
      { verb: 'patch', resource: 'deployments/scale', group: 'apps', namespace: 'shop-staging' },
    ],
    // A quota, and what a tenant chose the words of.
    ['configmaps "web" is forbidden: exceeded quota: q', undefined],
    [
      `configmaps "web" is forbidden: user "x" (groups=["y"]) is attempting to grant RBAC permissions`,
      undefined,
    ],
    [
      `web is forbidden: it said: a is forbidden: ${ofRole} get resource "secrets" in API group ""`,
      undefined,
    ],
  ];
  for (const [message, expected] of table)
    assert.deepEqual(missingRight(forbidden(message)), expected, message);
});

test('it is found behind what was made of the answer', () => {
  const cause = forbidden(
    `widgets.example.com is forbidden: User "${USER}" cannot list resource "widgets" in API group "example.com" at the cluster scope`,
  );
  const error = new TowpathError('Resource', 'Forbidden', 'x', {
    cause: new TowpathError('Resource', 'Forbidden', 'y', { cause }),
  });
  assert.equal(missingRight(error)?.resource, 'widgets');
  assert.equal(missingRight(new TowpathError('Resource', 'Forbidden', 'x')), undefined);
});

test('what is to be added is YAML that names the account, or the role that gathers', () => {
  const right = { verb: 'create', resource: 'widgets', group: 'example.com', namespace: 'shop-staging' };
  const account = { namespace: 'shop-staging', name: 'deployer' };
  assert.match(
    grantTo(account, right),
    /kind: Role\n.*namespace: shop-staging.*kind: RoleBinding.*name: deployer/s,
  );
  assert.match(
    grantTo(account, { ...right, namespace: '' }),
    /kind: ClusterRole\n.*kind: ClusterRoleBinding/s,
  );
  assert.match(addTo('edit', right), /aggregate-to-edit: "true".*resources: \[widgets\]/s);
});

test('S5: what is longer than any name is read in time that grows with its length alone', () => {
  const took = processorMs(() => {
    for (const part of ['"', '" is forbidden: User "', 'a" "'])
      missingRight(forbidden(`x is forbidden: User "${part.repeat(100_000)}`));
  });
  assert.ok(took < 500, `${took} ms`);
});
