import type { Remedy } from '../../errors.ts';

/** A reason of a condition, of blockedBy or of an error, as the reference documents it. */
export interface ReasonEntry {
  /** What helps as a rule (an error may know better); None: nothing is wrong. */
  remedy: Remedy | 'None';
  /** One sentence: what is the case. */
  meaning: string;
  /** One sentence: what to do. */
  action: string;
}

export type ReasonTable = Readonly<Record<string, ReasonEntry>>;

/** Waits for a change by a person. */
export function person(meaning: string, action: string): ReasonEntry {
  return { remedy: 'Person', meaning, action };
}

/** Waits for another resource, which is watched. */
export function resource(meaning: string, action: string): ReasonEntry {
  return { remedy: 'Resource', meaning, action };
}

/** Is tried again, with backoff. */
export function time(meaning: string, action: string): ReasonEntry {
  return { remedy: 'Time', meaning, action };
}

/** Is no error. */
export function none(meaning: string, action = 'Nothing.'): ReasonEntry {
  return { remedy: 'None', meaning, action };
}
