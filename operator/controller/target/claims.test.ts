import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Deployment } from '../record/record.ts';
import { HOME } from '../record/target.ts';
import { Claims } from './claims.ts';

const object = (name: string) => ({ group: '', kind: 'ConfigMap', namespace: 'shop', name });
const target = (application: string, cluster = HOME, takesOver: string[] = []) => ({
  id: application,
  name: `shop/${application}/default`,
  cluster,
  takesOver: takesOver.map((other) => ({
    id: other,
    name: `shop/${other}/default`,
    application: `shop/${other}`,
    environment: 'default',
  })),
});

function newClaims() {
  const deployments = new Map<string, Partial<Deployment>>();
  const recordOf = ({ name }: { name: string }) => {
    const deployment = deployments.get(name);
    return deployment === undefined ? undefined : { deployment: deployment as Deployment };
  };
  return { claims: new Claims({ recordOf }), deployments };
}

test('D5: of two that begin at once with the same object one is refused before it writes anything', () => {
  const { claims, deployments } = newClaims();
  claims.take(target('one'), [object('web'), object('own')]);
  const second = () => claims.take(target('two'), [object('other'), object('web')]);
  assert.throws(second, /^TowpathError: ConfigMap shop\/web is being made by Application shop\/one/);
  claims.take(target('three'), [object('other')]);
  claims.take(target('elsewhere', 'cluster'), [object('web')]);
  claims.begun('shop/one/default');
  deployments.set('shop/one/default', { applied: false });
  claims.settle('shop/one/default');
  assert.throws(second, /is being made by/, 'it waits for its waves');
  assert.throws(() => claims.take(target('one'), [object('other')]), /Application shop\/three/);
  assert.throws(second, /is being made by/, 'what it could not begin took nothing away from it');
  claims.release('shop/three/default');
  deployments.set('shop/one/default', { applied: true });
  // What is there by now its marks tell.
  claims.settle('shop/one/default');
  second();
});

test("D5: what a deployment that ended, or could not be begun, was to make is nobody's; nor is what moves to another name", () => {
  const { claims, deployments } = newClaims();
  claims.take(target('one'), [object('web')]);
  claims.begun('shop/one/default');
  deployments.set('shop/one/default', { applied: false, outcome: 'Failed' });
  claims.take(target('two'), [object('web')]);
  claims.take(target('three', HOME, ['two']), [object('web')]);
  claims.release('shop/two/default');
  assert.throws(() => claims.take(target('one'), [object('web')]), /Application shop\/three/);
  claims.release('shop/three/default');
  claims.take(target('one'), [object('web')]);
  claims.take(target('one'), [object('web')]);
});

test('D5: what an earlier process began claims once what it has not made yet, or is refused itself', () => {
  const { claims, deployments } = newClaims();
  deployments.set('shop/one/default', { applied: false });
  claims.takeUp(target('one'), [object('web'), object('own')]);
  assert.throws(() => claims.take(target('two'), [object('web')]), /Application shop\/one/);
  claims.settle('shop/one/default');
  claims.takeUp(target('one'), []);
  assert.throws(() => claims.take(target('two'), [object('web')]), /Application shop\/one/);
  claims.take(target('three'), [object('other')]);
  assert.throws(() => claims.takeUp(target('four'), [object('other')]), /Application shop\/three/);
});
