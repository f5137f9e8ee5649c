import { readFileSync } from 'node:fs';

/** What the operators' logs tell that nobody should have to read. */
export interface ToldInLogs {
  /** `turnLimit`: of a turn of the event loop on this machine, in milliseconds. */
  failures(turnLimit: number): string[];
  /** Rows of Markdown. */
  report(): string;
}

interface Line {
  level: string;
  msg: string;
  milliseconds?: number;
  error?: string;
}

/** A failed look is no failure of the soak: it is tried again, and who looks at the Application sees how it ends. */
const EXPECTED = /it is tried again|cannot be watched/;
const LOST = 'An event could not be written.';

/** Reads the logs of all operators that ran. */
export function readLogs(paths: readonly string[]): ToldInLogs {
  const lines = paths.flatMap(linesOf).filter(({ level }) => level !== 'info');
  const lost = lines.filter(({ msg }) => msg === LOST);
  const longest = Math.max(0, ...lines.map(({ milliseconds = 0 }) => milliseconds));
  const others = lines.filter(
    ({ msg, milliseconds }) => msg !== LOST && milliseconds === undefined && !EXPECTED.test(msg),
  );
  return {
    failures: (turnLimit) => [
      ...(longest > turnLimit
        ? [`a turn of the event loop took ${longest} ms, of ${Math.round(turnLimit)} that are allowed here`]
        : []),
      ...[...lost, ...others].map(({ msg, error = '' }) => `the log says: ${msg} ${error}`),
    ],
    report: () =>
      [
        [
          'longest turn of the event loop that took more than 50 ms',
          longest === 0 ? 'none' : `${longest} ms`,
        ],
        ['events that could not be written', lost.length],
        [
          'looks, polls and renewals that failed and were tried again',
          lines.length - lost.length - others.length,
        ],
      ]
        .map((row) => `| ${row.join(' | ')} |`)
        .join('\n'),
  };
}

/** What is no JSON is of Node itself, and an error. The last line of one that was killed may be cut. */
function linesOf(path: string): Line[] {
  return readFileSync(path, 'utf8')
    .split('\n')
    .slice(0, -1)
    .filter((text) => text !== '')
    .map((text) => (text.startsWith('{') ? (JSON.parse(text) as Line) : { level: 'error', msg: text }));
}
