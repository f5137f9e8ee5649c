import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TowpathError } from '../../api/errors.ts';
import { type Application, parseApplication } from '../../api/v1alpha1/application.ts';
import type { Command } from '../../promote/command.ts';
import type { BlockedBy } from '../../promote/gate.ts';
import type { Hold } from '../../promote/hold.ts';
import { verifyEndsAt } from '../../promote/verify.ts';
import { Quarantine } from '../candidate/quarantine.ts';
import type { Wanted } from '../candidate/wanted.ts';
import { type Candidate, candidateKey, type Deployment } from '../record/record.ts';
import { foundAfter, memoryAfter, NOTHING_REMEMBERED } from './after-action.ts';
import { next, PATIENCE_MS } from './next.ts';
import {
  inputsOf,
  isInterim,
  isRunWanted,
  isToAccept,
  judgedAs,
  leavesPromoted,
  unforeseen,
  wasSuspended,
} from './stage.ts';
import type { Action, Deed, EarlierFindings, Findings, Outcome, TargetState } from './state.ts';
import { NO_OTHERS } from './verdicts.ts';
import { isHandled } from './words/handled-request.ts';
import { runsNewest } from './words/newest.ts';
import { LOOKING, standingOf } from './words/sync-and-reason.ts';

const NOW = new Date('2026-11-23T10:00:00Z');
const REVISION = '4f2c81a0000000000000000000000000000000ab';

const seconds = (count: number) => new Date(NOW.getTime() + count * 1_000);

function application(spec: Record<string, unknown> = {}, sync?: string): Application {
  const parsed = parseApplication({
    apiVersion: 'towpath.dev/v1alpha1',
    kind: 'Application',
    metadata: { name: 'web', namespace: 'shop', generation: 3 },
    spec: { source: { repoURL: 'https://git.example.com/web.git' }, ...spec },
    ...(sync === undefined
      ? {}
      : { status: { sync, environments: [{ name: 'default', sync, health: 'Healthy' }] } }),
  });
  assert.ok(parsed.ok);
  return parsed.application;
}

function candidate(digit: string): Candidate {
  const digest = `sha256:${digit.repeat(64)}`;
  return { id: digest, inputs: 'i', request: 'r', revision: REVISION, ref: 'refs/heads/main', digest };
}

const OLD = candidate('1');
const NEW = candidate('2');
/** The same as NEW, of which came other bytes: random values, say. */
const RENDERED_BEFORE = { ...NEW, digest: OLD.digest };

function deployment(of: Candidate, changes: Partial<Deployment> = {}): Deployment {
  return {
    id: 7,
    candidate: of,
    trigger: 'Commit',
    generation: 3,
    startedAt: '2026-11-23T09:59:00Z',
    clusterStartedAt: '2026-11-23T09:59:00Z',
    install: false,
    hooks: [],
    deferred: [],
    applied: true,
    outcome: 'Succeeded',
    ...changes,
  };
}

const UNDER_WAY: Partial<Deployment> = { applied: false, outcome: undefined as never };
const FAILED: Partial<Deployment> = { applied: false, outcome: 'Failed' };
const EXHAUSTED: Partial<Deployment> = { ...FAILED, exhausted: true };
/** With nothing to go back to. */
const TAKEN_BACK: Partial<Deployment> = {
  applied: false,
  outcome: 'Cancelled',
  exhausted: true,
};
/** Deployed half a minute ago, and to be healthy for a minute. */
const VERIFYING = {
  forMs: 60_000,
  onFailure: 'Rollback',
  ms: 0,
  since: '2026-11-23T09:59:30Z',
} satisfies Deployment['verify'];
const REJECTED = { ...VERIFYING, outcome: 'Failed' } as const;
const KEPT_THERE = { ...REJECTED, onFailure: 'Keep' } as const;
const GOING_BACK: Partial<Deployment> = { ...UNDER_WAY, trigger: 'Rollback' };

function wanted(of: Candidate): Wanted {
  return {
    candidate: of,
    manifests: { objects: [], hooks: [] },
    resolved: { revision: REVISION, ref: 'refs/heads/main' } as Wanted['resolved'],
  };
}

function state(changes: Partial<TargetState> = {}): TargetState {
  return {
    application: application(),
    settings: {
      mode: 'Automatic',
      suspended: undefined,
      prune: true,
      drift: 'Repair',
      adopt: false,
      ignore: [],
      pruneBudget: '50%',
      timeoutMs: 300_000,
      request: undefined,
      consent: undefined,
      abandoned: undefined,
    },
    environment: 'default',
    accessChanges: 0,
    refusal: undefined,
    since: NOW,
    now: NOW,
    request: undefined,
    requestKey: changes.request === undefined ? undefined : `key of ${changes.request}`,
    handledRequest: undefined,
    isOneOfSeveral: false,
    others: NO_OTHERS,
    isAskedNow: false,
    deployment: undefined,
    parked: undefined,
    blockedBy: [],
    choice: undefined,
    gatesChangeAt: changes.blockedBy?.find(({ clearsAt }) => clearsAt !== undefined)?.clearsAt,
    settles: [],
    mayEnterAt: undefined,
    promoted: undefined,
    soaks: false,
    isChecked: false,
    lostChecks: [],
    asked: undefined,
    hold: undefined,
    applied: new Map(),
    memory: NOTHING_REMEMBERED,
    found: {},
    ...changes,
  };
}

/** What was found before what the row is about. */
const seen = (of: Candidate, more: Findings = {}): { found: Findings } => ({
  found: { sight: 'Seen', wanted: wanted(of), ...more },
});
const tidied = (of: Candidate, more: Findings = {}) => seen(of, { isTidied: true, ...more });

const MANUAL: Partial<TargetState> = { settings: { ...state().settings, mode: 'Manual' } };
const refusal = new TowpathError('Resource', 'QuotaExceeded', 'The quota is used up.');
const ofTime = new TowpathError('Time', 'SourceUnreachable', 'The Git server does not answer.');
const notKnown = new TowpathError('Time', 'PromotionsUnknown', 'They are not listed yet.');
const ownFailure = new TowpathError('Time', 'ApplyFailed', 'It was refused.');
const quarantine = new Quarantine(
  { revision: REVISION },
  new TowpathError('Person', 'ManifestInvalid', 'No.'),
);

function remembered(changes: Partial<EarlierFindings>): { memory: EarlierFindings } {
  return { memory: { ...NOTHING_REMEMBERED, ...changes } };
}

const FREEZE: BlockedBy = {
  reason: 'Frozen',
  message: 'It is frozen.',
  remedy: 'Time',
  standing: 'Waiting',
  clearsAt: seconds(3_600),
};
const unmet = new TowpathError('Resource', 'DependencyNotReady', 'It waits.');
const UNMET = {
  blockedBy: [{ reason: unmet.reason, message: unmet.message, remedy: 'Resource', standing: 'Blocked' }],
} satisfies Partial<TargetState>;
const noPolicy = new TowpathError('Resource', 'NoPolicy', 'It waits.');
const NO_POLICY = {
  blockedBy: UNMET.blockedBy.map((one) => ({ ...one, reason: noPolicy.reason })),
} satisfies Partial<TargetState>;
const isUnmet = ({ blockedBy }: TargetState) => blockedBy.some(({ standing }) => standing === 'Blocked');

/** Judged a second ago, and waits for what prod says. */
const AWAITED: Partial<TargetState> = {
  isOneOfSeveral: true,
  others: { awaited: ['prod'], refused: [] },
  ...remembered({
    awaiting: { inputs: inputsOf(state(), wanted(NEW)), deferred: [], since: seconds(-1) },
  }),
};
const REFUSED_ELSEWHERE: Partial<TargetState> = {
  isOneOfSeveral: true,
  others: { awaited: [], refused: [{ environment: 'prod', quarantine }] },
};

/** Of the wanted candidate NEW. */
function retry(
  nextAt: Date,
  error = refusal,
  triedAt = seconds(-10),
  request?: string,
): { memory: EarlierFindings } {
  const inputs = inputsOf(state({ request }), wanted(NEW));
  return remembered({ retry: { inputs, error, attempts: 2, triedAt, nextAt } });
}

/** In principle, as nobody had asked for it. */
const REFUSED = remembered({ refused: { inputs: inputsOf(state(), wanted(NEW)), quarantine } });

const KEPT = remembered({
  kept: [{ object: { group: '', kind: 'Secret', namespace: 'a', name: 'b' }, reason: 'r' }],
});

function failedTry(nextAt: Date): { memory: EarlierFindings } {
  return remembered({ failed: { deployment: 7, generation: 3, error: ownFailure, nextAt } });
}

const WAITING = {
  state: 'Waiting',
  health: 'Progressing',
  message: 'm',
  deadline: seconds(90),
  isPart: false,
} as const;
const held = { state: 'PruneHeld', digest: 'd', objects: [] } as const;
const HELD = { held: { ...held, objects: [...held.objects] } };
const JUDGED = { judgement: { deferred: [] } };
const SUSPENDED: Partial<TargetState> = {
  settings: { ...state().settings, suspended: 'It is suspended.' },
};

const ORDER: BlockedBy = {
  reason: 'Order',
  message: 'It has not passed stage staging.',
  remedy: 'Resource',
  standing: 'Waiting',
};
/** The newest waits, and an older one may enter. */
const OLDER_MAY: Partial<TargetState> = {
  blockedBy: [ORDER],
  choice: { id: OLD.id, digest: OLD.digest, asked: 'a' },
};
const PARKED: Partial<TargetState> = {
  parked: candidateKey(NEW),
  ...remembered({ judged: judgedAs(state(), NEW) }),
};
const ROLLBACK: Command = {
  uid: 'u',
  promotion: 'web-back',
  type: 'Rollback',
  application: 'web',
  environment: 'default',
  requestedAt: NOW,
  by: 'anna',
  historyID: 6,
  skipGates: [],
  reason: '',
};
/** What a person promotes. */
const OF_OLD: NonNullable<TargetState['promoted']> = {
  command: { ...ROLLBACK, type: 'Promote' },
  candidate: { id: OLD.id, digest: OLD.digest, asked: 'a' },
  blockedBy: [],
};
const CANCEL: Command = { ...ROLLBACK, type: 'Cancel', about: 'web-default-7' };
const RESUME: Command = { ...ROLLBACK, type: 'Resume', about: 'web-back' };
const HOLD: Hold = { promotion: 'web-back', uid: 'u', by: 'anna', since: '2026-11-23T09:00:00Z' };
const CHOSEN = { asked: 'a', newest: wanted(NEW), againAt: undefined };

const ROWS: readonly [string, Partial<TargetState>, Deed | { wait: Date | undefined }][] = [
  ['nothing is known', {}, 'See'],
  ['suspended, not looked at yet', SUSPENDED, 'See'],
  ['suspended', { ...SUSPENDED, found: { sight: 'Seen' } }, 'Pause'],
  ['suspended, told', { ...SUSPENDED, found: { sight: 'Seen', clock: 'Paused' } }, { wait: undefined }],
  ['refused, not looked at yet', { refusal }, 'See'],
  ['refused', { refusal, found: { sight: 'Seen' } }, { wait: undefined }],
  ['refused and suspended', { ...SUSPENDED, refusal, found: { sight: 'Seen' } }, { wait: undefined }],
  ['no longer suspended', { application: application({}, 'Suspended'), found: { sight: 'Seen' } }, 'Resume'],
  [
    'the clock stands still',
    {
      deployment: deployment(OLD, { ...UNDER_WAY, pausedAt: '2026-11-23T09:59:30Z' }),
      found: { sight: 'Seen' },
    },
    'Resume',
  ],
  ['seen', { found: { sight: 'Seen' } }, 'Resolve'],
  ['unseen: what Git has is found out all the same', { found: { sight: { unseen: refusal } } }, 'Resolve'],
  [
    'unseen: nothing is planned',
    { found: { sight: { unseen: refusal }, wanted: wanted(NEW) } },
    { wait: seconds(30) },
  ],
  ['the first candidate', seen(NEW), 'Judge'],
  ['the first candidate, judged', seen(NEW, JUDGED), 'Begin'],
  ['another candidate than what runs', { deployment: deployment(OLD), ...seen(NEW) }, 'Judge'],
  ['another one, judged', { deployment: deployment(OLD), ...seen(NEW, JUDGED) }, 'Begin'],
  [
    'another one while the former is under way',
    { deployment: deployment(OLD, UNDER_WAY), ...seen(NEW) },
    'Judge',
  ],
  ['what another environment has not judged yet', { ...seen(NEW, JUDGED), ...AWAITED }, { wait: seconds(1) }],
  [
    '… as somebody asked for',
    { ...seen(NEW, JUDGED), ...AWAITED, request: 'x', requestKey: 'key of x' },
    { wait: seconds(1) },
  ],
  ['… judged here in the look before', { ...seen(NEW), ...AWAITED }, { wait: seconds(1) }],
  ['… and waited for long enough', { ...seen(NEW), ...AWAITED, now: seconds(1) }, 'Begin'],
  ['… and now it has', { ...seen(NEW), ...AWAITED, others: NO_OTHERS }, 'Begin'],
  ['… but something else is wanted by now', { ...seen(OLD), ...AWAITED }, 'Judge'],
  [
    'what another environment refuses, with nothing that runs',
    { ...seen(NEW), ...REFUSED_ELSEWHERE },
    { wait: undefined },
  ],
  ['… with something that runs', { deployment: deployment(OLD), ...seen(NEW), ...REFUSED_ELSEWHERE }, 'Tidy'],
  [
    '… where it runs already',
    { deployment: deployment(NEW), ...tidied(NEW), ...REFUSED_ELSEWHERE },
    'Advance',
  ],
  [
    'something new while it is frozen',
    { deployment: deployment(OLD), ...seen(NEW), blockedBy: [FREEZE] },
    'Judge',
  ],
  [
    '… judged',
    {
      deployment: deployment(OLD),
      ...seen(NEW),
      blockedBy: [FREEZE],
      ...remembered({ judged: judgedAs(state(), NEW) }),
    },
    'Park',
  ],
  [
    '… and parked: it is looked at again when that clears, and takes nobody’s place until then (A29)',
    {
      deployment: deployment(OLD),
      ...tidied(NEW, { lookedAfter: { how: 'Confirmed' } }),
      blockedBy: [FREEZE],
      parked: candidateKey(NEW),
      ...remembered({ judged: judgedAs(state(), NEW) }),
    },
    { wait: seconds(3_600) },
  ],
  [
    '… and asked for',
    { ...seen(NEW), blockedBy: [FREEZE], request: 'x', ...remembered({ judged: judgedAs(state(), NEW) }) },
    'Park',
  ],
  [
    '… but what runs has its first write (A8)',
    { deployment: deployment(NEW, UNDER_WAY), ...tidied(NEW), blockedBy: [FREEZE] },
    'Advance',
  ],
  [
    'something new that has not passed the stage before',
    {
      deployment: deployment(OLD),
      ...tidied(NEW, { lookedAfter: { how: 'Confirmed' } }),
      blockedBy: [ORDER],
      parked: candidateKey(NEW),
      ...remembered({ judged: judgedAs(state(), NEW) }),
    },
    { wait: undefined },
  ],
  ['… with an older one that may enter: the newest is kept first', { ...seen(NEW), ...OLDER_MAY }, 'Judge'],
  ['… judged', { ...seen(NEW), ...OLDER_MAY, ...remembered({ judged: judgedAs(state(), NEW) }) }, 'Park'],
  ['… and kept', { ...seen(NEW), ...OLDER_MAY, ...PARKED }, 'Choose'],
  ['… chosen', { ...seen(OLD, { chosen: CHOSEN }) }, 'Judge'],
  ['… judged once more', { ...seen(OLD, { chosen: CHOSEN, ...JUDGED }) }, 'Begin'],
  [
    '… but there is a gate by now',
    {
      ...seen(OLD, { chosen: CHOSEN, ...JUDGED }),
      blockedBy: [FREEZE],
      ...remembered({ judged: judgedAs(state(), OLD) }),
    },
    { wait: seconds(3_600) },
  ],
  [
    '… and through: the next look tells what the newest waits for',
    {
      deployment: deployment(OLD),
      ...tidied(OLD, { chosen: CHOSEN, lookedAfter: { how: 'Confirmed' } }),
    },
    { wait: NOW },
  ],
  [
    '… where the newest is refused',
    { ...seen(NEW, { obstacle: { at: 'Deploying', error: quarantine } }), ...OLDER_MAY },
    'Choose',
  ],
  [
    '… where Git does not answer',
    { found: { sight: 'Seen', obstacle: { at: 'Resolving', error: ofTime, isAnswer: false } }, ...OLDER_MAY },
    'Choose',
  ],
  [
    '… where the newest met what nobody foresaw',
    { ...seen(NEW, { obstacle: { at: 'Deploying', error: new Error('a defect') } }), ...OLDER_MAY },
    { wait: undefined },
  ],
  [
    'for how long it is healthy is asked by a policy',
    { deployment: deployment(NEW), ...tidied(NEW, { lookedAfter: { how: 'Confirmed' } }), soaks: true },
    'NoteHealth',
  ],
  [
    '… and written down',
    {
      deployment: deployment(NEW),
      ...tidied(NEW, { lookedAfter: { how: 'Confirmed' }, isHealthNoted: true }),
      soaks: true,
    },
    { wait: undefined },
  ],
  ['… while others are waited for', { ...seen(NEW, JUDGED), ...AWAITED, soaks: true }, { wait: seconds(1) }],
  [
    'a policy wants checks of what runs',
    { deployment: deployment(NEW), ...tidied(NEW, { lookedAfter: { how: 'Confirmed' } }), isChecked: true },
    'Check',
  ],
  [
    '… also while it is not known what is wanted',
    {
      deployment: deployment(OLD),
      found: {
        sight: 'Seen',
        isTidied: true,
        obstacle: { at: 'Resolving', error: ofTime, isAnswer: false },
        lookedAfter: { how: 'Confirmed' },
      },
      isChecked: true,
    },
    'Check',
  ],
  [
    '… which were looked at, and one is to end by itself',
    {
      deployment: deployment(NEW),
      ...tidied(NEW, { lookedAfter: { how: 'Confirmed' }, checked: { again: seconds(20) } }),
      isChecked: true,
    },
    { wait: seconds(20) },
  ],
  [
    '… and all writes are suspended',
    {
      deployment: deployment(NEW, { pausedAt: NOW.toISOString() }),
      settings: { ...state().settings, suspended: 'It is suspended.' },
      found: { sight: 'Seen', clock: 'Paused' },
      isChecked: true,
    },
    { wait: undefined },
  ],
  [
    'something older soaks, and is not what the newest waits for',
    {
      deployment: deployment(OLD),
      ...tidied(NEW, { lookedAfter: { how: 'Confirmed' } }),
      blockedBy: [ORDER],
      ...PARKED,
      mayEnterAt: seconds(60),
    },
    { wait: seconds(60) },
  ],
  [
    'what entered is verified',
    {
      deployment: deployment(NEW, { verify: VERIFYING }),
      ...tidied(NEW, { lookedAfter: { how: 'Confirmed' } }),
    },
    'NoteHealth',
  ],
  [
    '… and goes on so: it is looked at when that is over',
    {
      deployment: deployment(NEW, { verify: VERIFYING }),
      ...tidied(NEW, { lookedAfter: { how: 'Confirmed' }, isHealthNoted: true }),
    },
    { wait: seconds(30) },
  ],
  [
    '… and comes up once more: it has as long as spec.sync.timeout',
    {
      deployment: deployment(NEW, {
        verify: { forMs: 60_000, onFailure: 'Keep', ms: 0, comingUpSince: '2026-11-23T09:59:30Z' },
      }),
      ...tidied(NEW, { lookedAfter: { how: 'Confirmed' }, isHealthNoted: true }),
    },
    { wait: seconds(270) },
  ],
  [
    '… before it is deployed there is nothing to verify',
    {
      deployment: deployment(NEW, { ...UNDER_WAY, verify: VERIFYING }),
      ...tidied(NEW, { lookedAfter: { how: 'Advanced', result: { kept: [], progress: WAITING } } }),
    },
    { wait: seconds(90) },
  ],
  [
    '… and failed in this look',
    {
      deployment: deployment(NEW, { outcome: 'Failed', verify: REJECTED }),
      ...tidied(NEW, { lookedAfter: { how: 'Confirmed' }, isHealthNoted: true }),
    },
    'GoBack',
  ],
  [
    '… or before the process ended',
    { deployment: deployment(NEW, { outcome: 'Failed', verify: REJECTED }), found: { sight: 'Seen' } },
    'GoBack',
  ],
  [
    '… which could not be tried: soon',
    {
      deployment: deployment(NEW, { outcome: 'Failed', verify: REJECTED }),
      ...tidied(NEW, { lookedAfter: { how: 'Not', error: ofTime, againAt: seconds(5) } }),
    },
    { wait: seconds(5) },
  ],
  [
    '… with nothing to go back to: it stays',
    {
      deployment: deployment(NEW, { outcome: 'Failed', verify: { ...REJECTED, wentBack: 'Impossible' } }),
      ...tidied(NEW, { lookedAfter: { how: 'Confirmed' } }),
    },
    { wait: undefined },
  ],
  [
    '… and is to be kept there',
    { deployment: deployment(NEW, { outcome: 'Failed', verify: KEPT_THERE }), ...seen(NEW) },
    'Tidy',
  ],
  [
    '… whoever asks for a sync',
    { deployment: deployment(NEW, { outcome: 'Failed', verify: KEPT_THERE }), ...seen(NEW), request: 'x' },
    'Tidy',
  ],
  [
    'it was gone back: at once more of that',
    { deployment: deployment(OLD, GOING_BACK), ...seen(NEW, { wentBack: true }) },
    { wait: NOW },
  ],
  [
    'what is gone back to comes before what Git has (D12)',
    { deployment: deployment(OLD, GOING_BACK), found: { sight: 'Seen' } },
    'Tidy',
  ],
  [
    '… tidied',
    { deployment: deployment(OLD, GOING_BACK), found: { sight: 'Seen', isTidied: true, first: 7 } },
    'Advance',
  ],
  [
    '… and gone on with',
    {
      deployment: deployment(OLD, GOING_BACK),
      found: {
        sight: 'Seen',
        isTidied: true,
        first: 7,
        lookedAfter: { how: 'Advanced', result: { kept: [], progress: WAITING } },
      },
    },
    'Resolve',
  ],
  [
    '… what is newer enters all the same (A27)',
    {
      deployment: deployment(OLD, GOING_BACK),
      ...tidied(NEW, {
        first: 7,
        lookedAfter: { how: 'Advanced', result: { kept: [], progress: WAITING } },
        ...JUDGED,
      }),
    },
    'Begin',
  ],
  [
    '… and has begun',
    {
      deployment: deployment(NEW, { ...UNDER_WAY, id: 8 }),
      ...tidied(NEW, {
        first: 7,
        lookedAfter: { how: 'Advanced', result: { kept: [], progress: WAITING } },
        ...JUDGED,
      }),
    },
    { wait: NOW },
  ],
  [
    'a person goes back: before anything is asked of Git, and whatever is under way (D12, A16)',
    { asked: ROLLBACK, deployment: deployment(NEW, UNDER_WAY), found: { sight: 'Seen' } },
    'GoBack',
  ],
  [
    '… whatever waits at a gate, or is frozen',
    { asked: ROLLBACK, deployment: deployment(NEW), blockedBy: [FREEZE], ...tidied(NEW) },
    'GoBack',
  ],
  [
    '… and once more where that failed',
    {
      asked: { ...ROLLBACK, type: 'Retry' },
      hold: HOLD,
      deployment: deployment(OLD, { ...FAILED, trigger: 'Rollback' }),
      ...tidied(NEW),
    },
    'GoBack',
  ],
  [
    '… and what failed is not begun anew meanwhile, where that cannot be tried and somebody asks for a sync (A26)',
    {
      asked: ROLLBACK,
      blockedBy: [{ ...ORDER, reason: 'Held' }],
      request: 'x',
      deployment: deployment(NEW, FAILED),
      ...PARKED,
      ...tidied(NEW, { lookedAfter: { how: 'Not', error: ofTime, againAt: seconds(5) } }),
    },
    { wait: seconds(5) },
  ],
  [
    '… but nothing is written that is suspended',
    { ...SUSPENDED, asked: ROLLBACK, found: { sight: 'Seen' } },
    'Pause',
  ],
  ['… nor where nothing may be', { refusal, asked: ROLLBACK, found: { sight: 'Seen' } }, { wait: undefined }],
  [
    '… but also where no policy has it any more, which keeps out what is new alone (S14)',
    { ...NO_POLICY, asked: ROLLBACK, deployment: deployment(NEW, UNDER_WAY), found: { sight: 'Seen' } },
    'GoBack',
  ],
  [
    '… and what was held is let go of',
    { ...NO_POLICY, asked: RESUME, hold: HOLD, deployment: deployment(OLD), found: { sight: 'Seen' } },
    'LetGo',
  ],
  [
    '… and what fails where a person holds it is either gone back from, or said to stay',
    { hold: HOLD, deployment: deployment(NEW, { outcome: 'Failed', verify: REJECTED }), ...seen(NEW) },
    'GoBack',
  ],
  [
    '… once',
    {
      hold: HOLD,
      deployment: deployment(NEW, { outcome: 'Failed', verify: { ...REJECTED, wentBack: 'Impossible' } }),
      ...seen(NEW),
    },
    'Tidy',
  ],
  [
    'a person takes back what is on its way: before anything is asked of Git (A3)',
    { asked: CANCEL, deployment: deployment(NEW, UNDER_WAY), found: { sight: 'Seen' } },
    'GoBack',
  ],
  [
    '… and what is verified',
    { asked: CANCEL, deployment: deployment(NEW, { verify: VERIFYING }), ...tidied(NEW) },
    'GoBack',
  ],
  [
    '… which could not be tried: soon, and it is brought no further meanwhile',
    {
      asked: CANCEL,
      deployment: deployment(NEW, UNDER_WAY),
      ...tidied(NEW, { lookedAfter: { how: 'Not', error: ofTime, againAt: seconds(5) } }),
    },
    { wait: seconds(5) },
  ],
  [
    '… but nothing is written that is suspended',
    { ...SUSPENDED, asked: CANCEL, deployment: deployment(NEW, UNDER_WAY), found: { sight: 'Seen' } },
    'Pause',
  ],
  [
    'taken back with nothing to go back to: as far as it got it is kept, whoever asks for a sync',
    { deployment: deployment(NEW, TAKEN_BACK), ...tidied(NEW), request: 'x' },
    'Repair',
  ],
  [
    '… until a person promotes it',
    {
      deployment: deployment(NEW, TAKEN_BACK),
      promoted: {
        command: { ...ROLLBACK, type: 'Promote' },
        candidate: { id: NEW.id, digest: NEW.digest, asked: 'b' },
        blockedBy: [],
      },
      ...seen(NEW, JUDGED),
    },
    'Begin',
  ],
  ['… or something newer comes', { deployment: deployment(OLD, TAKEN_BACK), ...seen(NEW, JUDGED) }, 'Begin'],
  [
    'what a person promotes waits at a gate, whatever is with the newest: until a gate changes (A30)',
    {
      deployment: deployment(NEW),
      ...tidied(NEW, { lookedAfter: { how: 'Confirmed' } }),
      promoted: { ...OF_OLD, blockedBy: [ORDER] },
      gatesChangeAt: seconds(60),
    },
    { wait: seconds(60) },
  ],
  [
    'a person promotes what is there already: nothing is begun for it that would end a hold (A26)',
    { hold: HOLD, deployment: deployment(OLD), ...seen(NEW), promoted: OF_OLD },
    'LetGo',
  ],
  [
    '… also while that is on its way',
    { hold: HOLD, deployment: deployment(OLD, GOING_BACK), ...seen(NEW), promoted: OF_OLD },
    'LetGo',
  ],
  [
    '… but nothing is written where nothing may be',
    { refusal, hold: HOLD, deployment: deployment(OLD), ...seen(NEW), promoted: OF_OLD },
    { wait: undefined },
  ],
  [
    '… nor by what is refused',
    { hold: HOLD, deployment: deployment(OLD), ...seen(NEW), promoted: { ...OF_OLD, refusal: 'No.' } },
    'Judge',
  ],
  [
    'a person lets go',
    { asked: RESUME, hold: HOLD, deployment: deployment(OLD), found: { sight: 'Seen' } },
    'LetGo',
  ],
  [
    'something new where a person holds: it is kept, and waits',
    {
      hold: HOLD,
      deployment: deployment(OLD),
      ...tidied(NEW, { lookedAfter: { how: 'Confirmed' } }),
      blockedBy: [{ ...ORDER, reason: 'Held' }],
      ...PARKED,
    },
    { wait: undefined },
  ],
  ['what runs is wanted', { deployment: deployment(NEW), ...seen(NEW) }, 'Tidy'],
  ['… tidied', { deployment: deployment(NEW), ...tidied(NEW) }, 'Advance'],
  [
    '… and nothing differs',
    { deployment: deployment(NEW), ...tidied(NEW, { isUndisturbed: true }) },
    'Confirm',
  ],
  [
    '… but something was kept',
    {
      deployment: deployment(NEW),
      ...tidied(NEW, { isUndisturbed: true }),
      ...KEPT,
    },
    'Advance',
  ],
  ['under way', { deployment: deployment(NEW, UNDER_WAY), ...tidied(NEW) }, 'Advance'],
  [
    'a try failed',
    {
      deployment: deployment(NEW, UNDER_WAY),
      ...tidied(NEW, { failure: { error: ownFailure, isCounted: false } }),
    },
    'Count',
  ],
  [
    '… is counted',
    {
      deployment: deployment(NEW, UNDER_WAY),
      ...tidied(NEW, { failure: { error: ownFailure, isCounted: true } }),
      ...failedTry(seconds(20)),
    },
    { wait: seconds(20) },
  ],
  [
    '… and was the last',
    {
      deployment: deployment(NEW, EXHAUSTED),
      ...tidied(NEW, { failure: { error: ownFailure, isCounted: true } }),
    },
    'Repair',
  ],
  [
    'the next try is not due',
    { deployment: deployment(NEW, UNDER_WAY), ...tidied(NEW), ...failedTry(seconds(20)) },
    { wait: seconds(20) },
  ],
  [
    '… but asked for now',
    { deployment: deployment(NEW, UNDER_WAY), ...tidied(NEW), ...failedTry(seconds(20)), isAskedNow: true },
    'Advance',
  ],
  [
    '… and is due',
    { deployment: deployment(NEW, UNDER_WAY), ...tidied(NEW), ...failedTry(seconds(-1)) },
    'Advance',
  ],
  ['it failed for good', { deployment: deployment(NEW, EXHAUSTED), ...seen(NEW) }, 'Tidy'],
  ['… tidied', { deployment: deployment(NEW, EXHAUSTED), ...tidied(NEW) }, 'Repair'],
  [
    '… and a sync is asked for',
    { deployment: deployment(NEW, EXHAUSTED), ...seen(NEW), request: 'x' },
    'Judge',
  ],
  [
    '… and the spec was changed',
    { deployment: deployment(NEW, { ...EXHAUSTED, generation: 2 }), ...seen(NEW) },
    'Judge',
  ],
  [
    'the kept manifests of what runs are lost',
    { deployment: deployment(NEW), ...seen(NEW), ...remembered({ renderAnew: true }) },
    'Judge',
  ],
  [
    '… and were rendered to the same bytes',
    { deployment: deployment(NEW), ...seen(NEW, JUDGED), ...remembered({ renderAnew: true }) },
    'Restore',
  ],
  [
    'A4: … while whatever is new is blocked, by a required policy that is lost, say',
    { deployment: deployment(NEW), ...seen(NEW), ...remembered({ renderAnew: true }), ...NO_POLICY },
    'Restore',
  ],
  [
    '… of which came other bytes, which are new',
    {
      deployment: deployment(RENDERED_BEFORE),
      ...seen(NEW),
      ...remembered({ renderAnew: true }),
      ...NO_POLICY,
    },
    'Judge',
  ],
  [
    'Git does not answer, nothing runs',
    {
      found: { sight: 'Seen', obstacle: { at: 'Resolving', error: ofTime, isAnswer: false } },
      ...remembered({ unresolved: { tries: 1, nextAt: seconds(1) } }),
    },
    { wait: seconds(1) },
  ],
  [
    'Git does not answer, what runs is looked after (A4)',
    {
      deployment: deployment(OLD),
      found: { sight: 'Seen', obstacle: { at: 'Resolving', error: ofTime, isAnswer: false } },
    },
    'Tidy',
  ],
  [
    'what is wanted was refused just now, what runs is looked after (D6)',
    { deployment: deployment(OLD), ...seen(NEW, { obstacle: { at: 'Deploying', error: quarantine } }) },
    'Tidy',
  ],
  [
    'what runs has lost its manifests, and what was rendered anew, with other bytes, is refused: nothing more',
    {
      deployment: deployment(RENDERED_BEFORE),
      ...seen(NEW, { obstacle: { at: 'Deploying', error: ofTime } }),
      memory: { ...retry(seconds(4), ofTime, NOW).memory, renderAnew: true },
    },
    { wait: seconds(4) },
  ],
  [
    'Git does not answer, and the objects cannot be seen',
    { found: { sight: { unseen: refusal }, obstacle: { at: 'Resolving', error: ofTime, isAnswer: false } } },
    { wait: seconds(30) },
  ],
  [
    'what is wanted is what runs, and the cluster refuses it: nothing more',
    {
      deployment: deployment(NEW),
      ...tidied(NEW, {
        obstacle: { at: 'Deploying', error: refusal },
        lookedAfter: { how: 'Not', error: refusal },
      }),
      ...retry(seconds(4), refusal, NOW),
    },
    { wait: seconds(4) },
  ],
  ['it is tried again later', { ...seen(NEW), ...retry(seconds(4), ofTime) }, { wait: seconds(4) }],
  [
    'another resource decides: soon after it was tried',
    { ...seen(NEW), ...retry(seconds(4), refusal, seconds(-0.1)) },
    { wait: seconds(0.4) },
  ],
  ['… or as soon as something wakes us', { ...seen(NEW), ...retry(seconds(4)) }, 'Judge'],
  ['it is due', { ...seen(NEW), ...retry(seconds(-1), ofTime) }, 'Judge'],
  ['what was not known then is known', { ...seen(NEW), ...retry(seconds(4), notKnown) }, 'Judge'],
  ['another one than was refused in principle', { ...seen(OLD), ...REFUSED }, 'Judge'],
  ['another one than was refused', { ...seen(OLD), ...retry(seconds(4), ofTime) }, 'Judge'],
  [
    'refused in principle: not asked again',
    {
      ...seen(NEW),
      ...remembered({ refused: { inputs: inputsOf(state(), wanted(NEW)), quarantine } }),
    },
    { wait: undefined },
  ],
  [
    'it would delete everything',
    { deployment: deployment(OLD), ...seen(NEW, { ...JUDGED, ...HELD }) },
    'Tidy',
  ],
  ['… and nothing runs', seen(NEW, { ...JUDGED, ...HELD }), { wait: undefined }],
  ['mode Manual', { ...MANUAL, ...seen(NEW) }, 'Judge'],
  ['… judged', { ...MANUAL, ...seen(NEW), ...remembered({ judged: judgedAs(state(), NEW) }) }, 'Park'],
  [
    '… parked, nothing runs',
    { ...MANUAL, ...seen(NEW), ...remembered({ judged: judgedAs(state(), NEW) }), parked: candidateKey(NEW) },
    { wait: undefined },
  ],
  [
    '… parked, what runs is looked after',
    {
      ...MANUAL,
      ...seen(NEW),
      ...remembered({ judged: judgedAs(state(), NEW) }),
      parked: candidateKey(NEW),
      deployment: deployment(OLD),
    },
    'Tidy',
  ],
  [
    '… and waits for a dependency',
    {
      ...MANUAL,
      ...seen(NEW),
      ...remembered({ judged: judgedAs(state(), NEW) }),
      parked: candidateKey(NEW),
      ...UNMET,
    },
    'Judge',
  ],
  [
    'what is promoted waits for a dependency: it is accepted all the same, for the stage before to stay on it',
    { ...seen(NEW), ...UNMET, waitsInLine: true, ...remembered({ judged: judgedAs(state(), NEW) }) },
    'Park',
  ],
  ['… judged first', { ...seen(NEW), ...UNMET, waitsInLine: true }, 'Judge'],
  ['… and accepted', { ...seen(NEW), ...UNMET, ...PARKED, waitsInLine: true }, 'Judge'],
  [
    '… but what keeps it out may be of its manifests',
    { ...seen(NEW), ...NO_POLICY, waitsInLine: true, ...remembered({ judged: judgedAs(state(), NEW) }) },
    'Judge',
  ],
  [
    'no policy has it any more while it is between two waves: it goes on (S14)',
    { deployment: deployment(NEW, UNDER_WAY), ...tidied(NEW), ...NO_POLICY },
    'Advance',
  ],
  [
    '… while something newer waits for one',
    {
      deployment: deployment(OLD, UNDER_WAY),
      ...tidied(NEW),
      ...NO_POLICY,
      ...retry(seconds(4), noPolicy, NOW),
    },
    'Advance',
  ],
  [
    '… what fails after it entered is gone back from, as the policy said then',
    { deployment: deployment(OLD, { outcome: 'Failed', verify: REJECTED }), ...seen(NEW), ...NO_POLICY },
    'GoBack',
  ],
  [
    '… and of what runs drift is repaired',
    {
      deployment: deployment(OLD),
      ...tidied(NEW, { isUndisturbed: false }),
      ...NO_POLICY,
      ...retry(seconds(4), noPolicy, NOW),
    },
    'Advance',
  ],
  [
    '… what failed is not begun anew, whoever asks for that, and kept as far as it got',
    {
      deployment: deployment(NEW, EXHAUSTED),
      ...seen(NEW),
      ...NO_POLICY,
      request: 'x',
      ...retry(seconds(4), noPolicy, NOW, 'x'),
    },
    'Tidy',
  ],
  [
    'it was judged, others need not be waited for any more, and a dependency is not met by now',
    { ...seen(NEW), ...AWAITED, others: { awaited: [], refused: [] }, ...UNMET },
    'Judge',
  ],
  ['… asked for', { ...MANUAL, ...seen(NEW), request: 'x', parked: candidateKey(NEW) }, 'Judge'],
  ['… asked for and judged', { ...MANUAL, ...seen(NEW, JUDGED), request: 'x' }, 'Begin'],
  [
    'looked after, not healthy yet',
    {
      deployment: deployment(NEW, UNDER_WAY),
      ...tidied(NEW, {
        lookedAfter: {
          how: 'Advanced',
          result: { kept: [], progress: WAITING },
        },
      }),
    },
    { wait: seconds(90) },
  ],
  [
    'what runs could not be looked after, and what is wanted is tried again even sooner',
    {
      deployment: deployment(OLD),
      ...tidied(NEW, {
        obstacle: { at: 'Deploying', error: ofTime },
        lookedAfter: { how: 'Not', error: ofTime, againAt: seconds(5) },
      }),
      ...retry(seconds(2), ofTime, NOW),
    },
    { wait: seconds(2) },
  ],
];

/** Whether each has the newest that was accepted (condition Promoted). */
const NEWEST: readonly (readonly [string, Partial<TargetState>, Parameters<typeof runsNewest>[1], string])[] =
  [
    ['what is wanted runs', { deployment: deployment(NEW), ...tidied(NEW) }, {}, 'Has'],
    [
      '… and is not deployed to the end',
      { deployment: deployment(NEW, UNDER_WAY), ...tidied(NEW) },
      {},
      'Lacks',
    ],
    ['… and failed', { deployment: deployment(NEW, FAILED), ...tidied(NEW) }, {}, 'Lacks'],
    [
      '… and failed later',
      { deployment: deployment(NEW, { verify: KEPT_THERE }), ...tidied(NEW) },
      {},
      'Lacks',
    ],
    [
      '… and is verified still',
      { deployment: deployment(NEW, { verify: VERIFYING }), ...tidied(NEW) },
      {},
      'Has',
    ],
    [
      'something newer waits at a gate',
      { deployment: deployment(OLD), ...tidied(NEW), blockedBy: [FREEZE] },
      {},
      'Lacks',
    ],
    ['something newer is refused', { deployment: deployment(OLD), ...tidied(NEW), ...REFUSED }, {}, 'Has'],
    [
      '… while what came before it waits',
      { deployment: deployment(OLD), ...tidied(NEW), ...REFUSED },
      { waiting: [{ ...candidate('3'), asked: 'a' }] },
      'Lacks',
    ],
    [
      'a person holds it',
      { deployment: deployment(OLD), ...tidied(OLD) },
      { hold: { promotion: 'p', uid: 'u', by: 'ben', since: NOW.toISOString() } },
      'Lacks',
    ],
    ['nobody has looked yet', { deployment: deployment(OLD) }, {}, 'Lacks'],
    ['nothing was ever deployed', { ...tidied(NEW) }, {}, 'Lacks'],
  ];

for (const [name, changes, record, expected] of NEWEST)
  test(`the newest that was accepted: ${name}`, () => {
    assert.equal(runsNewest(state(changes), record) ? 'Has' : 'Lacks', expected);
  });

test('what follows from where a target is', () => {
  for (const [name, changes, expected] of ROWS) {
    const action = next(state(changes));
    const told = action.type === 'Wait' ? { wait: action.until } : action.type;
    assert.deepEqual(told, expected, name);
  }
});

function takenBack({ verify: _, ...before }: Deployment): Deployment {
  return { ...before, ...TAKEN_BACK };
}

/** All that an action may come to, as far as `next` can tell it apart, and what it makes of the record. */
function outcomesOf(
  deed: Deed,
  of: Candidate,
  from: TargetState,
): [Outcome, ((before: TargetState) => Partial<TargetState>)?][] {
  const blockedOrSo: [Outcome][] = [
    [{ type: 'Blocked', error: refusal }],
    [{ type: 'Blocked', error: ofTime }],
    [{ type: 'Refused', quarantine }],
    [{ type: 'Broken', error: new Error('a defect') }],
  ];
  const stopped: [Outcome][] = isRunWanted(from)
    ? blockedOrSo
    : [[{ type: 'LookedAfter', lookedAfter: { how: 'Not', error: ofTime, againAt: seconds(5) } }]];
  const advanced = (
    changes: Partial<Deployment>,
    progress: { state: 'Done' } | { state: 'Degraded'; message: string } | typeof WAITING,
  ) =>
    [
      { type: 'LookedAfter', lookedAfter: { how: 'Advanced', result: { kept: [], progress } } },
      ({ deployment: before }: TargetState) => ({ deployment: { ...before, ...changes } as Deployment }),
    ] as [Outcome, (before: TargetState) => Partial<TargetState>];
  switch (deed) {
    case 'See':
      return [[{ type: 'Seen' }], [{ type: 'Unseen', error: refusal }]];
    case 'Pause':
      return [[{ type: 'Paused' }]];
    case 'Resume':
      return [[{ type: 'Resumed' }]];
    case 'Resolve':
      return [
        [{ type: 'Resolved', wanted: wanted(of) }],
        ...[refusal, ofTime, quarantine, new Error('a defect')].map((error): [Outcome] => [
          { type: 'Unresolved', error, isAnswer: false },
        ]),
        [{ type: 'Unresolved', error: ofTime, isAnswer: false, wanted: wanted(of) }],
      ];
    case 'Choose':
      return [];
    case 'Check':
      return [[{ type: 'Checked' }], [{ type: 'Checked', again: seconds(20) }]];
    case 'NoteHealth': {
      const { deployment: before } = from;
      const { verify } = before ?? {};
      if (before === undefined || verify === undefined || verify.outcome !== undefined)
        return [[{ type: 'HealthNoted' }]];
      const failed = {
        ...before,
        outcome: 'Failed' as const,
        verify: { ...verify, outcome: 'Failed' as const },
      };
      return [
        [{ type: 'HealthNoted' }],
        [
          { type: 'HealthNoted' },
          () => ({ deployment: { ...before, verify: { ...verify, outcome: 'Passed' } } }),
        ],
        [{ type: 'HealthNoted' }, () => ({ deployment: failed })],
      ];
    }
    case 'LetGo':
      return [[{ type: 'LetGone' }, () => ({ asked: undefined, hold: undefined })]];
    case 'GoBack':
      return [
        [
          { type: 'WentBack' },
          () => ({ asked: undefined, deployment: deployment(OLD, { ...GOING_BACK, id: 8 }) }),
        ],
        [
          { type: 'Stayed' },
          ({ deployment: before, asked }) =>
            asked?.type === 'Cancel' && before !== undefined
              ? { asked: undefined, deployment: takenBack(before) }
              : before === undefined || asked !== undefined
                ? { asked: undefined, hold: HOLD }
                : { deployment: { ...before, verify: { ...REJECTED, wentBack: 'Impossible' } } },
        ],
        [{ type: 'LookedAfter', lookedAfter: { how: 'Not', error: ofTime, againAt: seconds(5) } }],
      ];
    case 'Judge':
      // A dependency that is not met is found out before anything is asked.
      if (isUnmet(from) && !isToAccept(from)) return [[{ type: 'Blocked', error: unmet }]];
      if (isUnmet(from))
        return [
          [{ type: 'Judged', deferred: [] }],
          [{ type: 'Blocked', error: unmet }],
          [{ type: 'Refused', quarantine }],
        ];
      return [[{ type: 'Judged', deferred: [] }], ...blockedOrSo];
    case 'Park':
      return [[{ type: 'Parked' }, () => ({ parked: candidateKey(of) })], ...blockedOrSo];
    case 'Restore':
      return [[{ type: 'Restored' }], ...blockedOrSo];
    case 'Begin':
      return [
        [
          { type: 'Begun' },
          ({ requestKey }) => ({
            deployment: deployment(of, { ...UNDER_WAY, id: 8 }),
            ...(requestKey === undefined ? {} : { handledRequest: requestKey }),
          }),
        ],
        [{ type: 'Held', held: HELD.held }],
        ...blockedOrSo,
      ];
    case 'Tidy':
      return [
        [{ type: 'Tidied', isUndisturbed: false }],
        [{ type: 'Tidied', isUndisturbed: true }],
        ...stopped,
      ];
    case 'Advance':
      return [
        advanced({ applied: true, outcome: 'Succeeded' }, { state: 'Done' }),
        advanced({ outcome: 'Failed' }, { state: 'Degraded', message: 'm' }),
        advanced({}, WAITING),
        [{ type: 'FailedTry', error: ownFailure }],
        ...stopped,
      ];
    case 'Confirm':
      return [[{ type: 'LookedAfter', lookedAfter: { how: 'Confirmed' } }], ...stopped];
    case 'Repair':
      return [[{ type: 'LookedAfter', lookedAfter: { how: 'Repaired' } }], ...stopped];
    case 'NoteRequest':
      return [
        [{ type: 'RequestNoted' }, ({ requestKey }) => ({ handledRequest: requestKey })],
        [{ type: 'RequestUnnoted' }],
      ];
    case 'Count':
      return [
        [{ type: 'Counted', error: ownFailure, attempts: 1 }],
        [
          { type: 'Counted', error: ownFailure, attempts: 6 },
          ({ deployment: before }) => ({ deployment: { ...before, ...EXHAUSTED } as Deployment }),
        ],
        ...stopped,
      ];
  }
}

/** A look from its beginning to its end. */
interface Look {
  start: TargetState;
  done: readonly Deed[];
  last: TargetState;
  until: Date | undefined;
}

/** Follows every way that a look may take. */
function* looks(start: TargetState, from = start, done: readonly Deed[] = []): Generator<Look> {
  const action: Action = next(from);
  if (action.type === 'Wait') {
    yield { start, done, last: from, until: action.until };
    return;
  }
  // What is accepted although it is blocked is told as that by who judges it.
  assert.ok(
    !done.includes(action.type) || (action.type === 'Judge' && from.waitsInLine === true),
    `a look does ${action.type} twice: ${[...done, action.type].join(', ')}`,
  );
  for (const [outcome, change] of outcomesOf(action.type, NEW, from)) {
    const after = { ...from, ...change?.(from) };
    const memory = memoryAfter(after, outcome, 0.5);
    yield* looks(start, { ...after, memory, found: foundAfter({ ...after }, outcome) }, [
      ...done,
      action.type,
    ]);
  }
}

/** Where a look may begin: each beside every deployment, mode and request. */
const BEGINNINGS: readonly [string, Partial<TargetState>][] = [
  ['with nothing remembered', {}],
  ['whose kept manifests are lost', remembered({ renderAnew: true })],
  ['that is suspended', SUSPENDED],
  ['that was suspended', { application: application({}, 'Suspended') }],
  ['whose wanted candidate is parked', { parked: candidateKey(NEW) }],
  ['that has another one parked', { parked: candidateKey(OLD) }],
  ['that judged it before', remembered({ judged: judgedAs(state(), NEW) })],
  ['that judged another one before', remembered({ judged: judgedAs(state(), OLD) })],
  [
    'that judged and parked it',
    { parked: candidateKey(NEW), ...remembered({ judged: judgedAs(state(), NEW) }) },
  ],
  [
    'that judged and parked it, and whose dependency is not met',
    { parked: candidateKey(NEW), ...remembered({ judged: judgedAs(state(), NEW) }), ...UNMET },
  ],
  ['that tries it again later', retry(seconds(4), ofTime)],
  ['that tries it again later, as was asked', retry(seconds(4), ofTime, seconds(-10), 'x')],
  ['that tries it again now', retry(seconds(-1), ofTime)],
  ['that waits for another resource', retry(seconds(4), refusal)],
  ['that asked for it a moment ago', retry(seconds(4), refusal, seconds(-0.1))],
  [
    'that tries it again later, and whose last try rests',
    { memory: { ...failedTry(seconds(2)).memory, ...retry(seconds(4), ofTime).memory } },
  ],
  ['whose last try rests', failedTry(seconds(20))],
  ['whose last try is due again', failedTry(seconds(-1))],
  [
    'whose last try was another deployment’s',
    remembered({ failed: { deployment: 6, generation: 3, error: ownFailure, nextAt: seconds(20) } }),
  ],
  [
    'whose last try was of an older spec',
    remembered({ failed: { deployment: 7, generation: 2, error: ownFailure, nextAt: seconds(20) } }),
  ],
  ['some of whose objects were kept', KEPT],
  ['of whose health a policy asks', { soaks: true }],
  ['of which a policy wants checks', { isChecked: true }],
  ['that a person goes back in', { asked: ROLLBACK }],
  ['that a person takes back', { asked: CANCEL }],
  ['that a person lets go of', { asked: RESUME, hold: HOLD }],
  ['that a person holds', { hold: HOLD, blockedBy: [{ ...ORDER, reason: 'Held' }] }],
  ['whose candidate was refused', REFUSED],
  [
    'whose candidate was refused as it was asked for',
    remembered({ refused: { inputs: inputsOf(state({ request: 'x' }), wanted(NEW)), quarantine } }),
  ],
  ['whose dependency is not met', UNMET],
  ['that is promoted, and whose dependency is not met', { ...UNMET, waitsInLine: true }],
  ['that is one of several', { isOneOfSeveral: true }],
  ['whose environment is frozen', { blockedBy: [FREEZE] }],
  [
    'whose environment is frozen, and whose dependency is not met',
    { blockedBy: [...UNMET.blockedBy, FREEZE] },
  ],
];

/** Those beside which what a policy wants of what entered makes a difference. */
const VERIFIED: readonly string[] = [
  'that a person takes back',
  'with nothing remembered',
  'whose kept manifests are lost',
  'that is suspended',
  'that tries it again later',
  'whose last try rests',
  'whose dependency is not met',
  'whose environment is frozen',
];

const WRITES: readonly Deed[] = [
  'Judge',
  'Park',
  'Restore',
  'Begin',
  'Tidy',
  'Advance',
  'Confirm',
  'Repair',
  'Count',
  'NoteRequest',
  'GoBack',
];

/** One that was not handled yet stays open after the first look for it: what it asked for may wait for something. */
const REQUESTS = {
  none: { request: undefined, isAskedNow: false },
  new: { request: 'x', isAskedNow: true },
  open: { request: 'x', isAskedNow: false },
};

function* beginnings(): Generator<{ what: string; start: TargetState }> {
  const all = (stages: readonly Partial<Deployment>[]) =>
    [OLD, NEW].flatMap((one) => stages.map((changes) => deployment(one, changes)));
  const deployments = [
    undefined,
    ...all([{}, UNDER_WAY, FAILED, EXHAUSTED, { ...UNDER_WAY, pausedAt: '2026-11-23T09:59:30Z' }]),
    deployment(NEW, { ...FAILED, generation: 2 }),
    deployment(RENDERED_BEFORE),
  ];
  const verified = all([
    TAKEN_BACK,
    { verify: VERIFYING },
    { outcome: 'Failed', verify: REJECTED },
    { outcome: 'Failed', verify: KEPT_THERE },
    GOING_BACK,
  ]);
  for (const [name, changes] of BEGINNINGS)
    for (const from of VERIFIED.includes(name) ? [...deployments, ...verified] : deployments)
      for (const [which, asked] of Object.entries(REQUESTS))
        for (const mode of ['Automatic', 'Manual'] as const) {
          // Only what goes on can be taken back.
          if (changes.asked === CANCEL && !isUnderWay(from)) continue;
          const settings = { ...state().settings, mode };
          const start = state({ deployment: from, ...asked, settings, ...changes });
          yield { what: `one ${name}, of ${JSON.stringify(from)}, mode ${mode}, request: ${which}`, start };
        }
}

const isUnderWay = (of: Deployment | undefined) =>
  of !== undefined &&
  (of.outcome === undefined || (of.verify !== undefined && of.verify.outcome === undefined));
const runs = ({ deployment }: TargetState, one: Candidate) =>
  deployment !== undefined && candidateKey(deployment.candidate) === candidateKey(one);
const isSuspended = ({ settings }: TargetState) => settings.suspended !== undefined;
const isFrozen = ({ blockedBy }: TargetState) => blockedBy.some(({ standing }) => standing === 'Waiting');
const mayBegin = (start: TargetState) =>
  !isFrozen(start) && (start.settings.mode === 'Automatic' || start.request !== undefined);
/** What is wanted is known, and the objects are seen. */
const isClear = ({ start, last: { found } }: Look) =>
  !isSuspended(start) &&
  found.sight === 'Seen' &&
  found.wanted !== undefined &&
  found.obstacle?.at !== 'Resolving';
/** What failed is begun again when that is asked for, or the spec is another one. */
const isAskedAgain = ({ deployment, request, application: { metadata } }: TargetState) =>
  deployment?.outcome === 'Failed' &&
  deployment.verify?.outcome !== 'Failed' &&
  (request !== undefined || deployment.generation !== metadata.generation);
const isToBegin = (start: TargetState) => !runs(start, NEW) || isAskedAgain(start);
const rests = ({ deployment, memory: { failed }, isAskedNow, application: { metadata } }: TargetState) =>
  failed !== undefined &&
  failed.nextAt > NOW &&
  failed.deployment === deployment?.id &&
  failed.generation === metadata.generation &&
  !isAskedNow;
const wasJudged = ({ memory, ...start }: TargetState) =>
  memory.judged === judgedAs({ memory, ...start }, NEW);
/** A failure with the very same inputs is remembered, and nothing ended it yet. */
const isStopped = ({ memory: { refused, retry: failed }, ...start }: TargetState) => {
  if (refused === undefined && failed === undefined) return false;
  const inputs = inputsOf({ ...start, memory: NOTHING_REMEMBERED }, wanted(NEW));
  const isResting = failed?.inputs === inputs && (endOfRetry(failed) ?? NOW) > NOW;
  return refused?.inputs === inputs || isResting;
};

/** That could not be tried: until then what failed is left as it is. */
const isToGoBackSoon = ({ done, last }: Pick<Look, 'done' | 'last'>) =>
  done.includes('GoBack') && last.found.lookedAfter?.how === 'Not';

/** What holds of every look: in which ones, and what. */
const PROMISES: Record<string, readonly [where: (look: Look) => boolean, holds: (look: Look) => boolean]> = {
  'says where the target stands': [isForeseen, ({ last }) => standingOf(last) !== LOOKING],
  'does nothing with what is suspended but to stop its clock': [
    ({ start }) => isSuspended(start),
    ({ done, last }) => !done.some((deed) => WRITES.includes(deed)) && last.found.clock === 'Paused',
  ],
  'plans nothing that it cannot see': [
    ({ last }) => last.found.sight !== 'Seen',
    ({ done }) => !done.some((deed) => WRITES.includes(deed)),
  ],
  'starts the clock of what is no longer suspended': [
    ({ start }) => !isSuspended(start) && (start.deployment?.pausedAt !== undefined || wasSuspended(start)),
    ({ done }) => done.includes('Resume'),
  ],
  // A4, D6
  'looks after what runs, whatever is wrong with what is wanted': [
    ({ start, done, last }) =>
      last.found.sight === 'Seen' &&
      runs(start, OLD) &&
      !isSuspended(start) &&
      !done.includes('Begin') &&
      !isToGoBackSoon({ done, last }),
    ({ done }) => done.includes('Tidy'),
  ],
  'begins nothing that it did not judge': [
    ({ done }) => done.includes('Begin'),
    ({ done }) => done.includes('Judge'),
  ],
  'parks nothing that was not judged, now or before': [
    ({ done }) => done.includes('Park'),
    ({ start, done }) => done.includes('Judge') || wasJudged(start),
  ],
  'begins nothing that nobody asked for (mode Manual)': [
    ({ start }) => !mayBegin(start),
    ({ done }) => !done.includes('Begin'),
  ],
  'begins nothing at a gate, whoever asks, and goes on with what runs': [
    ({ start, last }) => isFrozen(start) && last.found.sight === 'Seen' && !isSuspended(start),
    ({ start, done, last }) =>
      !done.includes('Begin') &&
      (!runs(start, OLD) || done.includes('Tidy') || isToGoBackSoon({ done, last })),
  ],
  'begins what may run': [
    (look) =>
      isClear(look) &&
      mayBegin(look.start) &&
      isToBegin(look.start) &&
      !isHindered(look) &&
      !isToGoBackSoon(look),
    ({ done }) => done.includes('Begin'),
  ],
  'keeps the bytes of what may only be parked': [
    (look) =>
      isClear(look) &&
      !mayBegin(look.start) &&
      isToBegin(look.start) &&
      !isHindered(look) &&
      !isToGoBackSoon(look),
    ({ last }) => last.parked === candidateKey(NEW),
  ],
  'begins nothing anew that runs, but what is asked for again, or lost': [
    ({ start }) => !isToBegin(start) && !start.memory.renderAnew,
    ({ done }) => !done.includes('Judge') && !done.includes('Begin') && !done.includes('Restore'),
  ],
  'does not judge again what was judged and waits to be asked for': [
    ({ start }) => !mayBegin(start) && wasJudged(start) && !isUnmet(start),
    ({ done }) => !done.includes('Judge'),
  ],
  'begins and parks nothing whose dependency is not met, and says so': [
    (look) =>
      isClear(look) && isUnmet(look.start) && isToBegin(look.start) && look.start.waitsInLine !== true,
    ({ done, last }) =>
      !done.includes('Begin') && !done.includes('Park') && last.found.obstacle?.error === unmet,
  ],
  'begins nothing that is promoted and whose dependency is not met, and says what keeps it out': [
    (look) =>
      isClear(look) && isUnmet(look.start) && isToBegin(look.start) && look.start.waitsInLine === true,
    ({ done, last }) => !done.includes('Begin') && last.found.obstacle !== undefined,
  ],
  'asks nothing again about what was refused, or failed a moment ago': [
    ({ start }) => isStopped(start),
    ({ done }) => !done.includes('Judge') && !done.includes('Park') && !done.includes('Begin'),
  ],
  'leaves alone what failed until its next try': [
    ({ start, done }) => rests(start) && !done.includes('Begin'),
    ({ done }) => !done.includes('Advance') && !done.includes('Confirm'),
  ],
  'goes on with what runs where no try of it rests, and at once where that is asked for': [
    // Whether anything differs is known: tidying did not fail.
    ({ start, last: { found } }) => found.isUndisturbed !== undefined && !rests(start),
    ({ done }) => (['Advance', 'Confirm', 'Repair'] as const).some((deed) => done.includes(deed)),
  ],
  'plans anew what was kept, as whoever wants it may have it by now': [
    ({ start }) => start.memory.kept.length > 0,
    ({ done }) => !done.includes('Confirm'),
  ],
  'plans nothing where nothing differs and nothing was kept': [
    ({ start, last }) => last.found.isUndisturbed === true && start.memory.kept.length === 0,
    ({ done }) => !done.includes('Advance'),
  ],
  'only confirms where nothing differs': [
    ({ done }) => done.includes('Confirm'),
    ({ last }) => last.found.isUndisturbed === true,
  ],
  'writes down each try that failed': [
    ({ last }) => last.found.failure !== undefined,
    ({ done }) => done.includes('Count'),
  ],
  'puts back what failed for good, and brings it no further': [
    ({ start, done }) => start.deployment?.exhausted === true && !done.includes('Begin'),
    ({ done }) => !done.includes('Advance') && !done.includes('Confirm') && !done.includes('Count'),
  ],
  'puts back what just failed for good': [
    ({ last: { deployment: of, found } }) =>
      of?.exhausted === true && found.failure?.isCounted === true && found.first === undefined,
    ({ done }) => done.includes('Repair'),
  ],
  'keeps again the bytes that were lost, of what runs as it is': [
    (look) =>
      isClear(look) &&
      look.start.memory.renderAnew &&
      runs(look.start, NEW) &&
      !isHindered(look) &&
      !isToGoBackSoon(look),
    ({ start, done, last }) => {
      const { deployment: of } = done.includes('Restore') && last.found.first !== undefined ? last : start;
      const isWhole = of?.outcome === 'Succeeded' && start.request === undefined;
      if (!mayBegin(start)) return last.parked === candidateKey(NEW);
      return done.includes(isWhole ? 'Restore' : 'Begin');
    },
  ],
  // D7: what no status says for now.
  'writes down that a request was acted on, where other environments may not have': [
    ({ start, last }) => start.isOneOfSeveral && isHandled(last, standingOf(last)),
    ({ last: { requestKey, handledRequest } }) => handledRequest === requestKey,
  ],
  'leaves a request open that met what nobody foresaw': [
    ({ last }) => last.request !== undefined && unforeseen(last) !== undefined,
    ({ done, last }) => !done.includes('NoteRequest') && !isHandled(last, standingOf(last)),
  ],
  'leaves a request open that could not be written down as acted on, and looks again soon': [
    ({ last }) => last.found.isRequestUnnoted === true,
    ({ last, until }) => !isHandled(last, standingOf(last)) && until !== undefined && until <= seconds(30),
  ],
  'writes down no request where the status tells of it': [
    ({ start }) => !start.isOneOfSeveral,
    ({ done }) => !done.includes('NoteRequest'),
  ],
  'goes back from what failed after it entered, once, and from nothing else': [
    ({ start, last }) => !isSuspended(start) && last.found.sight === 'Seen',
    ({ start, done, last }) =>
      done.includes('GoBack')
        ? done.includes('Begin') ||
          start.asked !== undefined ||
          last.deployment?.verify?.wentBack !== undefined ||
          last.found.lookedAfter?.how === 'Not'
        : (start.asked === undefined || start.asked.type === 'Resume') &&
          (start.hold !== undefined ||
            start.deployment?.verify?.outcome !== 'Failed' ||
            start.deployment.verify.onFailure === 'Keep'),
  ],
  'keeps again the bytes of nothing else': [
    ({ done }) => done.includes('Restore'),
    ({ start }) => start.memory.renderAnew && runs(start, NEW),
  ],
  'leaves alone what runs of the wanted candidate, its manifests lost, while the new ones may not run': [
    (look) =>
      isClear(look) &&
      look.start.memory.renderAnew &&
      look.start.deployment?.candidate === RENDERED_BEFORE &&
      isHindered(look) &&
      !['Begin', 'Park'].some((deed) => look.done.includes(deed as Deed)),
    ({ done }) => !done.includes('Tidy'),
  ],
  'asks again about what was refused before it was asked for': [
    (look) => isClear(look) && look.start.memory === REFUSED.memory && look.start.request !== undefined,
    ({ start, done }) => done.includes('Judge') || !isToBegin(start),
  ],
  'is followed by another one when the first of its reasons to wait ends, later than now': [
    isForeseen,
    ({ start, last, until }) => {
      const [first] = endsOf(start, last).toSorted((one, other) => one.getTime() - other.getTime());
      return until?.getTime() === first?.getTime() && (until === undefined || until > NOW);
    },
  ],
};

/** When what a look waits for ends by itself. */
function endsOf(start: TargetState, { found, memory, deployment: of, parked }: TargetState): Date[] {
  const { sight, obstacle, lookedAfter, isTidied } = found;
  if (isSuspended(start)) return [];
  if (sight !== 'Seen') return [new Date(NOW.getTime() + PATIENCE_MS)];
  const unnoted = found.isRequestUnnoted === true ? new Date(NOW.getTime() + PATIENCE_MS) : undefined;
  const ends: (Date | undefined)[] = [unnoted, found.checked?.again];
  const error = obstacle?.error ?? (isStopped(start) ? memory.retry?.error : undefined);
  if (obstacle?.at === 'Resolving' && !(error instanceof Quarantine)) ends.push(memory.unresolved.nextAt);
  if (obstacle?.at !== 'Resolving' && error instanceof TowpathError) ends.push(endOfRetry(memory.retry));
  if (lookedAfter?.how === 'Not') ends.push(lookedAfter.againAt);
  if (lookedAfter?.how === 'Advanced' && lookedAfter.result.progress.state === 'Waiting')
    ends.push(lookedAfter.result.progress.deadline);
  const waits = isFrozen(start) && obstacle === undefined && isToBegin({ ...start, deployment: of });
  if (waits && parked === candidateKey(NEW)) ends.push(start.gatesChangeAt);
  if (of?.verify !== undefined && found.isHealthNoted === true) ends.push(verifyEndsAt(of.verify, 300_000));
  const { failed } = memory;
  const isNext = lookedAfter === undefined && isTidied === true && failed?.deployment === of?.id;
  if (isNext && (rests(start) || found.failure !== undefined)) ends.push(failed?.nextAt);
  return ends.filter((end) => end !== undefined);
}

/** What another resource decides is asked for again soon, though not in the moment after. */
function endOfRetry(failed: EarlierFindings['retry']): Date | undefined {
  if (failed === undefined || failed.triedAt >= NOW || failed.error.remedy !== 'Resource')
    return failed?.nextAt;
  return new Date(failed.triedAt.getTime() + 500);
}

/** Of a defect nothing is told before it came again, and the look fails with it. */
function isForeseen({ last: { found } }: Look): boolean {
  const { obstacle, lookedAfter } = found;
  const error = obstacle?.error ?? (lookedAfter?.how === 'Not' ? lookedAfter.error : undefined);
  return error instanceof TowpathError || error instanceof Quarantine || error === undefined;
}

/** What is wanted was refused or held, in this look or before. */
function isHindered({ start, last: { found } }: Look): boolean {
  return found.obstacle !== undefined || found.held !== undefined || isStopped(start);
}

test('every look ends, does nothing twice, and keeps what is promised of all', () => {
  const deeds = new Map<string, number>();
  const applied = new Map<string, number>();
  let count = 0;
  for (const { what, start } of beginnings())
    for (const look of looks(start)) {
      count += 1;
      // Another look, at once, keeps what is promised.
      if (isInterim(look.last)) assert.equal(look.until, look.last.now, what);
      for (const deed of look.done) deeds.set(deed, (deeds.get(deed) ?? 0) + 1);
      for (const [promise, [where, holds]] of Object.entries(PROMISES)) {
        if (isInterim(look.last) || !where(look)) continue;
        applied.set(promise, (applied.get(promise) ?? 0) + 1);
        if (!holds(look)) assert.fail(`not every look ${promise}: ${look.done.join(', ')} from ${what}`);
      }
    }
  for (const deed of ['See', 'Pause', 'Resume', 'Resolve', 'LetGo', ...WRITES])
    assert.ok(deeds.get(deed), deed);
  for (const promise of Object.keys(PROMISES)) assert.ok(applied.get(promise), `no look where: ${promise}`);
  assert.ok(count > 10_000, `${count} looks`);
});

test('A26, A27: that what runs failed its verification is told, also where a person holds it there', () => {
  const told = (verify: NonNullable<Deployment['verify']>, outcome: Deployment['outcome'] & string) => {
    const runs = deployment(NEW, { outcome, verify, message: 'A check failed.' });
    const lookedAfter = { how: 'Confirmed' } as const;
    const { sync, reason, message } = standingOf(
      state({ hold: HOLD, deployment: runs, ...tidied(NEW, { lookedAfter }) }),
    );
    return { sync, reason, says: /A check failed/.test(message) };
  };
  const failed = told({ ...REJECTED, wentBack: 'Impossible' }, 'Failed');
  assert.deepEqual(failed, { sync: 'Failed', reason: 'VerifyFailed', says: true });
  assert.equal(told({ ...VERIFYING, outcome: 'Passed' }, 'Succeeded').sync, 'Held');
});

test('A26: what is promoted, and is there, is told before something else takes its place, and nothing that stays is', () => {
  const of = (changes: Partial<TargetState>) => {
    const at = state({
      deployment: deployment(OLD),
      promoted: { ...OF_OLD, blockedBy: [ORDER] },
      ...changes,
    });
    return [next(at).type, leavesPromoted(at)];
  };
  assert.deepEqual(of(seen(NEW, JUDGED)), ['Begin', true]);
  assert.deepEqual(of({ ...seen(NEW, JUDGED), deployment: deployment(OLD, UNDER_WAY) }), ['Begin', true]);
  assert.deepEqual(of({ ...seen(OLD, JUDGED), ...remembered({ renderAnew: true }), request: 'x' }), [
    'Begin',
    false,
  ]);
  assert.deepEqual(of({ ...seen(NEW, JUDGED), promoted: undefined }), ['Begin', false]);
});
