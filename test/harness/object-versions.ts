import { LABEL_TARGET } from '../../operator/api/v1alpha1/names.ts';

interface Listed {
  kind: string;
  metadata: { name: string; uid: string; resourceVersion: string };
}

/**
 * uid and resourceVersion of every object in a namespace, the Applications themselves included, and of what
 * Applications made that stands in none; by kind and name.
 *
 * @param kubectl gives what kubectl prints.
 */
export async function objectVersions(
  kubectl: (...args: string[]) => Promise<string>,
  namespace: string,
): Promise<Record<string, string>> {
  const kinds = async (scope: string) =>
    (await kubectl('api-resources', '--verbs=list', `--namespaced=${scope}`, '-o', 'name'))
      .trim()
      .split('\n')
      // What happened is told anew all the time.
      .filter((kind) => !/^events($|\.)/.test(kind))
      .join(',');
  const inIt = await kubectl('get', await kinds('true'), '-n', namespace, '-o', 'json');
  const inNone = await kubectl('get', await kinds('false'), '-l', LABEL_TARGET, '-o', 'json');
  const items = [inIt, inNone].flatMap((list) => (JSON.parse(list) as { items: Listed[] }).items);
  return Object.fromEntries(
    items.map(({ kind, metadata }) => [
      `${kind} ${metadata.name}`,
      `${metadata.uid} ${metadata.resourceVersion}`,
    ]),
  );
}
