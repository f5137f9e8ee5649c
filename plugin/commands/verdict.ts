import type { Application, EnvironmentStatus } from '../../operator/api/v1alpha1/application.ts';
import { keyOf } from '../application.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { short } from '../text/application-tree.ts';

/** What is waited for: one commit or one candidate, by the beginning of what names it. */
export interface Awaited {
  by: 'revision' | 'candidate';
  /** Hexadecimal digits. */
  digits: string;
  goal: 'synced' | 'healthy';
}

export interface Verdict {
  code: ExitCode;
  message: string;
}

/**
 * What the status says of exactly that commit or candidate in that environment; undefined: nothing final yet. What
 * other deployments came to is no answer, neither a good nor a bad one.
 */
export function verdictOn(
  application: Application,
  environment: EnvironmentStatus,
  awaited: Awaited,
): Verdict | undefined {
  const { status } = application;
  const where = `${keyOf(application)} in ${environment.name}`;
  const entry = environment.history?.find((one) => isAwaited(one, awaited));
  if (runs(environment, awaited)) {
    const { sync, health } = environment;
    if (sync === 'Synced' && (awaited.goal === 'synced' || health === 'Healthy'))
      return { code: EXIT.Done, message: `${where} runs it: ${sync}, ${health ?? 'health unknown'}.` };
  } else if (entry?.outcome === 'Succeeded') {
    const now = environment.revision === undefined ? '' : `; ${short(environment.revision)} runs now`;
    return {
      code: EXIT.Done,
      message: `${where} was healthy with it at ${entry.finishedAt ?? 'its end'}${now}.`,
    };
  }
  const { quarantine } = status ?? {};
  if (quarantine !== undefined && isAwaited(quarantine, awaited)) {
    const [first] = quarantine.errors ?? [];
    return {
      code: EXIT.Quarantined,
      message: `It was refused: ${first?.message ?? 'see the status'} All errors: kubectl towpath why ${application.metadata.name}.`,
    };
  }
  if (entry?.outcome === 'Superseded')
    return {
      code: EXIT.Superseded,
      message: `In ${where} a newer one took its place before it was healthy.`,
    };
  const isTriedAgain = status?.retry?.nextAt !== undefined && environment.desiredRevision === entry?.revision;
  if (entry?.outcome === 'Failed' && !isTriedAgain)
    return {
      code: EXIT.Failed,
      message: `In ${where} it failed: ${entry.message ?? environment.message ?? 'see the status'}`,
    };
  if (environment.sync === 'Suspended' && !application.spec.suspend)
    return { code: EXIT.Suspended, message: `${where}: ${environment.message ?? 'it is suspended.'}` };
  if (application.spec.suspend)
    return {
      code: EXIT.Suspended,
      message: `${keyOf(application)} is suspended: kubectl towpath resume ${application.metadata.name}.`,
    };
  return undefined;
}

/** The newest of the history is what runs, where its manifests run; one with the same manifests leaves no entry. */
function runs(environment: EnvironmentStatus, awaited: Awaited): boolean {
  const { revision, history = [] } = environment;
  if (awaited.by === 'revision') return revision?.startsWith(awaited.digits) ?? false;
  const running = history.find((entry) => entry.revision === revision);
  return running !== undefined && isAwaited(running, awaited);
}

function isAwaited(
  { revision, candidate }: { revision: string; candidate?: string | undefined },
  { by, digits }: Awaited,
): boolean {
  if (by === 'revision') return revision.startsWith(digits);
  return candidate?.replace(/^sha256:/, '').startsWith(digits) ?? false;
}
