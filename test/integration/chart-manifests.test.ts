import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { CHART, rendered } from '../harness/chart.ts';
import { helm } from '../harness/helm.ts';

/** What applies rendered manifests knows no hooks: each way that the pages name leaves them out. */
const WAYS = ['--skip-tests', 'test.enabled=false'];
const HOOK = 'helm.sh/hook';

for (const page of ['docs/installation.md', 'charts/towpath/README.md'])
  test(`${page} says how the Pod of \`helm test\` is left out where rendered manifests are applied`, () => {
    const text = readFileSync(join(CHART, '../..', page), 'utf8');
    const line = text.split('\n').find((said) => said.includes('| kubectl apply -f -')) ?? '';
    for (const way of WAYS) assert.ok(line.includes(way), `${page} does not name ${way}`);
  });

test('rendered without tests, by a flag or by a value, the chart has the same objects and no hook', async () => {
  const all = await rendered();
  const hooks = all.filter(({ metadata }) => metadata.annotations?.[HOOK] !== undefined);
  assert.deepEqual(
    hooks.map(({ kind, metadata }) => [kind, metadata.name, metadata.annotations?.[HOOK]]),
    [['Pod', 'towpath-test', 'test']],
  );
  const rest = all.filter((object) => !hooks.includes(object));
  assert.deepEqual(await rendered({ test: { enabled: false } }), rest);
  const { code, stdout, stderr } = await helm(
    'template',
    'towpath',
    CHART,
    '--namespace=towpath-system',
    '--skip-tests',
  );
  assert.equal(code, 0, stderr);
  assert.ok(!stdout.includes(HOOK));
  assert.equal(stdout.match(/^kind: /gm)?.length, rest.length);
});
