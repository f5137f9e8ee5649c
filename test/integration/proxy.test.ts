import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startConnectProxy } from '../harness/connect-proxy.ts';
import { newStage, startOperator } from '../harness/operator.ts';
import { eventually } from '../harness/wait.ts';

test('S11: with a proxy in its environment the operator asks it for Git servers elsewhere, and never for the API server', async (t) => {
  const files = {
    'web.yaml': 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\ndata: {is: one}\n',
  };
  const stage = await newStage(t, { files, startOperator: false });
  const proxy = await startConnectProxy(stage.git.port);
  t.after(() => proxy.stop());
  const environment = { HTTPS_PROXY: proxy.url, HTTP_PROXY: proxy.url, NO_PROXY: '' };
  await startOperator(t, stage.cluster, stage.namespace, { environment });
  // This machine's own server is asked directly, the other one through the proxy, which leads to the same.
  await stage.deployed('near');
  assert.equal(proxy.asked.length, 0, `${proxy.asked}`);
  const repoURL = `http://git.invalid/${stage.repository.name}`;
  await stage.application('far', { source: { repoURL }, sync: { mode: 'Manual' } });
  await eventually(() => proxy.asked.length > 0, { describe: 'the proxy to be asked' });
  // No tunnel: proxies open them to ports of TLS only.
  assert.ok(
    proxy.asked.every((url) => url.startsWith(`${repoURL}/`)),
    `${proxy.asked}`,
  );
});
