import { TowpathError } from '../../../api/errors.ts';
import { isInPrinciple } from '../../../apply/classify.ts';
import { isAlreadyExists, isConflict } from '../../../kube/errors.ts';
import { Quarantine } from '../../candidate/quarantine.ts';
import type { Run } from '../run.ts';
import { isRunWanted } from '../stage.ts';
import type { Deed, Outcome, TargetState } from '../state.ts';
import { explainForbidden } from '../words/forbidden.ts';
import { explainUnserved } from '../words/unavailable-api-service.ts';
import { begin, park, restore } from './begin.ts';
import { check } from './check.ts';
import { choose } from './choose.ts';
import { goBack } from './go-back.ts';
import { judge } from './judge.ts';
import { letGo } from './let-go.ts';
import { advance, confirm, count, repair, tidy } from './look-after.ts';
import { noteHealth } from './note-health.ts';
import { noteRequest } from './note-request.ts';
import { resolve } from './resolve.ts';
import { see } from './see.ts';
import { pause, resume } from './suspend.ts';

type Act = (run: Run, state: TargetState) => Promise<Outcome>;

const ACTS: Readonly<Record<Deed, Act>> = {
  See: see,
  Pause: pause,
  Resume: resume,
  Resolve: resolve,
  Judge: deploying(judge),
  Choose: choose,
  Park: deploying(park),
  Restore: deploying(restore),
  Begin: deploying(begin),
  Tidy: running(tidy),
  Advance: counted(advance),
  Confirm: counted(confirm),
  Repair: running(repair),
  Count: running(count),
  NoteRequest: noteRequest,
  NoteHealth: noteHealth,
  Check: check,
  GoBack: goingBack(goBack),
  LetGo: letGo,
};

/** Errors of the candidate's own, which count against `sync.retries`; all others are tried for ever. */
const COUNTED = new Set(['HookFailed', 'ApplyFailed']);
/** Before what runs is looked after again, when that went wrong. */
const AGAIN_MS = 5_000;

/** Does one thing, and says what it came to: failures, too, but for what ends the look. */
export function act(run: Run, state: TargetState, deed: Deed): Promise<Outcome> {
  return ACTS[deed](run, state);
}

/** What is done for the wanted candidate. */
function deploying(work: Act): Act {
  return (run, state) => orElse(run, state, work, (error) => obstructed(run, error));
}

/** What is done for the deployment that there is. Where that is the wanted one, whatever fails is in its way. */
function running(work: Act): Act {
  return (run, state) => orElse(run, state, work, (error) => stopped(run, state, error));
}

/** The same where another one is gone back to: that is tried again soon. */
function goingBack(work: Act): Act {
  return (run, state) =>
    orElse(run, state, work, async (error) => {
      if (isConflict(error) || isAlreadyExists(error)) throw error;
      return notYet(run, error);
    });
}

/** The same, but what fails by the deployment's own fault is counted. */
function counted(work: Act): Act {
  return (run, state) =>
    orElse(run, state, work, async (error) =>
      error instanceof TowpathError && isOwn(state, error)
        ? { type: 'FailedTry', error }
        : stopped(run, state, error),
    );
}

/** A failure without values of Secrets (S5). */
async function orElse(
  run: Run,
  state: TargetState,
  work: Act,
  onFailure: (error: unknown) => Promise<Outcome>,
): Promise<Outcome> {
  try {
    return await work(run, state);
  } catch (failure) {
    run.context.signal.throwIfAborted();
    return onFailure(run.parts.secrecy.hide(run.application, failure));
  }
}

/** Only a deployment under way can fail: one that succeeded stays the last good one, and stays enforced. */
function isOwn({ deployment }: TargetState, { reason }: TowpathError): boolean {
  return deployment?.outcome !== 'Succeeded' && (COUNTED.has(reason) || isInPrinciple(reason));
}

async function stopped(run: Run, state: TargetState, error: unknown): Promise<Outcome> {
  if (isRunWanted(state)) return obstructed(run, error);
  return notYet(run, error);
}

function notYet({ context }: Run, error: unknown): Outcome {
  const againAt = new Date(context.now().getTime() + AGAIN_MS);
  return { type: 'LookedAfter', lookedAfter: { how: 'Not', error, againAt } };
}

/** What keeps the wanted candidate from running. @throws where what is known is outdated: nothing is to be done by it */
async function obstructed({ parts, target, context }: Run, error: unknown): Promise<Outcome> {
  if (isConflict(error) || isAlreadyExists(error)) throw error;
  if (error instanceof Quarantine) return { type: 'Refused', quarantine: error };
  if (!(error instanceof TowpathError)) return { type: 'Broken', error };
  const { access, signal } = context;
  const forbidden = await explainForbidden(parts, target, error, signal);
  return { type: 'Blocked', error: await explainUnserved(access.client, forbidden, signal) };
}
