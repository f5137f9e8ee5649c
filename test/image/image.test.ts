import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { before, type TestContext, test } from 'node:test';
import { GenericContainer, Wait } from 'testcontainers';
import { gitImage } from '../../hack/image/debian-images.ts';
import { dockerSays } from '../../hack/image/docker.ts';
import { newStage, type Stage } from '../harness/operator.ts';
import { scaled } from '../harness/slowness.ts';
import { eventually } from '../harness/wait.ts';
import {
  BUILD_MS,
  chartLimits,
  exitCodeOf,
  operatorImage,
  skip,
  startContainer,
  startOf,
  stateOf,
} from './container.ts';

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
  for (const name of ['url', 'source']) assert.match(label(name), /^https:\/\/[^\s]{3,}$/);
  for (const program of ['/bin/sh', '/bin/bash', '/usr/bin/apt-get', '/usr/bin/dpkg', '/bin/busybox']) {
    const { status, stderr } = spawnSync('docker', ['run', '--rm', '--entrypoint', program, image], {
      encoding: 'utf8',
    });
    // Of Docker itself: there is no such program.
    assert.equal(status, 127, `${program}: ${stderr}`);
  }
});

test('A30: the image has the time zones by which windows open', { skip }, () => {
  const script = `console.log(new Date('2026-11-30T08:00:00Z').toLocaleString('sv', { timeZone: 'Australia/Lord_Howe' }), process.versions.tz)`;
  const said = dockerSays('run', '--rm', '--entrypoint', '/usr/local/bin/node', image, '-e', script);
  assert.match(said ?? '', /^2026-11-30 19:00:00 20\d\d[a-z]/);
});

test("I1, A7: with the chart's memory, a read-only root, no capability and no new privileges it deploys and follows a push; asked to end it does so within 10 s, and a successor leads within 2 s of that and deploys", {
  skip,
}, async (t) => {
  const stage = await newStage(t, { files: { 'web.yaml': configMap('one') }, startOperator: false });
  const repoURL = `${await startGitContainer(t, stage)}/${stage.repository.name}`;
  const container = await startContainer(t, stage);
  t.diagnostic(await startOf(container));
  const memory = dockerSays('inspect', '--format', '{{.HostConfig.Memory}}', container.getId());
  assert.equal(Number(memory), chartLimits().memoryBytes);
  await stage.deployed('web', { source: { repoURL } });
  const holder = () => stage.kubectl('get', 'lease', 'towpath', '-o', 'jsonpath={.spec.holderIdentity}');
  const leader = await holder();
  assert.notEqual(leader, '');
  const successor = await startContainer(t, stage);
  await startOf(successor);
  const second = await stage.repository.commit({ 'web.yaml': configMap('two') });
  await stage.untilReadyAt('web', second);
  assert.equal(await holder(), leader, 'the first one leads while it runs');

  const asked = performance.now();
  dockerSays('kill', '--signal=TERM', container.getId());
  const led = eventually(async () => ![leader, ''].includes(await holder()), {
    describe: 'the other one to lead',
  }).then(() => performance.now() - asked);
  assert.equal(await exitCodeOf(container), '0');
  const ended = performance.now() - asked;
  assert.ok(ended < scaled(10_000), `it ended after ${ended} ms`);
  assert.equal(stateOf(container).OOMKilled, false);
  const took = (await led) - ended;
  assert.ok(took < scaled(2_000), `another one led ${took} ms after its end`);
  const third = await stage.repository.commit({ 'web.yaml': configMap('three') });
  await stage.untilReadyAt('web', third);
  t.diagnostic(
    `it ended ${Math.round(ended)} ms after SIGTERM, and the other one led ${Math.round(took)} ms later`,
  );

  // With nobody after it.
  dockerSays('kill', '--signal=TERM', successor.getId());
  assert.equal(await exitCodeOf(successor), '0');
  assert.equal(await holder(), '', 'the Lease is released');
});
