import assert from 'node:assert/strict';
import type { Application } from '../../operator/api/v1alpha1/application.ts';
import { conditionOf, type Stage } from '../harness/operator.ts';

/** The text of a ConfigMap that carries a message. */
export function configMap(name: string, message: string): string {
  return `apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: ${name}\ndata:\n  message: "${message}"\n`;
}

/** The message that the cluster's ConfigMap carries. */
export async function messageOf(stage: Stage, name: string): Promise<string> {
  const path = `/api/v1/namespaces/${stage.namespace}/configmaps/${name}`;
  const { status, body } = await stage.cluster.request('GET', path);
  assert.equal(status, 200, body);
  return (JSON.parse(body) as { data?: { message?: string } }).data?.message ?? '';
}

export function isReady(application: Application): boolean {
  return conditionOf(application, 'Ready')?.status === 'True';
}
