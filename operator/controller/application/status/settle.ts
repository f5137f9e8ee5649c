import { type ApplicationStatus, environmentOf } from '../../../api/v1alpha1/application.ts';
import { boundStatus } from '../../../api/v1alpha1/bound-status.ts';
import { secondTime } from '../../../kube/times.ts';
import { shortRevision } from '../../candidate/revision.ts';
import type { PublishedChart } from '../../record/chart-pins.ts';
import type { Facts, Repaired } from '../../target/words/facts.ts';
import type { Report } from '../../target/words/unreported.ts';
import { conditionsOf, judge } from './conditions.ts';
import { entryOf } from './environment-entry.ts';

/** Turns the facts of a reconcile, and what was done and not told yet, into the status. Pure. */
export function settle(
  found: Facts,
  done: Pick<Report['done'], 'repaired'>,
  previous: ApplicationStatus | undefined,
): ApplicationStatus {
  const drift = found.drift ?? repairedDrift(done.repaired);
  const facts = drift === undefined ? found : { ...found, drift };
  const { application, standing, health } = facts;
  const judged = judge(standing, health);
  const silent = standing.sync === 'Synced' ? facts.sourceError : undefined;
  const ready =
    silent === undefined
      ? judged.ready
      : { ...judged.ready, message: `${judged.ready.message} ${silent.message}`.trim() };
  const previousEntry = environmentOf(previous, facts.environment);
  const status: ApplicationStatus = {
    ...conditionsOf(
      { ...judged, ready, reconciling: judged.reconciling || silent !== undefined },
      previous,
      application.metadata.generation,
      facts.now,
      silent?.reason,
    ),
    sync: standing.sync,
    health: health.state,
    summary: {
      ...revisionSummary(facts, previous),
      // What runs may be older than what is counted here.
      environments: `${ready.status === 'True' && standing.sync === 'Synced' ? 1 : 0}/1`,
    },
    environments: [entryOf(facts, previousEntry, secondTime(facts.now))],
  };
  const source = settleSource(facts, previous?.source);
  if (source !== undefined) status.source = source;
  const handled = facts.handledSyncRequest ?? previous?.handledSyncRequest;
  if (handled !== undefined) status.handledSyncRequest = handled;
  return boundStatus({ ...status, ...aboutEnvironment(facts) });
}

/** What of the whole status is about one environment, and names it. */
function aboutEnvironment({
  environment,
  retry,
  rejected,
  kept,
}: Facts): Pick<ApplicationStatus, 'retry' | 'quarantine' | 'kept' | 'keptTotal'> {
  const about: ReturnType<typeof aboutEnvironment> = {};
  if (retry !== undefined)
    about.retry = { attempts: retry.attempts, nextAt: secondTime(retry.nextAt), environment };
  if (rejected !== undefined) {
    const { revision, candidate, alone, errors } = rejected;
    about.quarantine = {
      revision,
      ...(candidate === undefined ? {} : { candidate }),
      errors: errors.map((error) => ({ environment, ...(alone ? { alone } : {}), ...error })),
      total: errors.length,
    };
  }
  if (kept.length > 0) {
    about.kept = kept.map(({ object, reason }) => ({ environment, object, reason }));
    about.keptTotal = kept.length;
  }
  return about;
}

/** What differed is told also where the look that put it back did not come to tell. */
function repairedDrift(repaired: readonly Repaired[]): Facts['drift'] {
  const [last] = repaired.toSorted((one, other) => other.at.localeCompare(one.at));
  if (last === undefined) return undefined;
  const { object, at, by } = last;
  return {
    count: 0,
    lastAt: at,
    lastObject: object,
    isGone: false,
    ...(by === undefined ? {} : { lastBy: by }),
  };
}

function settleSource(facts: Facts, previous: ApplicationStatus['source']): ApplicationStatus['source'] {
  if (facts.source === undefined) return previous;
  const { revision, ref, commit, candidate, published } = facts.source;
  const same = previous?.revision === revision ? previous : undefined;
  const ofCommit = commit ?? same;
  const chart = published !== undefined && isOf(revision, published) ? chartOf(published) : same?.chart;
  return {
    revision,
    ...(chart === undefined ? {} : { chart }),
    ...(candidate === undefined ? {} : { candidate }),
    ...(ref === '' ? {} : { ref }),
    ...(ofCommit?.message === undefined ? {} : { message: ofCommit.message }),
    ...(ofCommit?.author === undefined ? {} : { author: ofCommit.author }),
    ...(ofCommit?.committedAt === undefined ? {} : { committedAt: ofCommit.committedAt }),
  };
}

/** Manifests that a newer version comes to, too, stay those of the older one. */
function isOf(revision: string, { version }: PublishedChart): boolean {
  return revision === version || revision.startsWith(`${version}@`);
}

function chartOf({ repository, name, version, digest }: PublishedChart) {
  return { repoURL: repository, name, version, digest: `sha256:${digest}` };
}

function revisionSummary(facts: Facts, previous: ApplicationStatus | undefined): { revision?: string } {
  // A ref that names nothing wants nothing: what an earlier one named is not what is wanted.
  const before = facts.standing.reason === 'RefNotFound' ? undefined : previous?.source;
  const shown = facts.source ?? before ?? facts.running;
  return shown === undefined ? {} : { revision: shortRevision(shown.revision ?? '', shown.ref ?? '') };
}
