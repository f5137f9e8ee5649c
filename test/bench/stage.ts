import { randomBytes } from 'node:crypto';
import { KubeClient } from '../../operator/kube/client.ts';
import { type Cluster, startControlPlane } from '../harness/control-plane.ts';
import { type GitHttpServer, startGitHttp } from '../harness/git-http.ts';
import { createRepository, type GitRepository } from '../harness/git-repository.ts';
import { installCRDs } from '../harness/operator.ts';
import { temporaryDirectory } from '../harness/process.ts';
import { APPLICATIONS, ApplicationWatch, applicationOf, inParallel } from './applications.ts';
import { type BenchOperator, startOperator } from './operator-process.ts';

export interface BenchOptions {
  /** 100 Applications where a metric asks for 1,000, and fewer samples. */
  quick: boolean;
  /** Where CPU profiles of the operator are written; undefined: none. */
  profileDirectory: string | undefined;
  say(text: string): void;
}

/** What all metrics are measured on: a control plane with its controllers, and a Git server. */
export interface Ground {
  readonly cluster: Cluster;
  readonly client: KubeClient;
  readonly git: GitHttpServer;
  readonly gitRoot: string;
  readonly options: BenchOptions;
  stop(): Promise<void>;
}

export async function newGround(options: BenchOptions): Promise<Ground> {
  options.say('starting a control plane …');
  const cluster = await startControlPlane();
  await installCRDs(cluster);
  const gitRoot = temporaryDirectory('bench-git');
  const git = await startGitHttp({ root: gitRoot });
  const client = KubeClient.fromKubeConfig(cluster.kubeConfigText);
  return {
    cluster,
    client,
    git,
    gitRoot,
    options,
    async stop() {
      await client.close();
      await git.stop();
      await cluster.stop();
    },
  };
}

export interface ApplicationsOptions {
  pathOf?(index: number): string;
  /** Names of Environments. */
  environments?: readonly string[];
}

/** One namespace with a ServiceAccount that may edit it, its Applications, and its operator. */
export class Stage {
  readonly ground: Ground;
  readonly namespace: string;
  readonly watch: ApplicationWatch;
  #operator: BenchOperator | undefined;

  private constructor(ground: Ground, namespace: string) {
    this.ground = ground;
    this.namespace = namespace;
    this.watch = new ApplicationWatch(ground.client, namespace);
  }

  static async open(ground: Ground, name: string): Promise<Stage> {
    const namespace = `bench-${name}-${randomBytes(3).toString('hex')}`;
    const must = async (...args: string[]) => {
      const { code, stderr } = await ground.cluster.kubectl(args);
      if (code !== 0) throw new Error(`kubectl ${args.join(' ')}: ${stderr}`);
    };
    await must('create', 'namespace', namespace);
    await must('-n', namespace, 'create', 'serviceaccount', 'towpath');
    const account = `--serviceaccount=${namespace}:towpath`;
    await must('-n', namespace, 'create', 'rolebinding', 'towpath', '--clusterrole=edit', account);
    return new Stage(ground, namespace);
  }

  get operator(): BenchOperator {
    if (this.#operator === undefined) throw new Error('the operator was not started');
    return this.#operator;
  }

  /** Makes Environments `<namespace>-0` …, each with a namespace of its own for the Applications of this one. */
  async createEnvironments(count: number): Promise<string[]> {
    const { cluster } = this.ground;
    const names = Array.from({ length: count }, (_, index) => `${this.namespace}-${index}`);
    const post = async (path: string, body: object) => {
      const { status, body: text } = await cluster.request('POST', path, { body });
      if (status >= 300) throw new Error(`POST ${path}: ${status} ${text}`);
    };
    for (const name of names) {
      await letDeploy(post, name);
      await post('/apis/towpath.dev/v1alpha1/environments', {
        apiVersion: 'towpath.dev/v1alpha1',
        kind: 'Environment',
        metadata: { name },
        spec: {
          namespace: name,
          access: { serviceAccountName: 'towpath' },
          allowedNamespaces: [this.namespace],
        },
      });
    }
    return names;
  }

  /** `profile` names the profile's directory, where profiles are asked for. */
  async startOperator(
    options: { kubeconfigPath?: string; profile?: string; flags?: readonly string[] } = {},
  ): Promise<BenchOperator> {
    const { profileDirectory } = this.ground.options;
    this.#operator = await startOperator({
      kubeconfigPath: options.kubeconfigPath ?? this.ground.cluster.kubeconfigPath,
      namespace: this.namespace,
      ...(options.flags === undefined ? {} : { flags: options.flags }),
      ...(profileDirectory === undefined || options.profile === undefined
        ? {}
        : { profileDirectory: `${profileDirectory}/${options.profile}` }),
    });
    return this.#operator;
  }

  repository(name: string, files: Record<string, string>): Promise<GitRepository> {
    return createRepository({ root: this.ground.gitRoot, name: `${this.namespace}-${name}.git`, files });
  }

  url(repository: GitRepository): string {
    return this.ground.git.url(repository.name);
  }

  /** Makes Applications `<prefix>-0` … of one chart. */
  async createApplications(
    prefix: string,
    count: number,
    repository: GitRepository,
    { pathOf = () => 'chart', environments = [] }: ApplicationsOptions = {},
  ): Promise<void> {
    const { client } = this.ground;
    const { namespace } = this;
    const repoURL = this.url(repository);
    await inParallel(Array(count).keys(), 16, (index) => {
      const application = applicationOf({
        name: `${prefix}-${index}`,
        namespace,
        repoURL,
        path: pathOf(index),
        ...(environments.length === 0 ? {} : { environments }),
      });
      return client.create({ resource: APPLICATIONS, namespace }, application);
    });
  }

  /** Asks for a look now, as a push's webhook would. */
  async requestSync(name: string, value: string): Promise<void> {
    await this.ground.client.mergePatch(
      { resource: APPLICATIONS, namespace: this.namespace, name },
      { metadata: { annotations: { 'towpath.dev/sync-requested': value } } },
    );
  }

  async stop(): Promise<void> {
    await this.watch.stop();
    await this.#operator?.stop();
  }
}

/** Makes a namespace with a ServiceAccount that may edit it. */
async function letDeploy(
  post: (path: string, body: object) => Promise<void>,
  namespace: string,
): Promise<void> {
  await post('/api/v1/namespaces', { metadata: { name: namespace } });
  await post(`/api/v1/namespaces/${namespace}/serviceaccounts`, { metadata: { name: 'towpath' } });
  await post(`/apis/rbac.authorization.k8s.io/v1/namespaces/${namespace}/rolebindings`, {
    metadata: { name: 'towpath' },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'edit' },
    subjects: [{ kind: 'ServiceAccount', name: 'towpath', namespace }],
  });
}
