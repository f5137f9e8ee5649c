import { spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { withoutDocker } from '../image/docker.ts';
import { CONTROL_GROUP_VARIABLE, removeControlGroups } from './control-groups.ts';

/** By Debian's names of the packages that bring them. */
const PROGRAMS: Readonly<Record<string, string>> = {
  containerd: 'containerd',
  ctr: 'containerd',
  runc: 'runc',
  iptables: 'iptables',
  conntrack: 'conntrack',
  ip: 'iproute2',
  unshare: 'util-linux',
};

const NAMESPACES = ['--net', '--mount', '--pid', '--fork', '--kill-child', '--mount-proc'];

/** Why this machine cannot be a node of a cluster for a while, as a sentence; undefined where it can. */
export function withoutRealNode(): string | undefined {
  if (process.platform !== 'linux') return 'A node needs Linux.';
  if (process.getuid?.() !== 0) return 'A node is started by root only: run it as root.';
  const runs = (...command: string[]) => spawnSync('sh', ['-c', 'command -v "$0"', ...command]).status === 0;
  const missing = Object.entries(PROGRAMS).filter(([program]) => !runs(program));
  if (!['/usr/lib/cni/bridge', '/opt/cni/bin/bridge'].some(existsSync))
    missing.push(['bridge', 'containernetworking-plugins']);
  if (missing.length > 0) {
    const packages = [...new Set(missing.map(([, name]) => name))].join(' ');
    return `A node needs programs that are not here: install ${packages} (Debian's names).`;
  }
  const { status, stderr } = spawnSync('unshare', [...NAMESPACES, 'ip', 'link', 'set', 'lo', 'up'], {
    encoding: 'utf8',
  });
  if (status !== 0) return `This machine lets root make no namespaces of its own: ${stderr.trim()}`;
  return withoutDocker();
}

/**
 * Runs a command in network, mount and process namespaces of its own, and ends with its exit code: whatever it
 * starts, mounts and listens on is seen by nobody else, and goes with it, however it ends.
 */
export async function runInOwnNamespaces(command: string, args: readonly string[]): Promise<number> {
  // The shell is the first process of its namespace: it reaps those whose parents have ended. What runs outside would
  // else be taken for leftovers of processes that are gone.
  const first = 'mount -t tmpfs tmpfs /dev/shm && "$0" "$@"; exit $?';
  const group = `towpath-test-${randomBytes(6).toString('hex')}`;
  const child = spawn('unshare', [...NAMESPACES, 'sh', '-c', first, command, ...args], {
    stdio: 'inherit',
    env: { ...process.env, [CONTROL_GROUP_VARIABLE]: group },
  });
  const code = await new Promise<number>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (ended) => resolve(ended ?? 1));
  });
  removeControlGroups(group);
  return code;
}
