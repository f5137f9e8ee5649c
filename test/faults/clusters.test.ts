import { type TestContext, test } from 'node:test';
import { newEnvironment } from '../harness/environments.ts';
import { startFaultProxy } from '../harness/fault-proxy.ts';
import { newStage } from '../harness/operator.ts';
import {
  ENVIRONMENTS,
  newAccount,
  newLanding,
  newRemoteEnvironment,
  OPERATORS,
  storeKubeConfig,
  useOtherCluster,
} from '../harness/other-cluster.ts';
import { eventually } from '../harness/wait.ts';

const configMap = (name: string, version: string) =>
  `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ${name}}\ndata: {version: "${version}"}\n`;

const SECRET = 'apiVersion: v1\nkind: Secret\nmetadata: {name: web}\nstringData: {is: one}\n';

/** Another cluster behind a proxy that does harm, and an environment here, of one Application. */
async function newWeb(t: TestContext) {
  const other = await useOtherCluster();
  const proxy = await startFaultProxy(other);
  t.after(() => proxy.stop());
  const stage = await newStage(t, { files: { 'web.yaml': configMap('web', '0'), 'secret.yaml': SECRET } });
  const here = await newEnvironment(t, stage, 'here');
  const there = await newRemoteEnvironment(t, stage, 'there');
  await newLanding(t, other, there.namespace);
  const kubeConfig = proxy.kubeConfigFor(await newAccount(other, stage.namespace));
  await storeKubeConfig(stage, 'there', kubeConfig);
  const environments = [{ name: here.name }, { name: there.name }];
  await stage.deployed('web', { environments });
  return { stage, other, proxy, here, there, kubeConfig };
}

test('B7: Environments with the same kubeconfig share its watches, and one with another account has its own', async (t) => {
  const { stage, other, proxy, kubeConfig } = await newWeb(t);
  const open = async (expected: number, describe: string) => {
    const paths = () => proxy.find({ verb: 'watch' }).map(({ path }) => path);
    await eventually(() => proxy.openWatches() === expected, {
      within: 30_000,
      describe: `${expected} watches ${describe}; ${proxy.openWatches()} of ${paths().join(' ')}`,
    });
  };
  const add = async (suffix: string, secret: string) => {
    const more = await newRemoteEnvironment(t, stage, suffix, secret);
    await newLanding(t, other, more.namespace);
    await stage.deployed(suffix, { environments: [{ name: more.name }] });
  };
  // Definitions, autoscalers, ConfigMaps; and Secrets in each namespace.
  await open(3 + 1, 'of one Environment');
  await add('same', 'there');
  await open(3 + 2, 'with one more of the same Secret');
  await storeKubeConfig(stage, 'copied', kubeConfig);
  await add('copied', 'copied');
  await open(3 + 3, 'with one whose Secret has the same content');

  const account = await newAccount(other, `${stage.namespace}-own`);
  await storeKubeConfig(stage, 'own', proxy.kubeConfigFor(account));
  await add('own', 'own');
  await open(6 + 3 + 1, 'with one of another account');
  const blind = await newAccount(other, `${stage.namespace}-blind`, [OPERATORS]);
  await storeKubeConfig(stage, 'blind', proxy.kubeConfigFor(blind));
  await add('blind', 'blind');
  // Definitions; and autoscalers, ConfigMaps, Secrets in each namespace.
  await open(10 + 1 + 3, 'with one whose account may list nothing everywhere');

  for (const gone of ['own', 'blind']) {
    await stage.kubectl('delete', 'application', gone);
    await stage.cluster.request('DELETE', `${ENVIRONMENTS}/${gone}-${stage.namespace}`);
  }
  await open(6, 'when nobody uses these two any more');
});
