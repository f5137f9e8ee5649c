import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { docker, dockerSays, withoutDocker } from '../../hack/image/docker.ts';
import { buildImage } from '../../hack/image.ts';
import { newStage } from '../harness/operator.ts';
import { kubeconfigWith, operatorToken } from '../harness/operator-rights.ts';
import { startProcess, temporaryDirectory } from '../harness/process.ts';
import { without } from '../harness/programs.ts';
import { eventually } from '../harness/wait.ts';

/** Runs programs of another architecture; Debian's package qemu-user-static. */
const QEMU = 'qemu-aarch64-static';
/** Ten to thirty times as slow as the machine itself. */
const EMULATED_MS = 300_000;

interface ImageConfig {
  Entrypoint: string[];
  Env: string[];
}

/** The files of an image, in a directory. */
async function filesOf(image: string): Promise<string> {
  const directory = temporaryDirectory('arm64');
  const archive = join(directory, 'files.tar');
  const id = dockerSays('create', image) ?? '';
  try {
    await docker(['export', '--output', archive, id]);
  } finally {
    dockerSays('rm', id);
  }
  const root = join(directory, 'root');
  mkdirSync(root);
  execFileSync('tar', ['-C', root, '-xf', archive]);
  return root;
}

/** A program of this machine that runs one of the image's, for those who start it by its path. */
function emulated(root: string, program: string): string {
  const path = join(root, '..', 'emulated');
  // In full: the engine is started without a PATH.
  const qemu = execFileSync('sh', ['-c', `command -v ${QEMU}`], { encoding: 'utf8' }).trim();
  writeFileSync(path, `#!/bin/sh\nexec ${qemu} -L '${root}' '${join(root, program)}' "$@"\n`);
  chmodSync(path, 0o755);
  return path;
}

test("the image for arm64 starts, renders with its own engine and deploys a chart, under qemu's emulation", {
  skip: withoutDocker() ?? without(QEMU),
}, async (t) => {
  const image = await buildImage({ platform: 'linux/arm64', tag: 'towpath:arm64' });
  const root = await filesOf(image);
  const [{ Config: config }] = JSON.parse(dockerSays('image', 'inspect', image) ?? '[]') as [
    { Config: ImageConfig },
  ];
  const [node = '', ...args] = config.Entrypoint;
  const variables = Object.fromEntries(config.Env.map((one) => one.split(/=(.*)/, 2) as [string, string]));
  const stage = await newStage(t, {
    files: {
      'web/Chart.yaml': 'apiVersion: v2\nname: web\nversion: 1.0.0\n',
      'web/templates/a.yaml':
        'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\ndata: {message: {{ .Release.Name }}}\n',
    },
    startOperator: false,
  });
  const { cluster, namespace } = stage;
  const token = await operatorToken(t, cluster, namespace, namespace);
  const operator = startProcess({
    name: 'operator of arm64',
    command: QEMU,
    args: [
      ...['-L', root, join(root, node)],
      // What begins with a slash is a path in the image.
      ...args.map((argument) => (argument.startsWith('/') ? join(root, argument) : argument)),
      `--namespace=${namespace}`,
      `--watch-namespace=${namespace}`,
      `--engine=${emulated(root, variables.TOWPATH_ENGINE ?? '')}`,
      '--probe-address=127.0.0.1:0',
      '--metrics-address=127.0.0.1:0',
      '--webhook-address=127.0.0.1:0',
      '--allow-loopback-repositories',
    ],
    env: { PATH: process.env.PATH ?? '', KUBECONFIG: kubeconfigWith(cluster, token) },
    logPath: join(root, '../operator.log'),
  });
  t.after(() => operator.stop());
  await eventually(() => operator.logTail(100).includes('Towpath is watching.') || !operator.running, {
    within: EMULATED_MS,
    describe: 'the operator to begin',
  });
  const revision = await stage.repository.revParse('main');
  await stage.application('web', { source: { path: 'web' } });
  await stage.untilReadyAt('web', revision, EMULATED_MS).catch((error: Error) => {
    throw new Error(`${error.message}\n${operator.logTail(20)}`);
  });
});
