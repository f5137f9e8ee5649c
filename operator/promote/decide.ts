import { earliest } from './earliest.ts';
import type { BlockedBy, Entry, Gate } from './gate.ts';
import { approvals, nextExpiry } from './gates/approvals.ts';
import { dependencies } from './gates/dependencies.ts';
import { freeze, nextChange } from './gates/freeze.ts';
import { windows } from './gates/window.ts';

/** What a person has to know first comes first. */
const GATES: readonly Gate[] = [dependencies, approvals, freeze, windows];

/**
 * What keeps the newest candidate of the source out of an environment, judged together at one moment; nothing: it may
 * enter. Without a policy every environment follows its source. Pure.
 */
export function decide(entry: Entry): readonly BlockedBy[] {
  return GATES.flatMap((gate) => gate(entry) ?? []);
}

/**
 * When what `decide` answered may be another answer by itself, open windows that shut and freezes that begin included;
 * undefined: it stays. Pure.
 */
export function changesAt(entry: Entry, decided: readonly BlockedBy[]): Date | undefined {
  const clears = decided.flatMap(({ clearsAt }) => clearsAt ?? []);
  const turns = entry.openings.flatMap(({ opening }) => ('changesAt' in opening ? opening.changesAt : []));
  const expiries = entry.approvals.flatMap((of) => nextExpiry(of, entry.now) ?? []);
  return earliest(...clears, ...turns, ...expiries, nextChange(entry.freezes, entry.now));
}
