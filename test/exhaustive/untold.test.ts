import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { FaultProxy, HeldRequest } from '../harness/fault-proxy.ts';
import { fastLease, type Stage, startOperator, timesLogged } from '../harness/operator.ts';
import type { RequestMatch } from '../harness/recorded-request.ts';
import { eventually } from '../harness/wait.ts';
import {
  chartOf,
  configMap,
  hookJob,
  newProxiedSteps,
  podOf,
  type Steps,
  type TestObject,
  toldOf,
} from '../integration/steps.ts';

interface Told {
  note: string;
  reason: string;
  eventTime: string;
  series?: { count: number };
  regarding: { name: string };
}

interface Expected {
  reason: string;
  note: RegExp;
  /** How many of its kind there were. */
  before: number;
}

/** What is told of an Application, and what it is told of. */
interface Case {
  reason: string;
  /** What the Application is made with, beside its path. */
  spec?: Record<string, unknown>;
  prepare?(steps: Steps, name: string): Promise<unknown>;
  act(steps: Steps, name: string): Promise<unknown>;
  /** In the write that tells. */
  body: RegExp;
  note: RegExp;
}

const failing = (name: string) => ({ ...hookJob(name, 'pre-upgrade', {}, 'fails') });
const chart = (steps: Steps, name: string, ...hooks: TestObject[]) =>
  steps.stage.repository.commit(chartOf(name, [configMap(name), ...hooks]));
const stuckHook = async (steps: Steps, name: string) => {
  await chart(steps, name, hookJob(`${name}-hook`, 'pre-upgrade', {}, 'runs'));
  await podOf(steps.stage, `${name}-hook`);
};
const patch = (steps: Steps, name: string) =>
  steps.stage.kubectl('patch', 'configmap', name, '-p', '{"data":{"key":"mine"}}');
const outcome = (what: string) => new RegExp(`"outcome":"${what}"`);
/** A deployment that waits for a hook for ever, and a commit without it. */
const overtaken: Pick<Case, 'prepare' | 'act' | 'body'> = {
  prepare: chart,
  act: async (steps, name) => {
    await stuckHook(steps, name);
    await chart(steps, name);
  },
  body: outcome('Superseded'),
};

const CASES = {
  pruned: {
    reason: 'Pruned',
    prepare: ({ push }, name) => push(name, [configMap(name), configMap(`${name}-goes`)]),
    act: ({ push }, name) => push(name, [configMap(name)]),
    body: outcome('Succeeded'),
    note: /-goes is no longer in Git/,
  },
  repaired: { reason: 'DriftRepaired', act: patch, body: /"drift"/, note: /was put back/ },
  synced: {
    reason: 'Synced',
    act: ({ push }, name) => push(name, [configMap(name, { key: 'other' })]),
    body: outcome('Succeeded'),
    note: /is deployed and healthy/,
  },
  superseded: {
    ...overtaken,
    reason: 'Superseded',
    note: /was overtaken before it was healthy/,
  },
  hooks: {
    ...overtaken,
    reason: 'HookDeleted',
    note: /-hook, a hook that nothing waits for any more/,
  },
  failed: {
    reason: 'HookFailed',
    spec: { sync: { retries: { limit: 0 } } },
    prepare: chart,
    act: (steps, name) => chart(steps, name, failing(`${name}-hook`)),
    body: outcome('Failed'),
    note: /-hook/,
  },
  warned: {
    reason: 'RenderWarning',
    act: ({ stage }, name) => {
      const text = `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ${name}}\ndata:\n  a: one\n  a: two\n`;
      return stage.repository.commit({ [`${name}/objects.yaml`]: text });
    },
    body: outcome('Succeeded'),
    note: /the key "a" stands in line/,
  },
  quarantined: {
    reason: 'ManifestInvalid',
    act: ({ stage }, name) => stage.repository.commit({ [`${name}/objects.yaml`]: 'kind: [' }),
    body: /"sync":"Quarantined"/,
    note: /objects\.yaml/,
  },
  held: {
    reason: 'PruneHeld',
    act: ({ push }, name) => push(name, []),
    body: /"pendingPrune"/,
    note: /needs consent/,
  },
  reported: {
    reason: 'DriftReported',
    spec: { sync: { drift: 'Report' } },
    act: patch,
    body: /"drift"/,
    note: /was changed/,
  },
  awaiting: {
    reason: 'AwaitingSync',
    act: async ({ stage, push }, name) => {
      await stage.application(name, { source: { path: name }, sync: { mode: 'Manual' } });
      await push(name, [configMap(name, { key: 'other' })]);
    },
    body: /AwaitingSync/,
    note: /waits: ask for it/,
  },
  gone: {
    reason: 'Deleted',
    act: ({ stage }, name) => stage.kubectl('delete', 'applications.towpath.dev', name, '--wait=false'),
    body: /"finalizers"/,
    note: /were deleted or released/,
  },
} satisfies Record<string, Case>;

/** What becomes of the first writes that tell; answers whether they came. */
type Fault = (proxy: FaultProxy, match: RequestMatch) => () => boolean;

const answered =
  (status: number): Fault =>
  (proxy, match) => {
    const rule = proxy.fail({ ...match, fault: { status }, times: 2 });
    return () => rule.met === 2;
  };

const unanswered: Fault = (proxy, match) => {
  const held = proxy.hold({ ...match, at: 'response' });
  let isMet = false;
  void held.seen.then(() => {
    isMet = true;
    held.drop();
  });
  return () => isMet;
};

const FAULTS: Record<string, Fault> = {
  conflicts: answered(409),
  failures: answered(500),
  'lost-answers': unanswered,
};

/** The events about an Application with this reason, the oldest first. */
async function eventsOf({ cluster, namespace }: Stage, name: string, reason: string): Promise<Told[]> {
  const { body } = await cluster.request('GET', `/apis/events.k8s.io/v1/namespaces/${namespace}/events`);
  const { items } = JSON.parse(body) as { items: Told[] };
  return items
    .filter((event) => event.reason === reason && event.regarding.name === name)
    .sort((one, other) => one.eventTime.localeCompare(other.eventTime));
}

/** One more event than there were, and that once. */
async function toldOnce(stage: Stage, name: string, { reason, note, before }: Expected): Promise<void> {
  const events = await eventually(
    async () => {
      const found = await eventsOf(stage, name, reason);
      return found.length > before && found;
    },
    { describe: `the event ${reason} about ${name}` },
  );
  assert.equal(events.length, before + 1, JSON.stringify(events));
  assert.match(events.at(-1)?.note ?? '', note);
  assert.equal(events.at(-1)?.series, undefined, 'it is told once');
}

for (const [fault, inflict] of Object.entries(FAULTS))
  test(`A14: what happened is told once, whatever becomes of the writes that tell it: ${fault}`, async (t) => {
    const steps = await newProxiedSteps(t, { flags: fastLease });
    const { proxy, stage } = steps;
    for (const [what, { reason, note, spec, body: telling, prepare, act }] of Object.entries<Case>(CASES)) {
      const name = `${what}-${fault}`;
      await t.test(what, async () => {
        await steps.push(name, [configMap(name)]);
        await prepare?.(steps, name);
        await stage.deployed(name, { source: { path: name }, ...spec });
        await toldOf(stage, name, 'Synced');
        const before = (await eventsOf(stage, name, reason)).length;
        const isMet = inflict(proxy, {
          verb: 'patch',
          path: new RegExp(`/applications/${name}(/status)?(\\?|$)`),
          where: ({ body }) => telling.test(body),
        });
        await act(steps, name);
        await eventually(isMet, { describe: 'the writes that tell' });
        await toldOnce(stage, name, { reason, note, before });
      });
    }
  });

test('A7: a new Application is deployed also where the answer to the write of our finalizer is lost', async (t) => {
  const { proxy, stage, push } = await newProxiedSteps(t, { flags: fastLease });
  await push('web', [configMap('web')]);
  const path = /\/applications\/web(\?|$)/;
  const held = proxy.hold({
    verb: 'patch',
    path,
    where: ({ body }) => /finalizers/.test(body),
    at: 'response',
  });
  await stage.application('web', { source: { path: 'web' } });
  await held.seen;
  held.drop();
  await stage.until('web', ({ status }) => status?.sync === 'Synced', 'it to be deployed');
});

/** The same of deletions whose answer is lost, or does not come before the look is broken off. */
for (const [how, end] of Object.entries({
  'is lost': async ({ drop }: HeldRequest) => drop(),
  'does not come before the look is broken off': async (held: HeldRequest, stage: Stage, name: string) => {
    const value = await stage.requestSync(name);
    await stage.until(name, ({ status }) => status?.handledSyncRequest === value, 'the request');
    held.release();
  },
}))
  test(`A14: what was deleted is told once where the answer ${how}`, async (t) => {
    const steps = await newProxiedSteps(t, { flags: fastLease });
    const { proxy, stage } = steps;
    const deleted: Pick<Case, 'reason' | 'note' | 'prepare' | 'act'>[] = [CASES.pruned, CASES.hooks];
    for (const { reason, note, prepare, act } of deleted)
      await t.test(reason, async () => {
        const name = reason.toLowerCase();
        await prepare?.(steps, name);
        await stage.deployed(name, { source: { path: name } });
        const held = proxy.hold({
          verb: 'delete',
          path: new RegExp(`/(configmaps|jobs)/${name}-`),
          at: 'response',
        });
        await act(steps, name);
        await held.seen;
        await end(held, stage, name);
        await toldOnce(stage, name, { reason, note, before: 0 });
      });
  });

/** Writes of the status without an answer, and whether the API server took them. */
const LOST_WRITES = { 'that never came': 'request', 'whose answer was lost': 'response' } as const;

for (const [write, at] of Object.entries(LOST_WRITES))
  test(`A14: what a write ${write} was to tell is told once, also where no sync follows`, async (t) => {
    const steps = await newProxiedSteps(t, { flags: fastLease });
    const { stage, proxy } = steps;
    const { reason, note, act } = CASES.synced;
    const writes = (name: string, body: RegExp) =>
      proxy.hold({
        verb: 'patch',
        path: new RegExp(`/applications/${name}/status`),
        where: (request) => body.test(request.body),
        at,
      });
    /** Until the failure is told; answers how to let them succeed again. */
    const failLooks = async (name: string, held: HeldRequest) => {
      const path = new RegExp(`/applications/${name}$`);
      const rule = proxy.fail({ verb: 'get', path, fault: 'malformed' });
      held.drop();
      await toldOf(stage, name, 'InternalError');
      return rule.remove;
    };
    // Numbers that JavaScript cannot hold are read again, from the text: there each look can be made to fail.
    const helm = { values: { id: 2 ** 60 } };

    for (const deletionPolicy of ['Prune', 'Orphan'])
      await t.test(`the end of a deployment: deleted with ${deletionPolicy}`, async () => {
        const name = deletionPolicy.toLowerCase();
        await steps.deploy(name, [configMap(name)], { deletionPolicy });
        await toldOf(stage, name, reason);
        const held = writes(name, outcome('Succeeded'));
        await act(steps, name);
        await held.seen;
        await stage.kubectl('delete', 'applications.towpath.dev', name, '--wait=false');
        held.drop();
        await toldOnce(stage, name, { reason: 'Deleted', note: /Application/, before: 0 });
        await toldOnce(stage, name, { reason, note, before: 1 });
      });

    await t.test('the end of a deployment: looks fail', async () => {
      const name = 'ended';
      await chart(steps, name);
      await stage.deployed(name, { source: { path: name }, helm });
      await toldOf(stage, name, reason);
      const held = writes(name, outcome('Succeeded'));
      await stage.repository.commit(chartOf(name, [configMap(name, { key: 'other' })]));
      await held.seen;
      await failLooks(name, held);
      await toldOnce(stage, name, { reason, note, before: 1 });
    });

    await t.test('drift that is left: looks fail, and succeed again', async () => {
      const name = 'left';
      await chart(steps, name);
      await stage.deployed(name, { source: { path: name }, helm, sync: { drift: 'Report' } });
      const held = writes(name, CASES.reported.body);
      await CASES.reported.act(steps, name);
      await held.seen;
      const succeedAgain = await failLooks(name, held);
      succeedAgain();
      await toldOnce(stage, name, { ...CASES.reported, before: 0 });
    });
  });

for (const [write, at] of Object.entries(LOST_WRITES))
  test(`A14: what a write ${write} was to tell is told once, also where the Lease was lost meanwhile`, async (t) => {
    const steps = await newProxiedSteps(t, { flags: fastLease });
    const { stage, proxy } = steps;
    for (const what of ['synced', 'failed', 'reported'] as const)
      await t.test(what, async () => {
        const { reason, note, spec, body, prepare, act }: Case = CASES[what];
        await steps.push(what, [configMap(what)]);
        await prepare?.(steps, what);
        await stage.deployed(what, { source: { path: what }, ...spec });
        await toldOf(stage, what, 'Synced');
        const before = (await eventsOf(stage, what, reason)).length;
        const follows = () => timesLogged(stage.operator, /This process follows/);
        const followed = follows();
        const held = proxy.hold({
          verb: 'patch',
          path: new RegExp(`/applications/${what}/status`),
          where: (request) => body.test(request.body),
          at,
        });
        await act(steps, what);
        await held.seen;
        const rule = proxy.fail({ path: /\/leases\//, fault: { status: 500 } });
        await eventually(() => follows() > followed, { describe: 'the Lease to be lost' });
        held.drop();
        rule.remove();
        await toldOnce(stage, what, { reason, note, before });
      });
  });

test('A14: of an Application that another process lets go, after this one was refused it, the end is told once', async (t) => {
  const steps = await newProxiedSteps(t, { flags: fastLease });
  const { stage, proxy } = steps;
  await steps.push('web', [configMap('web')]);
  await stage.deployed('web', { source: { path: 'web' } });
  const refused = proxy.fail({
    verb: 'patch',
    path: /\/applications\/web(\?|$)/,
    where: ({ body }) => CASES.gone.body.test(body),
    fault: { status: 409 },
  });
  await stage.kubectl('delete', 'applications.towpath.dev', 'web', '--wait=false');
  await eventually(() => refused.met > 0, { describe: 'the refusal' });
  const leases = proxy.fail({ path: /\/leases\//, fault: { status: 500 } });
  const other = await startOperator(t, stage.cluster, stage.namespace, { flags: fastLease });
  await toldOf(stage, 'web', 'Deleted');
  leases.remove();
  await other.stop();
  await eventually(() => isLeading(stage), { describe: 'the first to lead again' });
  // What happened before that is told first.
  await steps.push('next', [configMap('next')]);
  await stage.deployed('next', { source: { path: 'next' } });
  await toldOf(stage, 'next', 'Synced');
  assert.equal((await eventsOf(stage, 'web', 'Deleted')).length, 1);
});

async function isLeading({ operator }: Stage): Promise<boolean> {
  return /^leader_election_master_status\{.*\} 1$/m.test(await operator.metrics());
}
