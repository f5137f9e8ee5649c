import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TowpathError } from '../../api/errors.ts';
import { type Application, parseApplication } from '../../api/v1alpha1/application.ts';
import { Quarantine } from '../candidate/quarantine.ts';
import type { Wanted } from '../candidate/wanted.ts';
import { type Candidate, candidateKey, type Deployment } from '../record/record.ts';
import { foundAfter, memoryAfter, NOTHING_REMEMBERED } from './after-action.ts';
import { next } from './next.ts';
import { requestKey } from './request-annotations.ts';
import { inputsOf, isRunWanted, judgedAs } from './stage.ts';
import type { Action, Deed, EarlierFindings, Findings, Outcome, TargetState } from './state.ts';
import { isHandled } from './words/handled-request.ts';
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

function wanted(of: Candidate): Wanted {
  return {
    candidate: of,
    manifests: { objects: [], hooks: [] },
    resolved: { commit: REVISION, ref: 'refs/heads/main' } as Wanted['resolved'],
  };
}

function state(changes: Partial<TargetState> = {}): TargetState {
  return {
    application: application(),
    settings: {
      mode: 'Automatic',
      prune: true,
      drift: 'Repair',
      adopt: false,
      ignore: [],
      timeoutMs: 300_000,
      request: undefined,
      consent: undefined,
      abandoned: false,
    },
    environment: 'default',
    since: NOW,
    now: NOW,
    request: undefined,
    handledRequest: undefined,
    isOneOfSeveral: false,
    isAskedNow: false,
    deployment: undefined,
    parked: undefined,
    unmet: undefined,
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
const ownFailure = new TowpathError('Time', 'ApplyFailed', 'It was refused.');
const quarantine = new Quarantine(
  { revision: REVISION },
  new TowpathError('Person', 'ManifestInvalid', 'No.'),
);

function remembered(changes: Partial<EarlierFindings>): { memory: EarlierFindings } {
  return { memory: { ...NOTHING_REMEMBERED, ...changes } };
}

/** Of the wanted candidate NEW. */
function retry(nextAt: Date, error = refusal, triedAt = seconds(-10)): { memory: EarlierFindings } {
  const inputs = inputsOf(state(), wanted(NEW));
  return remembered({ retry: { inputs, error, attempts: 2, triedAt, nextAt } });
}

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
const SUSPENDED = { application: application({ suspend: true }) };

const ROWS: readonly [string, Partial<TargetState>, Deed | { wait: Date | undefined }][] = [
  ['nothing is known', {}, 'See'],
  ['suspended, not looked at yet', SUSPENDED, 'See'],
  ['suspended', { ...SUSPENDED, found: { sight: 'Seen' } }, 'Pause'],
  ['suspended, told', { ...SUSPENDED, found: { sight: 'Seen', clock: 'Paused' } }, { wait: undefined }],
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
      ...remembered({
        kept: [{ object: { group: '', kind: 'Secret', namespace: 'a', name: 'b' }, reason: 'r' }],
      }),
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
      deployment: deployment({ ...NEW, digest: OLD.digest }),
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
      unmet: refusal,
    },
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

test('what follows from where a target is', () => {
  for (const [name, changes, expected] of ROWS) {
    const action = next(state(changes));
    const told = action.type === 'Wait' ? { wait: action.until } : action.type;
    assert.deepEqual(told, expected, name);
  }
});

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
    case 'Judge':
      // A dependency that is not met is found out before anything is asked.
      if (from.unmet !== undefined) return [[{ type: 'Blocked', error: from.unmet }]];
      return [[{ type: 'Judged', deferred: [] }], ...blockedOrSo];
    case 'Park':
      return [[{ type: 'Parked' }, () => ({ parked: candidateKey(of) })], ...blockedOrSo];
    case 'Restore':
      return [[{ type: 'Restored' }], ...blockedOrSo];
    case 'Begin':
      return [
        [
          { type: 'Begun' },
          ({ request }) => ({
            deployment: deployment(of, UNDER_WAY),
            ...(request === undefined ? {} : { handledRequest: requestKey(request) }),
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
      return [[{ type: 'RequestNoted' }, ({ request = '' }) => ({ handledRequest: requestKey(request) })]];
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

/** Follows every way that a look may take. */
function* ways(
  from: TargetState,
  done: readonly Deed[] = [],
): Generator<{ done: readonly Deed[]; last: TargetState }> {
  const action: Action = next(from);
  if (action.type === 'Wait') {
    yield { done, last: from };
    return;
  }
  assert.ok(
    !done.includes(action.type),
    `a look does ${action.type} twice: ${[...done, action.type].join(', ')}`,
  );
  for (const [outcome, change] of outcomesOf(action.type, NEW, from)) {
    const after = { ...from, ...change?.(from) };
    const memory = memoryAfter(after, outcome, 0.5);
    yield* ways({ ...after, memory, found: foundAfter({ ...after }, outcome) }, [...done, action.type]);
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
  [
    'that judged and parked it',
    { parked: candidateKey(NEW), ...remembered({ judged: judgedAs(state(), NEW) }) },
  ],
  ['that tries it again later', retry(seconds(4), ofTime)],
  ['that tries it again now', retry(seconds(-1), ofTime)],
  ['that waits for another resource', retry(seconds(4), refusal)],
  ['whose last try rests', failedTry(seconds(20))],
  ['whose last try is due again', failedTry(seconds(-1))],
  [
    'whose candidate was refused',
    remembered({ refused: { inputs: inputsOf(state(), wanted(NEW)), quarantine } }),
  ],
  ['whose dependency is not met', { unmet: refusal }],
  ['that is one of several', { isOneOfSeveral: true }],
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
];

function* beginnings(): Generator<{ what: string; start: TargetState }> {
  const deployments = [
    undefined,
    ...[OLD, NEW].flatMap((one) =>
      [{}, UNDER_WAY, FAILED, EXHAUSTED, { ...UNDER_WAY, pausedAt: '2026-11-23T09:59:30Z' }].map((changes) =>
        deployment(one, changes),
      ),
    ),
  ];
  for (const [name, changes] of BEGINNINGS)
    for (const from of deployments)
      for (const request of [undefined, 'x'])
        for (const mode of ['Automatic', 'Manual'] as const) {
          const asked = { request, isAskedNow: request !== undefined };
          const settings = { ...state().settings, mode };
          const start = state({ deployment: from, ...asked, settings, ...changes });
          yield { what: `one ${name}, of ${JSON.stringify(from)}, mode ${mode}, request ${request}`, start };
        }
}

test('every look ends, does nothing twice, and says where the target stands', () => {
  const count = new Map<string, number>();
  for (const { what, start } of beginnings())
    for (const { done, last } of ways(start)) {
      const how = `${done.join(', ')} from ${what}`;
      for (const deed of done) count.set(deed, (count.get(deed) ?? 0) + 1);
      const standing = standingOf(last);
      const { obstacle, lookedAfter } = last.found;
      const error = obstacle?.error ?? (lookedAfter?.how === 'Not' ? lookedAfter.error : undefined);
      const isTold = error instanceof TowpathError || error instanceof Quarantine || error === undefined;
      if (isTold) assert.notEqual(standing, LOOKING, how);
      // Nothing is done with what is suspended but to stop its clock.
      const isSuspended = start.application.spec.suspend;
      if (isSuspended) assert.ok(!done.some((deed) => WRITES.includes(deed)), how);
      // A4, D6: whatever is wrong with what is wanted, what runs in its place is looked after.
      const isSeen = last.found.sight === 'Seen';
      const { deployment: from, settings, request } = start;
      const isOld = from !== undefined && candidateKey(from.candidate) === candidateKey(OLD);
      if (isSeen && isOld && !isSuspended && !done.includes('Begin')) assert.ok(done.includes('Tidy'), how);
      // What nobody asked for is not begun (mode Manual), and nothing is begun that was not judged.
      if (done.includes('Begin')) assert.ok(done.includes('Judge'), how);
      if (settings.mode === 'Manual' && request === undefined) assert.ok(!done.includes('Begin'), how);
      // What no status says for now, the record does (D7); where the status does, it costs no write.
      const isNoted = request !== undefined && last.handledRequest === requestKey(request);
      if (isHandled(last, standing) && start.isOneOfSeveral) assert.ok(isNoted, how);
      if (!start.isOneOfSeveral) assert.ok(!done.includes('NoteRequest'), how);
    }
  for (const deed of ['See', 'Pause', 'Resume', 'Resolve', 'NoteRequest', ...WRITES])
    assert.ok(count.get(deed), deed);
  assert.ok((count.get('See') ?? 0) > 10_000, `${count.get('See')} ways`);
});
