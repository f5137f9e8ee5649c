import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { nodeBinary } from '../../hack/programs.ts';
import { CONTROL_GROUP_VARIABLE, controlGroupsOf } from '../../hack/test/control-groups.ts';
import { CLUSTER_DOMAIN, startClusterDns } from './cluster-dns.ts';
import type { ControlPlane } from './control-plane.ts';
import { type RunningProcess, startProcess } from './process.ts';
import { eventually } from './wait.ts';

/** Of the node, and by which its Pods reach what listens on it: the API server, a test's Git server. */
export const NODE_ADDRESS = '10.232.0.1';
const PODS = '10.244.0.0/24';
const CNI_PROGRAMS = ['/usr/lib/cni', '/opt/cni/bin'];

/** Of the node, too, and link-local: where a cloud would serve credentials. */
export const LINK_LOCAL_ADDRESS = '169.254.10.1';

/** A node of a test's own, with Pods that run. */
export interface RealNode {
  readonly name: string;
  /** Names beside those of the cluster that its Pods look up, and their IPv4 addresses; changed at any time. */
  readonly hosts: Map<string, string>;
  /** Loads images, of which an archive as `docker save` writes it is given. */
  load(archive: string): void;
  stop(): Promise<void>;
}

/**
 * Makes the network of a node, in the network and mount namespaces of this process, which must be its own
 * (hack/test/own-namespaces.ts): all of it goes with them.
 */
export function prepareNetwork(): void {
  const run = (command: string) => execFileSync('sh', ['-ec', command], { stdio: 'pipe' });
  run('ip link set lo up');
  run(`ip link add node0 type bridge && ip addr add ${NODE_ADDRESS}/24 dev node0 && ip link set node0 up`);
  run(`ip addr add ${LINK_LOCAL_ADDRESS}/32 dev node0`);
  run(`ip route add default dev node0 src ${NODE_ADDRESS}`);
  run('echo 1 > /proc/sys/net/ipv4/ip_forward');
  // A kubelet shares the mounts of volumes with its containers.
  run('mount --make-rshared /');
  for (const directory of ['/run/netns', '/var/lib/cni', '/var/lib/kubelet'])
    run(`mkdir -p ${directory} && mount -t tmpfs tmpfs ${directory} && mount --make-rshared ${directory}`);
}

/** Starts containerd, kubelet, kube-proxy and a DNS for the cluster, and waits until the node is ready. `pause`: the archive of an image of that name. */
export async function startNode(controlPlane: ControlPlane, pause: string): Promise<RealNode> {
  const name = 'node';
  const { directory, kubeconfigPath } = controlPlane;
  const at = (path: string) => join(directory, path);
  const socket = at('containerd.sock');
  const cgroupRoot = process.env[CONTROL_GROUP_VARIABLE] ?? `towpath-test-${process.pid}`;
  mkdirSync(at('cni'), { recursive: true });
  writeFileSync(at('cni/10-bridge.conflist'), JSON.stringify(network(directory)));
  writeFileSync(at('containerd.toml'), containerdConfig(directory, socket));
  writeFileSync(at('kubelet.yaml'), JSON.stringify(kubeletConfig(directory, socket, cgroupRoot)));
  for (const group of controlGroupsOf(cgroupRoot)) mkdirSync(group, { recursive: true });
  const program = await nodeBinary();
  const processes: RunningProcess[] = [];
  const start = (command: string, ...args: string[]) => {
    const title = command === program ? (args[0] ?? '') : command;
    const started = startProcess({ name: title, command, args, logPath: at(`${title}.log`) });
    processes.push(started);
    return started;
  };
  const containerd = start('containerd', '--config', at('containerd.toml'));
  const ctr = (...args: string[]) =>
    execFileSync('ctr', ['--address', socket, '--namespace', 'k8s.io', ...args], { stdio: 'pipe' });
  const hosts = new Map<string, string>();
  const dns = await startClusterDns(controlPlane, NODE_ADDRESS, hosts);
  const stop = async () => {
    await dns.stop();
    // kubelet first, or it starts again what goes.
    for (const one of processes.toReversed()) await one.stop('SIGKILL');
    // What still runs in containers ends with this run's namespaces; its files need not stay so long.
    for (const mount of mountsBelow(directory)) execFileSync('umount', ['--lazy', mount]);
  };
  try {
    await eventually(() => ctr('version').length > 0 || !containerd.running, { describe: 'containerd' });
    ctr('images', 'import', pause);
    const flags = [`--kubeconfig=${kubeconfigPath}`, `--hostname-override=${name}`];
    const kubelet = start(
      ...([program, 'kubelet', ...flags, `--config=${at('kubelet.yaml')}`] as const),
      ...[`--node-ip=${NODE_ADDRESS}`, `--root-dir=/var/lib/kubelet`],
    );
    const proxy = start(
      ...([program, 'kube-proxy', ...flags, '--proxy-mode=iptables', `--cluster-cidr=${PODS}`] as const),
      ...['--conntrack-max-per-core=0', '--conntrack-min=0', '--conntrack-tcp-timeout-established=0s'],
      ...['--conntrack-tcp-timeout-close-wait=0s', '--masquerade-all=true'],
      ...['--metrics-bind-address=127.0.0.1', '--healthz-bind-address=127.0.0.1'],
    );
    const ready = '{.status.conditions[?(@.type=="Ready")].status} {.spec.taints}';
    const isReady = async () => {
      const { stdout } = await controlPlane.kubectl(['get', 'node', name, '-o', `jsonpath=${ready}`]);
      return stdout.trim() === 'True';
    };
    const ends = [containerd, kubelet, proxy].map(async (one) => {
      throw new Error(`${await one.ended}: ${one.logTail(30)}`);
    });
    const becomesReady = eventually(isReady, {
      within: 120_000,
      every: 200,
      describe: 'the node to be Ready',
    });
    await Promise.race([becomesReady, ...ends]);
  } catch (error) {
    await stop();
    throw error;
  }
  return { name, hosts, stop, load: (archive) => void ctr('images', 'import', archive) };
}

function network(directory: string): object {
  const ipam = {
    type: 'host-local',
    ranges: [[{ subnet: PODS }]],
    routes: [{ dst: '0.0.0.0/0' }],
    dataDir: join(directory, 'addresses'),
  };
  const bridge = { type: 'bridge', bridge: 'pods0', isGateway: true, ipMasq: true, hairpinMode: true, ipam };
  const plugins = [bridge, { type: 'portmap', capabilities: { portMappings: true } }, { type: 'loopback' }];
  return { cniVersion: '1.0.0', name: 'pods', plugins };
}

function containerdConfig(directory: string, socket: string): string {
  const programs = CNI_PROGRAMS.find((path) => existsSync(join(path, 'bridge')));
  return `version = 2
root = "${join(directory, 'containerd')}"
state = "${join(directory, 'containerd-state')}"
[grpc]
address = "${socket}"
[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "docker.io/library/towpath-pause:local"
# A machine may lack the right to make somebody less likely to be killed for memory.
restrict_oom_score_adj = true
[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "${programs}"
conf_dir = "${join(directory, 'cni')}"
`;
}

function kubeletConfig(directory: string, socket: string, cgroupRoot: string): object {
  return {
    apiVersion: 'kubelet.config.k8s.io/v1beta1',
    kind: 'KubeletConfiguration',
    containerRuntimeEndpoint: `unix://${socket}`,
    podLogsDir: join(directory, 'pod-logs'),
    clusterDNS: [NODE_ADDRESS],
    clusterDomain: CLUSTER_DOMAIN,
    // Nobody else is in its network.
    authentication: { anonymous: { enabled: true }, webhook: { enabled: false } },
    authorization: { mode: 'AlwaysAllow' },
    cgroupDriver: 'cgroupfs',
    cgroupRoot: `/${cgroupRoot}`,
    failCgroupV1: false,
    failSwapOn: false,
    localStorageCapacityIsolation: false,
    enforceNodeAllocatable: [],
    evictionHard: {},
    imageGCHighThresholdPercent: 100,
    nodeStatusUpdateFrequency: '5s',
    syncFrequency: '10s',
  };
}

/** The innermost first. */
function mountsBelow(directory: string): string[] {
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8').split('\n');
  const points = mounts.map((line) => line.split(' ')[4] ?? '');
  return points.filter((point) => point.startsWith(`${directory}/`)).toReversed();
}
