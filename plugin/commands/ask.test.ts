import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type Application,
  type EnvironmentStatus,
  parseApplication,
} from '../../operator/api/v1alpha1/application.ts';
import { requestFor } from '../../operator/api/v1alpha1/environment-request.ts';
import { ANNOTATION_SYNC_REQUESTED } from '../../operator/api/v1alpha1/names.ts';
import { haltOf, haltsOf, requestWith, sync } from './ask.ts';
import type { Context } from './command.ts';

function application(asked: string | undefined, handledSyncRequest?: string): Application {
  const parsed = parseApplication({
    apiVersion: 'towpath.dev/v1alpha1',
    kind: 'Application',
    metadata: {
      name: 'web',
      namespace: 'shop',
      uid: 'u',
      resourceVersion: '1',
      generation: 1,
      ...(asked === undefined ? {} : { annotations: { [ANNOTATION_SYNC_REQUESTED]: asked } }),
    },
    spec: {
      source: { repoURL: 'https://git.example.com/web' },
      environments: [{ name: 'staging' }, { name: 'prod' }],
    },
    status: { handledSyncRequest },
  });
  if (!parsed.ok) throw new Error(parsed.errors.join('; '));
  return parsed.application;
}

test('D4: a sync of one environment keeps what was asked of another and is not done yet', () => {
  assert.equal(requestWith(application(undefined), 'prod', 'now'), 'prod=now');
  assert.equal(requestWith(application('staging=one'), 'prod', 'now'), 'staging=one,prod=now');
  assert.equal(requestWith(application('staging=one,prod=two'), 'prod', 'now'), 'staging=one,prod=now');
  const all = requestWith(application('one'), 'prod', 'now');
  assert.deepEqual([requestFor(all, 'staging'), requestFor(all, 'prod')], ['one', 'now'], 'asked of all');
  assert.equal(requestWith(application('staging=one'), undefined, 'now'), 'now', 'all are asked anew');
});

test('D4: what was done, or was asked of what is no more, is not asked for again', () => {
  assert.equal(requestWith(application('staging=one', 'staging=one'), 'prod', 'now'), 'prod=now');
  assert.equal(requestWith(application('staging=two', 'staging=one'), 'prod', 'now'), 'staging=two,prod=now');
  assert.equal(requestWith(application('gone=one'), 'prod', 'now'), 'prod=now');
});

test('D4: a sync of what is held says so, and how it is let go', () => {
  const message = 'Revision main@4f2c81a is deployed: 1 object. olga holds it there (Promotion back).';
  assert.equal(
    haltOf({ name: 'prod', sync: 'Held', message }, application(undefined)),
    `prod: ${message} Let it go: kubectl towpath resume web prod -n shop.`,
  );
});

test('D4: a sync of what is held and was taken back says both', () => {
  const blockedBy = [
    { reason: 'Cancelled', message: 'anna took these manifests back here.' },
    { reason: 'Held', message: 'olga holds it.' },
  ];
  assert.equal(
    haltOf(
      { name: 'prod', sync: 'Held', message: 'olga holds it there.', blockedBy },
      application(undefined),
    ),
    'prod: olga holds it there. Let it go: kubectl towpath resume web prod -n shop. anna took these manifests back here.',
  );
});

test('D4: a sync right after a resume asks, though the status says still that it is suspended', () => {
  const environments: EnvironmentStatus[] = [
    { name: 'staging', sync: 'Held', message: 'olga holds it.' },
    { name: 'prod', sync: 'Suspended', message: 'It is suspended.' },
  ];
  const haltsAt = (observedGeneration: number) => {
    const of = application(undefined);
    return [
      ...haltsOf({ ...of, status: { environments, observedGeneration } }, ['staging', 'prod']).values(),
    ];
  };
  const isHeld = 'staging: olga holds it. Let it go: kubectl towpath resume web staging -n shop.';
  assert.deepEqual(haltsAt(1), [isHeld, 'prod: It is suspended.']);
  assert.deepEqual(haltsAt(0), [isHeld]);
});

interface Ground {
  /** What is told before and after the operator has acted on the request; undefined: it never does. */
  before?: EnvironmentStatus[];
  after: EnvironmentStatus[] | undefined;
  /** Environments that are frozen. */
  frozen?: readonly string[];
  /** Who leads: default somebody. */
  isSilent?: boolean;
}

/** `sync web`, of one environment or of all. */
async function syncOf(words: readonly string[], { before = [], after, frozen = [], isSilent }: Ground) {
  const printed: string[] = [];
  const raw = (status: object, asked?: string) => ({
    ...application(asked),
    status: { observedGeneration: 1, ...status },
  });
  let asked = '';
  const json = (args: readonly string[]) => {
    const [verb, kind = '', name = ''] = args;
    if (verb === 'patch') asked = patchedBy(args);
    if (kind.startsWith('environments'))
      return frozen.includes(name) ? { status: { frozenUntil: 'lifted' } } : { status: {} };
    if (kind.startsWith('leases')) return isSilent ? LEASES : { items: [] };
    return raw({ environments: before });
  };
  async function* follow() {
    yield { type: 'ADDED', object: raw({ environments: before }, asked) };
    const handled = { environments: after, handledSyncRequest: asked };
    yield {
      type: 'MODIFIED',
      object: raw(after === undefined ? {} : handled, after === undefined ? 'other' : asked),
    };
  }
  const code = await sync.run({
    kubectl: {
      json: (args: readonly string[]) => Promise.resolve(json(args)),
      jsonIfAny: (args: readonly string[]) => Promise.resolve(args[0] === 'auth' ? undefined : json(args)),
      follow,
    },
    words: ['web', ...words],
    flags: {},
    now: () => new Date('2026-11-30T10:05:00Z'),
    signal: new AbortController().signal,
    out: { width: 200, write: (text: string) => printed.push(text) },
    err: { width: 200, write: () => undefined },
  } as unknown as Context);
  return [code, printed.join('').trimEnd()];
}

const LEASES = {
  items: [
    {
      metadata: { name: 'towpath' },
      spec: { renewTime: '2026-11-30T10:00:00Z', leaseDurationSeconds: 15 },
    },
  ],
};

function patchedBy(args: readonly string[]): string {
  const { metadata } = JSON.parse(args.at(-1)?.replace('--patch=', '') ?? '') as {
    metadata: { annotations: Record<string, string> };
  };
  return metadata.annotations[ANNOTATION_SYNC_REQUESTED] ?? '';
}

const synced = (name: string): EnvironmentStatus => ({ name, sync: 'Synced', health: 'Healthy' });
const frozenIn = (name: string): EnvironmentStatus => ({
  ...synced(name),
  sync: 'Waiting',
  blockedBy: [{ reason: 'Frozen', message: 'Year end.' }],
});

test('D4: a sync right after a push says what keeps out what was pushed, once the operator knows of it', async () => {
  const before = [synced('staging'), synced('prod')];
  const asked = 'Asked for a sync of shop/web';
  const follow = '; follow it with kubectl towpath status web --watch -n shop.';
  const none = ', but for now nothing new enters there.';
  const waits = { before, after: [synced('staging'), frozenIn('prod')] };
  assert.deepEqual(await syncOf(['prod'], waits), [8, `${asked} in prod${none} prod: Year end.`]);
  assert.deepEqual(await syncOf(['staging'], waits), [0, `${asked} in staging${follow}`]);
  assert.deepEqual(await syncOf([], waits), [0, `${asked}${follow} Not in all: prod: Year end.`]);
  assert.deepEqual(await syncOf([], { before, after: [frozenIn('staging'), frozenIn('prod')] }), [
    8,
    `${asked}${none} staging: Year end. prod: Year end.`,
  ]);
  assert.deepEqual(await syncOf(['prod'], { before, after: before, frozen: ['prod'] }), [
    0,
    `${asked} in prod${follow}`,
  ]);
});

test('D4: a sync that nobody acts on says which Environments are frozen', async () => {
  const is = 'prod: Environment prod is frozen until its freeze is lifted: nothing new enters it.';
  const late = 'What came of it is not told yet.';
  const asked = 'Asked for a sync of shop/web';
  const follow = '; follow it with kubectl towpath status web --watch -n shop.';
  const frozen = ['prod'];
  const none = ', but for now nothing new enters there.';
  const before = [synced('staging'), synced('prod')];
  assert.deepEqual(await syncOf(['prod'], { before, after: undefined, frozen }), [
    8,
    `${asked} in prod${none} ${is} ${late}`,
  ]);
  assert.deepEqual(await syncOf([], { before, after: undefined, frozen, isSilent: true }), [
    0,
    `${asked}${follow} Not in all: ${is}`,
  ]);
  assert.deepEqual(await syncOf(['prod'], { before, after: undefined }), [
    0,
    `${asked} in prod${follow} ${late}`,
  ]);
});

test('D4: a sync of what waits says for what, but for checks, which it runs again', () => {
  const waiting = { name: 'prod', sync: 'Waiting', message: 'It was taken back.' } as const;
  assert.equal(haltOf(waiting, application(undefined)), 'prod: It was taken back.');
  const gate = (reason: string) => ({ ...waiting, blockedBy: [{ reason, message: 'Until Monday.' }] });
  assert.equal(haltOf(gate('Frozen'), application(undefined)), 'prod: Until Monday.');
  assert.equal(haltOf(gate('Checks'), application(undefined)), undefined);
  assert.equal(haltOf({ name: 'prod', sync: 'Failed' }, application(undefined)), undefined);
});

test('D4: a sync of what is being taken away is refused, as render and diff refuse it, and nothing is asked for', async () => {
  const before = [synced('staging'), synced('prod'), synced('old')];
  const message =
    'spec.environments of Application shop/web no longer has old: what runs there is being taken away. To run a hook again that failed meanwhile, sync all: kubectl towpath sync web -n shop';
  await assert.rejects(syncOf(['old'], { before, after: before }), { message });
  const [code] = await syncOf([], { before, after: before });
  assert.equal(code, 0, 'of all that it names it can be asked');
});
