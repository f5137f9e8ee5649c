import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import { type Application, environmentOf } from '../../operator/api/v1alpha1/application.ts';
import { DAYS } from '../../operator/api/v1alpha1/gates.ts';
import { installPolicies, say } from '../harness/approvals.ts';
import { newEnvironment, type StagedEnvironment } from '../harness/environments.ts';
import { conditionOf, fastLease, newStage, type Stage } from '../harness/operator.ts';
import { eventually } from '../harness/wait.ts';

const API = '/apis/towpath.dev/v1alpha1';
const ADMISSION = 'promotion.towpath.dev';

/** A Deployment that never becomes healthy, and never fails before its time. */
const NEVER_READY = `---
apiVersion: apps/v1
kind: Deployment
metadata: {name: "{{ .Release.Name }}"}
spec:
  selector: {matchLabels: {app: "{{ .Release.Name }}"}}
  template:
    metadata: {labels: {app: "{{ .Release.Name }}"}}
    spec: {nodeSelector: {no: such-node}, containers: [{name: web, image: "example.com/web:1"}]}
`;

/** The chart of one Application, in a folder of its name: a ConfigMap that says which version it is of, and more. */
function chart(name: string, version: string, more = '') {
  return {
    [`${name}/Chart.yaml`]: `apiVersion: v2\nname: ${name}\nversion: 1.0.0\n`,
    [`${name}/values.yaml`]: `version: "${version}"\nwho: all\n`,
    [`${name}/templates/all.yaml`]: `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: "{{ .Release.Name }}"}\ndata: {says: "{{ .Values.version }} {{ .Values.who }}"}\n${more}`,
  };
}

interface Promoted {
  readonly stage: Stage;
  readonly staging: StagedEnvironment;
  readonly prod: StagedEnvironment;
}

async function send(stage: Stage, method: string, path: string, body: unknown, contentType?: string) {
  const answer = await stage.cluster.request(method, path, {
    body,
    ...(contentType === undefined ? {} : { contentType }),
  });
  return answer;
}

/** As `kubectl apply --server-side` does. */
async function apply(stage: Stage, path: string, object: object): Promise<void> {
  const how = 'fieldManager=kubectl&force=true&fieldValidation=Strict';
  const { status, body } = await send(
    stage,
    'PATCH',
    `${path}?${how}`,
    object,
    'application/apply-patch+yaml',
  );
  assert.ok(status < 300, body);
}

async function patch(stage: Stage, path: string, body: object): Promise<void> {
  const { status, body: answer } = await send(stage, 'PATCH', path, body, 'application/merge-patch+json');
  assert.ok(status < 300, answer);
}

function applicationPath({ namespace }: Stage, name: string): string {
  return `${API}/namespaces/${namespace}/applications/${name}`;
}

function policyPath({ namespace }: Stage, name: string): string {
  return `${API}/namespaces/${namespace}/promotionpolicies/${name}`;
}

async function application(
  { stage, staging, prod }: Promoted,
  name: string,
  { labels = { tier: 'web' }, values }: { labels?: Record<string, string>; values?: object } = {},
): Promise<void> {
  await apply(stage, applicationPath(stage, name), {
    apiVersion: 'towpath.dev/v1alpha1',
    kind: 'Application',
    metadata: { name, labels },
    spec: {
      source: { repoURL: stage.repoURL, interval: '1s', path: name },
      environments: [{ name: staging.name }, { name: prod.name, ...(values && { values }) }],
    },
  });
}

async function policy(
  { stage, staging, prod }: Promoted,
  name: string,
  tier: string,
  gates?: object,
): Promise<void> {
  await apply(stage, policyPath(stage, name), {
    apiVersion: 'towpath.dev/v1alpha1',
    kind: 'PromotionPolicy',
    metadata: { name },
    spec: {
      selector: { matchLabels: { tier } },
      stages: [
        { name: 'staging', environments: [staging.name] },
        { name: 'prod', after: ['staging'], environments: [prod.name], ...(gates && { gates }) },
      ],
    },
  });
}

/** What the ConfigMap of an Application says there; undefined where there is none. */
async function saidIn({ stage: { cluster } }: Promoted, { namespace }: StagedEnvironment, name: string) {
  const { status, body } = await cluster.request('GET', `/api/v1/namespaces/${namespace}/configmaps/${name}`);
  return status === 200 ? (JSON.parse(body) as { data: { says: string } }).data.says : undefined;
}

function says(
  promoted: Promoted,
  environment: StagedEnvironment,
  name: string,
  text: string,
): Promise<unknown> {
  return eventually(
    async () => {
      const said = await saidIn(promoted, environment, name);
      if (said === text) return true;
      const { status } = await promoted.stage.get(name);
      throw new Error(`${said}: ${JSON.stringify(status?.environments?.map(({ history: _, ...of }) => of))}`);
    },
    { describe: `${environment.name} to have ${text}` },
  );
}

const entry = ({ status }: Application, { name }: StagedEnvironment) => environmentOf(status, name);

function waitsFor(promoted: Promoted, name: string, revision: string, reason: string): Promise<Application> {
  const { stage, prod } = promoted;
  return stage.until(
    name,
    (of) =>
      entry(of, prod)?.desiredRevision === revision && entry(of, prod)?.blockedBy?.[0]?.reason === reason,
    `prod to say ${reason} of ${revision.slice(0, 7)}`,
  );
}

test('environments in stages of a PromotionPolicy', async (t) => {
  const names = ['web', 'refused', 'attack', 'label', 'late', 'soak', 'line', 'gated'];
  const stage = await newStage(t, {
    flags: [...fastLease, `--approval-policy=${ADMISSION}`],
    files: Object.assign({}, ...names.map((name) => chart(name, '1'))),
  });
  const staging = await newEnvironment(t, stage, 'staging');
  const prod = await newEnvironment(t, stage, 'prod');
  const promoted = { stage, staging, prod };
  await policy(promoted, 'standard', 'web');
  const run = (name: string, what: (promoted: Promoted, t: TestContext) => Promise<void>) =>
    t.test(name, (of) => what(promoted, of));

  await run(
    'a commit reaches prod after staging is healthy with it, one that does not become so never, and its fix again',
    reachesProd,
  );
  await run('A14: a change of prod alone goes there, and staging has nothing to do', prodAlone);
  await run(
    'D7: what passed is promoted although something newer is refused, also after the operator was killed meanwhile',
    olderOne,
  );
  await run('S14, A2: a status that a tenant wrote promotes nothing', forgedStatus);
  await run(
    'S14, A2: without its policy, or by another label, what was promoted keeps what it runs',
    policyGone,
  );
  await run('two policies are one too many: both are named, and nothing new is deployed', twoPolicies);
  await run(
    'S14, A2: an Environment that requires a policy takes nothing without one, in whichever order they come',
    required,
  );
  await run('A12: in a Sequential stage one environment follows the other', oneAfterTheOther);
  await run(
    'A4: windows and approvals of a stage are judged together at the moment of entry, each by itself',
    gated,
  );
  await run('a freeze of the policy holds all of its stages', frozen);
  await run(
    'D7: a soak is neither shortened nor lost where the operator is killed, and what came meanwhile follows',
    soaks,
  );
  await run('a policy that nothing could follow is refused by the API server, with the field', mistakes);
});

async function reachesProd(promoted: Promoted): Promise<void> {
  const { stage, staging, prod } = promoted;
  await application(promoted, 'web');
  await says(promoted, prod, 'web', '1 all');
  const first = await stage.untilReadyAt('web', await stage.repository.revParse('main'));
  const [before, after] = [staging, prod].map((environment) => entry(first, environment)?.history?.[0]);
  assert.equal(before?.trigger, 'Commit');
  assert.equal(after?.trigger, 'Promotion');
  assert.ok((before?.finishedAt ?? '') <= (after?.startedAt ?? ''), 'staging was through before prod began');

  const broken = await stage.repository.commit(chart('web', '2', NEVER_READY));
  await says(promoted, staging, 'web', '2 all');
  const waiting = await waitsFor(promoted, 'web', broken, 'Order');
  assert.equal(entry(waiting, prod)?.sync, 'Waiting');
  assert.match(
    entry(waiting, prod)?.message ?? '',
    /has not passed stage staging of PromotionPolicy standard/,
  );
  assert.equal(await saidIn(promoted, prod, 'web'), '1 all');
  const { status, message } = conditionOf(waiting, 'Promoted') ?? {};
  assert.equal(status, 'False');
  assert.match(message ?? '', new RegExp(`not yet in .*${prod.name} \\(Order\\)`));

  const fixed = await stage.repository.commit(chart('web', '3'));
  await stage.kubectl('wait', '--for=condition=Promoted', 'applications.towpath.dev/web', '--timeout=60s');
  assert.equal(await saidIn(promoted, prod, 'web'), '3 all');
  const ready = await stage.untilReadyAt('web', fixed);
  assert.deepEqual(
    entry(ready, prod)?.history?.map(({ revision }) => revision),
    [fixed, after?.revision],
    'what was never healthy in staging was never in prod',
  );
}

async function prodAlone(promoted: Promoted): Promise<void> {
  const { stage, staging, prod } = promoted;
  const before = entry(await stage.get('web'), staging)?.history?.length;
  await application(promoted, 'web', { values: { who: 'prod' } });
  await says(promoted, prod, 'web', '3 prod');
  const { metadata } = await stage.get('web');
  const later = await stage.until(
    'web',
    ({ status }) =>
      status?.observedGeneration === metadata.generation && status.summary?.environments === '2/2',
    'both to have seen it',
  );
  assert.equal(entry(later, staging)?.history?.length, before);
}

async function olderOne(promoted: Promoted): Promise<void> {
  const { stage, staging, prod } = promoted;
  const freeze = (freezes: readonly object[]) =>
    patch(stage, `${API}/environments/${prod.name}`, { spec: { freezes } });
  await application(promoted, 'refused');
  await says(promoted, prod, 'refused', '1 all');
  await freeze([{ from: '2026-01-01T00:00:00Z', reason: 'a test' }]);
  const second = await stage.repository.commit(chart('refused', '2'));
  await says(promoted, staging, 'refused', '2 all');
  await waitsFor(promoted, 'refused', second, 'Frozen');
  const third = await stage.repository.commit(chart('refused', '3', '---\nkind: [\n'));
  await stage.until(
    'refused',
    (of) => entry(of, staging)?.sync === 'Quarantined' && entry(of, prod)?.desiredRevision === third,
    'the third to be refused',
  );
  await stage.restart('SIGKILL');
  await stage.until(
    'refused',
    (of) => entry(of, prod)?.sync === 'Quarantined' && entry(of, prod)?.revision !== second,
    'prod to stay at the first while it is frozen',
  );
  await freeze([]);
  await says(promoted, prod, 'refused', '2 all');
  const told = await stage.until(
    'refused',
    (of) => entry(of, prod)?.revision === second && entry(of, prod)?.history?.[0]?.outcome === 'Succeeded',
    'the second to be told as deployed',
  );
  assert.equal(entry(told, prod)?.history?.[0]?.trigger, 'Promotion');
  const fourth = await stage.repository.commit(chart('refused', '4'));
  await says(promoted, prod, 'refused', '4 all');
  await stage.untilReadyAt('refused', fourth);
}

async function gated(promoted: Promoted, t: TestContext): Promise<void> {
  const { stage, staging, prod } = promoted;
  const { cluster, namespace } = stage;
  await installPolicies(t, cluster, 'Validating', { name: ADMISSION, namespaces: [namespace] });
  // Neither now nor soon.
  const day = DAYS[(new Date().getUTCDay() + 3) % 7];
  const windows = [{ days: [day], from: '09:00', until: '10:00', timeZone: 'UTC' }];
  const approvals = { required: 2, groups: ['release-managers'] };
  await policy(promoted, 'gated', 'gated', { windows, approvals });
  await application(promoted, 'gated', { labels: { tier: 'gated' } });
  const blocked = (reasons: readonly string[], message: RegExp) =>
    stage.until(
      'gated',
      (of) => {
        const all = entry(of, prod)?.blockedBy ?? [];
        return (
          isDeepStrictEqual(
            all.map(({ reason }) => reason),
            reasons,
          ) && message.test(all[0]?.message ?? '')
        );
      },
      `prod to be kept out by ${reasons.join(', ')}`,
    );
  const waiting = await blocked(['AwaitingApproval', 'OutsideWindow'], /^0 of 2 approvals/);
  assert.equal(await saidIn(promoted, staging, 'gated'), '1 all');
  const [, outside] = entry(waiting, prod)?.blockedBy ?? [];
  assert.match(
    outside?.message ?? '',
    /^Stage prod of PromotionPolicy gated lets in .* spec\.stages\[prod\]/,
  );
  assert.ok(Date.parse(outside?.clearsAt ?? '') > Date.now());

  const digest = entry(waiting, prod)?.desiredDigest ?? '';
  const approve = async (user: string, groups: readonly string[]) => {
    const said = { application: 'gated', environment: prod.name, digest };
    const { status, body } = await say(
      cluster,
      namespace,
      { user, groups: ['system:masters', ...groups] },
      said,
    );
    assert.equal(status, 201, body);
  };
  await approve('anna', ['release-managers']);
  await approve('mallory', ['guests']);
  await blocked(['AwaitingApproval', 'OutsideWindow'], /^1 of 2 approvals .*by anna/);
  await approve('bert', ['release-managers']);
  await blocked(['OutsideWindow'], /^Stage prod/);
  assert.equal(await saidIn(promoted, prod, 'gated'), undefined);
  // Against the policy as it is then.
  await policy(promoted, 'gated', 'gated', { approvals });
  await says(promoted, prod, 'gated', '1 all');
  await stage.untilReadyAt('gated', await stage.repository.revParse('main'));

  const next = await stage.repository.commit(chart('gated', '2'));
  const used = await waitsFor(promoted, 'gated', next, 'AwaitingApproval');
  assert.match(entry(used, prod)?.blockedBy?.[0]?.message ?? '', /^0 of 2/, 'those before were used up');
  const zone = { windows: [{ ...windows[0], timeZone: 'Europe/Berlyn' }] };
  await policy(promoted, 'gated', 'gated', zone);
  const read = ['get', 'tpolicy', 'gated', '-o', 'jsonpath={.status.conditions}'];
  await eventually(
    async () => /Stalled.*WindowInvalid|WindowInvalid.*Stalled/.test(await stage.kubectl(...read)),
    {
      describe: 'the policy to say that its window cannot be',
    },
  );
  await policy(promoted, 'gated', 'gated');
  await says(promoted, prod, 'gated', '2 all');
}

async function forgedStatus(promoted: Promoted): Promise<void> {
  const { stage, staging, prod } = promoted;
  await application(promoted, 'attack');
  await says(promoted, prod, 'attack', '1 all');
  const broken = await stage.repository.commit(chart('attack', '2', NEVER_READY));
  await says(promoted, staging, 'attack', '2 all');
  const waiting = await waitsFor(promoted, 'attack', broken, 'Order');
  const environments = waiting.status?.environments?.map((one) =>
    one.name === staging.name ? { ...one, sync: 'Synced', health: 'Healthy', message: 'Forged.' } : one,
  );
  await patch(stage, `${applicationPath(stage, 'attack')}/status`, {
    status: { sync: 'Synced', health: 'Healthy', environments },
  });
  const value = await stage.requestSync('attack', `${prod.name}=now`);
  const { status } = await stage.until(
    'attack',
    (of) => of.status?.handledSyncRequest === value,
    'prod to be looked at',
  );
  assert.equal(environmentOf(status, prod.name)?.blockedBy?.[0]?.reason, 'Order');
  assert.equal(await saidIn(promoted, prod, 'attack'), '1 all');
}

async function policyGone(promoted: Promoted): Promise<void> {
  const { stage, staging, prod } = promoted;
  const label = (tier: string | null) =>
    patch(stage, applicationPath(stage, 'label'), { metadata: { labels: { tier } } });
  await application(promoted, 'label');
  await says(promoted, prod, 'label', '1 all');
  await stage.untilReadyAt('label', await stage.repository.revParse('main'));
  await label(null);
  const second = await stage.repository.commit(chart('label', '2'));
  const gone = await waitsFor(promoted, 'label', second, 'PolicyGone');
  assert.equal(entry(gone, prod)?.sync, 'Blocked');
  assert.match(entry(gone, prod)?.message ?? '', /keeps what it runs/);
  await stage.until(
    'label',
    (of) => entry(of, staging)?.sync === 'Blocked',
    'staging to keep what it runs, too',
  );
  await label('web');
  await says(promoted, prod, 'label', '2 all');
  await stage.untilReadyAt('label', second);

  const { status, body } = await stage.cluster.request('DELETE', policyPath(stage, 'standard'));
  assert.equal(status, 200, body);
  const third = await stage.repository.commit(chart('label', '3'));
  await waitsFor(promoted, 'label', third, 'PolicyGone');
  assert.equal(await saidIn(promoted, prod, 'label'), '2 all');
  await policy(promoted, 'standard', 'web');
  await says(promoted, prod, 'label', '3 all');
}

async function twoPolicies(promoted: Promoted): Promise<void> {
  const { stage, prod } = promoted;
  await policy(promoted, 'other', 'web');
  const next = await stage.repository.commit(chart('label', '4'));
  const contested = await waitsFor(promoted, 'label', next, 'PolicyContested');
  assert.equal(conditionOf(contested, 'Stalled')?.status, 'True');
  assert.match(entry(contested, prod)?.message ?? '', /PromotionPolicies other and standard/);
  const table = () => stage.kubectl('get', 'tpolicy');
  await eventually(async () => /standard +False/.test(await table()), {
    describe: 'the policies to say so themselves',
  });
  await stage.cluster.request('DELETE', policyPath(stage, 'other'));
  await says(promoted, prod, 'label', '4 all');
  await eventually(async () => /standard +True +4/.test(await table()), {
    describe: 'the policy to hold again',
  });
}

async function required(promoted: Promoted, t: TestContext): Promise<void> {
  const { stage, staging, prod } = promoted;
  await patch(stage, `${API}/environments/${prod.name}`, { spec: { requirePolicy: true } });
  await application(promoted, 'late', { labels: { tier: 'unknown' } });
  const revision = await stage.repository.revParse('main');
  const blocked = await stage.until(
    'late',
    (of) => entry(of, prod)?.blockedBy?.[0]?.reason === 'NoPolicy',
    'prod to ask for a policy',
  );
  assert.match(entry(blocked, prod)?.message ?? '', /none of its namespace selects this Application/);
  assert.equal(await saidIn(promoted, prod, 'late'), undefined);
  await policy(promoted, 'late', 'unknown');
  await says(promoted, prod, 'late', '1 all');
  await stage.untilReadyAt('late', revision);

  // Neither a rename nor a removal lets anything in: the entry that goes is in no stage any more.
  const after = await newEnvironment(t, stage, 'after', { namespace: prod.namespace, requirePolicy: true });
  const renamed = { ...after, namespace: prod.namespace };
  await policy({ ...promoted, prod: renamed }, 'late', 'unknown');
  const path = `/api/v1/namespaces/${prod.namespace}/configmaps/late`;
  const uid = async () => /"uid":"[^"]+"/.exec((await stage.cluster.request('GET', path)).body)?.[0];
  const before = await uid();
  const isReadyIn = (...names: string[]) =>
    stage.until(
      'late',
      (of) =>
        conditionOf(of, 'Ready')?.status === 'True' &&
        isDeepStrictEqual(
          of.status?.environments?.map(({ name }) => name),
          names,
        ),
      `late to be Ready in ${names.join(' and ')}`,
    );
  await application({ ...promoted, prod: renamed }, 'late', { labels: { tier: 'unknown' } });
  await isReadyIn(staging.name, renamed.name);
  assert.ok(before !== undefined && (await uid()) === before, 'the same object');
  await patch(stage, applicationPath(stage, 'late'), { spec: { environments: [{ name: staging.name }] } });
  const asked = await stage.until('late', (of) => entry(of, renamed)?.pendingPrune, 'the plan');
  const consent = `${renamed.name}=${entry(asked, renamed)?.pendingPrune?.digest}`;
  await patch(stage, applicationPath(stage, 'late'), {
    metadata: { annotations: { 'towpath.dev/prune-consent': consent } },
  });
  await isReadyIn(staging.name);
  assert.equal(await uid(), undefined);
}

const SOAK_MS = 4_000;

async function soaks(promoted: Promoted): Promise<void> {
  const { stage, staging, prod } = promoted;
  await policy(promoted, 'soaking', 'soak', { soak: `${SOAK_MS}ms` });
  await application(promoted, 'soak', { labels: { tier: 'soak' } });
  const soaking = await stage.until(
    'soak',
    (of) => entry(of, prod)?.blockedBy?.[0]?.reason === 'Soak' && entry(of, prod)?.blockedBy?.[0]?.clearsAt,
    'prod to wait for the soak',
  );
  assert.equal(entry(soaking, prod)?.sync, 'Waiting');
  await stage.operator.stop('SIGKILL');
  const second = await stage.repository.commit(chart('soak', '2'));
  await stage.restart();
  await says(promoted, prod, 'soak', '1 all');
  await says(promoted, staging, 'soak', '2 all');
  await says(promoted, prod, 'soak', '2 all');
  const ready = await stage.untilReadyAt('soak', second);
  const [begun, through] = [
    entry(ready, prod)?.history?.map(({ startedAt }) => Date.parse(startedAt)) ?? [],
    entry(ready, staging)?.history?.map(({ finishedAt }) => Date.parse(finishedAt ?? '')) ?? [],
  ];
  assert.deepEqual([begun.length, through.length], [2, 2]);
  // Times in a history have whole seconds.
  for (const [index, time] of begun.entries())
    assert.ok(time - (through[index] ?? 0) >= SOAK_MS - 1_000, `${time} after ${through[index]}`);
  const [, first] = begun;
  const [later] = entry(ready, staging)?.history?.map(({ startedAt }) => Date.parse(startedAt)) ?? [];
  assert.ok((later ?? 0) >= (first ?? 0) - 1_000, 'staging stayed on the first until that had soaked');
}

async function oneAfterTheOther(promoted: Promoted, t: TestContext): Promise<void> {
  const { stage, staging, prod } = promoted;
  const last = await newEnvironment(t, stage, 'last');
  await apply(stage, policyPath(stage, 'line'), {
    apiVersion: 'towpath.dev/v1alpha1',
    kind: 'PromotionPolicy',
    metadata: { name: 'line' },
    spec: {
      selector: { matchLabels: { tier: 'line' } },
      stages: [
        { name: 'staging', environments: [staging.name] },
        {
          name: 'prod',
          after: ['staging'],
          environments: [prod.name, last.name],
          rollout: 'Sequential',
        },
      ],
    },
  });
  const freezes = [{ from: '2026-01-01T00:00:00Z' }];
  await patch(stage, `${API}/environments/${prod.name}`, { spec: { freezes } });
  await apply(stage, applicationPath(stage, 'line'), {
    apiVersion: 'towpath.dev/v1alpha1',
    kind: 'Application',
    metadata: { name: 'line', labels: { tier: 'line' } },
    spec: {
      source: { repoURL: stage.repoURL, interval: '1s', path: 'line' },
      environments: [last, staging, prod].map(({ name }) => ({ name })),
    },
  });
  const waiting = await stage.until(
    'line',
    (of) => entry(of, prod)?.blockedBy?.[0]?.reason === 'Frozen' && entry(of, last)?.sync === 'Waiting',
    'both to wait',
  );
  assert.equal(entry(waiting, last)?.blockedBy?.[0]?.reason, 'Order');
  assert.match(
    entry(waiting, last)?.message ?? '',
    new RegExp(`not passed environment ${prod.name}, which comes before it in stage prod`),
  );
  await patch(stage, `${API}/environments/${prod.name}`, { spec: { freezes: [] } });
  await says(promoted, last, 'line', '1 all');
  const ready = await stage.untilReadyAt('line', await stage.repository.revParse('main'));
  const [first, second] = [prod, last].map((environment) => entry(ready, environment)?.history?.[0]);
  assert.ok((first?.finishedAt ?? '') <= (second?.startedAt ?? ''));
  await stage.kubectl('delete', 'applications.towpath.dev', 'line', '--timeout=60s');
}

async function frozen(promoted: Promoted): Promise<void> {
  const { stage, prod, staging } = promoted;
  const freeze = (freezes: readonly object[]) =>
    patch(stage, policyPath(stage, 'standard'), { spec: { freezes } });
  await freeze([{ from: '2026-01-01T00:00:00Z', reason: 'a release' }]);
  const fifth = await stage.repository.commit(chart('label', '5'));
  // Each tells it by itself.
  await stage.until(
    'label',
    (of) =>
      [staging, prod].every((environment) => {
        const { desiredRevision, message = '' } = entry(of, environment) ?? {};
        return desiredRevision === fifth && /PromotionPolicy standard is frozen .*: a release/.test(message);
      }),
    'both to say that the policy is frozen',
  );
  await freeze([]);
  await says(promoted, prod, 'label', '5 all');
}

async function mistakes({ stage, staging, prod }: Promoted): Promise<void> {
  const refusalOf = async (stages: readonly object[]) => {
    const { status, body } = await stage.cluster.request(
      'POST',
      `${API}/namespaces/${stage.namespace}/promotionpolicies`,
      {
        body: {
          apiVersion: 'towpath.dev/v1alpha1',
          kind: 'PromotionPolicy',
          metadata: { name: 'mistake' },
          spec: { selector: {}, stages },
        },
      },
    );
    assert.equal(status, 422, body);
    return (JSON.parse(body) as { message: string }).message;
  };
  const first = { name: 'staging', environments: [staging.name] };
  const last = { name: 'prod', after: ['staging'], environments: [prod.name] };
  assert.match(
    await refusalOf([last, first]),
    /spec.stages: Invalid value.*after must name a stage that stands further up/,
  );
  assert.match(await refusalOf([first, { ...last, after: ['other'] }]), /after must name/);
  assert.match(
    await refusalOf([first, { ...last, environments: first.environments }]),
    /an environment may stand in one stage/,
  );
  assert.match(await refusalOf([first, { ...last, name: 'staging' }]), /spec.stages\[1\]: Duplicate value/);
  assert.match(
    await refusalOf([first, { ...last, after: ['staging', 'staging'] }]),
    /must have at most 1 item/,
  );
}
