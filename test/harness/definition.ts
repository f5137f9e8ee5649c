export interface DefinitionOptions {
  annotations?: Record<string, string>;
  scope?: 'Namespaced' | 'Cluster';
  /** All served, the first one stored; default v1. */
  versions?: readonly string[];
}

/** A CustomResourceDefinition with one string field `a` in its spec. */
export function definition(
  plural: string,
  group: string,
  kind: string,
  { annotations = {}, scope = 'Namespaced', versions = ['v1'] }: DefinitionOptions = {},
) {
  const spec = { type: 'object', properties: { a: { type: 'string' } } };
  const schema = { openAPIV3Schema: { type: 'object', properties: { spec } } };
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.${group}`, annotations },
    spec: {
      group,
      scope,
      names: { plural, kind },
      versions: versions.map((name, index) => ({ name, served: true, storage: index === 0, schema })),
    },
  };
}
