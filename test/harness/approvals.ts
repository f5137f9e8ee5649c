import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { parseAllDocuments } from 'yaml';
import { CHART, type Rendered } from './chart.ts';
import type { ApiResponse, Cluster, Person } from './cluster.ts';
import { helm } from './helm.ts';
import { eventually } from './wait.ts';

const REGISTRATION = '/apis/admissionregistration.k8s.io/v1';
const PATHS: Readonly<Record<string, string>> = {
  ValidatingAdmissionPolicy: 'validatingadmissionpolicies',
  ValidatingAdmissionPolicyBinding: 'validatingadmissionpolicybindings',
  MutatingAdmissionPolicy: 'mutatingadmissionpolicies',
  MutatingAdmissionPolicyBinding: 'mutatingadmissionpolicybindings',
};

/** What a person says of manifests. */
export interface Said {
  application: string;
  environment: string;
  digest: string;
  decision?: 'Approve' | 'Reject';
  /** Feigned. */
  by?: string;
  groups?: readonly string[];
}

interface Installed {
  readonly name: string;
  readonly namespaces: readonly string[];
  /** That of the operator; the first one where it is not said. */
  readonly releasedIn?: string;
}

/**
 * The admission policies of the chart, of one kind or the other, under another name and for these namespaces alone, since
 * other tests are on the same API server; gone at the test's end. What they are about is proven when this resolves.
 *
 * @returns whether the API server has that kind; mutating ones came with Kubernetes 1.36.
 */
export async function installPolicies(
  t: TestContext,
  cluster: Cluster,
  kind: 'Validating' | 'Mutating',
  installed: Installed,
): Promise<boolean> {
  const { namespaces } = installed;
  const [namespace = ''] = namespaces;
  const probe = { application: 'x', environment: 'x', digest: `sha256:${'0'.repeat(64)}`, by: 'nobody' };
  const admin = { user: 'admin', groups: ['system:masters'] };
  return install(t, cluster, kind, 'approvals', installed, async () => {
    const answer = await say(cluster, namespace, admin, probe, '?dryRun=All');
    if (kind === 'Validating') return answer.status === 422;
    return (JSON.parse(answer.body) as { spec?: { by?: string } }).spec?.by === 'admin';
  });
}

/** Those of the chart's templates of one kind. @param holds whether what they are about is proven */
export async function install(
  t: TestContext,
  cluster: Cluster,
  kind: 'Validating' | 'Mutating',
  template: 'approvals' | 'promotions' | 'promotions-deletion',
  { name, namespaces, releasedIn = namespaces[0] ?? '' }: Installed,
  holds: () => Promise<boolean>,
): Promise<boolean> {
  const { body: served } = await cluster.request('GET', REGISTRATION);
  if (!served.includes(`"${kind}AdmissionPolicy"`)) return false;
  const selector = {
    matchExpressions: [{ key: 'kubernetes.io/metadata.name', operator: 'In', values: namespaces }],
  };
  let createdAt = 0;
  for (const object of await policiesOfChart(template, releasedIn)) {
    if (!object.kind.startsWith(kind)) continue;
    const { spec = {} } = object;
    const { matchConstraints } = spec as { matchConstraints?: object };
    const path = `${REGISTRATION}/${PATHS[object.kind]}`;
    t.after(() => cluster.request('DELETE', `${path}/${name}`));
    const body = {
      apiVersion: object.apiVersion,
      kind: object.kind,
      metadata: { name },
      spec:
        matchConstraints === undefined
          ? { ...spec, policyName: name }
          : { ...spec, matchConstraints: { ...matchConstraints, namespaceSelector: selector } },
    };
    const { status, body: text } = await cluster.request('POST', path, { body });
    assert.equal(status, 201, text);
    const { metadata } = JSON.parse(text) as { metadata: { creationTimestamp: string } };
    createdAt = Date.parse(metadata.creationTimestamp);
  }
  await eventually(
    // What is of the same second may be from before.
    async () => Date.now() >= createdAt + 1_000 && (await holds()),
    { describe: `the ${kind} policy to hold` },
  );
  return true;
}

async function policiesOfChart(template: string, namespace: string): Promise<Rendered[]> {
  const { code, stdout, stderr } = await helm(
    'template',
    'towpath',
    CHART,
    `--namespace=${namespace}`,
    `--show-only=templates/${template}.yaml`,
    '--api-versions=admissionregistration.k8s.io/v1/MutatingAdmissionPolicy',
  );
  assert.equal(code, 0, stderr);
  return parseAllDocuments(stdout).map((document) => document.toJS() as Rendered);
}

/** Makes an Approval as somebody; never throws for a status. */
export function say(
  cluster: Cluster,
  namespace: string,
  as: Person,
  { application, environment, digest, decision = 'Approve', by = as.user, groups = as.groups ?? [] }: Said,
  query = '',
): Promise<ApiResponse> {
  return cluster.request('POST', `${pathOf(namespace)}${query}`, {
    as,
    body: {
      apiVersion: 'towpath.dev/v1alpha1',
      kind: 'Approval',
      metadata: { generateName: `${application}-` },
      spec: { application, environment, digest, decision, by, groups },
    },
  });
}

/**
 * Expects that whatever is at a path is neither made with, nor gets, what would have the garbage collector delete it, or
 * would keep it.
 *
 * @param kept its name there
 */
export async function assertUntied(
  cluster: Cluster,
  path: string,
  { make, edit, kept, object }: { make: Person; edit: Person; kept: string; object: object },
): Promise<void> {
  const uid = '00000000-0000-4000-8000-000000000000';
  const ties = {
    ownerReferences: [{ apiVersion: 'v1', kind: 'ConfigMap', name: 'never-was', uid }],
    finalizers: ['example.com/keep'],
  };
  for (const [field, value] of Object.entries(ties)) {
    const metadata = { [field]: value };
    const made = await cluster.request('POST', `${path}?dryRun=All`, {
      as: make,
      body: { ...object, metadata: { ...metadata, generateName: 'tied-' } },
    });
    const edited = await cluster.request('PATCH', `${path}/${kept}?dryRun=All`, {
      as: edit,
      body: { metadata },
      contentType: 'application/merge-patch+json',
    });
    for (const { status, body } of [made, edited]) {
      assert.equal(status, 422, `${field}: ${body}`);
      assert.match(body, new RegExp(`leave metadata\\.${field} out`));
    }
  }
}

export function pathOf(namespace: string): string {
  return `/apis/towpath.dev/v1alpha1/namespaces/${namespace}/approvals`;
}
