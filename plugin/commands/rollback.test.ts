import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { HistoryEntry } from '../../operator/api/v1alpha1/application.ts';
import type { Promotion, PromotionPhase } from '../../operator/api/v1alpha1/promotion.ts';
import type { Context } from './command.ts';
import { heldBefore, holdOf, rollback, waitingBack, wayBack } from './rollback.ts';

function promotion(
  name: string,
  phase: PromotionPhase,
  spec: Partial<Pick<Promotion['spec'], 'type' | 'requestedBy'>> = {},
): Promotion {
  return {
    apiVersion: 'towpath.dev/v1alpha1',
    kind: 'Promotion',
    metadata: {
      name,
      namespace: 'shop',
      uid: name,
      resourceVersion: '1',
      annotations: {},
      labels: {},
      finalizers: [],
      generation: 1,
    },
    spec: {
      type: 'Rollback',
      application: 'web',
      environment: 'prod',
      historyID: 1,
      skipGates: [],
      requestedBy: 'olga',
      ...spec,
    },
    status: { phase },
  };
}

test('A26: resume names what a person went back by last, not what waits to, also where that failed and holds all the same', () => {
  const all = [
    promotion('promoted', 'Succeeded', { type: 'Promote' }),
    promotion('web-prod-4', 'Succeeded', { requestedBy: 'towpath:Rollback' }),
    promotion('waits', 'Pending'),
    promotion('overtaken', 'Superseded'),
    promotion('refused', 'Failed'),
    promotion('older', 'Succeeded'),
  ];
  assert.equal(holdOf(all)?.metadata.name, 'refused');
  assert.equal(holdOf(all.slice(0, 4)), undefined);
  const inPlaceOf = { promotion: 'gone', uid: 'gone', requestedBy: 'olga' };
  const standIn = promotion('web-prod-5', 'Succeeded', { requestedBy: 'towpath:Rollback' });
  const its = holdOf([{ ...standIn, status: { ...standIn.status, inPlaceOf } }, ...all]);
  assert.equal(its?.metadata.name, 'web-prod-5');
});

test('A26: where the rollback that holds is not begun, resume says how it is taken back', () => {
  const all = [promotion('web-7', 'Pending'), promotion('older', 'Superseded')];
  assert.match(waitingBack(all) ?? '', /Promotion web-7 waits.*kubectl towpath cancel web-7 -n shop$/);
  assert.equal(waitingBack(all.slice(1)), undefined);
});

test('D12: what was held under another name of the environment is let go of by the Promotion that its status names', () => {
  const message =
    'olga went back here and holds it (Promotion web-blue-x7k2p): nothing new enters until a person promotes it, or lets go: kubectl towpath resume web green -n shop';
  assert.equal(heldBefore({ sync: 'Held', message }), 'web-blue-x7k2p');
  assert.equal(heldBefore({ sync: 'Synced', message }), undefined);
  assert.equal(heldBefore({ sync: 'Held', message: 'It is held.' }), undefined);
  assert.equal(heldBefore(undefined), undefined);
});

/** What ended in an environment, as `<version> <trigger> <outcome>`, the newest first; the oldest has the id 1. */
function ended(lines: readonly string[]): HistoryEntry[] {
  return lines.map((line, index) => {
    const [version = '', trigger = 'Promotion', outcome = 'Succeeded'] = line.split(' ');
    const entry = {
      id: lines.length - index,
      revision: version,
      digest: `sha256:${version}`,
      trigger,
      outcome,
    };
    return { ...entry, startedAt: '2026-11-30T10:00:00Z' } as HistoryEntry;
  });
}

type Way = readonly [
  what: string,
  history: readonly string[],
  id: number | 'Unknown' | undefined,
  runs?: string,
  asked?: Promotion['spec']['type'] | 'Nobody',
];

/**
 * Histories, each with the id of what a rollback goes back to, and what runs, where that is none that ended: it is on its
 * way by a Promotion of that type, or by none that one may read.
 */
const WAYS: readonly Way[] = [
  ['what ran before', ['v3', 'v2', 'v1'], 2],
  ['what succeeded', ['v3 Commit Failed', 'v2 Commit Failed', 'v1'], 1],
  ['another than what runs, however often that was deployed', ['v2 Spec', 'v2', 'v1'], 1],
  ['once more, the one before that', ['v2 Rollback', 'v3', 'v2', 'v1'], 1],
  ['once more, where going back failed', ['v2 Rollback Failed', 'v3', 'v2', 'v1'], 1],
  ['once more, where what was left had failed', ['v2 Rollback', 'v3 Promotion Failed', 'v2', 'v1'], 1],
  ['nothing that was gone back from', ['v1 Rollback', 'v2 Rollback', 'v3', 'v2', 'v1'], undefined],
  ['nothing before what is in no history', ['v1 Rollback', 'v4', 'v3'], undefined],
  ['no further than to what came since', ['v4', 'v2 Rollback', 'v3', 'v2', 'v1'], 4],
  ['past what came since, and was left', ['v2 Rollback', 'v4', 'v2 Rollback', 'v3', 'v2', 'v1'], 1],
  ['what was gone back from, and promoted again', ['v4', 'v3', 'v2 Rollback', 'v3', 'v2', 'v1'], 5],
  ['past what failed its verification', ['v2 Rollback', 'v3 Promotion RolledBack', 'v2', 'v1'], 1],
  [
    'what a rollback went to that was taken back',
    ['v3 Rollback', 'v2 Rollback Cancelled', 'v3', 'v2', 'v1'],
    2,
  ],
  ['what runs, where something new is on its way', ['v3', 'v2', 'v1'], 3, 'v4'],
  ['once more, while that is on its way', ['v3', 'v2', 'v1'], 1, 'v2', 'Rollback'],
  ['what a revert that is on its way takes the place of', ['v3', 'v2', 'v1'], 3, 'v2', 'Promote'],
  ['the same after another rollback', ['v2 Rollback', 'v3', 'v2', 'v1'], 4, 'v3', 'Promote'],
  ['nothing as long as nobody can tell', ['v3', 'v2', 'v1'], 'Unknown', 'v2', 'Nobody'],
  ['what there is either way', ['v3 Commit Failed', 'v2', 'v1'], 1, 'v2', 'Nobody'],
  ['nothing without a history', [], undefined],
];

/** On its way there, as its Promotion says. */
function onItsWay(type: Promotion['spec']['type'], runs: string, deployment: number): Promotion {
  const started = { deployment, startedAt: '2026-11-30T10:00:00.250Z', digest: `sha256:${runs}` };
  return { ...promotion('web-prod', 'Deploying', { type }), status: { phase: 'Deploying', ...started } };
}

for (const [what, lines, id, runs, asked = 'Promote'] of WAYS)
  test(`A26, D12: a rollback goes back to ${what}: ${lines.join(', ')}`, () => {
    const history = ended(lines);
    if (runs === undefined) {
      const [newest] = history;
      assert.equal(
        idIn(wayBack({ history, ...(newest === undefined ? {} : { digest: newest.digest }) })),
        id,
      );
      return;
    }
    const others = [onItsWay('Rollback', 'v9', 9), onItsWay('Rollback', runs, 1)];
    const its = asked === 'Nobody' ? others : [...others, onItsWay(asked, runs, lines.length + 1)];
    assert.equal(idIn(wayBack({ history, digest: `sha256:${runs}` }, its)), id);
  });

function idIn(way: ReturnType<typeof wayBack>): number | 'Unknown' | undefined {
  return way === 'Unknown' ? way : way?.id;
}

test('A26: a rollback while a revert is on its way goes back to what ran before that, and to nothing where no Promotion tells of it', async () => {
  const history = ended(['v3', 'v2', 'v1']).map((one) => ({ ...one, candidate: 'sha256:c' }));
  const status = {
    environments: [{ name: 'prod', sync: 'Syncing', digest: 'sha256:v2', history }],
  };
  const metadata = { name: 'web', namespace: 'shop', uid: 'u', resourceVersion: '1', generation: 1 };
  const application = {
    apiVersion: 'towpath.dev/v1alpha1',
    kind: 'Application',
    metadata,
    spec: { source: { repoURL: 'https://git.example.com/web' }, environments: [{ name: 'prod' }] },
    status,
  };
  const asked = async (items: readonly Promotion[]) => {
    const made: Promotion['spec'][] = [];
    const json = async (args: readonly string[]) => {
      if (args[0] === 'auth') return { status: { userInfo: { username: 'olga' } } };
      return args[1]?.startsWith('promotions') ? promotion('back', 'Deploying') : application;
    };
    await rollback.run({
      kubectl: {
        json,
        jsonIfAny: async (args: readonly string[]) =>
          args[1]?.startsWith('promotions') ? { items } : undefined,
        create: async ({ spec }: Promotion) => {
          made.push(spec);
          return promotion('back', 'Pending');
        },
      },
      words: ['web', 'prod'],
      flags: {},
      now: () => new Date(),
      signal: new AbortController().signal,
      out: { width: 200, write: () => true },
      err: { width: 200, write: () => true },
    } as unknown as Context);
    return made.map(({ historyID }) => historyID);
  };
  const candidate = 'sha256:'.padEnd(71, 'c');
  const revert = onItsWay('Promote', 'v2', 4);
  const { historyID: _, ...spec } = revert.spec;
  assert.deepEqual(await asked([{ ...revert, spec: { ...spec, candidate } }]), [3]);
  await assert.rejects(
    asked([]),
    /^CommandError: What is on its way to prod of shop\/web ran there before.*--to/,
  );
});
