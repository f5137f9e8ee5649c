import { TowpathError } from '../api/errors.ts';
import type { EngineExit } from './engine-child.ts';
import { describePath, type RenderKind } from './request.ts';

/** What an engine process was rendering. */
export interface RenderSubject {
  path: string;
  /** `Index`, `Signature`: nothing is rendered, and a Helm repository's index is read, or who signed a chart. */
  kind: RenderKind | 'Index' | 'Signature';
}

/** What one engine process may take for one render. */
export interface EngineLimits {
  /** Of processor time, as the process measures its own. */
  cpuMs: number;
  memoryBytes: number;
}

/** Where to look in what takes too much, by what was rendered: templates alone can loop. */
const lookFor: Record<RenderSubject['kind'], string> = {
  Helm: 'Look for templates that loop, that include each other or call tpl without end, or that write very much.',
  Kustomize:
    'Look for a very large resource or many patches, or split the kustomization into several Applications.',
  Index: 'Tell who runs the repository, or commit the chart to the folder charts.',
  Signature: 'Tell who publishes the chart, and see what is in the keyring.',
  Plain: 'Look for a very large file, or split the directory into several Applications.',
};

/** So many times its processor time an engine may take by the clock, where others leave it little. */
export const CLOCK_TIMES = 15;

/** Of so many parts of a render's processor time a lookup in an index has one (lookupParts in engine/main.go). */
const LOOKUP_PARTS = 4;

/** The engine's process did not come to an end by the clock either, and was ended. */
export function timedOut({ path, kind }: RenderSubject, { cpuMs }: EngineLimits): TowpathError {
  const seconds = (CLOCK_TIMES * cpuMs) / 1000;
  return new TowpathError(
    'Person',
    'RenderTimeout',
    `Rendering ${describePath(path)} had not ended after ${seconds} s, on a machine that left it little processor time, and was ended. ${lookFor[kind]}`,
  );
}

/** Why an engine's process ended while it rendered: by a limit of its own, or nobody knows why. */
export function whyEnded(
  { path, kind }: RenderSubject,
  { cpuMs, memoryBytes }: EngineLimits,
  exit: EngineExit,
): TowpathError {
  const rendering = `Rendering ${describePath(path)}`;
  if (!exit.started || exit.stderr.startsWith('confine the engine')) {
    const message = `The rendering engine could not be started: ${exit.stderr}`;
    return new TowpathError('Time', 'EngineUnavailable', message, { cause: exit });
  }
  if (exit.stderr.startsWith('processor time used up')) {
    const seconds = cpuMs / 1000 / (kind === 'Index' ? LOOKUP_PARTS : 1);
    const message = `${rendering} took more than ${seconds} s of processor time and was ended. ${lookFor[kind]}`;
    return new TowpathError('Person', 'RenderTimeout', message);
  }
  if (/stack exceeds|stack overflow/.test(exit.stderr)) {
    const cause =
      kind === 'Helm'
        ? 'its templates include each other, or call tpl, without end. Correct the template.'
        : `what it reads is nested too deeply. ${lookFor[kind]}`;
    return new TowpathError('Person', 'RenderFailed', `${rendering} was ended: ${cause}`);
  }
  if (MEMORYLESS.test(exit.stderr)) {
    const limit = `${Math.round(memoryBytes / 2 ** 20)} MiB`;
    const message = `${rendering} took more than ${limit} of memory and was ended. ${lookFor[kind]}`;
    return new TowpathError('Person', 'RenderOutOfMemory', message);
  }
  if (THREADLESS.test(exit.stderr)) {
    const message = `${rendering} ended, because the machine, or the operator's container, lets no further thread begin. It is tried again.`;
    return new TowpathError('Time', 'EngineUnavailable', message, { cause: exit });
  }
  return new TowpathError(
    'Person',
    'EngineEnded',
    `The rendering engine ended while it rendered ${describePath(path)}${asTold(exit)}. It is tried again a few times; tell who runs Towpath if it stays.`,
    { cause: exit },
  );
}

/**
 * How Go's runtime says that the system refused it memory. Its own code faults where that happens in the middle of
 * something (seen of an endless tpl beside other work); a fault of the engine's is a panic, which begins otherwise.
 */
const MEMORYLESS =
  /out of memory|cannot allocate memory|cannot map pages|page summary memory|^SIGSEGV: segmentation violation/;

/** How Go's runtime says that the system refused it a thread. */
const THREADLESS = /failed to create new OS thread|newosproc/;

/** More of what an engine said last tells nobody anything. */
const LONGEST_TOLD = 160;

/**
 * In brackets how the process ended, and the first line that it said, which is its runtime's and never the chart's.
 * Killed without a word: the kernel does that where memory is short.
 */
function asTold({ end, stderr }: EngineExit): string {
  if (end === 'signal SIGKILL' && stderr === '')
    return " (it was killed, most likely because the machine, or the operator's container, is short of memory)";
  const [line = ''] = stderr.split('\n', 1);
  const parts = [end, line.slice(0, LONGEST_TOLD).toWellFormed().trim()].filter((part) => part !== '');
  return parts.length === 0 ? '' : ` (${parts.join(': ')})`;
}
