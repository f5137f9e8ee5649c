import type { TowpathError } from '../../../api/errors.ts';
import { fitBetween } from '../../../api/v1alpha1/bound-status.ts';
import { hookName, hooksFor } from '../../../apply/hooks.ts';
import { describeObject, type HookEvent, type Manifest } from '../../../manifest/manifest.ts';
import { shortCandidate } from '../../candidate/revision.ts';
import type { Inventory } from '../../cluster/inventory.ts';
import type { Deployment } from '../../record/record.ts';
import type { RecordStore } from '../../record/store.ts';
import { type HookContext, haveRun, runHooks } from '../deploy/run-hooks.ts';

/** A deletion as far as the chart's hooks are concerned. */
export interface HookedDeletion extends Omit<HookContext, 'store' | 'inventory'> {
  parts: { store: RecordStore };
  cluster: { inventory: Inventory };
  tell(message: string): Promise<void>;
  /** Told as an event. */
  warn(reason: string, message: string): void;
  /** False for a while after one failed. */
  mayRunHooks: boolean;
  /** Those of an event are through. */
  onHooksRun(): void;
  /**
   * Why nothing new may be done there, as it is now: what a record has is deleted all the same, and hooks are not run.
   *
   * @throws where that is not known
   */
  refusal(): Promise<TowpathError | undefined>;
  /** Whether they are run: not where another target has taken over what they would clear away. */
  hooks: 'Run' | 'Leave';
}

/** How far the chart's hooks of an event of a deletion are. */
export async function runDeleteHooks(
  deletion: HookedDeletion,
  event: HookEvent,
): Promise<'Done' | 'Resting'> {
  const { parts, cluster, access, record, timeoutMs, tell, warn, mayRunHooks, onHooksRun } = deletion;
  const { deployment } = record;
  if (deployment === undefined || deletion.hooks === 'Leave') return 'Done';
  const manifests = await parts.store.manifests(record, deployment.candidate, access.signal);
  if (manifests === undefined) {
    if (isFirst(deployment, `lost ${event}`))
      warn(
        'RecordDamaged',
        `The kept manifests of ${shortCandidate(deployment.candidate.id)} are gone: hooks of ${event} that they may have had were not run.`,
      );
    return 'Done';
  }
  const hadRun = haveRun(deployment, manifests.hooks, event);
  // Where none is to be run nobody asks.
  const refusal = hadRun ? undefined : await deletion.refusal();
  if (refusal !== undefined) {
    leaveHooks(deletion, deployment, manifests.hooks, event, refusal);
    return 'Done';
  }
  if (!mayRunHooks && !hadRun) return 'Resting';
  const context = { access, store: parts.store, inventory: cluster.inventory, record, timeoutMs };
  await runHooks(context, deployment, manifests.hooks, event, (waiting) =>
    tell(`Deleting: waiting ${waiting}`),
  );
  if (!hadRun) onHooksRun();
  return 'Done';
}

/**
 * Nothing more is done as an account that it may not act as, and whoever relies on the hooks hears it.
 *
 * @throws the refusal where time helps: it is only not known yet whether they may run
 */
function leaveHooks(
  { record: { target }, warn }: Pick<HookedDeletion, 'record' | 'warn'>,
  deployment: Deployment,
  all: readonly Manifest[],
  event: HookEvent,
  refusal: TowpathError,
): void {
  if (refusal.remedy === 'Time') throw refusal;
  if (!isFirst(deployment, `left ${event}`)) return;
  const [first, ...more] = hooksFor(all, event).filter(
    (hook) => !deployment.hooks.includes(hookName(event, hook)),
  );
  if (first === undefined) return;
  const others = more.length === 0 ? '' : ` and ${more.length} more`;
  const which = `${describeObject(first)}${others} (${event})`;
  const { environment } = target;
  warn(
    'HooksLeft',
    fitBetween(
      `Deleted from environment ${environment} without its hook ${which}: `,
      refusal.message,
      ' Look whether that left anything behind.',
    ),
  );
}

/** Notes something of a deployment's hooks; whether that was not noted before. */
function isFirst({ hooks }: Deployment, what: string): boolean {
  if (hooks.includes(what)) return false;
  hooks.push(what);
  return true;
}
