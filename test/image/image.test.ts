import assert from 'node:assert/strict';
import { chmodSync, copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { GenericContainer, type StartedTestContainer, Wait } from 'testcontainers';
import { dockerSays, withoutDocker } from '../../hack/image/docker.ts';
import { buildImage } from '../../hack/image.ts';
import { newStage, type Stage } from '../harness/operator.ts';
import { temporaryDirectory } from '../harness/process.ts';

// Its reaper is an image of a registry; each test stops what it started.
process.env.TESTCONTAINERS_RYUK_DISABLED = 'true';

const missing = withoutDocker();
const skip = missing !== undefined && missing;
let image: string;

before(
  async () => {
    if (missing === undefined) image = await buildImage({ tag: 'towpath:test' });
  },
  { timeout: 900_000 },
);

const configMap = (message: string) =>
  `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\ndata: {message: "${message}"}\n`;

/** As the installation runs it. */
class Hardened extends GenericContainer {
  constructor() {
    super(image);
    this.hostConfig.ReadonlyRootfs = true;
    this.withDroppedCapabilities('ALL')
      .withSecurityOpt('no-new-privileges')
      .withTmpFs({ '/tmp': 'rw,noexec,nosuid,nodev,size=256m' });
  }
}

/** The operator in a container, beside a control plane and a Git server on this machine. */
async function startContainer(stage: Stage): Promise<StartedTestContainer> {
  const kubeconfig = join(temporaryDirectory('image'), 'kubeconfig');
  copyFileSync(stage.cluster.kubeconfigPath, kubeconfig);
  // The container's user is another one.
  chmodSync(kubeconfig, 0o644);
  return new Hardened()
    .withNetworkMode('host')
    .withBindMounts([{ source: kubeconfig, target: '/kubeconfig', mode: 'ro' }])
    .withEnvironment({ KUBECONFIG: '/kubeconfig' })
    .withCommand([
      `--namespace=${stage.namespace}`,
      `--watch-namespace=${stage.namespace}`,
      '--probe-address=127.0.0.1:0',
      '--metrics-address=127.0.0.1:0',
      '--webhook-address=127.0.0.1:0',
      '--allow-loopback-repositories',
    ])
    .withWaitStrategy(Wait.forLogMessage('Towpath is watching.'))
    .start();
}

test('I1: the image has a user without a name for root, and neither a shell nor a package manager', {
  skip,
}, () => {
  const [config] = JSON.parse(dockerSays('image', 'inspect', image) ?? '[]') as [
    { Config: { User: string; Labels: Record<string, string> } },
  ];
  assert.match(config.Config.User, /^[1-9]\d*:[1-9]\d*$/);
  assert.equal(config.Config.Labels['org.opencontainers.image.licenses'], 'Apache-2.0');
  for (const program of ['/bin/sh', '/bin/bash', '/usr/bin/apt-get', '/usr/bin/dpkg', '/bin/busybox']) {
    assert.equal(dockerSays('run', '--rm', '--entrypoint', program, image, '--version'), undefined, program);
  }
});

test('I1, A7: with a read-only root, no capability and no new privileges it deploys, follows a push, and ends in order', {
  skip,
}, async (t) => {
  const stage = await newStage(t, { files: { 'web.yaml': configMap('one') }, startOperator: false });
  const container = await startContainer(stage);
  t.after(() => container.stop({ timeout: 12_000 }).catch(() => undefined));
  await stage.deployed('web');
  const second = await stage.repository.commit({ 'web.yaml': configMap('two') });
  await stage.untilReadyAt('web', second);
  assert.equal(await stage.kubectl('get', 'configmap', 'web', '-o', 'jsonpath={.data.message}'), 'two');

  dockerSays('kill', '--signal=TERM', container.getId());
  assert.equal(dockerSays('wait', container.getId()), '0');
  const holder = await stage.kubectl('get', 'lease', 'towpath', '-o', 'jsonpath={.spec.holderIdentity}');
  assert.equal(holder, '', 'the Lease is released');
});
