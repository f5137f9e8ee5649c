import { hasInexactNumber, isTooDeep, valuesText } from '../../api/v1alpha1/values-text.ts';
import type { KubeClient, KubeObject } from '../../kube/client.ts';
import { APPLICATIONS } from './status/writer.ts';

/**
 * Exact JSON text of spec.helm.values: numbers that JSON.parse cannot hold are read again, from the text that the API
 * server sends.
 */
export async function exactValues(
  client: KubeClient,
  object: KubeObject,
  signal: AbortSignal,
): Promise<string | undefined> {
  const { values } = (object as { spec?: { helm?: { values?: unknown } } }).spec?.helm ?? {};
  // What is nested too deep is told as soon as the commit is known; until then nothing may follow it to its end.
  if (values === undefined || isTooDeep(values)) return undefined;
  if (!hasInexactNumber(values)) return JSON.stringify(values);
  const { name, namespace = '' } = object.metadata;
  const text = await client.getText({ resource: APPLICATIONS, namespace, name }, { signal });
  return valuesText(text) ?? JSON.stringify(values);
}
