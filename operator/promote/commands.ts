import type { Command } from './command.ts';

/** One whose status says no end yet. */
export interface Given {
  readonly command: Command;
  readonly is: /** Nothing was done for it. */
    | 'Waiting'
    /** A deployment was begun for it. */
    | 'UnderWay'
    /** That is over. */
    | 'Over';
}

/** What became of one, with a sentence that says why. */
export interface Ended {
  readonly command: Command;
  readonly phase: 'Succeeded' | 'Failed' | 'Superseded' | 'Cancelled';
  readonly message: string;
}

/** What persons ask for of one target by now. */
export interface Commanded {
  /** The newest, which waits to be acted on; each before it has ended. */
  readonly waits?: Command;
  /** What is under way is to be taken back. */
  readonly takesBack?: { readonly cancel: Command; readonly of: Command };
  readonly ended: readonly Ended[];
}

export const NOTHING_COMMANDED: Commanded = Object.freeze({ ended: [] });

/**
 * What holds of all that persons ask for of a target: the newest. One that waits ends where a newer one comes, and where
 * it is cancelled, and nothing is left of it: without those that ended the answer would be the same. What is under way
 * ends when what is newer is begun, not before. Pure.
 *
 * @param given in the order in which they were made
 */
export function commandedBy(given: readonly Given[]): Commanded {
  const ended: Ended[] = [];
  let waits: Command | undefined;
  let takesBack: Commanded['takesBack'];
  for (const [index, { command, is }] of given.entries()) {
    if (command.type !== 'Cancel') {
      if (waits !== undefined) ended.push(superseded(waits, command));
      waits = is === 'Waiting' ? command : undefined;
      continue;
    }
    const about = given.slice(0, index).find((one) => one.command.promotion === command.about);
    if (about?.is === 'UnderWay') {
      if (takesBack !== undefined) ended.push(superseded(takesBack.cancel, command));
      takesBack = { cancel: command, of: about.command };
    } else if (about !== undefined && about.command === waits) {
      ended.push(cancelled(waits, command), done(command));
      waits = undefined;
    } else ended.push(tooLate(command));
  }
  return {
    ...(waits === undefined ? {} : { waits }),
    ...(takesBack === undefined ? {} : { takesBack }),
    ended,
  };
}

function superseded(command: Command, by: Command): Ended {
  return {
    command,
    phase: 'Superseded',
    message: `Promotion ${by.promotion} (${by.type}, by ${by.by}) took its place before it was begun.`,
  };
}

function cancelled(command: Command, { by, promotion, reason }: Command): Ended {
  const why = reason === '' ? '' : `: ${reason}`;
  return {
    command,
    phase: 'Cancelled',
    message: `${by} took it back before it was begun, by Promotion ${promotion}${why}`,
  };
}

function done(command: Command): Ended {
  return { command, phase: 'Succeeded', message: `Promotion ${command.about} is taken back.` };
}

function tooLate(command: Command): Ended {
  return {
    command,
    phase: 'Failed',
    message: `There is nothing to take back: Promotion ${command.about} is over, or there is none of that name of ${command.application} in environment ${command.environment}. To leave what runs there, roll back: kubectl towpath rollback ${command.application} ${command.environment}`,
  };
}
