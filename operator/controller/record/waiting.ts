/** The candidates of a target that wait to be promoted, and what was asked for and came to them. Pure. */

import type { InStage } from '../../promote/governance.ts';
import { type Ask, candidateKey, isOnItsWay, type TargetRecord, type Waiting } from './record.ts';

/** So many candidates wait in a target; their manifests are kept. */
export const MOST_WAITING = 8;
/** What was asked for last is kept before anybody waits with it. */
const LATEST_ASKS = 4;
/** Of all environments of an Application no more is waited with. */
const MOST_ASKS = 64;

/**
 * With one more, the newest. What is seen again is the newest; where there are too many, the oldest goes that runs in no
 * other environment, since the newest passes what it passed. Where all run there, one goes that others before and after it
 * came to the same: by the first of these it passed, say.
 *
 * @param isRunning whether what was asked for runs in another environment
 */
export function withWaiting(
  waiting: readonly Waiting[],
  { id, digest, asked }: Waiting,
  isRunning: (asked: string) => boolean,
): readonly Waiting[] {
  return ofMost([...waiting.filter((one) => one.asked !== asked), { id, digest, asked }], isRunning);
}

/** The same of as many as there are. */
export function ofMost(
  waiting: readonly Waiting[],
  isRunning: (asked: string) => boolean,
): readonly Waiting[] {
  const all = [...waiting];
  while (all.length > MOST_WAITING) {
    const oldest = all.slice(0, -1).findIndex((one) => !isRunning(one.asked));
    const between = all.findIndex((one, at) => isBetween(all, candidateKey(one), at));
    all.splice(Math.max(0, oldest === -1 ? between : oldest), 1);
  }
  return all;
}

function isBetween(all: readonly Waiting[], key: string, at: number): boolean {
  const isSame = (one: Waiting) => candidateKey(one) === key;
  return all.slice(0, at).some(isSame) && all.slice(at + 1).some(isSame);
}

/**
 * Those that came after a candidate. Where one waited not, all are older than the `Newest`, and none than what a person has
 * enter once more: it was there before they came.
 */
export function waitingAfter(
  waiting: readonly Waiting[],
  entered: Pick<Waiting, 'id' | 'digest'>,
  whence: 'Newest' | 'OnceMore',
): readonly Waiting[] {
  const key = candidateKey(entered);
  const at = waiting.findLastIndex((one) => candidateKey(one) === key);
  if (at === -1) return whence === 'Newest' ? [] : waiting;
  return waiting.slice(at + 1);
}

/** All that waits, or does again when what is on its way is taken back, or overtaken: that is as if it had never been. */
export function stillWaiting({
  deployment,
  waiting = [],
}: Pick<TargetRecord, 'deployment' | 'waiting'>): readonly Waiting[] {
  const { waiting: displaced } = (isOnItsWay(deployment) ? deployment.displaced : undefined) ?? {};
  if (displaced === undefined) return waiting;
  return [...displaced.filter(({ asked }) => waiting.every((one) => one.asked !== asked)), ...waiting];
}

/** The same without what is on its way. */
export function waitingBeside(record: TargetRecord): readonly Waiting[] {
  const { deployment, waiting = [] } = record;
  const entering = deployment && candidateKey(deployment.candidate);
  return stillWaiting(record).filter((one) => waiting.includes(one) || candidateKey(one) !== entering);
}

/**
 * With what was asked for last. Kept is what others wait with, too, since a candidate has passed where it came to what
 * runs there.
 */
export function withAsk(
  asks: readonly Ask[],
  { asked, digest }: Ask,
  others: readonly TargetRecord[],
): readonly Ask[] {
  const waitedWith = new Set(others.flatMap((other) => stillWaiting(other).map((one) => one.asked)));
  const before = asks.filter((one) => one.asked !== asked);
  const kept = before.filter(
    (one, index) => index >= before.length - LATEST_ASKS + 1 || waitedWith.has(one.asked),
  );
  return [...kept, { asked, digest }].slice(-MOST_ASKS);
}

/** What was asked for came to there; undefined: that is not known. */
export function cameTo({ asks = [] }: TargetRecord, asked: string): string | undefined {
  return asks.find((one) => one.asked === asked)?.digest;
}

/** Whether an environment runs what was asked for. */
export function runsThere(record: TargetRecord, asked: string): boolean {
  const digest = cameTo(record, asked);
  return digest !== undefined && record.deployment?.candidate.digest === digest;
}

/**
 * Whether what runs there entered for that very thing when it had passed a stage, by the gates. What came there past them, by
 * going back, or for something else that it comes to as well, proves nothing of that stage; nor does what came there by less
 * than Environments demand by now.
 */
export function hasPassed(
  record: Pick<TargetRecord, 'deployment'> | undefined,
  after: Pick<NonNullable<InStage['after']>, 'stage' | 'demanded'> | undefined,
  asked: string,
): boolean {
  const { passed } = record?.deployment ?? {};
  if (passed === undefined || passed.stage !== after?.stage || passed.asked !== asked) return false;
  const { soakMs = 0, checks = [] } = after.demanded ?? {};
  const { soakMs: soakedMs = 0, checks: its = [] } = passed;
  return soakMs <= soakedMs && checks.every(({ template }) => its.includes(template));
}
