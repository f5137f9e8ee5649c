import { fitBetween } from '../../api/v1alpha1/bound-status.ts';
import type { CheckStanding } from '../checks.ts';
import type { BlockedBy } from '../gate.ts';

/** How a check stands in an environment of the stage before, for what is to enter. */
export interface CheckShown {
  readonly environment: string;
  readonly check: string;
  readonly standing: CheckStanding;
  /** How to read what it wrote, while it is there: a command. */
  readonly logs?: string;
}

/** What a person has to know first comes first. */
const WORST: readonly CheckStanding['is'][] = [
  'Failed',
  'CouldNotRun',
  'Runs',
  'NotRun',
  'Expired',
  'Passed',
];

/** Checks that have to pass in each environment of the stage before: one reason for each that has not. Pure. */
export function checks(all: readonly CheckShown[]): readonly BlockedBy[] {
  return all
    .toSorted((one, other) => WORST.indexOf(one.standing.is) - WORST.indexOf(other.standing.is))
    .flatMap((shown) => blockedBy(shown) ?? []);
}

function blockedBy({ environment, check, standing, logs }: CheckShown): BlockedBy | undefined {
  const which = `Check ${check}`;
  const where = `in environment ${environment}`;
  const waits = { reason: 'Checks', standing: 'Waiting' } as const;
  switch (standing.is) {
    case 'Passed':
      return undefined;
    case 'Failed': {
      const read = logs === undefined ? '' : ` Logs: ${logs}`;
      const message = fitBetween(
        `${which} failed ${where}: `,
        standing.why,
        `. A newer commit may pass; a sync there runs it again.${read}`,
      );
      return { ...waits, remedy: 'Resource', message };
    }
    case 'CouldNotRun': {
      const { why, again } = standing;
      const next = again === undefined ? 'Mend that: a sync there runs it again.' : 'It is tried again.';
      const message = fitBetween(`${which} could not run ${where}: `, why, `. ${next}`);
      if (again === undefined) return { ...waits, remedy: 'Resource', message };
      return { ...waits, remedy: 'Time', message, clearsAt: again };
    }
    case 'Runs': {
      const message = `${which} runs ${where}; by clearsAt it has to have ended.`;
      return { ...waits, remedy: 'Time', message, clearsAt: standing.until };
    }
    case 'NotRun': {
      const message = `${which} has not run ${where} yet: it does once that is Synced and Healthy.`;
      return { ...waits, remedy: 'Resource', message };
    }
    case 'Expired': {
      const message = `${which} passed ${where} at ${standing.at}, which is too long ago: it is run again when nothing else is waited for.`;
      return { ...waits, remedy: 'Resource', message };
    }
  }
}
