import assert from 'node:assert/strict';
import { test } from 'node:test';
import { environmentOf } from '../../operator/api/v1alpha1/application.ts';
import { newEnvironment } from '../harness/environments.ts';
import { newProxiedStage } from '../harness/proxied-stage.ts';
import { chartOf, configMap } from '../integration/steps.ts';

const chart = (version: string) => chartOf('web', [configMap('web', { version })]);

test('A3: an environment in which nothing answers is waited for once, and not with each commit', async (t) => {
  const { stage, proxy } = await newProxiedStage(t, { files: chart('1') });
  const staging = await newEnvironment(t, stage, 'staging');
  const prod = await newEnvironment(t, stage, 'prod');
  const environments = [{ name: staging.name }, { name: prod.name }];
  await stage.deployed('web', { source: { path: 'web' }, environments });
  const took = async (version: string) => {
    const revision = await stage.repository.commit(chart(version));
    const began = performance.now();
    await stage.requestSync('web');
    await stage.until(
      'web',
      ({ status }) => environmentOf(status, staging.name)?.revision === revision,
      'staging to follow',
      15_000,
    );
    return performance.now() - began;
  };
  const before = [await took('2'), await took('3'), await took('4')];
  const { promise: until, resolve: answer } = Promise.withResolvers<void>();
  t.after(() => answer());
  const silence = proxy.fail({ path: new RegExp(`/namespaces/${prod.namespace}/`), fault: { until } });
  const first = await took('5');
  assert.ok(silence.met > 0, 'it hangs');
  const after = [await took('6'), await took('7'), await took('8')];
  t.diagnostic(JSON.stringify({ before, first, after }));
  silence.remove();
  answer();
  const middle = (times: number[]) => times.toSorted((a, b) => a - b)[1] ?? 0;
  assert.ok(first < middle(before) + 4_000, `the first one took ${Math.round(first)} ms`);
  assert.ok(middle(after) <= 1.5 * middle(before) + 200, JSON.stringify({ before, after }));
});
