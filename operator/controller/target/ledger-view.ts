import type { PromotionStatus } from '../../api/v1alpha1/promotion.ts';
import type { BlockedBy } from '../../promote/gate.ts';
import type { Deployment, TargetRecord } from '../record/record.ts';
import type { TargetIdentity } from '../record/target.ts';

/** What a look knows of a deployment beside its record. */
export interface Noted {
  /** What that waits for which is deployed, and is verified. */
  readonly waits?: readonly BlockedBy[];
  /** What that changes which begins, as those saw it who said yes to it. */
  readonly changes?: PromotionStatus['changes'];
}

/** What a look tells the ledger, which writes it down beside the look, and holds it up nowhere. */
export interface LedgerView {
  /**
   * What the record of a target says by now: of a deployment that begins in this look at once, of the others when the
   * look is over.
   *
   * @param applicationUID of its Application
   */
  note(target: TargetIdentity, applicationUID: string, record: TargetRecord, more?: Noted): void;
  /**
   * Whether the Promotion of a deployment, the operator's own or a person's, is known to say how that ended: who keeps it
   * for the ledger need not any more. A process that begins knows that of none, before it went through them all.
   */
  isRecorded(target: string, deployment: Pick<Deployment, 'id' | 'startedAt'>): boolean;
  /**
   * Which Promotion the operator recorded a deployment by, of the names that it may have: the others may be another one's.
   * Undefined: that is not known (yet), as of what ended before this process led.
   */
  nameOf(target: string, deployment: Pick<Deployment, 'id' | 'startedAt'>): string | undefined;
  /**
   * Nothing runs there any more of what was deployed. Resolves when that is written down, so that who waits for it before
   * the last goes by which the target is known leaves it to be found by the next process; or when that cannot be done now,
   * or takes seconds: nobody is held up by it for longer. Never rejects.
   *
   * @param record its last; undefined where it is lost
   */
  gone(target: TargetIdentity, applicationUID: string, record: TargetRecord | undefined): Promise<void>;
}
