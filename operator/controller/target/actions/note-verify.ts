import type { HealthState } from '../../../api/v1alpha1/application.ts';
import { verdictOf } from '../../../promote/checks.ts';
import { checksToVerify } from '../../../promote/governance.ts';
import { withoutRejection, withRejection } from '../../../promote/rejection.ts';
import type { Gap } from '../../../promote/soak.ts';
import { failedVerify, isUndecided, type VerifySeen, verifyAfter } from '../../../promote/verify.ts';
import { candidateKey, type Deployment, type TargetRecord } from '../../record/record.ts';
import type { Target } from '../../record/target.ts';
import { shownBy } from '../promotion.ts';
import type { Run } from '../run.ts';
import type { TargetState } from '../state.ts';
import type { Facts } from '../words/facts.ts';

/**
 * Notes in the record how far that is which a policy wants of what runs.
 *
 * @returns whether it is decided by that
 */
export function noteVerify(
  { context, target }: Run,
  state: TargetState,
  live: Facts['health'],
  gap: Gap | undefined,
): boolean {
  const { record } = context;
  const { deployment } = record;
  if (deployment?.outcome === undefined || !isUndecided(deployment.verify)) return false;
  const now = context.now();
  const checked = checkedOf(target, record);
  const verify =
    deployment.outcome === 'Failed'
      ? failedVerify(deployment.verify, now)
      : verifyAfter(deployment.verify, {
          how: seenForVerify(shownBy(state, live.state).health, live.state),
          now,
          ...(checked === undefined ? {} : { checks: checked.is }),
          timeoutMs: target.settings.timeoutMs,
          ...(gap === undefined ? {} : { gap }),
        });
  if (verify === deployment.verify) return false;
  record.deployment = { ...deployment, verify };
  if (verify.outcome === undefined) return false;
  if (verify.outcome === 'Passed') {
    record.succeeded = candidateKey(deployment.candidate);
    // It failed before, and was tried once more.
    if (record.rejected !== undefined)
      record.rejected = withoutRejection(
        record.rejected,
        deployment.candidate.digest,
        deployment.candidate.id,
      );
    return true;
  }
  const why = deployment.outcome === 'Failed' ? whyFailed(deployment) : whyUnverified(live, checked);
  record.deployment = { ...record.deployment, outcome: 'Failed', message: why };
  record.rejected = withRejection(record.rejected ?? [], {
    digest: deployment.candidate.digest,
    why,
    at: now.toISOString(),
  });
  return true;
}

type Shows = ReturnType<typeof shownBy>['health'];

/** What is gone, and could not be put back so far, since nothing is written there or a try rests, is no fault of it either. */
function seenForVerify(shown: Shows, live: HealthState): VerifySeen['how'] {
  return shown === 'Unknown' && live === 'Missing' ? 'OutOfSight' : seenAs(shown, live);
}

/** What somebody changed is no fault of it, nor is what nobody sees; what is Degraded or Missing is, whatever is done there. */
export function seenAs(shown: Shows, live: HealthState): VerifySeen['how'] {
  if (shown === 'Healthy') return 'Healthy';
  if (live === 'Degraded' || live === 'Missing') return 'Broken';
  if (shown === 'Unknown') return 'OutOfSight';
  return live === 'Healthy' ? 'Changed' : 'ComingUp';
}

function whyFailed({ message = 'It was not deployed to its end.' }: Deployment): string {
  return message;
}

/** What the checks say of it that it entered with; undefined: there were none. What cannot be run for now has not passed. */
function checkedOf({ governance }: Target, { deployment, checks }: TargetRecord) {
  const names = deployment?.verify?.checks;
  if (names === undefined || deployment === undefined) return undefined;
  return verdictOf(names, checksToVerify(governance), deployment.candidate.digest, checks);
}

function whyUnverified({ state, message }: Facts['health'], checked: ReturnType<typeof checkedOf>): string {
  if (checked?.is === 'Failed') return checked.why;
  return `It did not stay healthy: ${message ?? `it is ${state}.`}`;
}
