import type { TestContext } from 'node:test';
import type { Stage } from './operator.ts';

/** An Environment of a test: cluster-scoped, and so with a name that no other test has. */
export interface StagedEnvironment {
  readonly name: string;
  /** Where Applications of the stage's namespace land. */
  readonly namespace: string;
}

/**
 * Makes an Environment for the Applications of a stage, and the namespace that they land in with a ServiceAccount
 * `deployer` that may edit there; both go with the test.
 */
export async function newEnvironment(
  t: TestContext,
  { cluster, namespace }: Stage,
  suffix: string,
  spec: object = {},
): Promise<StagedEnvironment> {
  const name = `${suffix}-${namespace}`.slice(0, 63);
  const landing = `${namespace}-${suffix}`;
  const make = async (path: string, body: object) => {
    const { status, body: text } = await cluster.request('POST', path, { body });
    if (status >= 300) throw new Error(`POST ${path}: ${status} ${text}`);
  };
  const environments = '/apis/towpath.dev/v1alpha1/environments';
  t.after(async () => {
    await cluster.request('DELETE', `${environments}/${name}`);
    // What its operator, which has ended, would do.
    await cluster.request('PATCH', `${environments}/${name}`, {
      body: { metadata: { finalizers: null } },
      contentType: 'application/merge-patch+json',
    });
    await cluster.request('DELETE', `/api/v1/namespaces/${landing}`);
  });
  await make('/api/v1/namespaces', { metadata: { name: landing } });
  await make(`/api/v1/namespaces/${landing}/serviceaccounts`, { metadata: { name: 'deployer' } });
  await make(`/apis/rbac.authorization.k8s.io/v1/namespaces/${landing}/rolebindings`, {
    metadata: { name: 'deployer' },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'edit' },
    subjects: [{ kind: 'ServiceAccount', name: 'deployer', namespace: landing }],
  });
  await make(environments, {
    apiVersion: 'towpath.dev/v1alpha1',
    kind: 'Environment',
    metadata: { name },
    spec: {
      namespace: landing,
      access: { serviceAccountName: 'deployer' },
      allowedNamespaces: [namespace],
      ...spec,
    },
  });
  return { name, namespace: landing };
}
