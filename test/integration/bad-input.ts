import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import type { Application } from '../../operator/api/v1alpha1/application.ts';
import type { FileContent } from '../harness/git-repository.ts';
import { conditionOf, type Stage } from '../harness/operator.ts';

/** One bad input, and what the Application says of it. */
export interface BadInput {
  /** What is bad, as the test's name has it. */
  what: string;
  /** Files below the Application's own folder of the repository. */
  files?: Record<string, FileContent>;
  spec?: Record<string, unknown>;
  sync: 'Quarantined' | 'Blocked' | 'Failed';
  /** The condition that is True next to Ready=False. */
  condition: 'Stalled' | 'Reconciling';
  reason: string;
  /** What the message must hold: what is wrong, where, and the next step. */
  message: readonly (string | RegExp)[];
  /** Of status.quarantine.errors, in their order: parts that each must have. */
  errors?: readonly { file?: string; line?: number; object?: string; message: string | RegExp }[];
}

/** Name of a case's Application and folder. */
export function nameOf(index: number): string {
  return `case-${index}`;
}

/** The files of all cases, each below its own folder. */
export function filesOf(cases: readonly BadInput[]): Record<string, FileContent> {
  return Object.fromEntries(
    cases.flatMap(({ files }, index) =>
      Object.entries(files ?? {}).map(([path, content]) => [`${nameOf(index)}/${path}`, content]),
    ),
  );
}

/** Makes an Application of every case at once, then waits for each to say what it should. */
export async function judgeAll(t: TestContext, stage: Stage, cases: readonly BadInput[]): Promise<void> {
  for (const [index, { spec }] of cases.entries()) {
    const source = { path: nameOf(index), ...(spec?.source as object | undefined) };
    await stage.application(nameOf(index), { ...spec, source });
  }
  for (const [index, expected] of cases.entries()) {
    await t.test(`${expected.what}: ${expected.reason}`, async () => {
      const told = await stage.until(
        nameOf(index),
        (application) => conditionOf(application, expected.condition)?.reason === expected.reason,
        `${expected.condition}=True for ${expected.reason}`,
      );
      check(told, expected);
    });
  }
}

function check(application: Application, expected: BadInput): void {
  const ready = conditionOf(application, 'Ready');
  const { status } = application;
  assert.deepEqual([ready?.status, ready?.reason, status?.sync], ['False', expected.reason, expected.sync]);
  const other = expected.condition === 'Stalled' ? 'Reconciling' : 'Stalled';
  assert.equal(conditionOf(application, other), undefined, 'waiting is never told as an error');
  for (const part of expected.message) contains(ready?.message ?? '', part);
  if (process.env.TOWPATH_TEST_SHOW_MESSAGES) {
    process.stderr.write(`${expected.what} | ${ready?.reason} | ${ready?.message}\n`);
    process.stderr.write(`    ${JSON.stringify(status?.quarantine?.errors)} ${status?.quarantine?.total}\n`);
  }
  if (expected.errors === undefined) return;
  const errors = status?.quarantine?.errors ?? [];
  assert.equal(errors.length, expected.errors.length, JSON.stringify(errors));
  for (const [index, want] of expected.errors.entries()) {
    const error = errors[index];
    contains(error?.message ?? '', want.message);
    if (want.file !== undefined) assert.equal(error?.file, want.file);
    if (want.line !== undefined) assert.equal(error?.line, want.line);
    if (want.object !== undefined) assert.equal(`${error?.object?.kind} ${error?.object?.name}`, want.object);
  }
}

function contains(text: string, part: string | RegExp): void {
  assert.ok(typeof part === 'string' ? text.includes(part) : part.test(text), `${part} is not in: ${text}`);
}
