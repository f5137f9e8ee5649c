import type { PromotionPhase, PromotionStatus } from '../../api/v1alpha1/promotion.ts';
import type { Command } from '../../promote/command.ts';
import type { BlockedBy, Decision } from '../../promote/gate.ts';
import type { Candidate, Deployment, Waiting } from '../record/record.ts';

/** What a target needs of the Promotions that people make. */
export interface CommandsView {
  /**
   * Those about the target that came to no end yet, in the order in which they were made: of persons who are proven, and
   * may ask for that. Who asked is told by the way why another one does not count.
   */
  given(target: string): readonly Command[];
  /** Why it cannot be seen whether a person goes back there, as after a start; undefined: it can. Its end wakes the target. */
  unknown(target: string): string | undefined;
  /** Says in its status what became of one; what fails is tried again. */
  answer(target: string, answer: CommandAnswer): void;
}

/** What there is to say of a Promotion that a person made. */
export interface CommandAnswer {
  readonly command: Command;
  readonly phase: PromotionPhase;
  /** A sentence; '': what it waits for says all. */
  readonly message: string;
  readonly blockedBy?: readonly BlockedBy[];
  /** What it would deploy, or did. */
  readonly candidate?: Pick<Candidate, 'digest' | 'revision' | 'ref' | 'chart' | 'published' | 'appVersion'>;
  readonly changes?: PromotionStatus['changes'];
  /** Those of its manifests that count by now, or let it in. */
  readonly approvals?: readonly (Pick<Decision, 'by' | 'at'> & { readonly name?: string })[];
  /** The deployment that was begun for it, as far as it got; its times are RFC 3339, by the clock at home. */
  readonly deployment?: Pick<Deployment, 'id' | 'startedAt' | 'outcome' | 'finishedAt' | 'verify'>;
  /** When the next one began: that goes on no longer. */
  readonly overtakenAt?: string;
  /** What ran before that. */
  readonly previous?: Pick<Candidate, 'digest' | 'revision'>;
}

/** What a person asks to have promoted, which waits. */
export interface Promoted {
  readonly command: Command;
  /** What that names; undefined: it is not known yet, or it is refused. */
  readonly candidate?: Waiting;
  /** What it has to wait for, but for the gates that it skips. */
  readonly blockedBy: readonly BlockedBy[];
  /** Why nothing will come of it: a sentence. */
  readonly refusal?: string;
}

export const NO_COMMANDS: CommandsView = {
  given: () => [],
  unknown: () => undefined,
  answer: () => undefined,
};
