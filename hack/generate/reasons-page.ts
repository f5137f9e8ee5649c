import { EVENTS, REASON_AREAS, type ReasonEntry } from '../../operator/api/v1alpha1/reasons.ts';
import { code, GENERATED, table } from './markdown.ts';

const HELPS: Readonly<Record<ReasonEntry['remedy'], string>> = {
  Person: 'a person (Stalled)',
  Resource: 'another resource (Reconciling)',
  Time: 'time (Reconciling)',
  None: 'no error',
};

/** The reference page of reasons and events. */
export function reasonsPage(): string {
  const areas = Object.entries(REASON_AREAS).map(
    ([area, reasons]) => `## ${area}
${table(
  ['reason', 'means', 'what helps', 'what to do'],
  Object.entries(reasons).map(([reason, { remedy, meaning, action }]) => [
    code(reason),
    meaning,
    HELPS[remedy],
    action,
  ]),
)}
`,
  );
  return `${GENERATED}
# Reasons
Conditions, \`status.environments[].blockedBy\` and events carry these reasons; they do not change between versions. What helps: a person, who must change something (condition Stalled); another resource, which is watched, or time, after which it is tried again (condition Reconciling). A state that is no error has neither by itself: see [status](status.md). One error may know better than the table: its conditions count.

${areas.join('\n')}
## Events
Of the reasons of the Ready condition these are also told as events: Synced at the end of a deployment, what is wrong (sync Quarantined or Failed, health Degraded), and what is waited for (sync Blocked, AwaitingSync). The steps of a sync are not. Further events:

${table(
  ['event', 'type', 'means'],
  Object.entries(EVENTS).map(([reason, { type, meaning }]) => [code(reason), type, meaning]),
)}
`;
}
