import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Application, parseApplication } from '../../api/v1alpha1/application.ts';
import { parseDuration } from '../../api/v1alpha1/duration.ts';
import { type Gates, gatesSchema } from '../../api/v1alpha1/gates.ts';
import { type PromotionPolicy, parsePolicy } from '../../api/v1alpha1/promotion-policy.ts';
import { governanceIn } from './governance.ts';
import { policyStatus } from './status.ts';

const NOW = new Date('2026-11-29T10:00:00Z');
const isMissing = () => false;
const STAGES = [
  { name: 'staging', environments: ['staging', 'load'] },
  { name: 'prod', after: ['staging'], environments: ['eu', 'us'] },
];

function policy(name: string, matchLabels: Record<string, string>, stages: readonly object[] = STAGES) {
  const parsed = parsePolicy({
    apiVersion: 'towpath.dev/v1alpha1',
    kind: 'PromotionPolicy',
    metadata: { name, namespace: 'shop' },
    spec: { selector: { matchLabels }, stages },
  });
  assert.ok(parsed.ok, JSON.stringify(parsed));
  return parsed.policy;
}

function application(environments: readonly object[], labels: Record<string, string> = { tier: 'web' }) {
  const parsed = parseApplication({
    apiVersion: 'towpath.dev/v1alpha1',
    kind: 'Application',
    metadata: { name: 'web', namespace: 'shop', labels },
    spec: { source: { repoURL: 'https://git.example.com/web.git' }, environments },
    status: { sync: 'Waiting', environments: [{ name: 'eu', sync: 'Waiting', health: 'Healthy' }] },
  });
  assert.ok(parsed.ok, JSON.stringify(parsed));
  return parsed.application;
}

const WEB = policy('web', { tier: 'web' });

test('an environment is in the stage that has it, after those of the stage before that the Application has, too', () => {
  const web = application([{ name: 'staging' }, { name: 'eu' }]);
  assert.deepEqual(governanceIn(web, 'staging', [WEB]), {
    is: 'InStage',
    policy: 'web',
    stage: 'staging',
    isFollowed: true,
  });
  assert.deepEqual(governanceIn(web, 'eu', [WEB]), {
    is: 'InStage',
    policy: 'web',
    stage: 'prod',
    after: { stage: 'staging', environments: ['staging'] },
    isFollowed: false,
  });
  assert.deepEqual(governanceIn(web, 'other', [WEB]), { is: 'InNoStage', policy: 'web' });
});

test('a soak is asked for of the stage before, which knows the longest that any stage after it wants that the Application has', () => {
  const stages = [
    { name: 'staging', environments: ['staging'] },
    { name: 'prod', after: ['staging'], environments: ['eu'], gates: { soak: '30m' } },
    { name: 'last', after: ['staging'], environments: ['us'], gates: { soak: '1h30m' } },
  ];
  const soaking = policy('soaking', {}, stages);
  const web = application([{ name: 'staging' }, { name: 'eu' }]);
  const prod = governanceIn(web, 'eu', [soaking]);
  assert.equal(prod.is === 'InStage' && prod.after?.soakMs, 1_800_000);
  const soakedIn = (of: Parameters<typeof governanceIn>[0]) => {
    const staging = governanceIn(of, 'staging', [soaking]);
    assert.ok(staging.is === 'InStage');
    return [staging.isFollowed, staging.soakedMs];
  };
  assert.deepEqual(soakedIn(web), [true, 1_800_000], 'nothing waits in us, which it does not have');
  const both = application([{ name: 'staging' }, { name: 'eu' }, { name: 'us' }]);
  assert.deepEqual(soakedIn(both), [true, 5_400_000]);
  assert.deepEqual(soakedIn(application([{ name: 'staging' }])), [false, undefined]);
  const own = application([{ name: 'staging' }, { name: 'eu' }, { name: 'us', ref: { branch: 'us' } }]);
  assert.deepEqual(soakedIn(own), [true, 1_800_000], 'us follows its own ref, and is promoted nothing');
});

test('in a Sequential stage each environment comes behind the one before it that the Application has', () => {
  const stages = [
    { name: 'staging', environments: ['staging'] },
    { name: 'prod', after: ['staging'], environments: ['eu', 'asia', 'us'], rollout: 'Sequential' },
  ];
  const one = policy('one', {}, stages);
  const web = application([{ name: 'us' }, { name: 'staging' }, { name: 'eu' }]);
  const [eu, us] = ['eu', 'us'].map((environment) => governanceIn(web, environment, [one]));
  assert.ok(eu?.is === 'InStage' && us?.is === 'InStage');
  assert.deepEqual([eu.behind, eu.isFollowed], [undefined, true]);
  assert.deepEqual([us.behind, us.isFollowed], ['eu', false]);
});

test('a freeze of the policy is one of each of its stages', () => {
  const freezes = [{ from: '2026-12-20T00:00:00Z', reason: 'year end' }];
  const frozen = { ...WEB, spec: { ...WEB.spec, freezes } };
  const web = application([{ name: 'staging' }, { name: 'eu' }]);
  for (const environment of ['staging', 'eu']) {
    const governance = governanceIn(web, environment, [frozen]);
    assert.deepEqual(governance.is === 'InStage' && governance.freezes, freezes);
  }
});

test('an environment with a ref of its own is in no stage, and nothing passes there', () => {
  const web = application([{ name: 'staging', ref: { branch: 'staging' } }, { name: 'eu' }]);
  assert.deepEqual(governanceIn(web, 'staging', [WEB]), { is: 'InNoStage', policy: 'web' });
  const prod = governanceIn(web, 'eu', [WEB]);
  assert.deepEqual(prod.is === 'InStage' && prod.after, { stage: 'staging', environments: [] });
});

test('labels decide, all of them; a policy without any is for all Applications of its namespace', () => {
  const web = application([{ name: 'staging' }], { tier: 'web', team: 'a' });
  const of = (labels: Record<string, string>) => governanceIn(web, 'staging', [policy('p', labels)]).is;
  assert.equal(of({ tier: 'web', team: 'a' }), 'InStage');
  assert.equal(of({ tier: 'web', team: 'b' }), 'Free');
  assert.equal(of({ constructor: 'x' }), 'Free');
  assert.equal(of({}), 'InStage');
});

test('of two policies neither holds: both are named, and each says so in its status', () => {
  const all = policy('all', {});
  const web = application([{ name: 'staging' }, { name: 'eu' }]);
  assert.deepEqual(governanceIn(web, 'staging', [WEB, all]), { is: 'Contested', policies: ['all', 'web'] });
  const { conditions } = policyStatus(
    all,
    { applications: [web], policies: [WEB, all], isMissing, gatesIn: gatesIn({}) },
    1,
    NOW,
  );
  assert.deepEqual(
    conditions.map(({ type, status, reason }) => [type, status, reason]),
    [
      ['Ready', 'False', 'PolicyContested'],
      ['Stalled', 'True', 'PolicyContested'],
    ],
  );
  assert.match(conditions[0]?.message ?? '', /Application web/);
});

test('the status of a policy counts whom it is for and what waits, and tells of a stage that nothing can pass', () => {
  const both = application([{ name: 'staging' }, { name: 'eu' }]);
  const status = policyStatus(
    WEB,
    { applications: [both], policies: [WEB], isMissing, gatesIn: gatesIn({}) },
    3,
    NOW,
  );
  assert.equal(status.applications, 1);
  assert.deepEqual(status.stages, [
    { name: 'staging', waiting: 0, blocked: 0 },
    { name: 'prod', waiting: 1, blocked: 0 },
  ]);
  assert.equal(status.conditions[0]?.status, 'True');
  const alone = application([{ name: 'eu' }]);
  const empty = policyStatus(
    WEB,
    { applications: [alone], policies: [WEB], isMissing, gatesIn: gatesIn({}) },
    3,
    NOW,
  );
  assert.equal(empty.conditions[0]?.reason, 'StageEmpty');
  assert.match(empty.conditions[0]?.message ?? '', /Stage staging has no environment of Application web/);
});

test('a policy tells of an Environment that does not exist, of a window that cannot be, and of what is in no stage', () => {
  const of = (one: PromotionPolicy, applications: Application[], missing: readonly string[] = []) =>
    policyStatus(
      one,
      { applications, policies: [one], isMissing: (name) => missing.includes(name), gatesIn: gatesIn({}) },
      3,
      NOW,
    ).conditions[0];
  const gone = of(WEB, [], ['staging']);
  assert.deepEqual([gone?.status, gone?.reason], ['False', 'EnvironmentNotFound']);
  assert.match(gone?.message ?? '', /^Stage staging names staging, and there is no such Environment/);
  const windows = [{ days: ['Mon' as const], from: '09:00', until: '10:00', timeZone: 'Mars/Base' }];
  const [first, ...rest] = WEB.spec.stages;
  assert.ok(first);
  const never = of(
    { ...WEB, spec: { ...WEB.spec, stages: [{ ...first, gates: { windows } }, ...rest] } },
    [],
  );
  assert.deepEqual([never?.status, never?.reason], ['False', 'WindowInvalid']);
  const outside = of(WEB, [application([{ name: 'staging' }, { name: 'dev' }])]);
  assert.equal(outside?.status, 'True');
  assert.match(
    outside?.message ?? '',
    /In no stage, and so by their source, but what was in one before keeps .*: dev of Application web\.$/,
  );
});

test('a policy whose stages follow from nothing, or have an environment twice, is refused with the field', () => {
  const errorsOf = (stages: readonly object[]) => {
    const parsed = parsePolicy({
      apiVersion: 'towpath.dev/v1alpha1',
      kind: 'PromotionPolicy',
      metadata: { name: 'p', namespace: 'shop' },
      spec: { selector: {}, stages },
    });
    return parsed.ok ? '' : parsed.errors.join('\n');
  };
  assert.match(
    errorsOf([{ name: 'prod', after: ['staging'], environments: ['eu'] }]),
    /^spec.stages: after must/,
  );
  assert.match(errorsOf([{ name: 'prod', after: ['prod'], environments: ['eu'] }]), /after must name/);
  const twice = [
    { name: 'staging', environments: ['eu'] },
    { name: 'prod', environments: ['us', 'eu'] },
  ];
  assert.match(errorsOf(twice), /^spec.stages: an environment may stand in one stage/);
  assert.match(errorsOf([]), /spec.stages/);
  const soak = [{ name: 'staging', environments: ['eu'], gates: { soak: '1m' } }];
  assert.match(errorsOf(soak), /gates.soak needs after/);
  const first = [{ name: 'staging', environments: ['eu'], gates: { checks: [check('smoke')] } }];
  assert.match(errorsOf(first), /gates.checks needs after/);
  const same = [check('smoke'), check('smoke')];
  assert.match(errorsOf(checkedStages(same)), /gates.checks: every name may occur once/);
});

function check(name: string, template: object = { spec: { containers: [{ name: 'c', image: 'x' }] } }) {
  return { name, validFor: '24h', job: { spec: { template, activeDeadlineSeconds: 60 } } };
}

function checkedStages(checks: readonly object[], more: readonly object[] = []) {
  return [
    { name: 'staging', environments: ['staging'] },
    { name: 'prod', after: ['staging'], environments: ['eu'], gates: { checks } },
    ...more,
  ];
}

test('checks of stages are run in the stage before them, each once where two stages want the same', () => {
  const others = [
    {
      name: 'last',
      after: ['staging'],
      environments: ['us'],
      gates: { checks: [check('smoke'), check('load')] },
    },
  ];
  const checked = policy('checked', {}, checkedStages([check('smoke')], others));
  const web = application([{ name: 'staging' }, { name: 'eu' }, { name: 'us' }]);
  const [staging, eu] = ['staging', 'eu'].map((environment) => governanceIn(web, environment, [checked]));
  assert.ok(staging?.is === 'InStage' && eu?.is === 'InStage');
  assert.deepEqual(
    staging.checks?.map(({ name }) => name),
    ['smoke', 'load'],
  );
  const [smoke] = eu.after?.checks ?? [];
  assert.equal(smoke?.deadlineMs, 60_000);
  assert.equal(smoke.validForMs, 86_400_000);
  assert.equal(eu.checks, undefined);
  const changed = policy('checked', {}, checkedStages([check('smoke', { spec: { containers: [] } })]));
  const after = governanceIn(web, 'eu', [changed]);
  assert.ok(after.is === 'InStage' && after.after?.checks?.[0]?.template !== smoke.template);
});

test('what entered is verified by time, by checks, or by both', () => {
  const verified = (verify: object) => {
    const stages = [{ name: 'staging', environments: ['staging'], verify }];
    const of = governanceIn(application([{ name: 'staging' }]), 'staging', [policy('v', {}, stages)]);
    return of.is === 'InStage' ? of : undefined;
  };
  const both = verified({ for: '10m', checks: [check('smoke')], onFailure: 'Keep' });
  assert.equal(both?.verify?.forMs, 600_000);
  assert.equal(both.verify.checks?.[0]?.name, 'smoke');
  const alone = verified({ checks: [check('smoke')] });
  assert.deepEqual([alone?.verify?.forMs, alone?.verify?.onFailure], [0, 'Rollback']);
  assert.equal(alone?.soakedMs, undefined);
  assert.throws(() => verified({ onFailure: 'Keep' }), /verify needs for, checks or both/);
});

test('a policy tells of a check that could never run', () => {
  const reasonOf = (template: object) => {
    const one = policy('checked', {}, checkedStages([check('smoke', template)]));
    return policyStatus(one, { applications: [], policies: [one], isMissing, gatesIn: gatesIn({}) }, 3, NOW)
      .conditions[0];
  };
  for (const template of [{}, { spec: { containers: [] } }, { spec: 'x' }]) {
    const { reason, message } = reasonOf(template) ?? {};
    assert.equal(reason, 'CheckInvalid');
    assert.match(message ?? '', /^Stage prod has a check smoke that has no container/);
  }
  const args = ['x'.repeat(40_000)];
  assert.match(
    reasonOf({ spec: { containers: [{ name: 'c', args }] } })?.message ?? '',
    /more than 32768 bytes/,
  );
  assert.equal(reasonOf({ spec: { containers: [{ name: 'c' }] } })?.status, 'True');
});

/** What Environments have themselves. */
function gatesIn(all: Readonly<Record<string, object>>): (environment: string) => Gates | undefined {
  const read = new Map(Object.entries(all).map(([name, gates]) => [name, gatesSchema.parse(gates)]));
  return (environment) => read.get(environment);
}

const LINE_OF_TWO = [{ name: 'staging' }, { name: 'eu' }, { name: 'us' }];

test('S14: what an Environment demands itself is asked of the stage before, beside what the policy does: the longer soak, and the checks of both', () => {
  const web = application(LINE_OF_TWO);
  const stages = [
    { name: 'staging', environments: ['staging'] },
    {
      name: 'prod',
      after: ['staging'],
      environments: ['eu', 'us'],
      gates: { soak: '30m', checks: [check('smoke')] },
    },
  ];
  const one = policy('one', {}, stages);
  const own = gatesIn({ us: { soak: '2h', checks: [check('smoke', { spec: {} })] }, eu: { soak: '10m' } });
  const [staging, eu, us] = LINE_OF_TWO.map(({ name }) => governanceIn(web, name, [one], own));
  assert.ok(staging?.is === 'InStage' && eu?.is === 'InStage' && us?.is === 'InStage');
  assert.equal(staging.soakedMs, 7_200_000, 'it stays for as long as any of them waits');
  assert.deepEqual(
    staging.checks?.map(({ name, environment }) => [name, environment]),
    [
      ['smoke', undefined],
      ['smoke', 'us'],
    ],
    'alike by name only, they are two',
  );
  assert.deepEqual([eu.after?.soakMs, eu.after?.checks?.length], [1_800_000, 1]);
  assert.deepEqual([us.after?.soakMs, us.after?.checks?.length], [7_200_000, 2]);
  assert.equal(us.after?.demanded?.soakMs, 7_200_000);
  const without = governanceIn(web, 'us', [policy('lax', {}, STAGES)], own);
  assert.ok(without.is === 'InStage' && without.after?.soakMs === 7_200_000, 'the policy may have no gates');
});

test('A2, S14: the first environment of a Sequential stage gets nothing that those behind it could not take', () => {
  const stages = [
    { name: 'staging', environments: ['staging'] },
    { name: 'prod', after: ['staging'], environments: ['eu', 'us'], rollout: 'Sequential' },
  ];
  const own = gatesIn({ us: { soak: '2h' }, staging: { soak: '5h' } });
  const of = (name: string) =>
    governanceIn(application(LINE_OF_TWO), name, [policy('line', {}, stages)], own);
  const [eu, us] = [of('eu'), of('us')];
  assert.ok(eu.is === 'InStage' && us.is === 'InStage');
  assert.deepEqual([eu.after?.soakMs, us.after?.soakMs], [7_200_000, 7_200_000]);
});

test('S14: whatever a policy says, nothing enters an Environment with less than it demands (property)', () => {
  const soak = fc.option(fc.constantFrom('1s', '30m', '2h', '720h'), { nil: undefined });
  const checks = fc.option(fc.uniqueArray(fc.constantFrom('smoke', 'load', 'long'), { minLength: 1 }), {
    nil: undefined,
  });
  const gates = fc.record({ soak, checks }).map((one) => ({
    ...(one.soak === undefined ? {} : { soak: one.soak }),
    ...(one.checks === undefined ? {} : { checks: one.checks.map((name) => check(name)) }),
  }));
  const rollout = fc.constantFrom('Parallel', 'Sequential');
  fc.assert(
    fc.property(gates, gates, gates, rollout, (ofStage, ofEu, ofUs, how) => {
      const own = gatesIn({ eu: ofEu, us: ofUs });
      const prod = {
        name: 'prod',
        after: ['staging'],
        environments: ['eu', 'us'],
        rollout: how,
        gates: ofStage,
      };
      const one = policy('one', {}, [{ name: 'staging', environments: ['staging'] }, prod]);
      const [staging, ...line] = LINE_OF_TWO.map(({ name }) =>
        governanceIn(application(LINE_OF_TWO), name, [one], own),
      );
      assert.ok(staging?.is === 'InStage');
      for (const [governance, demanded] of [
        [line[0], ofEu],
        [line[1], ofUs],
      ] as const) {
        assert.ok(governance?.is === 'InStage');
        for (const its of [demanded, ofStage]) {
          const ms = its.soak === undefined ? 0 : parseDuration(its.soak);
          assert.ok((governance.after?.soakMs ?? 0) >= ms && (staging.soakedMs ?? 0) >= ms);
          const names = (its.checks ?? []).map(({ name }) => name);
          for (const where of [governance.after?.checks, staging.checks])
            assert.ok(names.every((name) => where?.some((run) => run.name === name)));
        }
      }
    }),
  );
});

test('A15: a policy tells of an Environment in its first stage that demands a stage before', () => {
  const facts = { applications: [], policies: [WEB], isMissing };
  const told = (own: Record<string, object>) =>
    policyStatus(WEB, { ...facts, gatesIn: gatesIn(own) }, 3, NOW).conditions[0];
  const { status, reason, message } = told({ load: { soak: '1h' } }) ?? {};
  assert.deepEqual([status, reason], ['False', 'Soak']);
  assert.match(
    message ?? '',
    /^Stage staging comes after none, and load in it takes only what a stage before/,
  );
  assert.equal(told({ load: { checks: [check('smoke')] } })?.reason, 'Checks');
  assert.equal(told({ eu: { soak: '1h' }, load: {} })?.status, 'True');
});
