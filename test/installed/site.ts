import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { nextRelease, type Release } from '../../hack/image/next-release.ts';
import { type ControlPlane, startControlPlane } from '../harness/control-plane.ts';
import { type GitHttpServer, startGitHttp } from '../harness/git-http.ts';
import { createRepository, type GitRepository } from '../harness/git-repository.ts';
import { helm } from '../harness/helm.ts';
import { NODE_ADDRESS, prepareNetwork, type RealNode, startNode } from '../harness/real-node.ts';
import { scaled } from '../harness/slowness.ts';
import { type Kubectl, SYSTEM } from './in-the-pod.ts';
import { imageValues } from './releases.ts';
import { IMAGES_VARIABLE, TAG, WITHOUT_NODE_VARIABLE } from './variables.ts';

const root = join(import.meta.dirname, '../..');
const missing = process.env[WITHOUT_NODE_VARIABLE];
const archives = process.env[IMAGES_VARIABLE];

/** Why nothing can be installed on a node here; false where it can. */
export const skip = missing ?? (archives === undefined ? 'Start it by make e2e.' : false);

export const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
  version: string;
};
const images = { image: `towpath:${TAG}`, notifyImage: `towpath-notify:${TAG}` };
export const today: Release = {
  ...images,
  chart: join(root, 'charts/towpath'),
  notifyChart: join(root, 'examples/notify/chart'),
};
export const next = nextRelease(archives ?? '', images);

export const waiting = ['--wait', '--timeout=120s'];

/** Flags by which helm takes a release's image from the node. */
export const setting = ({ image }: { image: string }) =>
  Object.entries(imageValues(image)).map(([key, value]) => `--set=image.${key}=${value}`);

/** A cluster with a node, on which all images are, and a Git server that its Pods reach. */
export interface Site {
  readonly controlPlane: ControlPlane;
  readonly node: RealNode;
  readonly git: GitHttpServer;
  readonly repository: GitRepository;
  readonly kubectl: Kubectl;
  /** Runs helm, and gives what it prints; where it fails, the error says how the operator's Pods are. */
  readonly helm: Kubectl;
  /** Installs today's release as towpath in towpath-system, and waits until its Pods are Ready. */
  install(...more: string[]): Promise<string>;
  /** Makes a namespace in which Applications may write what the ClusterRole edit allows. */
  admit(namespace: string): Promise<void>;
  /** Applies an Application with the site's repository, asked each second, unless told otherwise. */
  applyApplication(name: string, namespace: string, source: object, more?: More): Promise<void>;
  /** Waits until an Application is Ready. */
  untilReady(name: string, namespace: string): Promise<void>;
  stop(): Promise<void>;
}

interface More {
  spec?: object;
  annotations?: object;
}

/** Once in a process, which has namespaces of its own (hack/test/own-namespaces.ts). */
export async function startSite(files: Record<string, string>): Promise<Site> {
  assert.ok(archives !== undefined);
  prepareNetwork();
  const controlPlane = await startControlPlane({ nodeAddress: NODE_ADDRESS });
  const node = await startNode(controlPlane, join(archives, 'pause.tar'));
  for (const image of ['towpath', 'notify']) node.load(join(archives, `${image}.tar`));
  const repository = await createRepository({ files });
  const git = await startGitHttp({ root: repository.root, host: NODE_ADDRESS });

  const kubectl: Kubectl = async (...args) => {
    const result = await controlPlane.kubectl(args);
    assert.equal(result.code, 0, `kubectl ${args.join(' ')}: ${result.stderr}`);
    return result.stdout.trim();
  };
  const howItIs = async () => {
    const pods = await controlPlane.kubectl([...SYSTEM, 'get', 'pods,events,leases']);
    const selector = '--selector=app.kubernetes.io/name=towpath';
    const logs = await controlPlane.kubectl([...SYSTEM, 'logs', selector, '--tail=20', '--prefix']);
    return `${pods.stdout}${pods.stderr}\n${logs.stdout}${logs.stderr}`;
  };
  const run: Kubectl = async (...args) => {
    const result = await helm(...args, '--kubeconfig', controlPlane.kubeconfigPath);
    if (result.code === 0) return result.stdout;
    throw new Error(`helm ${args.join(' ')}: ${result.stderr}\n${await howItIs()}`);
  };
  return {
    ...{ controlPlane, node, git, repository, kubectl, helm: run },
    install: (...more) =>
      run('install', 'towpath', today.chart, ...SYSTEM, ...setting(today), ...waiting, ...more),
    admit: async (namespace) => {
      await kubectl('create', 'namespace', namespace);
      await kubectl('-n', namespace, 'create', 'serviceaccount', 'towpath');
      const subject = `--serviceaccount=${namespace}:towpath`;
      await kubectl('-n', namespace, 'create', 'rolebinding', 'towpath', '--clusterrole=edit', subject);
    },
    applyApplication: async (name, namespace, source, { spec = {}, annotations = {} } = {}) => {
      const application = {
        apiVersion: 'towpath.dev/v1alpha1',
        kind: 'Application',
        metadata: { name, namespace, annotations },
        spec: { ...spec, source: { repoURL: git.url(repository.name), interval: '1s', ...source } },
      };
      const applied = await controlPlane.kubectl(['apply', '-f', '-'], {
        input: JSON.stringify(application),
      });
      assert.equal(applied.code, 0, applied.stderr);
    },
    untilReady: async (name, namespace) => {
      const [of, object] = [['-n', namespace], `applications.towpath.dev/${name}`];
      const wait = ['wait', '--for=condition=Ready', object, `--timeout=${scaled(60)}s`];
      if ((await controlPlane.kubectl([...of, ...wait])).code === 0) return;
      const status = await controlPlane.kubectl([...of, 'get', object, '-o', 'jsonpath={.status}']);
      throw new Error(`${namespace}/${name} is not Ready: ${status.stdout}\n${await howItIs()}`);
    },
    stop: async () => {
      await git.stop();
      await node.stop();
      await controlPlane.stop();
    },
  };
}

/** Steps of a test, of which each stands on the one before. */
export function stepsOf(
  t: TestContext,
): (name: string, work: (t: TestContext) => Promise<void>) => Promise<void> {
  let failed = '';
  return (name, work) =>
    t.test(name, async (t) => {
      assert.equal(failed, '', 'an earlier step failed');
      failed = name;
      await work(t);
      failed = '';
    });
}
