import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import type { TestContext } from 'node:test';
import { type Application, environmentOf } from '../../operator/api/v1alpha1/application.ts';
import { DAYS } from '../../operator/api/v1alpha1/gates.ts';
import type { Promotion } from '../../operator/api/v1alpha1/promotion.ts';
import { install } from './approvals.ts';
import type { ApiResponse, Cluster, Person } from './cluster.ts';
import { newEnvironment, type StagedEnvironment } from './environments.ts';
import { fastLease, newStage, type Stage } from './operator.ts';
import { eventually } from './wait.ts';

const RBAC = '/apis/rbac.authorization.k8s.io/v1';
const PATIENCE_MS = 40_000;

/** Two Environments, and a PromotionPolicy by which prod follows staging. @param gates of prod */
export async function newLine(
  t: TestContext,
  stage: Stage,
  gates?: object,
): Promise<{ staging: StagedEnvironment; prod: StagedEnvironment; environments: { name: string }[] }> {
  const staging = await newEnvironment(t, stage, 'staging');
  const prod = await newEnvironment(t, stage, 'prod');
  await stage.apply({
    apiVersion: 'towpath.dev/v1alpha1',
    kind: 'PromotionPolicy',
    metadata: { name: 'standard' },
    spec: {
      selector: {},
      stages: [
        { name: 'staging', environments: [staging.name] },
        { name: 'prod', after: ['staging'], environments: [prod.name], ...(gates && { gates }) },
      ],
    },
  });
  return { staging, prod, environments: [{ name: staging.name }, { name: prod.name }] };
}

export function promotionsPath(namespace: string): string {
  return `/apis/towpath.dev/v1alpha1/namespaces/${namespace}/promotions`;
}

/** The chart's policies about Promotions, as `installPolicies` does with those about Approvals. */
export async function installPromotionPolicies(
  t: TestContext,
  cluster: Cluster,
  kind: 'Validating' | 'Mutating',
  { name, namespace, releasedIn }: { name: string; namespace: string; releasedIn?: string },
): Promise<boolean> {
  const admin = { user: 'admin', groups: ['system:masters'] };
  const probe = {
    application: 'x',
    environment: 'x',
    candidate: `sha256:${'0'.repeat(64)}`,
    requestedBy: 'nobody',
  };
  const installed = { name, namespaces: [namespace], ...(releasedIn !== undefined && { releasedIn }) };
  return install(t, cluster, kind, 'promotions', installed, async () => {
    const { status, body } = await ask(
      cluster,
      namespace,
      admin,
      { type: 'Promote', ...probe },
      '?dryRun=All',
    );
    if (kind === 'Validating') return status === 422;
    return (JSON.parse(body) as { spec?: { requestedBy?: string } }).spec?.requestedBy === 'admin';
  });
}

/** Makes a Promotion as somebody; never throws for a status. */
export function ask(
  cluster: Cluster,
  namespace: string,
  as: Person,
  spec: { type: string; application: string; environment: string } & Record<string, unknown>,
  query = '',
): Promise<ApiResponse> {
  const { application, environment } = spec;
  return cluster.request('POST', `${promotionsPath(namespace)}${query}`, {
    as,
    body: {
      apiVersion: 'towpath.dev/v1alpha1',
      kind: 'Promotion',
      metadata: {
        generateName: `${application}-${environment}-`,
        labels: { 'towpath.dev/application': application, 'towpath.dev/environment': environment },
      },
      spec: { requestedBy: as.user, ...spec },
    },
  });
}

/** Lets a person use verbs on Promotions to one environment, and make some. */
export async function letCommand(
  cluster: Cluster,
  namespace: string,
  { user }: Person,
  environment: string,
  verbs: readonly string[],
): Promise<void> {
  const metadata = { name: `${user.replaceAll(':', '.')}-${verbs.join('-')}` };
  const apiGroups = ['towpath.dev'];
  const rules = [
    { apiGroups, resources: ['promotions'], verbs: ['get', 'list', 'watch', 'create'] },
    { apiGroups, resources: ['promotions'], resourceNames: [environment], verbs },
    { apiGroups, resources: ['applications'], verbs: ['get', 'list', 'watch'] },
  ];
  const apiGroup = 'rbac.authorization.k8s.io';
  const subjects = [{ apiGroup, kind: 'User', name: user }];
  const roleRef = { apiGroup, kind: 'Role', name: metadata.name };
  for (const [plural, body] of [
    ['roles', { metadata, rules }],
    ['rolebindings', { metadata, subjects, roleRef }],
  ] as const) {
    const answer = await cluster.request('POST', `${RBAC}/namespaces/${namespace}/${plural}`, { body });
    assert.equal(answer.status, 201, answer.body);
  }
}

/** The name of one that was taken. */
export function taken({ status, body }: ApiResponse): string {
  assert.equal(status, 201, body);
  return (JSON.parse(body) as Promotion).metadata.name;
}

/** Waits for what is to become of one. */
export async function became(
  cluster: Cluster,
  namespace: string,
  name: string,
  phase: string,
  words?: RegExp,
): Promise<Promotion> {
  return eventually(
    async () => {
      const { body } = await cluster.request('GET', `${promotionsPath(namespace)}/${name}`);
      const promotion = JSON.parse(body) as Promotion;
      const { status = {} } = promotion;
      if (status.phase === phase && (words === undefined || words.test(status.message ?? '')))
        return promotion;
      throw new Error(`${name} says ${JSON.stringify(status)}`);
    },
    { describe: `${name} to be ${phase}`, within: PATIENCE_MS },
  );
}

/** The only manifest of a repository. */
export const configMap = (message: string) => ({
  'web.yaml': `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\ndata: {message: "${message}"}\n`,
});
/** One that fails once its time is over. */
export const neverReady = {
  'slow.yaml': `apiVersion: apps/v1
kind: Deployment
metadata: {name: slow}
spec:
  selector: {matchLabels: {app: slow}}
  template:
    metadata: {labels: {app: slow}}
    spec: {nodeSelector: {no: such-node}, containers: [{name: web, image: "example.com/web:1"}]}
`,
};
/** Promotes to prod. */
export const ANNA: Person = { user: 'anna' };
/** The same, and may pass by gates. */
export const BEN: Person = { user: 'ben' };
/** May do all that elsewhere. */
export const CARL: Person = { user: 'carl' };
/** Is on call. */
export const OLGA: Person = { user: 'olga' };

/** A stage in which nothing enters prod by itself: its window is closed. */
export async function newGuardedStage(t: TestContext, flags: readonly string[] = []) {
  const policy = `promotions-${randomBytes(5).toString('hex')}`;
  const stage = await newStage(t, {
    files: configMap('one'),
    flags: [...fastLease, `--promotion-policy=${policy}`, ...flags],
  });
  const { cluster, namespace } = stage;
  const staging = await newEnvironment(t, stage, 'staging');
  const prod = await newEnvironment(t, stage, 'prod');
  const day = DAYS[(new Date().getUTCDay() + 3) % 7];
  await stage.apply({
    apiVersion: 'towpath.dev/v1alpha1',
    kind: 'PromotionPolicy',
    metadata: { name: 'standard', namespace },
    spec: {
      selector: { matchLabels: { tier: 'web' } },
      stages: [
        { name: 'staging', environments: [staging.name] },
        {
          name: 'prod',
          after: ['staging'],
          environments: [prod.name],
          gates: { windows: [{ days: [day], from: '09:00', until: '10:00', timeZone: 'UTC' }] },
        },
      ],
    },
  });
  await letCommand(cluster, namespace, ANNA, prod.name, ['promote']);
  await letCommand(cluster, namespace, BEN, prod.name, ['promote', 'override']);
  await letCommand(cluster, namespace, CARL, 'elsewhere', ['promote', 'rollback', 'retry', 'override']);
  await letCommand(cluster, namespace, OLGA, prod.name, ['rollback', 'retry']);
  await stage.apply({
    apiVersion: 'towpath.dev/v1alpha1',
    kind: 'Application',
    metadata: { name: 'web', namespace, labels: { tier: 'web' } },
    spec: {
      source: { repoURL: stage.repoURL, interval: '1s' },
      environments: [{ name: staging.name }, { name: prod.name }],
      sync: { timeout: '5s', retries: { limit: 0 } },
    },
  });
  const inProd = ({ status }: Application) => environmentOf(status, prod.name);
  /** Resolves with the digest of what waits at the window. */
  const waiting = async (revision: string): Promise<string> => {
    const told = await stage.until(
      'web',
      (of) =>
        inProd(of)?.desiredRevision === revision && inProd(of)?.blockedBy?.[0]?.reason === 'OutsideWindow',
      'prod to wait for its window',
    );
    return inProd(told)?.desiredDigest ?? '';
  };
  const runs = (revision: string) =>
    stage.until(
      'web',
      (of) => inProd(of)?.revision === revision && inProd(of)?.history?.[0]?.outcome === 'Succeeded',
      `prod to run ${revision.slice(0, 7)}`,
    );
  const asked = (as: Person, spec: { type: string } & Record<string, unknown>) =>
    ask(cluster, namespace, as, { application: 'web', environment: prod.name, ...spec });
  const promote = (as: Person, candidate: string, more: object = {}) =>
    asked(as, { type: 'Promote', candidate, ...more });
  const cancel = (as: Person, promotion: string) => asked(as, { type: 'Cancel', promotion });
  const until = (name: string, phase: string, words?: RegExp) =>
    became(cluster, namespace, name, phase, words);
  return { stage, policy, staging, prod, inProd, waiting, runs, asked, promote, cancel, until };
}
