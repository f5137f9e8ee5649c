import { resume, suspend, sync } from './ask.ts';
import { at } from './at.ts';
import type { Command } from './command.ts';
import { approve, reject } from './decide.ts';
import { diff } from './diff.ts';
import { freeze, unfreeze } from './freeze.ts';
import { history } from './history.ts';
import { cancel, promote } from './promote.ts';
import { render } from './render.ts';
import { rollback } from './rollback.ts';
import { status } from './status.ts';
import { wait } from './wait.ts';
import { why } from './why.ts';

/** By name, in the order in which help lists them. */
export const COMMANDS: Readonly<Record<string, Command>> = {
  status,
  why,
  wait,
  sync,
  suspend,
  resume,
  approve,
  reject,
  promote,
  cancel,
  rollback,
  freeze,
  unfreeze,
  history,
  at,
  diff,
  render,
};

export function commandOf(name: string): Command | undefined {
  return Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
}
