import { readFileSync, writeFileSync } from 'node:fs';
import { parseAllDocuments } from 'yaml';

/**
 * Annotation of a pod (or pod template) that makes simulated nodes treat the pod otherwise than well:
 * - `waits`: its containers wait for ever, for the reason in `podReasonAnnotation` (`ImagePullBackOff`, …),
 * - `fails`: it runs and fails with exit code 1, the reason as message,
 * - `runs`: it becomes ready and, if it is a Job's, never completes.
 */
export const podAnnotation = 'test.towpath.dev/pod';
export const podReasonAnnotation = 'test.towpath.dev/reason';

interface Stage {
  metadata: { name: string };
  spec: { selector: { matchExpressions: object[] }; next: object };
}

/** Writes kwok's own stages, from the file given, together with those for annotated pods. */
export function writeStages(upstreamPath: string, path: string): void {
  const upstream = parseAllDocuments(readFileSync(upstreamPath, 'utf8'))
    .map((document) => document.toJS() as Stage | null)
    .filter((stage) => stage !== null);
  const stages = upstream.map((stage) => {
    if (stage.metadata.name === 'pod-ready')
      return also(stage, { operator: 'NotIn', values: ['waits', 'fails'] });
    if (stage.metadata.name === 'pod-complete') return also(stage, { operator: 'DoesNotExist' });
    return stage;
  });
  const all = [...stages, podStage('waits', waiting), podStage('fails', failing)];
  writeFileSync(path, all.map((stage) => `${JSON.stringify(stage)}\n`).join('---\n'));
}

const annotationKey = `.metadata.annotations["${podAnnotation}"]`;

function also(stage: Stage, condition: { operator: string; values?: string[] }): Stage {
  const { selector } = stage.spec;
  const matchExpressions = [...selector.matchExpressions, { key: annotationKey, ...condition }];
  return { ...stage, spec: { ...stage.spec, selector: { ...selector, matchExpressions } } };
}

const reason = `{{ index .metadata.annotations "${podReasonAnnotation}" | Quote }}`;

const waiting = `
conditions:
- {type: Initialized, status: "True", lastTransitionTime: {{ Now | Quote }}}
- {type: Ready, status: "False", reason: ContainersNotReady, lastTransitionTime: {{ Now | Quote }}}
- {type: ContainersReady, status: "False", reason: ContainersNotReady, lastTransitionTime: {{ Now | Quote }}}
containerStatuses:
{{ range .spec.containers }}
- name: {{ .name | Quote }}
  image: {{ .image | Quote }}
  ready: false
  started: false
  restartCount: 0
  state: {waiting: {reason: ${reason.replace('.metadata', '$.metadata')}, message: made by the test}}
{{ end }}
phase: Pending
startTime: {{ Now | Quote }}
`;

const failing = `
conditions:
- {type: Ready, status: "False", reason: PodFailed, lastTransitionTime: {{ Now | Quote }}}
containerStatuses:
{{ range .spec.containers }}
- name: {{ .name | Quote }}
  image: {{ .image | Quote }}
  ready: false
  started: false
  restartCount: 0
  state:
    terminated:
      exitCode: 1
      reason: Error
      message: ${reason.replace('.metadata', '$.metadata')}
      startedAt: {{ Now | Quote }}
      finishedAt: {{ Now | Quote }}
{{ end }}
phase: Failed
startTime: {{ Now | Quote }}
`;

function podStage(value: string, statusTemplate: string): object {
  return {
    apiVersion: 'kwok.x-k8s.io/v1alpha1',
    kind: 'Stage',
    metadata: { name: `pod-${value}` },
    spec: {
      resourceRef: { apiGroup: 'v1', kind: 'Pod' },
      selector: {
        matchExpressions: [
          { key: '.metadata.deletionTimestamp', operator: 'DoesNotExist' },
          { key: '.status.phase', operator: 'In', values: ['Pending'] },
          // A waiting pod stays Pending: without this it would be written again and again.
          { key: '.status.startTime', operator: 'DoesNotExist' },
          { key: annotationKey, operator: 'In', values: [value] },
        ],
      },
      next: { statusTemplate },
    },
  };
}
