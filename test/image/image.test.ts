import assert from 'node:assert/strict';
import { join } from 'node:path';
import { before, type TestContext, test } from 'node:test';
import { GenericContainer, Wait } from 'testcontainers';
import { gitImage } from '../../hack/image/debian-images.ts';
import { dockerSays } from '../../hack/image/docker.ts';
import { newStage, type Stage } from '../harness/operator.ts';
import { scaled } from '../harness/slowness.ts';
import { BUILD_MS, chartLimits, operatorImage, skip, startContainer, startOf, stateOf } from './container.ts';

let image: string;

before(
  async () => {
    image = await operatorImage();
  },
  { timeout: scaled(BUILD_MS) },
);

const configMap = (message: string) =>
  `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\ndata: {message: "${message}"}\n`;

/** The stage's repositories behind a Git server in a container with an address of its own. @returns its URL. */
async function startGitContainer(t: TestContext, stage: Stage): Promise<string> {
  const container = await new GenericContainer(await gitImage())
    .withBindMounts([
      { source: stage.repository.root, target: '/repositories', mode: 'ro' },
      { source: join(import.meta.dirname, '..'), target: '/test', mode: 'ro' },
    ])
    .withCommand(['/usr/local/bin/node', '/test/image/git-server.ts'])
    .withWaitStrategy(Wait.forLogMessage('listening'))
    .start();
  t.after(() => container.stop({ timeout: 1_000 }).catch(() => undefined));
  const [address] = container.getNetworkNames().map((name) => container.getIpAddress(name));
  return `http://${address}:8080`;
}

test('I1: the image has a user without a name for root, and neither a shell nor a package manager', {
  skip,
}, () => {
  const [config] = JSON.parse(dockerSays('image', 'inspect', image) ?? '[]') as [
    { Config: { User: string; Labels: Record<string, string> } },
  ];
  assert.match(config.Config.User, /^[1-9]\d*:[1-9]\d*$/);
  const label = (name: string) => config.Config.Labels[`org.opencontainers.image.${name}`] ?? '';
  assert.equal(label('licenses'), 'Apache-2.0');
  assert.match(label('version'), /^0\.[1-9]/);
  assert.match(label('revision'), /^[0-9a-f]{40}$/);
  assert.match(label('created'), /^\d{4}-\d{2}-\d{2}T[\d:.]{8,12}Z$/);
  for (const program of ['/bin/sh', '/bin/bash', '/usr/bin/apt-get', '/usr/bin/dpkg', '/bin/busybox']) {
    assert.equal(dockerSays('run', '--rm', '--entrypoint', program, image, '--version'), undefined, program);
  }
});

test("I1, A7: with the chart's memory, a read-only root, no capability and no new privileges it deploys, follows a push, and ends within its grace", {
  skip,
}, async (t) => {
  const stage = await newStage(t, { files: { 'web.yaml': configMap('one') }, startOperator: false });
  const repoURL = `${await startGitContainer(t, stage)}/${stage.repository.name}`;
  const container = await startContainer(t, stage);
  t.diagnostic(await startOf(container));
  const memory = dockerSays('inspect', '--format', '{{.HostConfig.Memory}}', container.getId());
  assert.equal(Number(memory), chartLimits().memoryBytes);
  await stage.deployed('web', { source: { repoURL } });
  const second = await stage.repository.commit({ 'web.yaml': configMap('two') });
  await stage.untilReadyAt('web', second);
  assert.equal(await stage.kubectl('get', 'configmap', 'web', '-o', 'jsonpath={.data.message}'), 'two');

  const asked = performance.now();
  dockerSays('kill', '--signal=TERM', container.getId());
  assert.equal(dockerSays('wait', container.getId()), '0');
  const took = (performance.now() - asked) / 1000;
  assert.ok(took < chartLimits().graceSeconds, `it ended after ${took} s`);
  assert.equal(stateOf(container).OOMKilled, false);
  const holder = await stage.kubectl('get', 'lease', 'towpath', '-o', 'jsonpath={.spec.holderIdentity}');
  assert.equal(holder, '', 'the Lease is released');
});
