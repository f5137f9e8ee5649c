import { dirname } from 'node:path';
import type { Phase } from './prepare.ts';
import type { FileResult, NamedTest } from './run-files.ts';

type Counts = Pick<FileResult, 'passed' | 'failed' | 'skipped' | 'seconds'>;

/** What ran by part, what failed, what was skipped and why, the times, and the closing line. */
export function summary(files: readonly FileResult[], phases: readonly Phase[]): string {
  const total = sum(files);
  const failed = files.flatMap((file) => file.failedTests);
  const skipped = files.flatMap((file) => file.skippedTests);
  const lines = [
    '',
    'What ran:',
    ...parts(files).map(
      ([part, counts]) => `  ${part.padEnd(26)} ${numbers(counts)} ${time(counts.seconds)}`,
    ),
    ...(skipped.length > 0 ? ['', 'What was skipped, and why:', ...skips(skipped)] : []),
    ...(failed.length > 0 ? ['', 'What failed:', ...failed.flatMap(failure)] : []),
    '',
    'How long it took:',
    ...phases.map(
      ({ name, seconds, busy }) =>
        `  ${name.padEnd(26)} ${time(seconds)}, processors ${(100 * busy).toFixed(0)} % busy`,
    ),
    '',
    `${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`,
  ];
  return lines.join('\n');
}

/** By room of the operator and by folder elsewhere; times are the files' own, which ran side by side. */
function parts(files: readonly FileResult[]): [string, Counts][] {
  const byPart = Map.groupBy(files, ({ file }) => dirname(file).split('/').slice(0, 2).join('/'));
  return [...byPart].sort(([a], [b]) => a.localeCompare(b)).map(([part, group]) => [part, sum(group)]);
}

function sum(files: readonly FileResult[]): Counts {
  const total = { passed: 0, failed: 0, skipped: 0, seconds: 0 };
  for (const { passed, failed, skipped, seconds } of files) {
    total.passed += passed;
    total.failed += failed;
    total.skipped += skipped;
    total.seconds += seconds;
  }
  return total;
}

/** With why, since of a long run often its end is all that is kept. */
function failure({ file, name, reason }: NamedTest): string[] {
  const why = reason === '' ? [] : reason.split('\n').map((line) => `    ${line}`.trimEnd());
  return [`  ${file}: ${name}`, ...why];
}

function skips(skipped: readonly NamedTest[]): string[] {
  const byReason = Map.groupBy(skipped, ({ reason }) => reason);
  return [...byReason].flatMap(([reason, tests]) => [
    `  ${reason}:`,
    ...tests.map(({ file, name }) => `    ${file}: ${name}`),
  ]);
}

const numbers = ({ passed, failed, skipped }: Counts) =>
  `${count(passed, 'passed')} ${count(failed, 'failed')} ${count(skipped, 'skipped')}`;
const count = (number: number, word: string) => `${String(number).padStart(4)} ${word}`;
const time = (seconds: number) => `${seconds.toFixed(1).padStart(7)} s`;
