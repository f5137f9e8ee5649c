import { fitBetween } from '../api/v1alpha1/bound-status.ts';
import type { Command } from './command.ts';

/** One whose status says no end yet. */
export interface Given {
  readonly command: Command;
  readonly is: /** Nothing was done for it. */
    | 'Waiting'
    /** A deployment was begun for it. */
    | 'UnderWay'
    /** That is over. */
    | 'Over'
    /** Nothing came of it, nor will. */
    | 'Refused';
  /** What is under way for it goes back. */
  readonly goesBack?: true;
}

/** What became of one, with a sentence that says why. */
export interface Ended {
  readonly command: Command;
  readonly phase: 'Succeeded' | 'Failed' | 'Superseded' | 'Cancelled';
  readonly message: string;
  /** What took its place waits itself: should that be refused, this one goes on. */
  readonly unless?: 'Refused';
}

/**
 * How far that is which a Cancel names and no Promotion of a person is heard of for: it goes back where another person, a
 * policy, or somebody's Cancel has it do so.
 */
export type OwnIs = 'UnderWay' | 'GoesBack' | 'Over';

/** What persons ask for of one target by now. */
export interface Commanded {
  /** The newest, which waits to be acted on; each before it has ended. */
  readonly waits?: Command;
  /** By this one what is under way is to be taken back. */
  readonly takesBack?: Command;
  readonly ended: readonly Ended[];
}

export const NOTHING_COMMANDED: Commanded = Object.freeze({ ended: [] });

/**
 * What holds of all that persons ask for of a target: the newest. One that waits ends where a newer one comes, and where
 * it is cancelled, and nothing is left of it: without those that ended the answer would be the same. What is under way
 * ends when what is newer is begun, not before. What is refused takes no place. What goes back nobody else takes back. Pure.
 *
 * @param given in the order in which they were made
 * @param ownIs of what goes on without a person having asked for it
 */
export function commandedBy(
  given: readonly Given[],
  ownIs: (cancel: Command) => OwnIs = () => 'Over',
): Commanded {
  const ended: Ended[] = [];
  let waits: Command | undefined;
  let takesBack: Commanded['takesBack'];
  for (const [index, { command, is }] of given.entries()) {
    if (is === 'Refused' || (is === 'Over' && command.type === 'Cancel')) continue;
    if (command.type !== 'Cancel') {
      if (waits !== undefined) ended.push(superseded(waits, { command, is }));
      waits = is === 'Waiting' ? command : undefined;
      continue;
    }
    const about = given.slice(0, index).find((one) => one.command.promotion === command.about);
    const place = ended.findIndex((one) => one.command === about?.command && one.unless !== undefined);
    const goesOn = about === undefined ? ownIs(command) : placeOf(about, command);
    if (goesOn === 'GoesBack') {
      ended.push(notTheirs(command, about?.command));
    } else if (goesOn === 'UnderWay') {
      if (takesBack !== undefined) ended.push(superseded(takesBack, { command, is: 'UnderWay' }));
      takesBack = command;
    } else if (about !== undefined && about.command === waits) {
      ended.push(cancelled(waits, command), done(command));
      waits = undefined;
    } else if (about !== undefined && place !== -1)
      ended.splice(place, 1, cancelled(about.command, command), done(command));
    else ended.push(tooLate(command));
  }
  return {
    ...(waits === undefined ? {} : { waits }),
    ...(takesBack === undefined ? {} : { takesBack }),
    ended,
  };
}

function placeOf({ command, is, goesBack }: Given, cancel: Command): OwnIs {
  if (is !== 'UnderWay') return 'Over';
  return goesBack === true && !mayEndWayBack(cancel, command) ? 'GoesBack' : is;
}

/**
 * Going back is taken back by who asked for it alone: what that leaves would be there again past every gate and freeze,
 * and neither held nor rejected, by the right to promote. Who may go back asks for that by a Rollback.
 */
export function mayEndWayBack(cancel: Pick<Command, 'by'>, goesBack: Pick<Command, 'by'>): boolean {
  return cancel.by === goesBack.by;
}

/** What is over also where nothing is judged, so that nothing takes a place: what was taken back, say. */
export function endedUnheard({ ended }: Pick<Commanded, 'ended'>): readonly Ended[] {
  return ended.filter(({ unless }) => unless === undefined);
}

function superseded(command: Command, { command: by, is }: Given): Ended {
  return {
    ...(is === 'Waiting' ? { unless: 'Refused' as const } : {}),
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

/** Of why, where names are long, so much stays. */
const LEAST_WHY = 60;

function notTheirs(command: Command, goesBack: Command | undefined): Ended {
  const { application, environment, about = '' } = command;
  const why =
    goesBack === undefined
      ? `Environment ${environment} goes back by Promotion ${about}, for which nobody asked: what it leaves failed, or was taken back.`
      : `${goesBack.by.slice(0, 60)} goes back there by Promotion ${goesBack.promotion}, which nobody else takes back once it is begun.`;
  const next = ` Go elsewhere by kubectl towpath rollback ${application} ${environment} --to ID, or promote, with its gates.`;
  return { command, phase: 'Failed', message: fitBetween('', why, next, LEAST_WHY) };
}

function tooLate(command: Command): Ended {
  return {
    command,
    phase: 'Failed',
    message: `There is nothing to take back: Promotion ${command.about} is over, or there is none of that name of ${command.application} in environment ${command.environment}. To leave what runs there, roll back: kubectl towpath rollback ${command.application} ${command.environment}`,
  };
}
