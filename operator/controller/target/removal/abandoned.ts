import { ANNOTATION_ABANDON } from '../../../api/v1alpha1/names.ts';
import { sha256 } from '../../../manifest/digest.ts';
import type { TargetRecord } from '../../record/record.ts';
import type { RecordStore } from '../../record/store.ts';
import type { TargetIdentity, TargetSettings } from '../../record/target.ts';

type Settings = Pick<TargetSettings, 'abandoned'>;

/**
 * Whether a person has the target's objects left where they are (towpath.dev/abandon). What stood there when something was
 * deployed is about an earlier end of it: forgotten, it must not leave in silence what came since.
 */
export function isAbandoned(
  store: Pick<RecordStore, 'get'>,
  target: TargetIdentity & { readonly settings: Settings },
): boolean {
  const { abandoned } = target.settings;
  return abandoned !== undefined && store.get(target)?.abandoned !== sha256(abandoned);
}

/** As a deployment begins. */
export function noteAbandoned(record: TargetRecord, { abandoned }: Settings): void {
  if (abandoned === undefined) delete record.abandoned;
  else record.abandoned = sha256(abandoned);
}

/** Ends a message about a removal that is stuck. @param record undefined: there is none */
export function howToAbandon(environment: string, record: TargetRecord | undefined): string {
  const { abandoned, deployment } = record ?? {};
  if (abandoned === undefined) return ` To leave the objects: annotate ${ANNOTATION_ABANDON}=${environment}.`;
  const value = `${environment}=${deployment?.startedAt ?? 'again'}`;
  return ` To leave the objects: annotate ${ANNOTATION_ABANDON}=${value} (what stood there when something was deployed last counts no more).`;
}
