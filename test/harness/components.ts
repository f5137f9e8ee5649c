import { join } from 'node:path';

/** Where a control plane keeps its files and listens. */
export interface Layout {
  directory: string;
  apiPort: number;
  etcdPort: number;
  etcdPeerPort: number;
  /** PEM text. */
  ca: string;
  adminToken: string;
  /** Path of the admin's kubeconfig. */
  kubeconfig: string;
  /** By which the Pods of a real node reach the API server, in a network namespace that is this run's own. */
  nodeAddress?: string | undefined;
}

/** Where etcd has its data. */
export function etcdDirectory({ directory }: Layout): string {
  return join(directory, 'etcd');
}

/** The arguments of each component; all listen on 127.0.0.1 only, but for an API server with a real node. */
export function etcdArgs(layout: Layout): string[] {
  const client = `http://127.0.0.1:${layout.etcdPort}`;
  const peer = `http://127.0.0.1:${layout.etcdPeerPort}`;
  return [
    `--data-dir=${etcdDirectory(layout)}`,
    `--listen-client-urls=${client}`,
    `--advertise-client-urls=${client}`,
    `--listen-peer-urls=${peer}`,
    `--initial-advertise-peer-urls=${peer}`,
    `--initial-cluster=default=${peer}`,
    // A machine that loses power may lose the data of a test.
    '--unsafe-no-fsync',
    '--log-level=warn',
  ];
}

export function apiServerArgs(layout: Layout): string[] {
  const file = (name: string) => join(layout.directory, name);
  return [
    `--etcd-servers=http://127.0.0.1:${layout.etcdPort}`,
    ...reachedBy(layout),
    `--secure-port=${layout.apiPort}`,
    `--tls-cert-file=${file('tls.crt')}`,
    `--tls-private-key-file=${file('tls.key')}`,
    `--token-auth-file=${file('tokens.csv')}`,
    `--client-ca-file=${file('ca.crt')}`,
    '--authorization-mode=RBAC',
    '--service-account-issuer=https://kubernetes.default.svc',
    `--service-account-key-file=${file('sa.pub')}`,
    `--service-account-signing-key-file=${file('sa.key')}`,
    '--service-cluster-ip-range=10.96.0.0/16',
    '--allow-privileged=true',
    '--v=1',
  ];
}

function reachedBy({ nodeAddress, directory }: Layout): string[] {
  // A loopback address is no valid endpoint of the kubernetes Service; nothing uses that Service then.
  if (nodeAddress === undefined) return ['--bind-address=127.0.0.1', '--endpoint-reconciler-type=none'];
  const client = (end: string) => join(directory, `kubelet-client.${end}`);
  return [
    '--bind-address=0.0.0.0',
    `--advertise-address=${nodeAddress}`,
    `--kubelet-client-certificate=${client('crt')}`,
    `--kubelet-client-key=${client('key')}`,
    '--kubelet-preferred-address-types=InternalIP',
  ];
}

export function controllerManagerArgs(layout: Layout): string[] {
  const file = (name: string) => join(layout.directory, name);
  return [
    `--kubeconfig=${file('kube-controller-manager.kubeconfig')}`,
    // Simulated nodes need nobody who looks after them; a real one is made ready by it.
    `--controllers=*,-nodeipam${layout.nodeAddress === undefined ? ',-nodelifecycle' : ''}`,
    '--use-service-account-credentials=true',
    '--kube-api-qps=1000',
    '--kube-api-burst=2000',
    `--service-account-private-key-file=${file('sa.key')}`,
    `--root-ca-file=${file('ca.crt')}`,
    '--leader-elect=false',
    '--secure-port=0',
  ];
}

export function schedulerArgs(layout: Layout): string[] {
  const kubeconfig = join(layout.directory, 'kube-scheduler.kubeconfig');
  return [`--kubeconfig=${kubeconfig}`, '--leader-elect=false', '--secure-port=0'];
}
