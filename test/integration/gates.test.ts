import assert from 'node:assert/strict';
import { test } from 'node:test';
import { environmentOf } from '../../operator/api/v1alpha1/application.ts';
import { DAYS } from '../../operator/api/v1alpha1/gates.ts';
import { newEnvironment } from '../harness/environments.ts';
import { conditionOf, newStage } from '../harness/operator.ts';
import { eventually } from '../harness/wait.ts';

const DAY_MS = 86_400_000;
const configMap = (message: string) => ({
  'web.yaml': `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\ndata: {message: "${message}"}\n`,
});

test('A9, A30: outside of its windows an Environment lets nothing new in, says when it will, and names a time zone that nobody knows', async (t) => {
  const stage = await newStage(t, { files: configMap('one') });
  // Neither today's nor one that is about to begin.
  const opensAt = new Date(Math.floor(Date.now() / DAY_MS) * DAY_MS + 3 * DAY_MS);
  const day = DAYS[(opensAt.getUTCDay() + 6) % 7] ?? 'Mon';
  const closed = { days: [day], from: '00:00', until: '01:00', timeZone: 'UTC' };
  const prod = await newEnvironment(t, stage, 'prod', { gates: { windows: [closed] } });
  const staging = await newEnvironment(t, stage, 'staging');
  const patch = async (windows: readonly object[] | null) => {
    const { status, body } = await stage.cluster.request(
      'PATCH',
      `/apis/towpath.dev/v1alpha1/environments/${prod.name}`,
      { body: { spec: { gates: { windows } } }, contentType: 'application/merge-patch+json' },
    );
    assert.equal(status, 200, body);
  };
  await stage.application('web', { environments: [{ name: staging.name }, { name: prod.name }] });
  const waiting = await stage.until(
    'web',
    ({ status }) =>
      environmentOf(status, staging.name)?.sync === 'Synced' &&
      environmentOf(status, prod.name)?.sync === 'Waiting',
    'staging to be deployed and prod to wait',
  );
  const [blocked] = environmentOf(waiting.status, prod.name)?.blockedBy ?? [];
  assert.equal(blocked?.reason, 'OutsideWindow');
  assert.equal(Date.parse(blocked?.clearsAt ?? ''), opensAt.getTime());
  assert.match(blocked?.message ?? '', /the next one begins at .*\[UTC\]/);

  await patch([{ ...closed, timeZone: 'Europe/Berlyn' }]);
  const invalid = await stage.until(
    'web',
    ({ status }) => environmentOf(status, prod.name)?.blockedBy?.[0]?.reason === 'WindowInvalid',
    'the window to be told as invalid',
  );
  assert.equal(environmentOf(invalid.status, prod.name)?.sync, 'Blocked');
  assert.equal(conditionOf(invalid, 'Stalled'), undefined, 'who runs the Environment clears it');
  await eventually(
    async () => {
      const told = await stage.kubectl(
        'get',
        'environment',
        prod.name,
        '-o',
        'jsonpath={.status.conditions[?(@.type=="Stalled")].message}',
      );
      return /time zone Europe\/Berlyn, which is not known/.test(told);
    },
    { describe: 'the Environment to be Stalled' },
  );

  await patch([closed, { days: [...DAYS], from: '00:00', until: '24:00', timeZone: 'Pacific/Auckland' }]);
  const ready = await stage.until(
    'web',
    ({ status }) => status?.summary?.environments === '2/2',
    'both to be deployed',
  );
  assert.equal(environmentOf(ready.status, prod.name)?.blockedBy, undefined);
});
