import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { clusterBinary } from '../../hack/programs.ts';
import { newCertificates } from './certificates.ts';
import { type Access, type Cluster, clusterOf, kubeConfigText } from './cluster.ts';
import {
  apiServerArgs,
  controllerManagerArgs,
  etcdArgs,
  etcdDirectory,
  type Layout,
  schedulerArgs,
} from './components.ts';
import { freePort, type RunningProcess, startProcess, temporaryDirectory } from './process.ts';
import { createNodes, waitForController, waitUntilReady } from './ready.ts';

export type { Cluster, KubectlResult } from './cluster.ts';

export interface ControlPlaneOptions {
  /** Runs kube-controller-manager (ServiceAccounts, garbage collection, namespace deletion); default true. */
  controllers?: boolean;
  /** Runs kube-scheduler; default: when there are nodes. */
  scheduler?: boolean;
  /** Simulated nodes, whose pods become ready at once; default 0. */
  nodes?: number;
  /** Keeps data, credentials, ports and kubeconfig here and leaves them; default: a directory that goes at the end. */
  dataDir?: string;
  /** The API server's port; default a free one, and with a dataDir the one it had. */
  port?: number;
  /** The processes outlive this one; default false. */
  detached?: boolean;
  /** By which the Pods of a real node reach the API server; only in a network namespace of this run's own. */
  nodeAddress?: string;
  /** Further arguments of kube-apiserver. */
  apiServerArgs?: readonly string[];
}

export interface ControlPlane extends Cluster {
  readonly directory: string;
  /** Current processes; `apiServer` is another one after a restart. `etcd.pause()` hangs the API server. */
  readonly processes: {
    readonly etcd: RunningProcess;
    readonly apiServer: RunningProcess;
    readonly controllerManager?: RunningProcess;
    readonly scheduler?: RunningProcess;
    readonly nodes?: RunningProcess;
  };
  /** Ends kube-apiserver; until `startApiServer` connections to it are refused. */
  stopApiServer(): Promise<void>;
  /** Starts kube-apiserver again on the same port and waits until it is ready. */
  startApiServer(): Promise<void>;
  /**
   * Ends etcd and kube-apiserver, lets `act` do something to etcd's data directory, and starts them again: a backup, or
   * its restoration.
   */
  offline(act: (dataDirectory: string) => void): Promise<void>;
  /** Ends all of it and removes what it wrote, unless a dataDir was given. */
  stop(): Promise<void>;
}

/** Memory is given back rarely: collecting it is an eighth of what an API server of tests does. */
const SHORT_LIVED = { ...(process.env as Record<string, string>), GOGC: '400' };

/** Starts etcd, kube-apiserver and what the options ask for on 127.0.0.1; unless detached, all end with this process. */
export async function startControlPlane(options: ControlPlaneOptions = {}): Promise<ControlPlane> {
  const isKept = options.dataDir !== undefined && existsSync(layoutPath(options.dataDir));
  for (let attempt = 1; ; attempt++) {
    try {
      return await start(options);
    } catch (error) {
      // A port that was free when chosen may be taken when it is used.
      const taken = error instanceof Error && error.message.includes('address already in use');
      // Those that a dataDir had before are in somebody's kubeconfig.
      if (!taken || isKept || options.port || attempt === 3) throw error;
      if (options.dataDir !== undefined) rmSync(layoutPath(options.dataDir), { force: true });
    }
  }
}

async function start(options: ControlPlaneOptions): Promise<ControlPlane> {
  const binary = await clusterBinary();
  const nodes = options.nodes ?? 0;
  const directory = options.dataDir ?? temporaryDirectory('control-plane');
  const layout = await prepare(directory, options);
  const detached = options.detached ?? false;
  const launch = (
    name: string,
    args: readonly string[],
    command: string,
    env?: Readonly<Record<string, string>>,
  ) =>
    startProcess({
      name,
      command,
      args,
      ...(env === undefined ? {} : { env }),
      logPath: join(directory, `${name}.log`),
      detached,
    });
  const component = (name: string, args: readonly string[]) =>
    launch(name, [name, ...args], binary, SHORT_LIVED);
  const startApi = () =>
    component('kube-apiserver', [...apiServerArgs(layout), ...(options.apiServerArgs ?? [])]);

  const startEtcd = () => component('etcd', etcdArgs(layout));
  const processes: { -readonly [K in keyof ControlPlane['processes']]: ControlPlane['processes'][K] } = {
    etcd: startEtcd(),
    apiServer: startApi(),
  };
  const access = accessOf(layout);
  const cluster = clusterOf(access, layout.kubeconfig, binary);
  const stop = async () => {
    const signal = options.dataDir ? 'SIGTERM' : 'SIGKILL';
    const all = [processes.nodes, processes.scheduler, processes.controllerManager, processes.apiServer];
    await Promise.all(all.map((process) => process?.stop('SIGKILL')));
    await processes.etcd.stop(signal);
    if (!options.dataDir) rmSync(directory, { recursive: true, force: true });
  };
  try {
    await waitUntilReady(access, [processes.etcd, processes.apiServer]);
    if (options.controllers ?? true) {
      processes.controllerManager = component('kube-controller-manager', controllerManagerArgs(layout));
    }
    if (options.scheduler ?? (nodes > 0 || options.nodeAddress !== undefined))
      processes.scheduler = component('kube-scheduler', schedulerArgs(layout));
    if (nodes > 0) {
      await createNodes(access, nodes);
      processes.nodes = launch('nodes', [simulator, layout.kubeconfig], process.execPath);
    }
    if (processes.controllerManager) await waitForController(access, processes.controllerManager);
  } catch (error) {
    await stop();
    throw error;
  }
  const startApiServer = async () => {
    processes.apiServer = startApi();
    await waitUntilReady(access, [processes.etcd, processes.apiServer]);
  };
  const stopApiServer = () => processes.apiServer.stop();
  const offline = async (act: (dataDirectory: string) => void) => {
    await stopApiServer();
    await processes.etcd.stop('SIGTERM');
    act(etcdDirectory(layout));
    processes.etcd = startEtcd();
    await startApiServer();
  };
  return {
    ...cluster,
    directory,
    processes,
    stopApiServer,
    startApiServer,
    offline,
    stop,
  };
}

/** Plays the nodes. */
const simulator = join(import.meta.dirname, '../../hack/nodes/main.ts');

function layoutPath(directory: string): string {
  return join(directory, 'layout.json');
}

/** As Pods know the API server. */
const SERVICE_HOSTS = ['10.96.0.1', 'kubernetes.default.svc'];

/** What a layout file keeps, so that a dataDir serves the same address and credentials again. */
async function prepare(
  directory: string,
  { port, nodeAddress }: Pick<ControlPlaneOptions, 'port' | 'nodeAddress'>,
): Promise<Layout> {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const path = layoutPath(directory);
  if (existsSync(path)) {
    const kept = JSON.parse(readFileSync(path, 'utf8')) as Layout;
    return { ...kept, apiPort: port ?? kept.apiPort };
  }
  const hosts = nodeAddress === undefined ? [] : [nodeAddress, ...SERVICE_HOSTS];
  const certificates = await newCertificates(['127.0.0.1', 'localhost', ...hosts]);
  const serviceAccountKey = generateKeyPairSync('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs1', format: 'pem' },
  });
  const token = () => randomBytes(24).toString('base64url');
  const layout: Layout = {
    directory,
    apiPort: port ?? (await freePort()),
    etcdPort: await freePort(),
    etcdPeerPort: await freePort(),
    ca: certificates.ca,
    adminToken: token(),
    kubeconfig: join(directory, 'kubeconfig'),
    nodeAddress,
  };
  const write = (name: string, text: string) => writeFileSync(join(directory, name), text, { mode: 0o600 });
  write('ca.crt', certificates.ca);
  write('tls.crt', certificates.serverCert);
  write('tls.key', certificates.serverKey);
  write('kubelet-client.crt', certificates.clientCert);
  write('kubelet-client.key', certificates.clientKey);
  write('sa.key', serviceAccountKey.privateKey);
  write('sa.pub', serviceAccountKey.publicKey);
  const componentTokens = { 'kube-controller-manager': token(), 'kube-scheduler': token() };
  const users = Object.entries(componentTokens).map(([name, value]) => `${value},system:${name},${name}`);
  write('tokens.csv', [`${layout.adminToken},admin,admin,"system:masters"`, ...users, ''].join('\n'));
  const serverUrl = accessOf(layout).serverUrl;
  write('kubeconfig', kubeConfigText(accessOf(layout)));
  for (const [name, value] of Object.entries(componentTokens)) {
    write(`${name}.kubeconfig`, kubeConfigText({ serverUrl, ca: layout.ca, token: value }));
  }
  write('layout.json', JSON.stringify(layout));
  return layout;
}

function accessOf(layout: Layout): Access {
  return {
    serverUrl: `https://127.0.0.1:${layout.apiPort}`,
    ca: layout.ca,
    token: layout.adminToken,
  };
}
