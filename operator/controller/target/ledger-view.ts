import type { TargetRecord } from '../record/record.ts';
import type { TargetIdentity } from '../record/target.ts';

/** What a look tells the ledger, which writes it down beside the look, and holds it up nowhere. */
export interface LedgerView {
  /**
   * What the record of a target says by now: of a deployment that begins in this look at once, of the others when the
   * look is over.
   *
   * @param applicationUID of its Application
   */
  note(target: TargetIdentity, applicationUID: string, record: TargetRecord): void;
  /** Nothing runs there any more of what was deployed. */
  gone(target: TargetIdentity, applicationUID: string): void;
}
