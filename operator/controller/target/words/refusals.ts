import { TowpathError } from '../../../api/errors.ts';
import { fitBetween } from '../../../api/v1alpha1/bound-status.ts';
import type { Refusal } from '../../../apply/classify.ts';
import { describeObject, type ObjectId } from '../../../manifest/manifest.ts';

/** One error of several refusals: that whose remedy asks most of people, with all details. */
export function combined(refusals: readonly Refusal[], how: string): TowpathError {
  const rank = { Person: 0, Resource: 1, Time: 2 };
  // In one order, however the answers arrived: what a person reads must not change from look to look.
  const sorted = refusals
    .map((refusal) => refusal.error)
    .sort((a, b) => rank[a.remedy] - rank[b.remedy] || (a.message < b.message ? -1 : 1));
  const [first] = sorted;
  if (first === undefined) throw new Error('no refusal to tell of');
  const details = sorted.flatMap((error) => error.details);
  // First, because what follows gives way in a long message.
  const count = sorted.length > 1 ? `${sorted.length} objects are refused, ${how}. First: ` : '';
  return new TowpathError(first.remedy, first.reason, toldAfter(count, first), {
    cause: first,
    details,
    next: first.next,
  });
}

/** Of a deployment under way: what is applied of all its objects is told even beside a single refusal (D6). */
export function partly(refusals: readonly Refusal[], applied: number, all: number): TowpathError {
  const how = `${applied} of ${all} objects are applied`;
  const error = combined(refusals, how);
  if (refusals.length > 1 || applied === 0) return error;
  const { remedy, reason, details, next } = error;
  return new TowpathError(
    remedy,
    reason,
    toldAfter(`${how}${/^[a-z]/.test(error.message) ? ';' : '.'} `, error),
    { cause: error, details, next },
  );
}

/** The error's message with words before it. Where a condition has no room for all, the cause gives way. */
export function toldAfter(before: string, { message, next }: TowpathError): string {
  if (next === '') return `${before}${message}`;
  const cause = message.slice(0, message.length - next.length).trimEnd();
  return fitBetween(before, cause, ` ${next}`);
}

export function describeAll(objects: readonly ObjectId[]): string {
  const [first] = objects;
  if (first === undefined) return 'nothing';
  return objects.length === 1
    ? describeObject(first)
    : `${describeObject(first)} and ${objects.length - 1} more`;
}
