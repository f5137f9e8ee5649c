import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type CheckResult, overdue, resultOf } from './result.ts';

const SECRET = 'password=hunter2';

function metadata(name: string) {
  return { name, uid: 'u', resourceVersion: '1' };
}

function job(type: 'Complete' | 'Failed', reason: string) {
  return { metadata: metadata('smoke'), status: { conditions: [{ type, status: 'True', reason }] } };
}

function pod(status: object) {
  return { apiVersion: 'v1', kind: 'Pod', metadata: metadata('smoke-x'), status };
}

function terminated(exitCode: number, reason = 'Error') {
  const state = { terminated: { exitCode, reason, message: SECRET, startedAt: '2026-11-29T10:00:00Z' } };
  return { containerStatuses: [{ name: 'smoke', restartCount: 0, state }] };
}

const FAILED = job('Failed', 'BackoffLimitExceeded');
const LATE = job('Failed', 'DeadlineExceeded');
const PULLING = {
  containerStatuses: [
    { name: 'smoke', image: 'no.example/x:1', state: { waiting: { reason: 'ImagePullBackOff' } } },
  ],
};
const RUNNING = { containerStatuses: [{ name: 'smoke', state: { running: { startedAt: 'x' } } }] };

const ROWS: readonly [string, CheckResult, CheckResult['outcome'], RegExp?][] = [
  ['a Job that completed', resultOf(job('Complete', 'CompletionsReached'), []), 'Passed'],
  [
    'a container that ended badly',
    resultOf(FAILED, [pod(terminated(3))]),
    'Failed',
    /container smoke: it ended with exit code 3/,
  ],
  ['… for its memory', resultOf(FAILED, [pod(terminated(137, 'OOMKilled'))]), 'Failed', /OOMKilled/],
  [
    'a Pod that was evicted',
    resultOf(FAILED, [pod({ ...terminated(137), reason: 'Evicted' })]),
    'CouldNotRun',
    /Evicted/,
  ],
  [
    'a Pod whose node was drained',
    resultOf(FAILED, [
      pod({ ...terminated(143), conditions: [{ type: 'DisruptionTarget', status: 'True' }] }),
    ]),
    'CouldNotRun',
  ],
  ['… and that is gone', resultOf(FAILED, []), 'CouldNotRun', /taken away/],
  [
    'one Pod that was evicted, and one that failed',
    resultOf(FAILED, [pod({ reason: 'Evicted' }), pod(terminated(1))]),
    'Failed',
  ],
  [
    'a command that is not in the image',
    resultOf(FAILED, [pod(terminated(128, 'StartError'))]),
    'CouldNotRun',
  ],
  ['Pods that may not be seen', resultOf(FAILED, undefined), 'Failed', /BackoffLimitExceeded/],
  ['late, and it ran', overdue([pod(RUNNING)]), 'Failed', /did not end in time/],
  ['late, and its image could not be had', overdue([pod(PULLING)]), 'CouldNotRun', /ImagePullBackOff/],
  ['late by Kubernetes, with no Pod', resultOf(LATE, []), 'CouldNotRun', /kubectl describe job/],
];

for (const [name, { outcome, why = '' }, expected, words] of ROWS)
  test(`A6: ${name}: ${expected}`, () => {
    assert.equal(outcome, expected);
    if (words !== undefined) assert.match(why, words);
    assert.ok(!why.includes(SECRET), 'S5: never what it wrote');
  });
