import type { Manifest } from '../manifest/manifest.ts';
import type { Slices } from '../observe/event-loop-slices.ts';
import type { ClusterReads } from './cluster-reads.ts';
import type { ChartArchive } from './tree-with-charts.ts';

export interface RenderRequest {
  /** Of the chart, kustomization, directory or file, in the repository. */
  path: string;
  /** What renders, where it was published: of the repository nothing but values files is read then. */
  chart?: ChartArchive;
  /** Where that path stands, if it is not that of the whole Application: `spec.environments[prod].path`. */
  pathField?: string;
  /** The target namespace. */
  namespace: string;
  releaseName: string;
  helm?: HelmValues;
  /** Of the cluster; `apiVersions` as Helm has them: `apps/v1` and `apps/v1/Deployment`. */
  capabilities: { kubeVersion: string; apiVersions: readonly string[] };
  /** `group/Kind` → namespaced, from discovery. CRDs in the render itself add to it. */
  scopes: Readonly<Record<string, boolean>>;
  /** Set on every object. */
  labels: Readonly<Record<string, string>>;
  /** `<namespace>/<application>/<environment>`, for the annotation towpath.dev/owner. */
  owner: string;
}

/** What a chart is rendered with: the later layer wins. */
export interface HelmValues {
  /** All layers win over it, and it says nothing of what is at the path. JSON text of an object. */
  defaults?: { readonly name: string; readonly text: string };
  layers: readonly ValuesLayer[];
  /** The chart's values.schema.json is not asked. */
  skipSchemaValidation?: true;
}

/** Values in the order in which they are merged: files, valuesFrom, values. */
export interface ValuesLayer {
  /** As messages name it: `spec.helm`. */
  name: string;
  /** Relative to the request's path, or to the repository's root where they begin with `/`. */
  valuesFiles?: readonly string[];
  /** `name` as messages say it: `ConfigMap shared key values.yaml`. Texts of Secrets never appear in messages. */
  valuesFrom?: readonly { name: string; text: string; secret?: boolean }[];
  /** JSON text of an object; integers beyond 2^53 stay exact. */
  values?: string;
}

export type RenderKind = 'Helm' | 'Kustomize' | 'Plain';

export interface Rendered {
  /** In the order in which Helm installs them. Those of no known kind have the target namespace. */
  objects: Manifest[];
  /** Helm's hooks, with labels and owner like the objects. */
  hooks: Manifest[];
  chart?: { name: string; version: string; appVersion?: string };
  /** Digest of exactly what was read of the repository. */
  inputs: string;
  /**
   * Paths at and below which all of that is: a commit that changes something elsewhere changes none of it. Undefined
   * where nobody can say.
   */
  places: readonly string[] | undefined;
  /** What was read of the cluster. */
  reads: ClusterReads;
  warnings: string[];
}

export interface RenderLimits {
  /** Of processor time for one render. */
  cpuMs: number;
  /** Of one engine process. */
  memoryBytes: number;
  /** Of all manifests of one render together. */
  outputBytes: number;
  /** Of all files of one render together. */
  inputBytes: number;
  objects: number;
}

export const DEFAULT_LIMITS: RenderLimits = {
  cpuMs: 20_000,
  memoryBytes: 512 * 2 ** 20,
  outputBytes: 32 * 2 ** 20,
  inputBytes: 32 * 2 ** 20,
  objects: 5000,
};

export interface RendererOptions {
  enginePath: string;
  processes?: number;
  limits?: Partial<RenderLimits>;
  /** Of kept results, and of what each engine process keeps. */
  cacheBytes?: number;
  /** Shared with all else that takes long. */
  slices?: Slices;
  /** Told of each render that an engine did, for metrics; `reason` is '' for success. */
  onRendered?(event: { milliseconds: number; reason: string }): void;
}

export function describePath(path: string): string {
  return path === '' ? "the repository's root" : path;
}
