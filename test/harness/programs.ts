import { spawnSync } from 'node:child_process';

/** What this machine lacks of the programs that a test runs, as the reason why it is skipped; false: nothing. */
export function without(...programs: string[]): string | false {
  const missing = programs.find((program) => spawnSync(program, ['--version']).error !== undefined);
  return missing === undefined ? false : `${missing} is not installed`;
}
