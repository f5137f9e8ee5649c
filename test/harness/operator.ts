import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { buildEngine } from '../../hack/build-engine.ts';
import { buildOperator, NODE_ENVIRONMENT, NODE_FLAGS } from '../../hack/build-operator.ts';
import type { Application } from '../../operator/api/v1alpha1/application.ts';
import definitions from '../../operator/api/v1alpha1/definitions.json' with { type: 'json' };
import type { Cluster } from './cluster.ts';
import { assertTurns, startLoopControl } from './event-loop.ts';
import type { FaultProxy } from './fault-proxy.ts';
import { type GitHttpServer, startGitHttp } from './git-http.ts';
import { createRepository, type FileContent, type GitRepository } from './git-repository.ts';
import { kubeconfigWith, operatorToken } from './operator-rights.ts';
import { type RunningProcess, startProcess, temporaryDirectory } from './process.ts';
import { namespaceFor, useControlPlane } from './use-control-plane.ts';
import { eventually } from './wait.ts';

const root = join(import.meta.dirname, '../..');

export interface OperatorOptions {
  /** How it talks to the API server; default with the rights of an installed operator. */
  kubeconfigPath?: string;
  /** Between it and the API server, which it reaches with the same rights. */
  proxy?: FaultProxy;
  flags?: readonly string[];
  /** Variables of its process besides. */
  environment?: Readonly<Record<string, string>>;
  /** Module that is loaded into its process beforehand. */
  preload?: string;
  /** Asked at the test's end about the turns of its event loop; default `assertTurns`. */
  judgeTurns?(logPath: string, limitMs: number): void;
}

/** A Lease that expires fast, so that a test need not wait 15 s for a successor. */
export const fastLease = ['--lease-duration=2s', '--renew-deadline=1s', '--retry-period=200ms'] as const;

/** A real operator process that looks after one namespace. */
export interface RunningOperator {
  readonly process: RunningProcess;
  readonly logPath: string;
  /** Base URL of what it serves for a purpose. */
  url(purpose: 'probe' | 'metrics' | 'webhook'): Promise<string>;
  /** What it says on /metrics. */
  metrics(): Promise<string>;
  stop(signal?: 'SIGKILL' | 'SIGTERM'): Promise<void>;
}

/**
 * Starts the operator as it is installed, for a namespace. It is stopped with the test, which fails where a turn of
 * its event loop took too long (A15).
 */
export async function startOperator(
  t: TestContext,
  cluster: Cluster,
  namespace: string,
  options: OperatorOptions = {},
): Promise<RunningOperator> {
  const directory = temporaryDirectory('operator');
  const engine = await buildEngine();
  const program = await buildOperator();
  const logPath = join(directory, 'operator.log');
  const process_ = startProcess({
    name: 'operator',
    command: process.execPath,
    args: [
      ...NODE_FLAGS,
      '--enable-source-maps',
      ...(options.preload === undefined ? [] : [`--import=${options.preload}`]),
      program,
      `--namespace=${namespace}`,
      `--watch-namespace=${namespace}`,
      `--engine=${engine}`,
      '--probe-address=127.0.0.1:0',
      '--metrics-address=127.0.0.1:0',
      '--webhook-address=127.0.0.1:0',
      '--log-level=debug',
      '--allow-loopback-repositories',
      '--allow-plain-http-credentials',
      ...(options.flags ?? []),
    ],
    env: {
      ...(process.env as Record<string, string>),
      ...NODE_ENVIRONMENT,
      // Installed, it has none.
      NODE_DISABLE_COMPILE_CACHE: '1',
      ...options.environment,
      KUBECONFIG: options.kubeconfigPath ?? (await rightsFor(t, cluster, namespace, options)),
    },
    logPath,
  });
  const control = startLoopControl();
  const { judgeTurns = assertTurns } = options;
  t.after(async () => {
    await process_.stop('SIGTERM');
    control.stop();
    // After all other hooks: those that follow one that throws are not called.
    t.after(() => judgeTurns(logPath, control.limit()));
  });
  const url = async (purpose: string) => {
    const pattern = new RegExp(`"${purpose}Port":(\\d+)`);
    const port = await eventually(() => pattern.exec(readFileSync(logPath, 'utf8'))?.[1], {
      describe: 'the operator to listen',
    });
    return `http://127.0.0.1:${port}`;
  };
  return {
    process: process_,
    logPath,
    stop: (signal = 'SIGTERM') => process_.stop(signal),
    url,
    metrics: async () => (await fetch(`${await url('metrics')}/metrics`)).text(),
  };
}

/**
 * Path of a kubeconfig with the rights of an operator in the namespaces that its flags name, if they are not that of
 * the stage.
 */
async function rightsFor(
  t: TestContext,
  cluster: Cluster,
  namespace: string,
  { flags = [], proxy }: OperatorOptions,
): Promise<string> {
  const given = (option: string) =>
    flags.findLast((flag) => flag.startsWith(option))?.slice(option.length) ?? namespace;
  const token = await operatorToken(t, cluster, given('--namespace='), given('--watch-namespace='));
  return proxy === undefined ? kubeconfigWith(cluster, token) : proxy.admit(token);
}

/** How many lines of its log say that. */
export function timesLogged({ logPath }: Pick<RunningOperator, 'logPath'>, says: RegExp): number {
  return readFileSync(logPath, 'utf8')
    .split('\n')
    .filter((line) => says.test(line)).length;
}

/** Waits until the CRDs of this checkout are served. */
export async function installCRDs(cluster: Cluster): Promise<void> {
  const applied = await cluster.kubectl([
    'apply',
    '--server-side',
    '--force-conflicts',
    '-f',
    join(root, 'crds'),
  ]);
  if (applied.code !== 0) throw new Error(`kubectl apply -f crds: ${applied.stderr}`);
  // Not `kubectl wait --for=condition`: of a definition so new that it has no conditions at all it fails.
  const established = '{range .items[*]}{.status.conditions[?(@.type=="Established")].status}{end}';
  const names = definitions.map(({ metadata }) => metadata.name);
  await eventually(
    async () => {
      const query = ['get', 'crd', ...names, '-o', `jsonpath=${established}`];
      return (await cluster.kubectl(query)).stdout === names.map(() => 'True').join('');
    },
    { describe: 'the CustomResourceDefinitions to be established' },
  );
  // For a moment after that what they define cannot be listed yet, which an operator would tell of.
  const paths = definitions.flatMap(({ spec }) =>
    spec.versions.map(({ name }) => `/apis/${spec.group}/${name}/${spec.names.plural}?limit=1`),
  );
  const isListed = async (path: string) => (await cluster.request('GET', path)).status === 200;
  await eventually(async () => (await Promise.all(paths.map(isListed))).every(Boolean), {
    describe: 'what the CustomResourceDefinitions define to be listed',
  });
}

const installed = new Map<string, Promise<void>>();

/** The same once for each cluster, however many stages this process makes. */
function ensureCRDs(cluster: Cluster): Promise<void> {
  const known = installed.get(cluster.serverUrl);
  if (known !== undefined) return known;
  const installing = installCRDs(cluster);
  installed.set(cluster.serverUrl, installing);
  return installing;
}

/** One namespace with a ServiceAccount that may edit it, a Git server with one repository, and an operator. */
export interface Stage {
  cluster: Cluster;
  namespace: string;
  operator: RunningOperator;
  git: GitHttpServer;
  repository: GitRepository;
  repoURL: string;
  /** Applies an Application; `spec` is laid over a minimal one. */
  application(
    name: string,
    spec?: Record<string, unknown>,
    annotations?: Record<string, string>,
  ): Promise<void>;
  get(name: string): Promise<Application>;
  /** Waits until `holds` is true of the Application. */
  until(
    name: string,
    holds: (application: Application) => unknown | Promise<unknown>,
    describe: string,
    within?: number,
  ): Promise<Application>;
  /** Waits until the Application is Ready at a revision. */
  untilReadyAt(name: string, revision: string, within?: number): Promise<Application>;
  /** Applies an Application and waits until it is Ready at what `main` is now; returns that revision. */
  deployed(name: string, spec?: Record<string, unknown>): Promise<string>;
  /** Asks for a sync with a value of its own. */
  requestSync(name: string, value?: string): Promise<string>;
  kubectl(...args: string[]): Promise<string>;
  apply(object: unknown): Promise<void>;
  restart(signal?: 'SIGKILL' | 'SIGTERM'): Promise<void>;
}

export interface StageOptions extends OperatorOptions {
  cluster?: Cluster;
  files?: Record<string, FileContent>;
  /** Without it the test makes its own ServiceAccount. */
  serviceAccount?: boolean;
  startOperator?: boolean;
}

export async function newStage(t: TestContext, options: StageOptions = {}): Promise<Stage> {
  const cluster = options.cluster ?? (await useControlPlane());
  await ensureCRDs(cluster);
  const namespace = await namespaceFor(t, cluster);
  const repository = await createRepository({ files: options.files ?? {} });
  const git = await startGitHttp({ root: repository.root });
  t.after(() => git.stop());
  const kubectl = async (...args: string[]) => {
    const result = await cluster.kubectl(['-n', namespace, ...args]);
    if (result.code !== 0) throw new Error(`kubectl ${args.join(' ')}: ${result.stderr}`);
    return result.stdout;
  };
  const send = async (method: string, path: string, body: unknown, contentType?: string) => {
    const sent = await cluster.request(method, path, {
      body,
      ...(contentType === undefined ? {} : { contentType }),
    });
    if (sent.status >= 300) throw new Error(`${method} ${path}: ${sent.status} ${sent.body}`);
  };
  if (options.serviceAccount !== false) await letEdit(send, namespace);
  const apply = async (object: unknown) => {
    const result = await cluster.kubectl(['-n', namespace, 'apply', '-f', '-'], {
      input: JSON.stringify(object),
    });
    if (result.code !== 0) throw new Error(`kubectl apply: ${result.stderr}`);
  };
  const pathOf = (name: string) => `/apis/towpath.dev/v1alpha1/namespaces/${namespace}/applications/${name}`;
  const get = async (name: string) => {
    const { status, body } = await cluster.request('GET', pathOf(name));
    if (status !== 200) throw new Error(`get Application ${name}: ${status} ${body}`);
    return JSON.parse(body) as Application;
  };
  // Registered before the operator's own end, so that it runs while the operator still finalizes.
  let operator: RunningOperator | undefined;
  let kubeconfigPath = options.kubeconfigPath;
  const start = async () => {
    kubeconfigPath ??= await rightsFor(t, cluster, namespace, options);
    operator = await startOperator(t, cluster, namespace, { ...options, kubeconfigPath });
  };
  if (options.startOperator !== false) await start();
  const stage: Stage = {
    cluster,
    namespace,
    get operator() {
      if (operator === undefined) throw new Error('the operator was not started');
      return operator;
    },
    git,
    repository,
    repoURL: git.url(repository.name),
    application: async (name, spec = {}, annotations = {}) => {
      const isChartAlone = spec['source'] === undefined && 'chart' in Object(spec['helm']);
      const source = {
        repoURL: git.url(repository.name),
        interval: '1s',
        ...(spec['source'] as object | undefined),
      };
      const object = {
        apiVersion: 'towpath.dev/v1alpha1',
        kind: 'Application',
        metadata: { name, namespace, annotations },
        spec: isChartAlone ? spec : { ...spec, source },
      };
      // As `kubectl apply --server-side` does: what is left out is taken away.
      const how = 'fieldManager=kubectl&force=true&fieldValidation=Strict';
      await send('PATCH', `${pathOf(name)}?${how}`, object, 'application/apply-patch+yaml');
    },
    get,
    until: async (name, holds, describe, within) => {
      let last: Application | undefined;
      try {
        return await eventually(
          async () => {
            last = await get(name);
            return (await holds(last)) ? last : undefined;
          },
          { describe, ...(within === undefined ? {} : { within }) },
        );
      } catch (error) {
        throw new Error(
          `${(error as Error).message.slice(0, 200)}\nstatus: ${JSON.stringify(last?.status, null, 1)}\noperator: ${operator?.process.logTail(15)}`,
        );
      }
    },
    untilReadyAt: (name, revision, within) =>
      stage.until(
        name,
        (application) => isReadyAt(application, revision),
        `${name} to be Ready at ${revision.slice(0, 8)}`,
        within,
      ),
    deployed: async (name, spec) => {
      const revision = await repository.revParse('main');
      await stage.application(name, spec);
      await stage.untilReadyAt(name, revision);
      return revision;
    },
    requestSync: async (name, value = randomBytes(4).toString('hex')) => {
      const patch = { metadata: { annotations: { 'towpath.dev/sync-requested': value } } };
      await send('PATCH', pathOf(name), patch, 'application/merge-patch+json');
      return value;
    },
    kubectl,
    apply,
    restart: async (signal = 'SIGKILL') => {
      await operator?.stop(signal);
      await start();
    },
  };
  return stage;
}

/** The two objects that the message about a missing ServiceAccount tells to make. */
async function letEdit(
  send: (method: string, path: string, body: unknown) => Promise<void>,
  namespace: string,
): Promise<void> {
  const metadata = { name: 'towpath' };
  await send('POST', `/api/v1/namespaces/${namespace}/serviceaccounts`, {
    apiVersion: 'v1',
    kind: 'ServiceAccount',
    metadata,
  });
  const group = 'rbac.authorization.k8s.io';
  await send('POST', `/apis/${group}/v1/namespaces/${namespace}/rolebindings`, {
    apiVersion: `${group}/v1`,
    kind: 'RoleBinding',
    metadata,
    roleRef: { apiGroup: group, kind: 'ClusterRole', name: 'edit' },
    subjects: [{ kind: 'ServiceAccount', name: 'towpath', namespace }],
  });
}

/** Whether the Application is Ready at a revision. */
export function isReadyAt(application: Application, revision: string): boolean {
  const { environments = [] } = application.status ?? {};
  const isThere = environments.length > 0 && environments.every((one) => one.revision === revision);
  return isThere && conditionOf(application, 'Ready')?.status === 'True';
}

/** How often the operator has looked at an Application, any of them, since it started. */
export async function looks(stage: { operator: Pick<RunningOperator, 'metrics'> }): Promise<number> {
  const ended = /^controller_runtime_reconcile_total\{[^}]*result="(?:success|requeue_after)"\} (\d+)$/gm;
  const counts = [...(await stage.operator.metrics()).matchAll(ended)];
  return counts.reduce((sum, [, count]) => sum + Number(count), 0);
}

/**
 * Asks for a sync and waits until a look that began after that has ended, also where the status may not tell
 * (spec.suspend). For a stage with one Application.
 */
export async function lookedAt(stage: Stage, name: string): Promise<void> {
  // The first may end a look that had begun before the request.
  for (let count = 0; count < 2; count += 1) {
    const before = await looks(stage);
    await stage.requestSync(name);
    await eventually(async () => (await looks(stage)) > before, { describe: `a look at ${name}` });
  }
}

export function conditionOf(application: Application, type: string) {
  return application.status?.conditions?.find((condition) => condition.type === type);
}
