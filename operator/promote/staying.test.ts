import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { BlockedBy } from './gate.ts';
import { standingOf, staysFor, type WaitsFor } from './staying.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const SOAKED = new Date('2026-12-01T18:00:00Z');
const TIMEOUT_MS = 5 * MINUTE;

const waiting = { message: 'It waits.', standing: 'Waiting' } as const;
const clearsIn = (hours: number): BlockedBy => ({
  ...waiting,
  reason: 'OutsideWindow',
  remedy: 'Time',
  clearsAt: new Date(SOAKED.getTime() + hours * HOUR),
});
const isRetried: BlockedBy = { ...waiting, reason: 'ApprovalsUnknown', remedy: 'Time' };
const wantsPerson: BlockedBy = { ...waiting, reason: 'AwaitingApproval', remedy: 'Resource' };
const prod = (...blockedBy: readonly BlockedBy[]): WaitsFor => ({
  environment: 'prod',
  neededMs: 24 * HOUR,
  blockedBy,
});

/** In minutes from when it has soaked; undefined: what is newer takes its place. */
function stays(all: readonly WaitsFor[], minutesLater = 0): number | undefined {
  const now = new Date(SOAKED.getTime() + minutesLater * MINUTE);
  const until = staysFor(all, { since: SOAKED, timeoutMs: TIMEOUT_MS, now })?.until;
  return until && (until.getTime() - SOAKED.getTime()) / MINUTE;
}

test('A11: what nothing keeps out is waited for as long as it may take to be begun, and no longer', () => {
  assert.equal(stays([prod()]), 5);
  assert.equal(stays([prod()], 4), 5);
  assert.equal(stays([prod()], 5), undefined);
  assert.equal(stays([prod(isRetried)], 4), 5);
  assert.equal(stays([]), undefined);
});

test('A11: what a clock lets in is waited for until then, and for as long as it may take to be begun', () => {
  assert.equal(stays([prod(clearsIn(15))]), 15 * 60 + 5);
  assert.equal(stays([prod(clearsIn(15))], 10 * 60), 15 * 60 + 5, 'it does not move');
  assert.equal(stays([prod(clearsIn(2), clearsIn(15))]), 15 * 60 + 5, 'each of them has to let it in');
  const opened = { ...prod(), openedAt: new Date(SOAKED.getTime() + 15 * HOUR) };
  assert.equal(stays([opened], 15 * 60 + 1), 15 * 60 + 5, 'it has opened, and prod has not begun yet');
});

test('A11: what is newer, and has soaked by the time that a clock opens, is not kept waiting', () => {
  assert.equal(stays([prod(clearsIn(63))]), undefined);
  assert.equal(stays([{ ...prod(clearsIn(15)), neededMs: HOUR / 2 }]), undefined);
  assert.equal(stays([{ ...prod(clearsIn(15)), neededMs: HOUR / 2 }], 14.5 * 60), 15 * 60 + 5);
});

test('A11: approvals, and what others have to do first, pin nothing', () => {
  assert.equal(stays([prod(wantsPerson)]), undefined);
  assert.equal(stays([prod(wantsPerson, clearsIn(1))]), undefined);
  const partner = { ...prod(clearsIn(1)), environment: 'partner' };
  assert.equal(stays([prod(wantsPerson), partner]), 65, 'another one may take it');
  assert.deepEqual(
    staysFor([prod(clearsIn(3)), partner], { since: SOAKED, timeoutMs: TIMEOUT_MS, now: SOAKED }),
    { environments: ['prod', 'partner'], until: new Date(SOAKED.getTime() + 3 * HOUR + TIMEOUT_MS) },
  );
});

test('who stays for it hears of another standing, and of no other word for the same', () => {
  assert.equal(standingOf([]), standingOf([isRetried]));
  const all = [[], [clearsIn(1)], [clearsIn(2)], [wantsPerson]];
  assert.equal(new Set(all.map(standingOf)).size, all.length);
  assert.equal(standingOf([wantsPerson, clearsIn(1)]), standingOf([wantsPerson]));
});
