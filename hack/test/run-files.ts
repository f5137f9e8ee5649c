import { run } from 'node:test';
import { spec } from 'node:test/reporters';
import { stripVTControlCharacters } from 'node:util';

/**
 * Limit of one test, or suite, in milliseconds: for what hangs, and three times what the longest takes. No test has one
 * of its own but where the time is what it tests.
 */
const testLimit = 15 * 60_000;
/**
 * Limit of one file, in milliseconds; it is killed then, and what it started ends with it. One that hangs leaves time
 * for all others within the time of .ci/run.
 */
const fileLimit = 20 * 60_000;
const progressEvery = 30_000;

export interface NamedTest {
  file: string;
  name: string;
  /** Why it was skipped; '' for a failed one. */
  reason: string;
}

export interface FileResult {
  file: string;
  passed: number;
  failed: number;
  skipped: number;
  seconds: number;
  skippedTests: NamedTest[];
  failedTests: NamedTest[];
}

/** Runs test files, each in a process of its own; prints each file's report when it has ended. */
export async function runFiles(
  files: readonly string[],
  namePattern: string,
  filesAtOnce: number,
): Promise<FileResult[]> {
  const waiting = [...files];
  const running = new Map<string, number>();
  const results: FileResult[] = [];
  const progress = setInterval(() => {
    const now = performance.now();
    const each = [...running].map(([file, started]) => `${file} (${seconds(now - started).toFixed(0)} s)`);
    console.log(`… running ${each.join(', ')}; ${waiting.length} files to come`);
  }, progressEvery);
  const work = async () => {
    for (let file = waiting.shift(); file !== undefined; file = waiting.shift()) {
      running.set(file, performance.now());
      results.push(await runFile(file, namePattern));
      running.delete(file);
    }
  };
  try {
    await Promise.all(Array.from({ length: filesAtOnce }, work));
  } finally {
    clearInterval(progress);
  }
  return results;
}

async function runFile(file: string, namePattern: string): Promise<FileResult> {
  const started = performance.now();
  const result: FileResult = {
    file,
    passed: 0,
    failed: 0,
    skipped: 0,
    seconds: 0,
    skippedTests: [],
    failedTests: [],
  };
  const stream = run({
    files: [file],
    execArgv: ['--import', new URL('end.ts', import.meta.url).href],
    timeout: testLimit,
    signal: AbortSignal.timeout(fileLimit),
    ...(namePattern === '' ? {} : { testNamePatterns: [namePattern] }),
  });
  stream.on('test:pass', ({ skip, name, details }) => {
    if (skip === undefined) {
      if (details.type !== 'suite') result.passed++;
      return;
    }
    const reason = typeof skip === 'string' && skip !== '' ? skip : 'no reason given';
    result.skippedTests.push({ file, name, reason });
  });
  stream.on('test:fail', ({ name, details, todo }) => {
    // A failed suite is one by its tests or, without failed tests, by its hooks.
    if (todo !== undefined) return;
    if (details.type === 'suite' && result.failedTests.length > 0) return;
    result.failedTests.push({ file, name, reason: '' });
  });
  let isComplete = false;
  stream.on('test:summary', ({ file: of }) => {
    isComplete ||= of !== undefined;
  });
  let report = '';
  for await (const chunk of stream.compose(new spec())) report += chunk;
  // Tests that nobody heard of would else be missing without a word.
  if (!isComplete) result.failedTests.push({ file, name: 'its report broke off', reason: '' });
  result.failed = result.failedTests.length;
  result.skipped = result.skippedTests.length;
  result.seconds = seconds(performance.now() - started);
  if (result.seconds * 1000 >= fileLimit)
    report += `\n${file} was killed after ${fileLimit / 60_000} minutes.\n`;
  console.log(`\n${file} (${result.seconds.toFixed(1)} s)\n${withoutTotals(report)}`);
  return result;
}

/** The reporter's totals of each file would drown what ran. */
function withoutTotals(report: string): string {
  return report
    .split('\n')
    .filter((line) => !stripVTControlCharacters(line).startsWith('ℹ '))
    .join('\n')
    .trimEnd();
}

const seconds = (milliseconds: number) => milliseconds / 1000;
