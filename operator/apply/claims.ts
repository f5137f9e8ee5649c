import { ANNOTATION_REPLACE } from '../api/v1alpha1/names.ts';
import type { KubeObject } from '../kube/client.ts';
import { ApiError } from '../kube/errors.ts';
import type { LargerClaim, PlannedApply } from '../manifest/applied.ts';
import { valueAt, withValues } from '../manifest/exact-json.ts';
import { groupKind } from '../manifest/manifest.ts';

const SIZE = '/spec/resources/requests/storage';

/**
 * Whether a claim was refused for its size alone: somebody had it grown, and a claim never shrinks. One that Git
 * wants replaced is no matter of this, unless nothing changed in Git: nobody asked then to lose its data.
 */
export function isShrunk(error: unknown, { manifest, reason }: PlannedApply): error is ApiError {
  if (!(error instanceof ApiError) || error.code !== 422 || error.causes.length === 0) return false;
  if (groupKind(manifest) !== '/PersistentVolumeClaim') return false;
  if (reason !== 'Drift' && manifest.annotations[ANNOTATION_REPLACE] === 'true') return false;
  return error.causes.every(
    ({ field = '', reason: why }) =>
      field.startsWith('spec.resources.requests') && why === 'FieldValueForbidden',
  );
}

/** The same to be applied with the size that the live claim has; undefined where one of the two tells none. */
export function asLargeAs(
  planned: PlannedApply,
  existing: KubeObject,
): { planned: PlannedApply; larger: LargerClaim } | undefined {
  const { manifest } = planned;
  const git = valueAt(JSON.parse(manifest.text), SIZE);
  const live = valueAt(JSON.parse(JSON.stringify(existing)), SIZE);
  if (git === undefined || typeof live !== 'string') return undefined;
  const text = withValues(manifest.text, new Map([[SIZE, live]]));
  return {
    planned: { ...planned, manifest: { ...manifest, text } },
    larger: { git: String(git), live },
  };
}
