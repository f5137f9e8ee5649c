import * as zoned from 'temporal-polyfill/fns/ZonedDateTime';
import { DAYS, type Window } from '../../api/v1alpha1/gates.ts';
import type { BlockedBy, Entry, Opening, OpeningOf } from '../gate.ts';

const DAY_MS = 86_400_000;
/** Of a day in each week one may be swallowed by a change of the clocks; two in a row are not. */
const SEARCHED_DAYS = 15;

/** Outside of its windows nothing new begins. */
export function windows({ openings }: Entry): readonly BlockedBy[] {
  return openings.flatMap((opening) => blockedBy(opening) ?? []);
}

function blockedBy({ whose, field, opening }: OpeningOf): BlockedBy | undefined {
  switch (opening.is) {
    case 'Open':
      return undefined;
    case 'Closed':
      return {
        reason: 'OutsideWindow',
        message: `${whose} lets in what is new in its windows only, and the next one begins at ${opening.opensAt}. What is new waits; who wrote it decides on its ${field}.`,
        remedy: 'Time',
        standing: 'Waiting',
        clearsAt: opening.changesAt,
      };
    case 'Never':
      return never({ whose, field }, 'none of its windows ever begins');
    case 'Unknown':
      return never(
        { whose, field },
        `one of its windows names a time zone that is not known: ${opening.timeZone}`,
      );
  }
}

function never({ whose, field }: Pick<OpeningOf, 'whose' | 'field'>, why: string): BlockedBy {
  return {
    reason: 'WindowInvalid',
    message: `Nothing new is deployed, and what runs stays: ${whose} lets it in by its windows only, and ${why}. Who wrote it can correct its ${field}.`,
    remedy: 'Resource',
    standing: 'Blocked',
  };
}

/** Whether it is open by a list of windows, which is their union, and when that may change. Pure. */
export function openingAt(all: readonly Window[], now: Date): Opening {
  const timeZone = unknownTimeZone(all);
  if (timeZone !== undefined) return { is: 'Unknown', timeZone };
  const time = now.getTime();
  const open = all.flatMap((window) => endOfOpen(window, time) ?? []);
  if (open.length > 0) return { is: 'Open', changesAt: new Date(Math.min(...open)) };
  let first: { at: number; timeZone: string } | undefined;
  for (const window of all) {
    const at = nextBeginning(window, time);
    if (at !== undefined && (first === undefined || at < first.at)) first = { at, timeZone: window.timeZone };
  }
  if (first === undefined) return { is: 'Never' };
  return { is: 'Closed', changesAt: new Date(first.at), opensAt: local(first.at, first.timeZone) };
}

/** The first time zone that is not known here; undefined: all are. */
export function unknownTimeZone(all: readonly Window[]): string | undefined {
  return all.find(({ timeZone }) => !isKnown(timeZone))?.timeZone;
}

function isKnown(timeZone: string): boolean {
  try {
    zoned.create(0n, timeZone);
    return true;
  } catch (error) {
    if (error instanceof RangeError) return false;
    throw error;
  }
}

/** When the window ends that is open at that time; it began that day or the day before. */
function endOfOpen(window: Window, time: number): number | undefined {
  const today = localDay(time, window.timeZone);
  for (const day of [today, today - DAY_MS]) {
    if (!beginsOn(window, day)) continue;
    const [from, until] = [beginningOn(window, day), endOf(window, day)];
    if (from <= time && time < until) return until;
  }
  return undefined;
}

function nextBeginning(window: Window, time: number): number | undefined {
  const today = localDay(time, window.timeZone);
  for (let day = today; day <= today + SEARCHED_DAYS * DAY_MS; day += DAY_MS) {
    if (!beginsOn(window, day)) continue;
    const from = beginningOn(window, day);
    // One that a change of the clocks swallows whole does not take place.
    if (from > time && from < endOf(window, day)) return from;
  }
  return undefined;
}

/** A day of the calendar, as its midnight in UTC, at that time in that zone. */
function localDay(time: number, timeZone: string): number {
  const { year, month, day } = zoned.create(nanoseconds(time), timeZone);
  return Date.UTC(year, month - 1, day);
}

function beginsOn({ days }: Window, day: number): boolean {
  const weekday = DAYS[(new Date(day).getUTCDay() + 6) % 7];
  return weekday !== undefined && days.includes(weekday);
}

function beginningOn({ from, timeZone }: Window, day: number): number {
  return instantOf(day, from, timeZone, 'first');
}

function endOf({ from, until, timeZone }: Window, day: number): number {
  // Both are written with as many digits.
  return instantOf(until > from ? day : day + DAY_MS, until, timeZone, 'last');
}

/** A time of day in a zone: one that is skipped there is the instant after, of a doubled one the first or the last. */
function instantOf(day: number, clock: string, timeZone: string, which: 'first' | 'last'): number {
  const [hour, minute] = [Number(clock.slice(0, 2)), Number(clock.slice(3))];
  const date = new Date(hour === 24 ? day + DAY_MS : day);
  const fields = {
    timeZone,
    year: date.getUTCFullYear(),
    month: date.getUTCMonth() + 1,
    day: date.getUTCDate(),
    hour: hour % 24,
    minute,
  };
  const earlier = zoned.fromFields(fields, { disambiguation: 'earlier' });
  const later = zoned.fromFields(fields, { disambiguation: 'later' });
  if (earlier.epochMilliseconds === later.epochMilliseconds) return later.epochMilliseconds;
  const isSkipped = later.hour !== fields.hour || later.minute !== minute || later.day !== fields.day;
  if (isSkipped) return (zoned.getTimeZoneTransition(earlier, 'next') ?? later).epochMilliseconds;
  return (which === 'first' ? earlier : later).epochMilliseconds;
}

function local(time: number, timeZone: string): string {
  return zoned.toString(zoned.create(nanoseconds(time), timeZone));
}

function nanoseconds(milliseconds: number): bigint {
  return BigInt(milliseconds) * 1_000_000n;
}
