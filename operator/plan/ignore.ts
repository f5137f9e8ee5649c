import { ANNOTATION_OWNER, LABEL_TARGET } from '../api/v1alpha1/names.ts';
import { decidedPaths } from '../manifest/decided.ts';
import { groupKind, type Manifest, type ObjectId, objectKey } from '../manifest/manifest.ts';
import { type ScaleTarget, scaledKey } from '../manifest/scale-target.ts';

/** One entry of spec.sync.ignore. */
export interface IgnoreRule {
  group?: string | undefined;
  kind: string;
  name?: string | undefined;
  namespace?: string | undefined;
  paths: readonly string[];
}

/** What an autoscaler decides. */
export const REPLICAS = '/spec/replicas';

/** What says whose an object is, and what it stands in: not for others to decide. */
const OURS: ReadonlySet<string> = new Set([
  '/metadata/labels',
  '/metadata/annotations',
  `/metadata/labels/${LABEL_TARGET.replace('/', '~1')}`,
  `/metadata/annotations/${ANNOTATION_OWNER.replace('/', '~1')}`,
]);

/**
 * Which paths of an object others decide: those of `sync.ignore`, what the control plane decides of its kind, and
 * `/spec/replicas` of what a HorizontalPodAutoscaler scales: one of the same candidate, or, as `isScaled` tells, of
 * the cluster. A rule without a namespace is about `home`, the one that the Application deploys to.
 */
export function ignoredPaths(
  rules: readonly IgnoreRule[],
  desired: readonly Manifest[],
  home: string,
  isScaled: (key: string) => boolean,
) {
  const scaled = new Set<string>();
  for (const manifest of desired) {
    if (groupKind(manifest) !== 'autoscaling/HorizontalPodAutoscaler') continue;
    const key = scaledKey(manifest.namespace, JSON.parse(manifest.text) as ScaleTarget);
    if (key !== undefined) scaled.add(key);
  }
  return (object: Manifest): readonly string[] => {
    const paths = rules.filter((rule) => matches(rule, object, home)).flatMap((rule) => rule.paths);
    paths.push(...decidedPaths(object));
    const key = objectKey(object);
    if (scaled.has(key) || isScaled(key)) paths.push(REPLICAS);
    return [...new Set(paths)].filter((path) => !OURS.has(path)).sort();
  };
}

function matches(rule: IgnoreRule, object: ObjectId, home: string): boolean {
  return (
    rule.kind === object.kind &&
    (rule.group ?? '') === object.group &&
    (rule.name === undefined || rule.name === object.name) &&
    (object.namespace === '' || (rule.namespace ?? home) === object.namespace)
  );
}
