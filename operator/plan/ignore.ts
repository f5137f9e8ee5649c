import { ANNOTATION_OWNER, LABEL_TARGET } from '../api/v1alpha1/names.ts';
import { decidedPaths } from '../manifest/decided.ts';
import { type Manifest, type ObjectId, objectKey } from '../manifest/manifest.ts';

/** One entry of spec.sync.ignore. */
export interface IgnoreRule {
  group?: string | undefined;
  kind: string;
  name?: string | undefined;
  namespace?: string | undefined;
  paths: readonly string[];
}

/** What says whose an object is, and what it stands in: not for others to decide. */
const OURS: ReadonlySet<string> = new Set([
  '/metadata/labels',
  '/metadata/annotations',
  `/metadata/labels/${LABEL_TARGET.replace('/', '~1')}`,
  `/metadata/annotations/${ANNOTATION_OWNER.replace('/', '~1')}`,
]);

interface ScaleTarget {
  spec?: { scaleTargetRef?: { apiVersion?: string; kind?: string; name?: string } };
}

/**
 * Which paths of an object others decide: those of `sync.ignore`, what the control plane decides of its kind, and
 * `/spec/replicas` of what a HorizontalPodAutoscaler of the same candidate scales. A rule without a namespace is about `home`, the one that
 * the Application deploys to.
 */
export function ignoredPaths(rules: readonly IgnoreRule[], desired: readonly Manifest[], home: string) {
  const scaled = new Set<string>();
  for (const manifest of desired) {
    if (manifest.group !== 'autoscaling' || manifest.kind !== 'HorizontalPodAutoscaler') continue;
    const reference = (JSON.parse(manifest.text) as ScaleTarget).spec?.scaleTargetRef;
    if (reference?.kind === undefined || reference.name === undefined) continue;
    const slash = reference.apiVersion?.indexOf('/') ?? -1;
    const group = slash > 0 ? (reference.apiVersion ?? '').slice(0, slash) : '';
    scaled.add(
      objectKey({ group, kind: reference.kind, namespace: manifest.namespace, name: reference.name }),
    );
  }
  return (object: Manifest): readonly string[] => {
    const paths = rules.filter((rule) => matches(rule, object, home)).flatMap((rule) => rule.paths);
    paths.push(...decidedPaths(object));
    if (scaled.has(objectKey(object))) paths.push('/spec/replicas');
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
