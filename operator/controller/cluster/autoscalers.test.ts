import assert from 'node:assert/strict';
import { test } from 'node:test';
import { proxiedClient } from '../../../test/harness/proxied-client.ts';
import { eventually } from '../../../test/harness/wait.ts';
import { Autoscalers } from './autoscalers.ts';

const { proxy, client } = await proxiedClient();

const ofCluster = { verb: 'list', path: /^\/apis\/autoscaling\/v2\/horizontalpodautoscalers/ } as const;
const ofNamespace = (name: string) => ({ path: new RegExp(`/namespaces/${name}/horizontalpodautoscalers`) });

test('a run that was broken off watches no autoscalers, before or while it waits for those of the cluster', async (t) => {
  const autoscalers = new Autoscalers({ client, onChange: () => undefined });
  t.after(() => autoscalers.stop());
  proxy.fail({ ...ofCluster, fault: { status: 403 } });
  const held = proxy.hold(ofCluster);
  const look = (name: string, signal: AbortSignal) =>
    autoscalers.watch({
      targetId: name,
      namespaces: new Set([name]),
      as: { namespace: name, name: 'deployer' },
      signal,
    });
  const gone = new Error('gone');
  await assert.rejects(look('before', AbortSignal.abort(gone)), gone);
  const run = new AbortController();
  const during = look('during', run.signal);
  await held.seen;
  run.abort(gone);
  await assert.rejects(during, gone);
  held.release();
  await look('goes-on', AbortSignal.timeout(20_000));
  await assert.rejects(look('after', AbortSignal.abort(gone)), gone);
  await look('goes-on-too', AbortSignal.timeout(20_000));
  assert.notEqual(proxy.find(ofNamespace('goes-on-too')).length, 0);
  for (const name of ['before', 'during', 'after']) assert.deepEqual(proxy.find(ofNamespace(name)), []);
});

test('S2: where the operator may list the autoscalers again it does, some minutes later, or at once with another credential', async (t) => {
  const autoscalers = new Autoscalers({ client, onChange: () => undefined });
  t.after(() => {
    proxy.clear();
    return autoscalers.stop();
  });
  proxy.clear();
  proxy.forget();
  const refused = proxy.fail({ ...ofCluster, fault: { status: 403 } });
  const as = { namespace: 'default', name: 'deployer' };
  const look = () =>
    autoscalers.watch({
      targetId: 'web',
      namespaces: new Set(['default']),
      as,
      signal: AbortSignal.timeout(20_000),
    });
  const asked = () => proxy.find(ofCluster).length;
  await look();
  await look();
  assert.equal(asked(), 1, 'nothing is asked in each look');
  const now = performance.now.bind(performance);
  t.mock.method(performance, 'now', () => now() + 300_000);
  await look();
  await eventually(() => asked() === 2, { describe: 'it to be tried again' });
  refused.remove();
  await look();
  assert.equal(asked(), 2, 'once in some minutes');
  autoscalers.onRightsChanged();
  const watches = { verb: 'watch' as const, path: ofCluster.path };
  await eventually(() => proxy.openWatches(watches) === 1, { describe: 'one watch for all, without a look' });
});
