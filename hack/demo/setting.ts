import { execFileSync, spawn } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  globSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { startControlPlane } from '../../test/harness/control-plane.ts';
import { type GitHttpServer, startGitHttp } from '../../test/harness/git-http.ts';
import { createRepository } from '../../test/harness/git-repository.ts';
import { type RunningProcess, startProcess } from '../../test/harness/process.ts';
import { eventually } from '../../test/harness/wait.ts';
import { buildEngine } from '../build-engine.ts';
import { buildOperator, NODE_ENVIRONMENT, NODE_FLAGS } from '../build-operator.ts';
import { buildPlugin } from '../build-plugin.ts';
import { clusterBinary } from '../programs.ts';
import { type ChartServer, serveCharts } from './chart-server.ts';
import { type CurrentCluster, enterCurrentCluster } from './current-cluster.ts';
import type { DemoDirectory } from './directory.ts';
import { type Installation, operatorKubeconfig, writeInstallation } from './installation.ts';
import { namespace } from './names.ts';
import { endGroup, newShell, type Shell } from './shell.ts';
import { timed } from './terminal.ts';

const identity = { name: 'Demo', email: 'demo@example.com' };

export interface SettingOptions {
  directory: DemoDirectory;
  /** The user's cluster instead of a new one. */
  current: boolean;
  /** Ends what is under way. */
  signal: AbortSignal;
}

/** What the demo plays in: a cluster, a Git server, and a shell that knows both. */
export interface Setting {
  readonly shell: Shell;
  readonly kubeconfigPath: string;
  readonly binDirectory: string;
  readonly repoURL: string;
  /** Of somebody else. */
  readonly charts: ChartServer;
  /** How the demo names the kind: a cluster that also runs Argo CD has another `applications`. */
  readonly applications: string;
  readonly environments: string;
  /** Of the cluster that prod is; undefined where there is one cluster only. In the shell's directory. */
  readonly prodKubeconfigPath: string | undefined;
  /** As one types it to ask the cluster that prod is. */
  readonly kubectlOfProd: string;
  /** Whether the cluster knows Applications already; then its definition is used and left as it is. */
  readonly hasDefinition: boolean;
  /** Its rights, those of people, and what the API server proves. */
  readonly installation: Installation;
  readonly operator: RunningProcess | undefined;
  /** With the account and the flags of the installation, which is applied by then. */
  startOperator(): Promise<void>;
  stopGit(): Promise<void>;
  startGit(): Promise<void>;
  stop(): Promise<void>;
}

/** Builds what is missing and starts all but the operator. On failure what was started is stopped. */
export async function prepareSetting(options: SettingOptions): Promise<Setting> {
  const { directory, signal } = options;
  const stops: (() => Promise<unknown>)[] = [];
  const stop = async () => {
    for (const one of stops.splice(0).reverse()) await one();
  };
  try {
    checkGit();
    await build(options);
    const binary = await clusterBinary();
    const kubeconfigPath = join(directory.path, 'kubeconfig');
    const binDirectory = directory.make('bin');
    writeKubectl(join(binDirectory, 'kubectl'), binary);
    await linkPlugin(binDirectory);
    const shell = newShell({
      directory: directory.make('work'),
      environment: shellEnvironment(kubeconfigPath, binDirectory),
      signal,
    });
    const prodKubeconfigPath = join(shell.directory, 'prod.kubeconfig');
    let current: CurrentCluster | undefined;
    if (options.current) {
      current = await enterCurrentCluster(shell);
      stops.push(current.leave);
    } else {
      const starting = Promise.all([
        startControlPlane({ nodes: 2, dataDir: directory.make('cluster') }),
        startControlPlane({ nodes: 1, dataDir: directory.make('prod') }),
      ]);
      // When an interrupt comes meanwhile, the processes end with this one.
      const [cluster, prod] = await timed(
        'Starting etcd, kube-apiserver, kube-controller-manager, kube-scheduler and simulated nodes, for two clusters',
        untilAborted(starting, signal),
      );
      stops.push(cluster.stop, prod.stop);
      copyFileSync(cluster.kubeconfigPath, kubeconfigPath);
      copyFileSync(prod.kubeconfigPath, prodKubeconfigPath);
    }
    const git = await timed('Starting a Git server with a repository', serveRepository(directory));
    stops.push(git.stop);
    const charts = await serveCharts(directory.make('charts'));
    stops.push(charts.stop);
    const installation = await writeInstallation(
      shell,
      options.current ? "the demo's namespace" : 'all namespaces',
    );
    let operator: RunningProcess | undefined;
    return {
      shell,
      kubeconfigPath,
      binDirectory,
      repoURL: git.repoURL,
      charts,
      applications: options.current ? 'applications.towpath.dev' : 'applications',
      environments: options.current ? 'environments.towpath.dev' : 'environments',
      prodKubeconfigPath: options.current ? undefined : prodKubeconfigPath,
      kubectlOfProd: options.current ? 'kubectl' : 'kubectl --kubeconfig prod.kubeconfig',
      hasDefinition: current?.hasDefinition ?? false,
      installation,
      stopGit: git.stop,
      startGit: git.start,
      get operator() {
        return operator;
      },
      async startOperator() {
        const engine = await buildEngine();
        const program = await buildOperator();
        const path = join(directory.path, 'operator.kubeconfig');
        const kubeconfig = await operatorKubeconfig(shell, path, installation.account);
        const flags = [
          ...installation.flags,
          `--watch-namespace=${options.current ? namespace : ''}`,
          `--ca-file=${charts.caFile}`,
        ];
        operator = runOperator({ program, engine, directory: directory.path, shell, kubeconfig, flags });
        stops.push(() => operator?.stop('SIGTERM') ?? Promise.resolve());
        await timed('Starting the operator', untilAborted(operatorIsReady(operator), signal));
      },
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

function checkGit(): void {
  let path: string;
  try {
    path = execFileSync('git', ['--exec-path'], { encoding: 'utf8' }).trim();
  } catch (cause) {
    throw new Error('The git command was not found: install git.', { cause });
  }
  if (existsSync(join(path, 'git-http-backend'))) return;
  throw new Error(`git http-backend is not in ${path}: some systems have it in a package git-daemon.`);
}

/** In a process group of its own: an interrupt reaches the compiler through us alone, and is waited for. */
async function build({ signal }: SettingOptions): Promise<void> {
  const script = join(import.meta.dirname, 'build.ts');
  const child = spawn(process.execPath, [script], {
    stdio: ['ignore', 'inherit', 'inherit'],
    detached: true,
  });
  const kill = () => endGroup(child, 'SIGKILL');
  process.on('exit', kill);
  const interrupt = () => endGroup(child, 'SIGINT');
  signal.addEventListener('abort', interrupt, { once: true });
  if (signal.aborted) interrupt();
  const code = await new Promise<number>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (ended) => resolve(ended ?? -1));
  });
  process.off('exit', kill);
  signal.removeEventListener('abort', interrupt);
  signal.throwIfAborted();
  if (code !== 0) throw new Error('A program could not be built; the compiler says why above.');
}

function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted();
  return new Promise((resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
    work.then(resolve, reject);
  });
}

function writeKubectl(path: string, binary: string): void {
  writeFileSync(path, `#!/bin/sh\nexec '${binary}' kubectl "$@"\n`);
  chmodSync(path, 0o755);
}

/** Beside kubectl, where it finds what extends it. */
async function linkPlugin(binDirectory: string): Promise<void> {
  const directory = dirname(await buildPlugin());
  for (const name of ['kubectl-towpath', 'kubectl_complete-towpath'])
    symlinkSync(join(directory, name), join(binDirectory, name));
}

function shellEnvironment(kubeconfigPath: string, binDirectory: string): NodeJS.ProcessEnv {
  return {
    ...process.env,
    PATH: `${binDirectory}:${process.env.PATH}`,
    KUBECONFIG: kubeconfigPath,
    TOWPATH_USER_KUBECONFIG: process.env.KUBECONFIG ?? '',
    NO_PROXY: ['127.0.0.1', process.env.NO_PROXY].filter(Boolean).join(','),
    LC_ALL: 'C',
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_TERMINAL_PROMPT: '0',
    GIT_PAGER: 'cat',
    GIT_AUTHOR_NAME: identity.name,
    GIT_AUTHOR_EMAIL: identity.email,
    GIT_COMMITTER_NAME: identity.name,
    GIT_COMMITTER_EMAIL: identity.email,
  };
}

interface GitService {
  readonly repoURL: string;
  /** At the same address again. */
  start(): Promise<void>;
  stop(): Promise<void>;
}

/** `git http-backend` before a bare repository with one commit: hack/demo/chart, in charts/podinfo. */
async function serveRepository(directory: DemoDirectory): Promise<GitService> {
  const chart = join(import.meta.dirname, 'chart');
  const files = globSync('**/*.*', { cwd: chart }).map(
    (file) => [`charts/podinfo/${file}`, readFileSync(join(chart, file), 'utf8')] as const,
  );
  const repository = await createRepository({ root: directory.make('git'), name: 'podinfo.git' });
  await repository.commit(Object.fromEntries(files), {
    message: 'Add the chart podinfo',
    author: `${identity.name} <${identity.email}>`,
    time: Math.floor(Date.now() / 1000),
  });
  await repository.git(['config', 'http.receivepack', 'true']);
  const { root } = repository;
  let server: GitHttpServer | undefined = await startGitHttp({ root });
  const { port } = server;
  return {
    repoURL: server.url(repository.name),
    start: async () => {
      server ??= await startGitHttp({ root, port });
    },
    stop: async () => {
      await server?.stop();
      server = undefined;
    },
  };
}

interface OperatorStart {
  /** The operator's bundle. */
  program: string;
  engine: string;
  directory: string;
  shell: Shell;
  /** Path; it has the rights of the chart. */
  kubeconfig: string;
  flags: readonly string[];
}

/** As in its Pod, but for where it listens; impersonation is on, as it always is. */
function runOperator(start: OperatorStart): RunningProcess {
  const { program, engine, directory, shell, kubeconfig, flags } = start;
  return startProcess({
    name: 'The operator',
    command: process.execPath,
    args: [
      ...NODE_FLAGS,
      program,
      ...flags,
      `--engine=${engine}`,
      `--cache-directory=${join(directory, 'git-cache')}`,
      '--probe-address=127.0.0.1:0',
      '--metrics-address=127.0.0.1:0',
      '--webhook-address=127.0.0.1:0',
    ],
    env: {
      ...(shell.environment as Record<string, string>),
      ...NODE_ENVIRONMENT,
      KUBECONFIG: kubeconfig,
    },
    logPath: join(directory, 'operator.log'),
  });
}

async function operatorIsReady(operator: RunningProcess): Promise<void> {
  const ready = eventually(
    async () => {
      const port = /"probePort":(\d+)/.exec(operator.logTail(200))?.[1];
      return port !== undefined && (await fetch(`http://127.0.0.1:${port}/readyz`)).ok;
    },
    { describe: 'the operator to be ready' },
  );
  const ended = operator.ended.then((how): never => {
    throw new Error(`${how} before it was ready`);
  });
  await Promise.race([ready, ended]);
}
