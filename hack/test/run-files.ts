import { cpus } from 'node:os';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';
import { setTimeout } from 'node:timers/promises';
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
/** So many processors idle for so many milliseconds are taken for enough to run one file more. */
const spare = { processors: 0.7, during: 3_000 };

export interface NamedTest {
  file: string;
  name: string;
  /** Why it was skipped, or failed: the error's own words, cut. */
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

/**
 * Runs test files, each in a process of its own; prints each file's report when it has ended. Beside so many at once
 * one more is begun where the processors have nothing to do, since most tests wait now and then; not beside a single
 * one, which is to have the machine to itself.
 */
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
  const runNext = async () => {
    const file = waiting.shift();
    if (file === undefined) return;
    running.set(file, performance.now());
    results.push(await runFile(file, namePattern));
    running.delete(file);
  };
  const work = async () => {
    while (waiting.length > 0) await runNext();
  };
  const workOnSpareProcessors = async () => {
    while (waiting.length > 0) {
      if ((await idleProcessors(spare.during)) >= spare.processors) await runNext();
    }
  };
  const besides = filesAtOnce > 1 ? [workOnSpareProcessors()] : [];
  try {
    await Promise.all([...Array.from({ length: filesAtOnce }, work), ...besides]);
  } finally {
    clearInterval(progress);
  }
  return results;
}

/** How many of the machine's processors had nothing to do from now on, on average over so many milliseconds. */
async function idleProcessors(during: number): Promise<number> {
  const idleSoFar = () => cpus().reduce((sum, { times }) => sum + times.idle, 0);
  const [before, started] = [idleSoFar(), performance.now()];
  await setTimeout(during);
  return (idleSoFar() - before) / (performance.now() - started);
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
    result.failedTests.push({ file, name, reason: wordsOf(details.error) });
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

/** What the error of a failed test says, at most so much that a summary of some of them can be read. */
function wordsOf(error: Error): string {
  const { message } = error.cause instanceof Error ? error.cause : error;
  const lines = stripVTControlCharacters(message.slice(0, 4_000)).split('\n');
  return lines
    .slice(0, 20)
    .map((line) => line.slice(0, 400))
    .join('\n');
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
