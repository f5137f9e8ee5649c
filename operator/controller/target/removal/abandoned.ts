import { fitBetween } from '../../../api/v1alpha1/bound-status.ts';
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

/** Whether it stands there from before something was deployed: then it counts no more, and who wrote it may rely on it. */
export function isOutdated(
  store: Pick<RecordStore, 'get'>,
  target: TargetIdentity & { readonly settings: Settings },
): boolean {
  return target.settings.abandoned !== undefined && !isAbandoned(store, target);
}

/** What a deletion waits for that would delete what somebody wrote is to be left. */
export function whyOutdated(environment: string, record: TargetRecord): string {
  const words = `what the annotation ${ANNOTATION_ABANDON} says of ${environment} is older than what was deployed there.`;
  const value = newValue(environment, record);
  const next = ` To leave the objects, write ${value} there instead; to have them deleted, take it out.`;
  return fitBetween('Deleting waits: ', words, next);
}

/** As a deployment begins. */
export function noteAbandoned(record: TargetRecord, { abandoned }: Settings): void {
  if (abandoned === undefined) delete record.abandoned;
  else record.abandoned = sha256(abandoned);
}

/** Ends a message about a removal that is stuck. @param record undefined: there is none */
export function howToAbandon(environment: string, record: TargetRecord | undefined): string {
  if (record?.abandoned === undefined)
    return ` To leave the objects: annotate ${ANNOTATION_ABANDON}=${environment}.`;
  const value = newValue(environment, record);
  return ` To leave the objects: annotate ${ANNOTATION_ABANDON}=${value} (what stood there when something was deployed last counts no more).`;
}

function newValue(environment: string, { deployment }: TargetRecord): string {
  return `${environment}=${deployment?.startedAt ?? 'again'}`;
}
