import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startChartRepository } from '../harness/chart-repository.ts';
import { conditionOf, newStage } from '../harness/operator.ts';
import { newSigningKey, type SigningKey } from '../harness/signing-key.ts';
import { eventually } from '../harness/wait.ts';

function podinfo(version: string): Record<string, string> {
  return {
    'Chart.yaml': `apiVersion: v2\nname: podinfo\nversion: ${version}\n`,
    'templates/a.yaml':
      'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: "{{ .Release.Name }}"}\ndata: {text: "{{ .Chart.Version }}"}\n',
  };
}

test('S9: a chart is deployed where a key of the keyring signed it, and what runs stays whatever else comes', async (t) => {
  const published = await startChartRepository();
  t.after(() => published.stop());
  const [mine, theirs] = await Promise.all([newSigningKey('Mine'), newSigningKey('Theirs')]);
  await published.publish(podinfo('1.0.0'), mine);
  const stage = await newStage(t, { flags: [`--ca-file=${published.caFile}`] });
  const textOf = () => stage.kubectl('get', 'configmap', 'web', '-o', 'jsonpath={.data.text}');
  const untilText = (text: string) =>
    eventually(async () => (await textOf()) === text, { describe: `${text} to be deployed` });
  const untilTold = (reason: string) =>
    stage.until(
      'web',
      ({ status }) => status?.conditions?.some((condition) => condition.reason === reason),
      `the status to say ${reason}`,
    );
  const keyring = (...keys: SigningKey[]) =>
    stage.apply({
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'keys' },
      data: { keyring: Buffer.concat(keys.map((key) => key.public)).toString('base64') },
    });

  const verify = { secretRef: { name: 'keys' } };
  const chart = { repoURL: published.url, name: 'podinfo' };

  await t.test(
    'with a keyring that is not there yet nothing is deployed, and with it what it signed',
    async () => {
      await stage.application('web', {
        helm: { chart: { ...chart, version: '^1.0.0', interval: '1s', verify } },
      });
      const told = await untilTold('SecretMissing');
      assert.match(
        conditionOf(told, 'Reconciling')?.message ?? '',
        /Secret .*\/keys, which spec\.helm\.chart\.verify names, does not exist: create it/,
      );
      await keyring(mine);
      await untilText('1.0.0');
    },
  );

  await t.test('what nobody signed is quarantined', async () => {
    await published.publish(podinfo('1.1.0'));
    const told = await untilTold('ChartUnsigned');
    assert.equal(told.status?.sync, 'Quarantined');
    assert.match(conditionOf(told, 'Stalled')?.message ?? '', /podinfo 1\.1\.0 .* is not signed/);
    assert.equal(await textOf(), '1.0.0');
  });

  await t.test('what another key signed is, too, until that is in the keyring', async () => {
    await published.publish(podinfo('1.2.0'), theirs);
    const told = await untilTold('ChartSignatureInvalid');
    assert.match(
      conditionOf(told, 'Stalled')?.message ?? '',
      new RegExp(`podinfo 1\\.2\\.0 .* is signed with the key ${theirs.fingerprint}, .* that has Mine `),
    );
    assert.equal(await textOf(), '1.0.0');
    await keyring(mine, theirs);
    await untilText('1.2.0');
  });

  await t.test(
    'a key that is taken out of it lets in nothing new, and what it let in before stays',
    async () => {
      await keyring(mine);
      await stage.kubectl('patch', 'configmap', 'web', '-p', '{"data":{"text":"drift"}}');
      await untilText('1.2.0');
      await published.publish(podinfo('1.3.0'), theirs);
      await untilTold('ChartSignatureInvalid');
      await published.publish(podinfo('1.4.0'), mine);
      await untilText('1.4.0');
    },
  );

  await t.test(
    'what ran before is judged as it enters once more: by whom it was signed, and whether at all',
    async () => {
      await stage.untilReadyAt('web', '1.4.0');
      await stage.application('web', { helm: { chart: { ...chart, version: '1.2.0', verify } } });
      await untilTold('ChartSignatureInvalid');
      await stage.application('web', { helm: { chart: { ...chart, version: '1.1.0' } } });
      await untilText('1.1.0');
      await stage.application('web', { helm: { chart: { ...chart, version: '1.1.0', verify } } });
      await stage.kubectl('patch', 'configmap', 'web', '-p', '{"data":{"text":"drift"}}');
      await untilText('1.1.0');
      await stage.application('web', { helm: { chart: { ...chart, version: '1.4.0', verify } } });
      await stage.untilReadyAt('web', '1.4.0');
      await stage.application('web', { helm: { chart: { ...chart, version: '1.1.0', verify } } });
      await untilTold('ChartUnsigned');
      assert.equal(await textOf(), '1.4.0');
    },
  );
});
