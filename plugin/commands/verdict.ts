import type {
  Application,
  EnvironmentStatus,
  HistoryEntry,
} from '../../operator/api/v1alpha1/application.ts';
import { isMeant } from '../../operator/api/v1alpha1/revision.ts';
import { commandOn, isLookedAt, keyOf } from '../application.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { short } from '../text/application-tree.ts';
import { isNamed, isToRun, type Named, Overtaken } from './overtaken.ts';

export interface Awaited extends Named {
  /** `synced`: it was deployed to its end, whatever its health is by now; `healthy`: and it is Healthy. */
  goal: 'synced' | 'healthy';
}

export interface Verdict {
  code: ExitCode;
  message: string;
  /** It says how it is, not what it came to: that is as old as the last look of an operator. */
  isOfNow?: true;
}

/** What is asked about, as it is now. */
interface Sight {
  application: Application;
  environment: EnvironmentStatus;
  awaited: Awaited;
  /** It runs under a newer commit, which changes nothing of it. */
  isMoved: boolean;
}

/**
 * What the status says of exactly that commit or candidate in that environment; undefined: nothing final yet. What
 * other deployments came to is no answer, neither a good nor a bad one.
 */
export function verdictOn(
  application: Application,
  environment: EnvironmentStatus,
  awaited: Awaited,
  overtaken: Overtaken = new Overtaken(awaited),
): Verdict | undefined {
  const where = `${keyOf(application)} in ${environment.name}`;
  const newer = overtaken.by(application, environment);
  const isMoved = overtaken.runsAsNewer(environment);
  const sight = { application, environment, awaited, isMoved };
  const entry = environment.history?.find(
    (one) => isNamed(one, awaited) || overtaken.isSame(environment.name, one),
  );
  if (isRunning(sight)) {
    const { sync = 'sync unknown', health = 'health unknown' } = environment;
    if (isDeployed(environment) && (awaited.goal === 'synced' || health === 'Healthy'))
      return {
        code: EXIT.Done,
        message: `${where} runs it: ${sync}, ${health}.`,
        ...(awaited.goal === 'healthy' ? { isOfNow: true } : {}),
      };
  } else if (entry?.outcome === 'Succeeded') {
    const now = environment.revision === undefined ? '' : `; ${short(environment.revision)} runs now`;
    return {
      code: EXIT.Done,
      message: `${where} was healthy with it at ${entry.finishedAt ?? 'its end'}${now}.`,
    };
  }
  // By a spec that was corrected or resumed since then it may come to something else.
  if (!isLookedAt(application)) return suspended(application);
  return (
    refused(sight) ??
    ended(sight, entry) ??
    passedBy(where, newer) ??
    suspended(application) ??
    halted(application, environment)
  );
}

/** Before its first write there. What one environment alone refuses is deployed in the others all the same. */
function refused({ application, environment, awaited }: Sight): Verdict | undefined {
  const { name, sync, desiredRevision, message = 'see the status.' } = environment;
  const { quarantine } = application.status ?? {};
  if (sync !== 'Quarantined' || quarantine === undefined) return undefined;
  // Of several that are refused, since environments follow several refs, the status has one; by it a candidate is known.
  const isTold =
    quarantine.revision === (desiredRevision ?? quarantine.revision) && isNamed(quarantine, awaited);
  if (!isTold && !isToRun(application, environment, awaited)) return undefined;
  const where = `${keyOf(application)} in ${name}`;
  return {
    code: EXIT.Quarantined,
    message: `In ${where} it was refused: ${message} All errors: ${commandOn(application, 'why')}`,
  };
}

/** What its last deployment came to, where that did not succeed and is not tried once more. */
function ended(sight: Sight, entry: HistoryEntry | undefined): Verdict | undefined {
  if (entry === undefined || isTriedAgain(sight, entry)) return undefined;
  const { application, environment } = sight;
  const where = `${keyOf(application)} in ${environment.name}`;
  const why = entry.message ?? environment.message ?? 'see the status';
  switch (entry.outcome) {
    case 'Superseded':
      return {
        code: EXIT.Superseded,
        message: `In ${where} a newer one took its place before it was healthy.`,
      };
    case 'Cancelled':
      return { code: EXIT.Superseded, message: `In ${where} it goes no further: ${why}` };
    case 'Failed':
      return { code: EXIT.Failed, message: `In ${where} it failed: ${why}` };
    case 'RolledBack':
      return { code: EXIT.Failed, message: `In ${where} it was deployed and rolled back: ${why}` };
    default:
      return undefined;
  }
}

/** It waited, and something newer was begun. */
function passedBy(where: string, newer: string | undefined): Verdict | undefined {
  if (newer === undefined) return undefined;
  return {
    code: EXIT.Superseded,
    message: `In ${where} a newer one, ${short(newer)}, took its place before its turn came.`,
  };
}

/** What is under way once more has no entry of its own in the history before its end. */
function isTriedAgain(sight: Sight, { outcome, revision }: HistoryEntry): boolean {
  const { application, environment, awaited, isMoved } = sight;
  const { status } = application;
  const { name, sync, desiredRevision } = environment;
  if (isRunning(sight) && (sync === 'Syncing' || outcome === 'RolledBack')) return true;
  // It was pushed once more; while a rollback holds, nothing comes of that.
  if (outcome === 'Superseded') return sync !== 'Held' && isToRun(application, environment, awaited);
  if (outcome !== 'Failed' || status?.retry?.nextAt === undefined) return false;
  const isWanted = desiredRevision === revision || (isMoved && desiredRevision === environment.revision);
  if (!isWanted) return false;
  // Of several tries the status has the next one alone, which may be another environment's.
  return (status.retry.environment ?? name) === name || sync === 'Blocked';
}

function suspended(application: Application): Verdict | undefined {
  if (!application.spec.suspend) return undefined;
  return {
    code: EXIT.Suspended,
    message: `${keyOf(application)} is suspended: ${commandOn(application, 'resume')}`,
  };
}

/** Its Environment is suspended. */
function halted(application: Application, { name, sync, message }: EnvironmentStatus): Verdict | undefined {
  if (sync !== 'Suspended') return undefined;
  const why = message ?? 'it is suspended.';
  return { code: EXIT.Suspended, message: `${keyOf(application)} in ${name}: ${why}` };
}

/**
 * Whether what runs was deployed to its end, whatever newer is refused, waits or is held back by now, and whatever
 * others changed of it since. Environments with much history of others may have none of their own.
 */
function isDeployed({ sync, digest, history: [newest] = [] }: EnvironmentStatus): boolean {
  if (sync === 'Synced') return true;
  return digest !== undefined && newest?.digest === digest && newest.outcome === 'Succeeded';
}

function isRunning({ environment, awaited, isMoved }: Sight): boolean {
  return isMoved || runs(environment, awaited);
}

/**
 * A commit that changes nothing of what runs is no deployment, and has no entry of its own: the candidate is that of the
 * newest one with the manifests that run.
 */
function runs({ revision, digest, history = [] }: EnvironmentStatus, awaited: Awaited): boolean {
  if (awaited.by === 'revision') return revision !== undefined && isMeant(awaited.digits, revision);
  const running = history.find((entry) =>
    digest === undefined ? entry.revision === revision : entry.digest === digest,
  );
  return running !== undefined && isNamed(running, awaited);
}
