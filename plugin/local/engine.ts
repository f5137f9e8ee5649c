import { existsSync, realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Renderer } from '../../operator/render/renderer.ts';
import { CommandError } from '../exit-codes.ts';

/** As `make plugin` names it. Not kubectl-…: kubectl would take it for a plugin. */
const PROGRAM = 'towpath-engine';
/** Names another program, as for the operator's own build. */
const PROGRAM_VARIABLE = 'TOWPATH_ENGINE';

/**
 * The program that renders, beside the plugin: where it is called, or where a symlink there leads.
 *
 * @param script path of the plugin, as it was started.
 */
export function enginePath(script: string, environment: NodeJS.ProcessEnv): string {
  const named = environment[PROGRAM_VARIABLE];
  if (named) return named;
  const places = [dirname(script), dirname(realpathSync(script))].map((place) => join(place, PROGRAM));
  const found = places.find((place) => existsSync(place));
  if (found !== undefined) return found;
  throw new CommandError(
    `The program that renders, ${PROGRAM}, is not beside the plugin in ${dirname(script)}: make plugin builds it in dist/plugin; put it there, or its path into ${PROGRAM_VARIABLE}.`,
  );
}

/** Does something with the engine, which ends with it, and with this process: Ctrl-C ends that at once. */
export async function withRenderer<T>(
  enginePath: string,
  work: (renderer: Renderer) => Promise<T>,
): Promise<T> {
  const renderer = new Renderer({ enginePath, processes: 1 });
  const end = () => void renderer.stop();
  process.once('exit', end);
  try {
    return await work(renderer);
  } finally {
    await renderer.stop();
    process.removeListener('exit', end);
  }
}
