import { person, type ReasonTable, resource, time } from './reason.ts';

/** Rendering, and what is wrong with what was rendered. */
export const RENDER_REASONS = {
  ChartInvalid: person(
    'The chart cannot be loaded.',
    'Correct the file and line of the chart that the message names.',
  ),
  RenderFailed: person(
    'A template or kustomization fails.',
    'Correct it, or the values it is given; the message names file and line.',
  ),
  ValuesInvalid: person(
    "Values are no map, are nested more than 200 deep, or break the chart's schema.",
    'Correct the values that the message names.',
  ),
  ValuesTooLarge: person(
    'The values in spec.helm.values have more than 256 KiB.',
    'Move a part of it into a values file.',
  ),
  ValuesFileNotFound: person(
    'A values file does not exist in this commit.',
    'Correct spec.helm.valuesFiles, or push the file.',
  ),
  ValuesFileTooLarge: person('A values file has more than 1 MiB.', 'Make it smaller.'),
  ValuesFileIsLFSPointer: person(
    'A values file is in Git LFS, which is not read.',
    'Commit the file itself.',
  ),
  LFSPointer: person(
    'A file that the render reads is in Git LFS, which is not followed.',
    'Commit the file itself, without Git LFS; the message names it.',
  ),
  PathIsParent: person(
    'The path is neither a chart nor a kustomization, but charts or kustomizations lie below it.',
    'Set spec.source.path to one of those that the message names, and make an Application for each.',
  ),
  DependencyMissing: person(
    'A dependency of the chart is neither in charts/ nor a file:// path, and cannot be fetched; or a published chart was packaged without it.',
    'Use another version of a published chart. Of one in Git: run "helm dependency update" and commit the folder charts; what has an https:// or oci:// repository in Chart.yaml is fetched.',
  ),
  ChartLockOutOfDate: person(
    'Chart.lock was not made of the dependencies that Chart.yaml has now.',
    'Run "helm dependency update" and commit Chart.lock; the message names what differs.',
  ),
  ChartArchiveInvalid: person(
    'What was fetched for spec.helm.chart, for a dependency, or for helmCharts of a kustomization, holds another chart.',
    'Have who publishes it correct that; or use another version, or commit the right chart to the folder charts.',
  ),
  KubeVersionUnsupported: person(
    "The chart does not support this cluster's version of Kubernetes.",
    'Use a version of the chart that does, or correct kubeVersion in its Chart.yaml.',
  ),
  KustomizationInvalid: person('The kustomization cannot be built.', 'Correct what the message names.'),
  RemoteBaseUnsupported: person(
    'The kustomization asks for something outside the repository that is no directory of another Git repository.',
    'Copy it into the repository.',
  ),
  ManifestInvalid: person(
    'An object is refused in principle: it is no valid manifest, or breaks its schema.',
    'Correct every object that status.quarantine.errors lists.',
  ),
  DuplicateObject: person(
    'The same object is rendered twice.',
    'Remove one of the two; the message names both files.',
  ),
  RenderTooLarge: person('The render makes more than the limits allow.', 'Split the Application.'),
  RenderTimeout: person(
    'The render takes more processor time than it may (20 s); it is tried again a few times.',
    'Look for an endless loop or recursion in the templates; split a large kustomization or directory.',
  ),
  RenderOutOfMemory: person(
    'The render takes more memory than it may; it is tried again a few times.',
    'Look for a template that makes very large text.',
  ),
  EngineEnded: person(
    'The process that rendered ended; it is tried again a few times.',
    'Tell who runs Towpath if it stays; the node may lack memory.',
  ),
  EngineUnavailable: time(
    'The rendering engine of the operator does not start.',
    'Tell who runs Towpath if it stays; the message has what the engine said.',
  ),
  Stopping: time('The operator is stopping.', 'Nothing: its successor goes on.'),
  ConfigMapMissing: resource(
    'A ConfigMap that is named does not exist, or lacks the key.',
    'Make it in the namespace of the Application; it is noticed at once.',
  ),
} satisfies ReasonTable;
