import type { TestContext } from 'node:test';
import type { Application } from '../../operator/api/v1alpha1/application.ts';
import { conditionOf, type Stage } from './operator.ts';
import { eventually } from './wait.ts';

/** A namespace with Applications of its own, beside others, in a cluster whose operator looks after all. */
export interface Tenant {
  readonly namespace: string;
  application(name: string, spec: object, annotations?: Record<string, string>): Promise<void>;
  until(name: string, holds: (one: Application) => unknown, describe: string): Promise<Application>;
  /** Waits until the environment, or the Application, is blocked for that reason; returns what it says. */
  blocked(name: string, reason: string, environment?: string): Promise<string>;
  ready(name: string, revision: string): Promise<Application>;
  delete(name: string): Promise<void>;
}

/** Makes the tenant's namespace, without any ServiceAccount of ours in it. */
export async function newTenant(
  t: TestContext,
  stage: Pick<Stage, 'cluster' | 'repoURL'> & Partial<Pick<Stage, 'operator'>>,
  namespace: string,
  labels: Record<string, string> = {},
): Promise<Tenant> {
  const { request } = stage.cluster;
  await made(stage, '/api/v1/namespaces', { metadata: { name: namespace, labels } });
  const path = (name: string) => `/apis/towpath.dev/v1alpha1/namespaces/${namespace}/applications/${name}`;
  const get = async (name: string) => {
    const { status, body } = await request('GET', path(name));
    return status === 404 ? undefined : (JSON.parse(body) as Application);
  };
  t.after(async () => {
    await request('DELETE', `/apis/towpath.dev/v1alpha1/namespaces/${namespace}/applications`);
    await request('DELETE', `/api/v1/namespaces/${namespace}`);
  });
  const tenant: Tenant = {
    namespace,
    application: async (name, spec, annotations = {}) => {
      const source = { repoURL: stage.repoURL, interval: '1s', ...(spec as { source?: object }).source };
      const body = {
        apiVersion: 'towpath.dev/v1alpha1',
        kind: 'Application',
        metadata: { name, namespace, annotations },
        spec: { ...spec, source },
      };
      const how = 'fieldManager=kubectl&force=true&fieldValidation=Strict';
      const contentType = 'application/apply-patch+yaml';
      const sent = await request('PATCH', `${path(name)}?${how}`, { body, contentType });
      if (sent.status >= 300) throw new Error(`apply Application ${name}: ${sent.status} ${sent.body}`);
    },
    until: async (name, holds, describe) => {
      let last: Application | undefined;
      return eventually(
        async () => {
          last = await get(name);
          return last !== undefined && holds(last) ? last : undefined;
        },
        { describe },
      ).catch((error: Error) => {
        const log = stage.operator?.process.logTail(15);
        throw new Error(`${error.message}\n${JSON.stringify(last?.status, null, 1)}\noperator: ${log}`);
      });
    },
    blocked: async (name, reason, environment) => {
      const blockOf = ({ status }: Application) =>
        status?.environments?.find((one) => environment === undefined || one.name === environment)
          ?.blockedBy?.[0];
      const told = await tenant.until(
        name,
        (one) => blockOf(one)?.reason === reason,
        `${name} of ${namespace} to be blocked: ${reason}`,
      );
      return blockOf(told)?.message ?? '';
    },
    ready: (name, revision) =>
      tenant.until(
        name,
        (one) =>
          conditionOf(one, 'Ready')?.status === 'True' &&
          one.status?.environments?.every((each) => each.revision === revision),
        `${name} of ${namespace} to be Ready at ${revision.slice(0, 8)}`,
      ),
    delete: async (name) => {
      await request('DELETE', path(name));
      await eventually(async () => (await get(name)) === undefined, { describe: `${name} to be gone` });
    },
  };
  return tenant;
}

/** Makes an object that goes with the test. */
export async function newObject(
  t: TestContext,
  stage: Pick<Stage, 'cluster'>,
  path: string,
  body: object,
): Promise<void> {
  await made(stage, path, body);
  const { name } = (body as { metadata: { name: string } }).metadata;
  t.after(() => stage.cluster.request('DELETE', `${path}/${name}`));
}

/** Makes an Environment that goes with the test. */
export function newEnvironmentOf(
  t: TestContext,
  stage: Pick<Stage, 'cluster'>,
  name: string,
  spec: object,
): Promise<void> {
  return newObject(t, stage, '/apis/towpath.dev/v1alpha1/environments', {
    apiVersion: 'towpath.dev/v1alpha1',
    kind: 'Environment',
    metadata: { name },
    spec,
  });
}

async function made({ cluster }: Pick<Stage, 'cluster'>, path: string, body: object): Promise<void> {
  const { status, body: text } = await cluster.request('POST', path, { body });
  if (status >= 300) throw new Error(`POST ${path}: ${status} ${text}`);
}
