import assert from 'node:assert/strict';
import { chmodSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { GenericContainer, type StartedTestContainer, Wait } from 'testcontainers';
import { parse } from 'yaml';
import { dockerSays, withoutDocker } from '../../hack/image/docker.ts';
import { buildImage } from '../../hack/image.ts';
import { bytesOf, CHART } from '../harness/chart.ts';
import { runProgram } from '../harness/cluster.ts';
import type { Stage } from '../harness/operator.ts';
import { kubeconfigWith, operatorToken } from '../harness/operator-rights.ts';
import { scaled } from '../harness/slowness.ts';
import { eventually } from '../harness/wait.ts';

// Its reaper is an image of a registry; each test stops what it started.
process.env.TESTCONTAINERS_RYUK_DISABLED = 'true';

const missing = withoutDocker();
/** Of each test here: why it is skipped, or false. */
export const skip = missing ?? false;
/** So long a cold build of the image may take, in milliseconds. */
export const BUILD_MS = 900_000;

const MIB = 2 ** 20;
/** From the start of a container to ready, beside a control plane that answers. Milliseconds. */
const READY_MS = 2_000;
/** What the operator says when it is told to end has so much time beyond the chart's. */
const STOP_SECONDS = 12;

let built: Promise<string> | undefined;

/** The operator's image, built once for each test file. @returns its tag; '' where there is no Docker. */
export async function operatorImage(): Promise<string> {
  if (missing !== undefined) return '';
  built ??= buildImage({ tag: 'towpath:test' });
  return built;
}

interface ChartValues {
  resources: { limits: { memory: string } };
}

/** What the chart gives the operator's container. */
export function chartLimits(): { memoryBytes: number } {
  const values = parse(readFileSync(join(CHART, 'values.yaml'), 'utf8')) as ChartValues;
  return { memoryBytes: bytesOf(values.resources.limits.memory) };
}

/** As the installation runs it, and with a limit of memory. */
class Hardened extends GenericContainer {
  constructor(image: string, memoryBytes: number) {
    super(image);
    this.hostConfig.ReadonlyRootfs = true;
    this.hostConfig.Memory = memoryBytes;
    this.hostConfig.MemorySwap = memoryBytes;
    this.withDroppedCapabilities('ALL')
      .withSecurityOpt('no-new-privileges')
      .withTmpFs({ '/tmp': 'rw,noexec,nosuid,nodev,size=1024m' });
  }
}

/** The operator in a container, beside a control plane on this machine; it ends with the test. */
export async function startContainer(
  t: TestContext,
  stage: Stage,
  memoryBytes = chartLimits().memoryBytes,
): Promise<StartedTestContainer> {
  const { cluster, namespace } = stage;
  const kubeconfig = kubeconfigWith(cluster, await operatorToken(t, cluster, namespace, namespace));
  // The container's user is another one.
  chmodSync(kubeconfig, 0o644);
  const container = await new Hardened(await operatorImage(), memoryBytes)
    // The control plane listens on this machine's loopback address.
    .withNetworkMode('host')
    .withBindMounts([{ source: kubeconfig, target: '/kubeconfig', mode: 'ro' }])
    .withEnvironment({ KUBECONFIG: '/kubeconfig' })
    .withCommand([
      `--namespace=${namespace}`,
      `--watch-namespace=${namespace}`,
      '--probe-address=127.0.0.1:0',
      '--metrics-address=127.0.0.1:0',
      '--webhook-address=127.0.0.1:0',
      '--allow-loopback-repositories',
    ])
    .withWaitStrategy(Wait.forLogMessage('Towpath is watching.'))
    .start();
  t.after(() => container.stop({ timeout: STOP_SECONDS * 1000 }).catch(() => undefined));
  return container;
}

/** What Docker knows of a container: how it runs, or how it ended. */
export interface ContainerState {
  Running: boolean;
  OOMKilled: boolean;
  ExitCode: number;
}

export function stateOf(container: StartedTestContainer): ContainerState {
  const text = dockerSays('container', 'inspect', '--format', '{{json .State}}', container.getId());
  return JSON.parse(text ?? '{}') as ContainerState;
}

/** Resolves when it has ended, without holding up the test meanwhile. */
export async function exitCodeOf(container: StartedTestContainer): Promise<string> {
  const { stdout } = await runProgram('docker', ['wait', container.getId()]);
  return stdout.trim();
}

/** A sentence about a container's start, measured as soon as it is ready: image, time, memory. */
export async function startOf(container: StartedTestContainer): Promise<string> {
  const id = container.getId();
  const log = dockerSays('logs', id) ?? '';
  const [, port] = /"probePort":(\d{1,5})/.exec(log) ?? [];
  await eventually(async () => (await fetch(`http://127.0.0.1:${port}/readyz`)).status === 200, {
    describe: 'the operator in the container to be ready',
  });
  const readyAt = Date.now();
  const startedAt = Date.parse(dockerSays('inspect', '--format', '{{.State.StartedAt}}', id) ?? '');
  const [memory = ''] = (dockerSays('stats', '--no-stream', '--format', '{{.MemUsage}}', id) ?? '').split(
    ' / ',
  );
  const bytes = Number(dockerSays('image', 'inspect', '--format', '{{.Size}}', await operatorImage()));
  assert.ok(readyAt - startedAt < scaled(READY_MS), `ready ${readyAt - startedAt} ms after its start`);
  return `image ${Math.round(bytes / MIB)} MiB; ready ${readyAt - startedAt} ms after its start, with ${memory}`;
}
