import type { Remedy } from '../../operator/api/errors.ts';
import {
  HEALTH_STATES,
  type HealthState,
  SYNC_STATES,
  type SyncState,
} from '../../operator/api/v1alpha1/application.ts';
import { judge } from '../../operator/controller/application/status/conditions.ts';
import { code, GENERATED, table } from './markdown.ts';

const SYNC: Readonly<Record<SyncState, string>> = {
  Failed: 'The last deployment failed, and its retries are used up.',
  Quarantined: 'The newest candidate was refused; the last good one keeps running.',
  OutOfSync: 'The cluster differs from Git, and is to be left so until someone asks (Manual, Report).',
  Blocked: 'Something must happen first; blockedBy says what.',
  Syncing: 'A candidate is fetched, rendered, applied, or applied and not healthy yet.',
  Held: 'A person had it rolled back: it stays there until a person promotes something, or lets go of it.',
  Waiting: 'A newer candidate waits at a gate; blockedBy says which.',
  Suspended: 'Nothing is written.',
  Synced: 'The cluster has what Git says.',
};

const HEALTH: Readonly<Record<HealthState, string>> = {
  Degraded: 'An object cannot work, and says so.',
  Missing: 'An object that should exist does not.',
  Unknown: 'The health of an object cannot be seen.',
  Progressing: 'An object is on its way.',
  Suspended: 'Somebody other than Git suspended or paused an object.',
  Healthy: 'All objects work; kinds that have no health are healthy once they exist.',
};

/** Stands for the reason and the message of the standing. */
const ITS_OWN = 'its own';

/** The reference page of sync, health and the conditions that follow from them: what `judge` says. */
export function statusPage(): string {
  return `${GENERATED}
# Sync, health and conditions
## sync, the worst first
${table(
  ['sync', 'means'],
  SYNC_STATES.map((state) => [code(state), SYNC[state]]),
)}

## health, the worst first
${table(
  ['health', 'means'],
  HEALTH_STATES.map((state) => [code(state), HEALTH[state]]),
)}

## Conditions that follow
\`Reconciling\` and \`Stalled\` are present only while true: \`Reconciling\` is working or waiting, \`Stalled\` needs a change by a person. A reason in the column is fixed; "${ITS_OWN}" is the reason of what happened, from [the list of reasons](reasons.md).

${table(['sync', 'what helps', 'health', 'Ready', 'reason', 'Reconciling', 'Stalled'], conditionRows())}

While the Git server cannot be asked, what was accepted stays enforced: an Application that is Synced keeps its Ready condition, and \`Reconciling\` says what is wrong with the server.

## Promoted
An Application has the condition \`Promoted\`, too. It is True (\`AllPromoted\`) when each of its environments has the newest candidate that was accepted, deployed to the end, however healthy it is by now; so with a policy or without one \`kubectl wait --for=condition=Promoted\` waits until a commit is everywhere. Else it is False (\`NotPromoted\`), and its message names the environments and what each waits for. What was refused (\`Quarantined\`) was accepted nowhere, and leaves it as it is. An environment that is suspended, held after a rollback, or out of reach has not got what is newer, as far as anybody can say.
`;
}

function conditionRows(): string[][] {
  return SYNC_STATES.flatMap((sync) => {
    // Only of Blocked does it matter what helps.
    const remedies: readonly (Remedy | undefined)[] =
      sync === 'Blocked' ? ['Person', 'Resource', 'Time'] : [undefined];
    return remedies.flatMap((remedy) => {
      const rows = HEALTH_STATES.map((health) => ({ health, row: conditionRow(sync, remedy, health) }));
      const helps = remedy?.toLowerCase() ?? '';
      const isSame = rows.every(({ row }) => row.join() === rows[0]?.row.join());
      return isSame
        ? [[code(sync), helps, 'any', ...(rows[0]?.row ?? [])]]
        : rows.map(({ health, row }) => [code(sync), helps, code(health), ...row]);
    });
  });
}

function conditionRow(sync: SyncState, remedy: Remedy | undefined, health: HealthState): string[] {
  const standing = { sync, reason: ITS_OWN, message: '', ...(remedy && { remedy }) };
  const { ready, reconciling, stalled } = judge(standing, { state: health });
  const reason = ready.reason === ITS_OWN ? ITS_OWN : code(ready.reason);
  return [ready.status, reason, reconciling ? 'True' : '', stalled ? 'True' : ''];
}
