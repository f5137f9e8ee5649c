import type { BlockedBy, Entry, Gate } from './gate.ts';
import { dependencies } from './gates/dependencies.ts';
import { freeze } from './gates/freeze.ts';

/** What a person has to know first comes first. */
const GATES: readonly Gate[] = [dependencies, freeze];

/**
 * What keeps the newest candidate of the source out of an environment, judged together at one moment; nothing: it may
 * enter. Without a policy every environment follows its source. Pure.
 */
export function decide(entry: Entry): readonly BlockedBy[] {
  return GATES.flatMap((gate) => gate(entry) ?? []);
}
