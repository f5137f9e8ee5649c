import { objectKey } from './manifest.ts';

export interface ScaleTarget {
  spec?: { scaleTargetRef?: { apiVersion?: string; kind?: string; name?: string } };
}

/** The key of what a HorizontalPodAutoscaler in the namespace scales; undefined where it names nothing. */
export function scaledKey(namespace: string, { spec }: ScaleTarget): string | undefined {
  const { apiVersion = '', kind, name } = spec?.scaleTargetRef ?? {};
  if (kind === undefined || name === undefined) return undefined;
  const group = apiVersion.slice(0, Math.max(0, apiVersion.indexOf('/')));
  return objectKey({ group, kind, namespace, name });
}
