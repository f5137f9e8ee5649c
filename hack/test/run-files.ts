import { relative } from 'node:path';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';

/** Limit of one test, in milliseconds. */
const testLimit = 180_000;
/** Limit of all files together; a file that never ends is named then. */
const runLimit = 40 * 60_000;
/** Two files at a time: each also drives a control plane on the same cores. */
const filesAtOnce = 2;

export interface FileResult {
  file: string;
  passed: number;
  failed: number;
  skipped: number;
  seconds: number;
}

export interface SkippedTest {
  name: string;
  file: string;
  reason: string;
}

export interface Results {
  files: FileResult[];
  skipped: SkippedTest[];
  /** Files that had not ended at the limit. */
  unfinished: string[];
  seconds: number;
  ok: boolean;
}

/** Runs test files in processes of their own, reporting as they go. */
export async function runFiles(files: readonly string[], namePattern: string): Promise<Results> {
  const started = performance.now();
  const results: Results = { files: [], skipped: [], unfinished: [], seconds: 0, ok: true };
  const waiting = new Set(files);
  const stream = run({
    files: [...files],
    concurrency: filesAtOnce,
    timeout: testLimit,
    signal: AbortSignal.timeout(runLimit),
    ...(namePattern === '' ? {} : { testNamePatterns: [namePattern] }),
  });
  const name = (file: string | undefined) => relative(process.cwd(), file ?? '');
  stream.on('test:pass', (event) => {
    if (event.skip === undefined || event.details.type === 'suite') return;
    const reason = typeof event.skip === 'string' && event.skip !== '' ? event.skip : 'no reason given';
    results.skipped.push({ name: event.name, file: name(event.file), reason });
  });
  stream.on('test:fail', () => {
    results.ok = false;
  });
  stream.on('test:summary', (event) => {
    if (event.file === undefined) return;
    const { tests, passed, skipped, todo } = event.counts;
    waiting.delete(name(event.file));
    results.files.push({
      file: name(event.file),
      passed,
      failed: tests - passed - skipped - todo,
      skipped,
      seconds: event.duration_ms / 1000,
    });
  });
  const report = stream.compose(new spec());
  for await (const chunk of report) process.stdout.write(chunk);
  results.unfinished = [...waiting];
  results.seconds = (performance.now() - started) / 1000;
  results.ok &&= results.unfinished.length === 0;
  return results;
}
