import { dirname } from 'node:path';
import type { Phase } from './prepare.ts';
import type { FileResult, Results, SkippedTest } from './run-files.ts';

/** Prints what ran by part, what was skipped and why, the times, and the closing line. */
export function printSummary(results: Results, phases: readonly Phase[]): void {
  const total = sum(results.files);
  const lines = [
    '',
    'What ran:',
    ...parts(results.files).map(
      ([part, { passed, failed, skipped, seconds }]) =>
        `  ${part.padEnd(26)} ${count(passed, 'passed')} ${count(failed, 'failed')} ${count(skipped, 'skipped')} ${time(seconds)}`,
    ),
    ...(results.skipped.length > 0 ? ['', 'What was skipped, and why:', ...skips(results.skipped)] : []),
    ...results.unfinished.map(
      (file) => `${file} ended without a result: it crashed, or hung until the limit.`,
    ),
    '',
    'How long it took:',
    ...phases.map(({ name, seconds }) => `  ${name.padEnd(26)} ${time(seconds)}`),
    `  ${'tests (two files at a time)'.padEnd(26)} ${time(results.seconds)}`,
    '',
    `${total.passed} passed, ${total.failed + results.unfinished.length} failed, ${total.skipped} skipped`,
  ];
  console.log(lines.join('\n'));
}

type Counts = Omit<FileResult, 'file'>;

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

function skips(skipped: readonly SkippedTest[]): string[] {
  const byReason = Map.groupBy(skipped, ({ reason }) => reason);
  return [...byReason].flatMap(([reason, tests]) => [
    `  ${reason}:`,
    ...tests.map(({ file, name }) => `    ${file}: ${name}`),
  ]);
}

const count = (number: number, word: string) => `${String(number).padStart(4)} ${word}`;
const time = (seconds: number) => `${seconds.toFixed(1).padStart(7)} s`;
