import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { ORDERS, remove } from '../harness/removal.ts';
import { SYSTEM } from './in-the-pod.ts';
import { type Site, skip, startSite, stepsOf } from './site.ts';

let site: Site;
before(async () => {
  if (skip === false)
    site = await startSite({
      'one.yaml': 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: one}\ndata: {is: there}\n',
    });
});
after(() => site?.stop());

test('I2, I3: whatever of a running installation goes first, its removal ends', { skip }, async (t) => {
  const step = stepsOf(t);
  const { controlPlane: cluster, kubectl, helm } = site;
  const uninstall = () => helm('uninstall', 'towpath', ...SYSTEM, '--wait', '--timeout=60s');
  const of = ['-n', 'shop', 'get', 'configmap', 'one', '-o'];
  await site.admit('shop');
  for (const order of ORDERS)
    await step(`${order.join(', ')}: nothing of it is left, and all that it deployed is`, async () => {
      await kubectl('create', 'namespace', 'towpath-system');
      await site.install();
      await site.applyApplication('one', 'shop', {});
      await site.untilReady('one', 'shop');
      const uid = await kubectl(...of, 'jsonpath={.metadata.uid}');
      for (const [index, one] of order.entries()) {
        await remove(one, order.slice(0, index), { cluster, kubectl, uninstall });
        assert.equal(await kubectl(...of, 'jsonpath={.metadata.uid} {.data}'), `${uid} {"is":"there"}`, one);
      }
      const policies = await kubectl(
        ...['api-resources', '--api-group=admissionregistration.k8s.io', '-o', 'name'],
      );
      const kinds = [
        'crd',
        'namespaces',
        'clusterroles',
        'clusterrolebindings',
        ...policies.trim().split('\n'),
      ];
      assert.doesNotMatch(await kubectl('get', kinds.join(','), '-o', 'name'), /towpath/);
      assert.equal(await kubectl('get', 'pods', '--all-namespaces', '-o', 'name'), '');
      // An operator that still ran has taken its marks from it.
      const marks = await kubectl(...of, 'jsonpath={.metadata.labels} {.metadata.annotations}');
      assert.equal(/towpath/.test(marks), order[0] !== 'definitions', marks);
      await kubectl('-n', 'shop', 'delete', 'configmap', 'one');
    });
});
