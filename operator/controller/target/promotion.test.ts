import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TowpathError } from '../../api/errors.ts';
import type { Application } from '../../api/v1alpha1/application.ts';
import type { SkippableGate } from '../../api/v1alpha1/promotion.ts';
import type { Check } from '../../promote/checks.ts';
import type { Command } from '../../promote/command.ts';
import type { BlockedBy } from '../../promote/gate.ts';
import type { InStage } from '../../promote/governance.ts';
import type { Soak } from '../../promote/soak.ts';
import {
  type Candidate,
  candidateKey,
  type Deployment,
  newRecord,
  type TargetRecord,
} from '../record/record.ts';
import { passedBy } from './actions/begin.ts';
import { Evidence } from './evidence.ts';
import { Openings } from './openings.ts';
import { promotionOf } from './promotion.ts';
import type { Run } from './run.ts';
import type { Findings, TargetState } from './state.ts';
import { isWaitedFor } from './staying.ts';

const ASKED = 'a'.repeat(64);
const ANOTHER = 'b'.repeat(64);
const NOW = new Date('2026-11-30T10:00:00Z');
const HOUR = 3_600_000;
const smoke = {
  name: 'smoke',
  template: 'c'.repeat(64),
  deadlineMs: 1_000,
  validForMs: Number.POSITIVE_INFINITY,
  job: {},
};
const digestIn = (environment: string) => `sha256:${environment}`;
const identityOf = (environment: string) => ({
  id: environment,
  name: `shop/web/${environment}`,
  application: 'shop/web',
  environment,
});

interface Line {
  /** Of eu's deployment. */
  readonly eu?: Partial<Deployment>;
  /** What staging comes to and runs, and what there is of that. */
  readonly staging?: Partial<TargetRecord>;
  readonly soakMs?: number;
  readonly hasChecks?: true;
  /** The soak and the checks are what us demands itself. */
  readonly isDemanded?: true;
}

const candidateIn = (environment: string) =>
  ({ id: 'sha256:id', digest: digestIn(environment) }) as unknown as Candidate;

function recordIn(environment: string, deployment: Partial<Deployment>): TargetRecord {
  const its = { id: 1, candidate: candidateIn(environment), outcome: 'Succeeded', trigger: 'Promotion' };
  return {
    ...newRecord(identityOf(environment)),
    asks: [{ asked: ASKED, digest: digestIn(environment) }],
    deployment: { ...its, ...deployment } as unknown as Deployment,
  };
}

/** What keeps it out of us, which comes after eu in a Sequential stage after staging; eu runs it, and is healthy. */
function keptOutOfUs({ eu = {}, staging = {}, soakMs, hasChecks, isDemanded }: Line): readonly string[] {
  const evidence = new Evidence(() => undefined);
  const us = { ...newRecord(identityOf('us')), governed: true as const };
  const records = [{ ...recordIn('staging', {}), ...staging }, recordIn('eu', eu), us];
  for (const { target, deployment } of records)
    if (deployment !== undefined)
      evidence.note(target, { asked: ASKED, digest: deployment.candidate.digest, health: 'Healthy' });
  const asked = {
    ...(soakMs === undefined ? {} : { soakMs }),
    ...(hasChecks === undefined ? {} : { checks: [smoke] }),
  };
  const demanded = isDemanded === undefined ? {} : { demanded: asked };
  const after = { stage: 'staging', environments: ['staging'], ...asked, ...demanded };
  const governance = { is: 'InStage', policy: 'line', stage: 'prod', after, behind: 'eu', isFollowed: false };
  const run = {
    parts: {
      commands: { given: () => [] },
      store: {
        recordsOf: () => records,
        candidatesOf: ({ environment }: { environment: string }) => [candidateIn(environment)],
      },
      evidence,
      specifiedTargets: () => [],
    },
    application: { metadata: { name: 'web' } },
    target: { ...identityOf('us'), governance, settings: { mode: 'Automatic' } },
    context: { record: us, now: () => NOW, store: { candidatesOf: () => [] } },
    underWay: { asked: ASKED },
  } as unknown as Run;
  const found = { sight: 'Seen', wanted: { candidate: candidateIn('us') } } as unknown as Findings;
  const { blockedBy } = promotionOf(run, found, () => []);
  return blockedBy.map(({ reason, message }) => `${reason}: ${message}`);
}

const PASSED = { passed: { stage: 'staging', asked: ASKED } } as const;
/** Staging has gone on. */
const WENT_ON = {
  deployment: { ...recordIn('staging', {}).deployment, candidate: candidateIn('newer') },
} as Partial<TargetRecord>;
const FAILED = { rejected: [{ digest: digestIn('staging'), why: 'It failed.', at: NOW.toISOString() }] };
/** By the name that it had before. */
const FAILED_BEFORE = {
  inherited: true,
  rejected: [{ ...FAILED.rejected[0], digest: digestIn('former'), candidate: 'sha256:id' }],
} as Partial<TargetRecord>;
const SOAKED = { soak: { digest: digestIn('staging'), ms: 2 * HOUR } };
const SOAKING = { soak: { digest: digestIn('staging'), ms: 0, since: NOW.toISOString() } };
const SHOWN = { passed: { ...PASSED.passed, soakMs: HOUR, checks: [smoke.template] } } as const;
const NOT_STAGING = [/^Order: It has not passed stage staging of PromotionPolicy line/];

const LINES: readonly [string, Line, readonly RegExp[]][] = [
  ['got it by its gates', { eu: PASSED }, []],
  ['got it by its gates, and staging has gone on', { eu: PASSED, staging: WENT_ON }, []],
  ['got it by its gates, and staging rejected it since', { eu: PASSED, staging: FAILED }, NOT_STAGING],
  [
    'got it by its gates, and staging rejected it under another name',
    { eu: PASSED, staging: FAILED_BEFORE },
    NOT_STAGING,
  ],
  ['got it past its gates', { staging: WENT_ON }, NOT_STAGING],
  ['got it past its gates, and staging passed it', {}, []],
  ['got it past its gates, and staging rejected it', { staging: FAILED }, NOT_STAGING],
  ['got it past its gates, and it has not soaked in staging', { soakMs: HOUR }, [/^Soak: .*staging for 1h/]],
  ['got it past its gates, and it has soaked in staging', { soakMs: HOUR, staging: SOAKED }, []],
  [
    'got it past its gates, and nothing checked it',
    { hasChecks: true },
    [/^Checks: Check smoke has not run/],
  ],
  [
    'got it by its gates, and staging checks something else by now',
    { eu: PASSED, hasChecks: true, staging: WENT_ON },
    [],
  ],
  [
    'got it with as much as us demands itself, and staging has gone on',
    { eu: SHOWN, soakMs: HOUR, hasChecks: true, isDemanded: true, staging: WENT_ON },
    [],
  ],
  [
    'got it after a shorter soak than us demands itself, and staging has gone on',
    { eu: SHOWN, soakMs: HOUR + 1, isDemanded: true, staging: WENT_ON },
    NOT_STAGING,
  ],
  [
    'got it before us demanded a soak itself',
    { eu: PASSED, soakMs: HOUR, isDemanded: true },
    [/^Soak: .*staging for 1h .*as Environments of that demand themselves/],
  ],
  [
    'got it before us demanded a soak itself, and it has soaked in staging',
    { eu: PASSED, soakMs: HOUR, isDemanded: true, staging: SOAKED },
    [],
  ],
  [
    'got it before us demanded a check itself',
    { eu: PASSED, hasChecks: true, isDemanded: true },
    [/^Checks: Check smoke has not run/],
  ],
  [
    'has the same for something else',
    { eu: { passed: { stage: 'staging', asked: ANOTHER } }, staging: WENT_ON },
    NOT_STAGING,
  ],
  [
    'got it when it came after another stage',
    { eu: { passed: { stage: 'qa', asked: ASKED } }, staging: WENT_ON },
    NOT_STAGING,
  ],
  [
    'does not have it',
    { eu: { candidate: candidateIn('older') } },
    [/^Order: It has not passed environment eu, which comes before it/],
  ],
];
for (const [what, line, reasons] of LINES)
  test(`A2, A12: what may enter behind an environment of a Sequential stage that ${what}`, () => {
    const kept = keptOutOfUs(line);
    assert.equal(kept.length, reasons.length, kept.join('\n'));
    for (const [index, words] of reasons.entries()) assert.match(kept[index] ?? '', words);
  });

test('D12: what was rejected under another name is waited for by nobody, nor stayed on', () => {
  const waiting = [{ id: 'sha256:id', digest: digestIn('us'), asked: ASKED }];
  const us = { ...newRecord(identityOf('us')), waiting };
  const staging = { ...recordIn('staging', { id: 1 }), ...SOAKING };
  assert.equal(isWaitedFor([us], staging), true);
  assert.equal(isWaitedFor([{ ...us, ...FAILED_BEFORE }], staging), false);
  assert.match(keptOutOfStaging(staging, us).join(), /^Soak/);
  assert.deepEqual(keptOutOfStaging({ ...staging, ...FAILED_BEFORE }, us), []);
});

/** What keeps something newer out of staging, which has been out of sight for no time. */
function keptOutOfStaging(record: TargetRecord, us: TargetRecord): readonly string[] {
  const evidence = new Evidence(() => undefined);
  const governance: InStage = {
    is: 'InStage',
    policy: 'line',
    stage: 'staging',
    soakedMs: HOUR,
    isFollowed: true,
  };
  const candidatesOf = () => [candidateIn('staging')];
  const run = {
    parts: {
      commands: { given: () => [] },
      store: { recordsOf: () => [record, us], candidatesOf },
      evidence,
      specifiedTargets: () => [],
    },
    application: { metadata: { name: 'web' } },
    target: { ...identityOf('staging'), governance, settings: { mode: 'Automatic', timeoutMs: HOUR } },
    context: { record, now: () => NOW, store: { candidatesOf } },
    underWay: { asked: ANOTHER },
  } as unknown as Run;
  const found = {
    sight: { unseen: new Error('away') },
    wanted: { candidate: candidateIn('newer') },
  } as unknown as Findings;
  return promotionOf(run, found, () => []).blockedBy.map(({ reason }) => reason);
}

/** What a deployment that begins in eu says that it passed. */
function passedWith(
  command: Pick<Command, 'type' | 'skipGates'> | undefined,
  before: Partial<Deployment> = {},
  asked: Pick<NonNullable<InStage['after']>, 'soakMs' | 'checks' | 'demanded'> = {},
) {
  const candidate = candidateIn('eu');
  const after = { stage: 'staging', environments: ['staging'], ...asked };
  const governance: InStage = { is: 'InStage', policy: 'line', stage: 'prod', after, isFollowed: true };
  const record = recordIn('eu', { outcome: 'Failed', ...before });
  const run = { target: { governance }, context: { record }, underWay: { asked: ASKED } } as unknown as Run;
  const promoted = command && { command, candidate: { ...candidate, asked: ASKED }, blockedBy: [] };
  const state = { promoted, found: { wanted: { candidate } } } as unknown as TargetState;
  return passedBy(run, state, candidate);
}

test('A2: who passes by what the stage before is asked passes that for nobody behind, also when it is tried once more', () => {
  const promote = (...skipGates: SkippableGate[]) => passedWith({ type: 'Promote', skipGates });
  assert.deepEqual(passedWith(undefined), PASSED);
  assert.deepEqual(promote(), PASSED);
  assert.deepEqual(promote('windows', 'freeze', 'approvals'), PASSED, 'each environment has these itself');
  for (const gate of ['order', 'soak', 'checks'] as const) assert.deepEqual(promote(gate), {});
  assert.deepEqual(passedWith({ type: 'Retry', skipGates: [] }), {});
  assert.deepEqual(passedWith({ type: 'Retry', skipGates: [] }, PASSED), PASSED);
});

test('S14: what enters says how long it soaked and what it passed, where an Environment demands some itself', () => {
  const checks = [smoke] as unknown as readonly Check[];
  assert.deepEqual(passedWith(undefined, {}, { soakMs: HOUR, checks, demanded: { checks } }), SHOWN);
  assert.deepEqual(passedWith(undefined, {}, { soakMs: HOUR, checks }), PASSED, 'else it needs not');
});

const SETTINGS = { mode: 'Automatic', timeoutMs: HOUR / 12 };
const IN_PROD = {
  ...identityOf('prod'),
  governance: {
    is: 'InStage',
    policy: 'line',
    stage: 'prod',
    after: { stage: 'staging', environments: ['staging'], soakMs: HOUR },
    isFollowed: false,
  },
  settings: SETTINGS,
};

interface Prod {
  /** As its Application asks for it. */
  readonly place?: object;
  readonly record?: Partial<TargetRecord>;
  readonly keptOut?: (now: Date) => readonly BlockedBy[];
}

/** Until when staging stays on what it runs, in minutes from now, where prod waits for that and it has a soak of an hour. */
function stayedOn(
  soak: Omit<Soak, 'digest'>,
  { place = IN_PROD, record, keptOut = () => [] }: Prod = {},
): number | undefined {
  const digest = digestIn('staging');
  const staging = { ...recordIn('staging', { applied: true }), soak: { digest, ...soak } };
  const waiting = [{ id: digestIn('prod'), digest: digestIn('prod'), asked: ASKED }];
  const prod = { ...newRecord(identityOf('prod')), waiting, ...record };
  const evidence = new Evidence(() => undefined);
  evidence.note(staging.target, { asked: ASKED, digest, health: 'NotHealthy' });
  const governance = { is: 'InStage', policy: 'line', stage: 'staging', isFollowed: true, soakedMs: HOUR };
  const run = {
    parts: {
      commands: { given: () => [] },
      store: { recordsOf: () => [staging, prod], candidatesOf: () => [] },
      evidence,
      openings: new Openings(),
      specifiedTargets: () => [place],
    },
    application: { metadata: { name: 'web' } },
    target: { ...identityOf('staging'), governance, settings: SETTINGS },
    context: { record: staging, now: () => NOW, store: { candidatesOf: () => [] } },
    underWay: { asked: ANOTHER },
  } as unknown as Run;
  const found = { sight: 'Seen', wanted: { candidate: candidateIn('newer') } } as unknown as Findings;
  const outerGates = (_: unknown, of = run) => (of === run ? [] : keptOut(of.context.now()));
  const [blocked, ...others] = promotionOf(run, found, outerGates).blockedBy;
  assert.equal(others.length, 0);
  if (blocked === undefined) return undefined;
  assert.equal(blocked.reason, 'Soak');
  return ((blocked.clearsAt?.getTime() ?? Number.NaN) - NOW.getTime()) / 60_000;
}

test('A13: where somebody changed what soaks and leaves it so, what is newer waits for spec.sync.timeout, and not for ever', () => {
  const ago = (minutes: number) => new Date(NOW.getTime() - minutes * 60_000).toISOString();
  assert.equal(stayedOn({ ms: 0, since: ago(20) }), 40);
  assert.equal(stayedOn({ ms: HOUR / 2, changedSince: ago(2) }), 3);
  assert.equal(stayedOn({ ms: HOUR / 2, changedSince: ago(5) }), undefined);
});

test('A11: staging stays on what has soaked while a clock alone keeps it out of prod, or it is being begun there', () => {
  const ago = (minutes: number) => new Date(NOW.getTime() - minutes * 60_000).toISOString();
  const gate = { message: 'It waits.', standing: 'Waiting' } as const;
  const person: BlockedBy = { ...gate, reason: 'AwaitingApproval', remedy: 'Resource' };
  const opensIn = (hours: number) => (now: Date) => {
    const clearsAt = new Date(NOW.getTime() + hours * HOUR);
    const closed: BlockedBy = { ...gate, reason: 'OutsideWindow', remedy: 'Time', clearsAt };
    return now < clearsAt ? [closed] : [];
  };
  const soaked = { ms: HOUR, since: ago(2) };
  assert.equal(stayedOn(soaked), 3, 'prod may take it, and has not yet');
  assert.equal(stayedOn({ ms: HOUR, since: ago(6) }), undefined, 'it had its time');
  assert.equal(stayedOn(soaked, { keptOut: opensIn(1) }), 65);
  assert.equal(
    stayedOn({ ms: HOUR, since: ago(300) }, { keptOut: opensIn(-1 / 60) }),
    4,
    'it has just opened',
  );
  assert.equal(stayedOn(soaked, { keptOut: opensIn(2) }), undefined, 'what is newer soaks by then');
  const both = (now: Date) => [...opensIn(1)(now), person];
  assert.equal(stayedOn(soaked, { keptOut: both }), undefined, 'approvals pin nothing');
  assert.equal(stayedOn({ ms: 2 * HOUR, changedSince: ago(1) }, { keptOut: opensIn(1) }), 4);
  assert.equal(stayedOn({ ms: 2 * HOUR, changedSince: ago(6) }, { keptOut: opensIn(1) }), undefined);
  const unplaced = (remedy: string) => ({ ...identityOf('prod'), settings: SETTINGS, refusal: { remedy } });
  assert.equal(stayedOn(soaked, { place: unplaced('Time') }), 3, 'its cluster does not answer');
  for (const place of [
    unplaced('Person'),
    { ...IN_PROD, settings: { ...SETTINGS, suspended: 'Somebody suspended it.' } },
    { ...IN_PROD, settings: { ...SETTINGS, mode: 'Manual' } },
  ])
    assert.equal(stayedOn(soaked, { place }), undefined, JSON.stringify(place));
  const rejected = [{ digest: digestIn('prod'), why: 'It failed.', at: NOW.toISOString() }];
  assert.equal(stayedOn(soaked, { record: { rejected } }), undefined);
});

/** What may enter an environment that comes after none, where it is not known what is wanted; and why nothing may. */
function enteredWithout(
  error: Error,
  {
    pending = { generation: 3 },
    mode = 'Automatic',
    kept = [],
    known,
    spec = {} as Application['spec'],
    left = [],
  }: {
    pending?: { generation?: number };
    mode?: string;
    kept?: readonly BlockedBy[];
    known?: string;
    spec?: Application['spec'];
    /** What ran, and was left. */
    left?: string[];
  } = {},
) {
  const accepted = { ...candidateIn('only'), revision: 'c1' };
  const { id, digest } = accepted;
  const record = { ...newRecord(identityOf('only')), pending: { id, digest, ...pending }, ran: left };
  const candidatesOf = () => [accepted];
  const run = {
    parts: { commands: { given: () => [] }, store: { recordsOf: () => [record], candidatesOf } },
    application: { metadata: { name: 'web', generation: 3 }, spec },
    target: { ...identityOf('only'), governance: { is: 'Free' }, gates: {}, settings: { ...SETTINGS, mode } },
    context: { record, now: () => NOW, store: { candidatesOf } },
    underWay: {},
    session: { wasRefused: false, ...(known === undefined ? {} : { known: { commit: known } }) },
  } as unknown as Run;
  const found: Findings = { sight: 'Seen', obstacle: { at: 'Resolving', error, isAnswer: false } };
  const { choice, blockedBy, mayEnterAt } = promotionOf(run, found, () => kept);
  return { enters: choice?.digest, why: blockedBy.map(({ reason }) => reason), mayEnterAt };
}

test('A4: what was accepted, and is let in now, enters where nothing comes before it although its Git server does not answer', () => {
  const away = new TowpathError('Time', 'SourceUnreachable', 'The Git server does not answer.');
  const enters = digestIn('only');
  assert.deepEqual(enteredWithout(away), { enters, why: [], mayEnterAt: undefined });
  assert.equal(enteredWithout(away, { known: 'c1' }).enters, enters, 'it is the newest');
  const left = [candidateKey(candidateIn('only'))];
  assert.equal(enteredWithout(away, { left }).enters, enters, 'it ran before');
  const verify = { secretRef: { name: 'keys' } };
  const repoURL = 'https://charts.example.com';
  const chart = { repoURL, name: 'web', version: '^1.0.0', interval: '5m', verify };
  const spec = { helm: { chart } } as unknown as Application['spec'];
  assert.equal(enteredWithout(away, { spec }).enters, enters, 'it was verified as it was accepted');
  const frozen: BlockedBy = {
    reason: 'Frozen',
    message: 'It is frozen.',
    remedy: 'Time',
    standing: 'Waiting',
    clearsAt: new Date(NOW.getTime() + HOUR),
  };
  assert.deepEqual(enteredWithout(away, { kept: [frozen] }), {
    enters: undefined,
    why: ['Frozen'],
    mayEnterAt: frozen.clearsAt,
  });
  const not: readonly [string, ReturnType<typeof enteredWithout>][] = [
    ['its source was edited, and is wrong', enteredWithout(new TowpathError('Person', 'RefNotFound', 'No.'))],
    ['it was accepted for another spec', enteredWithout(away, { pending: { generation: 2 } })],
    ['nobody knows for which', enteredWithout(away, { pending: {} })],
    ['another commit is the newest', enteredWithout(away, { known: 'c2' })],
    ['nobody asks for it (mode Manual)', enteredWithout(away, { mode: 'Manual' })],
    ['S9: who signed what was left is not found out', enteredWithout(away, { spec, left })],
  ];
  for (const [why, its] of not) assert.equal(its.enters, undefined, why);
});
