import type { Stage } from './operator.ts';
import { eventually } from './wait.ts';

/** The manifest of a ConfigMap that carries a version. */
export function configMap(name: string, version: string): string {
  return `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ${name}}\ndata: {version: "${version}"}\n`;
}

/** The version that the cluster's ConfigMap carries. */
export async function versionOf(stage: Stage, name: string): Promise<string | undefined> {
  const path = `/api/v1/namespaces/${stage.namespace}/configmaps/${name}`;
  const { body } = await stage.cluster.request('GET', path);
  return (JSON.parse(body) as { data?: { version?: string } }).data?.version;
}

/** Asks the operator to look at Git now; milliseconds since the ask until the cluster has the version. */
export async function timeToSync(
  stage: Stage,
  application: string,
  object: string,
  version: string,
): Promise<number> {
  const asked = performance.now();
  await stage.requestSync(application);
  await eventually(async () => (await versionOf(stage, object)) === version, {
    every: 20,
    within: 60_000,
    describe: `${object} at ${version}; operator: ${stage.operator.process.logTail(5)}`,
  });
  return performance.now() - asked;
}

/** Commits ever another version of the ConfigMap `good` and answers how long the Application `good` took; it has 1. */
export function goodSyncs(stage: Stage): () => Promise<number> {
  let version = 1;
  return async () => {
    version += 1;
    await stage.repository.commit({ 'good.yaml': configMap('good', String(version)) });
    return timeToSync(stage, 'good', 'good', String(version));
  };
}
