import type { Application } from '../../operator/api/v1alpha1/application.ts';
import type { LedgerEntry } from '../../operator/api/v1alpha1/ledger.ts';
import { type Began, targetOf } from './at.ts';

/**
 * Deployments that the status of an Application tells of, and no record does: they could not be written down, or not yet.
 * Without them what ran before would seem to run still.
 */
export function unrecordedOf(applications: readonly Application[], entries: readonly LedgerEntry[]): Began[] {
  const recorded = new Set(entries.map(identityOf));
  const told = applications.flatMap(({ metadata: { name, uid }, status }) =>
    (status?.environments ?? []).flatMap(({ name: environment, history = [] }) =>
      history.map(
        ({ id, startedAt }): Began => ({
          uid: `${uid}/${environment}/${id}`,
          promotion: '',
          application: name,
          environment,
          type: 'Promote',
          phase: 'Deploying',
          by: '',
          deployment: id,
          applicationUID: uid,
          requestedAt: startedAt,
          startedAt,
          isUnrecorded: true,
        }),
      ),
    ),
  );
  return told.filter((one) => !recorded.has(identityOf(one)));
}

/** A status has no milliseconds; and one that was restored has another uid. */
function identityOf(entry: LedgerEntry): string {
  const second = Math.floor(Date.parse(entry.startedAt ?? '') / 1_000);
  return `${targetOf(entry)} ${entry.deployment} ${second}`;
}
