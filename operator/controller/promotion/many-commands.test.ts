import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { longestTurn } from '../../../test/harness/event-loop.ts';
import { scaled } from '../../../test/harness/slowness.ts';
import { eventually } from '../../../test/harness/wait.ts';
import type { KubeClient } from '../../kube/client.ts';
import type { KubeObject, ObjectPath } from '../../kube/objects.ts';
import { Slices } from '../../observe/event-loop-slices.ts';
import { newLogger } from '../../observe/log.ts';
import type { Command } from '../../promote/command.ts';
import { Commands } from './commands.ts';
import { MOST_HEARD } from './promotions-of-persons.ts';

const MANY = 5_000;
const CREATED = '2026-11-30T10:00:00Z';

type Type = Command['type'];

/** As an API server has it, where its policies prove who makes Promotions. */
function promotion(number: number, type: Type = 'Promote'): KubeObject {
  const name = `p-${String(number).padStart(5, '0')}`;
  const about = type === 'Promote' ? { candidate: `sha256:${'0'.repeat(64)}` } : { historyID: 1 };
  return {
    metadata: {
      name,
      namespace: 'shop',
      uid: `uid of ${name}`,
      resourceVersion: String(number + 1),
      creationTimestamp: CREATED,
    },
    spec: { type, application: 'absent', environment: 'prod', requestedBy: 'anna', ...about },
  } as unknown as KubeObject;
}

const POLICY = {
  validatingadmissionpolicies: { failurePolicy: 'Fail' },
  validatingadmissionpolicybindings: { policyName: 'policy', validationActions: ['Deny'] },
};

/** Promotions of one target, all of them there when the operator starts. @param isThere whether there is such a target */
async function commandsOf(t: TestContext, made: readonly KubeObject[], { isThere }: { isThere: boolean }) {
  const [phases, looks]: [Map<string, string>, string[]] = [new Map(), []];
  const [writes, moments] = [{ count: 0 }, { count: 0 }];
  let arrive: (object: KubeObject) => unknown = () => assert.fail('nobody watches');
  const client = {
    slices: new Slices(),
    silenceMs: 600_000,
    onWatchFault: (_: string, error: Error) => assert.ifError(error),
    listPage: async ({ resource: { plural } }: ObjectPath) => {
      const spec = POLICY[plural as keyof typeof POLICY];
      const metadata = {
        name: 'policy',
        uid: plural,
        resourceVersion: '1',
        creationTimestamp: '2026-01-01T00:00:00Z',
      };
      const items = spec === undefined ? made : [{ metadata, spec }];
      return { items, resourceVersion: '1', continue: '' };
    },
    watch: (
      { resource: { plural } }: ObjectPath,
      _: unknown,
      { onLine }: { onLine(line: string): unknown },
      { signal }: { signal: AbortSignal },
    ) => {
      if (plural === 'promotions') arrive = (object) => onLine(JSON.stringify({ type: 'ADDED', object }));
      return new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
    },
    mergePatch: async ({ name }: { name: string }, { status }: { status: { phase: string } }) => {
      writes.count += 1;
      phases.set(name, status.phase);
      const { metadata, ...object } = promotion(
        Number(name.slice(2)),
        name === 'p-00000' ? 'Rollback' : 'Promote',
      );
      await new Promise(setImmediate);
      return {
        ...object,
        metadata: { ...metadata, resourceVersion: String(10 * MANY + writes.count) },
        status,
      };
    },
  } as unknown as KubeClient;
  const commands = new Commands({
    client,
    namespace: 'shop',
    policy: 'policy',
    log: newLogger('error', 'json', () => undefined),
    isActedOn: () => false,
    onChange: (target) => {
      looks.push(target);
      return isThere;
    },
    onEnded: () => undefined,
    onVanished: () => undefined,
    now: () => {
      moments.count += 1;
      return new Date('2026-11-30T10:00:05Z');
    },
    random: () => 0,
  });
  t.after(() => commands.stop());
  return { commands, phases, looks, writes, moments, arrive: (object: KubeObject) => arrive(object) };
}

const numbered = (count: number, type?: Type) =>
  Array.from({ length: count }, (_, number) => promotion(number, type));
const named = (commands: Commands) =>
  commands.given('shop/absent/prod').map(({ promotion: name, type }) => `${name} ${type}`);

for (const isThere of [true, false])
  test(`A15, S16: of 5,000 Promotes for what is ${isThere ? 'there' : 'not there'} the newest ${MOST_HEARD} wait, the others end, and nobody waits for that`, async (t) => {
    const made = [promotion(0, 'Rollback'), ...numbered(MANY).slice(1)];
    const { commands, phases, looks, writes, moments, arrive } = await commandsOf(t, made, { isThere });
    const ended = () => [...phases.values()].filter((phase) => phase === 'Superseded').length;
    const longest = await longestTurn(t, async () => {
      await commands.start();
      commands.lead();
      await eventually(() => ended() === MANY - 1 - MOST_HEARD, { describe: 'the older ones to end' });
    });
    assert.ok(longest < scaled(100), `a turn took ${longest} ms`);
    const newest = made.slice(-MOST_HEARD).map(({ metadata }) => `${metadata.name} Promote`);
    assert.deepEqual(named(commands), ['p-00000 Rollback', ...newest], 'no Promote ends a Rollback');
    assert.equal(phases.has('p-00000') && phases.get('p-00000') !== 'Pending', false);
    // Each was written once as it ended, and what waits at most once more.
    assert.ok(writes.count <= MANY, `${writes.count} writes`);
    assert.ok(moments.count < 4 * MANY, `${moments.count} answers`);
    assert.ok(looks.length < 100, `the target was looked at ${looks.length} times`);

    // Each further one takes its place, and costs as much as the first.
    const before = moments.count;
    for (let number = MANY; number < MANY + 200; number += 1) {
      await arrive(promotion(number));
      await new Promise(setImmediate);
    }
    await eventually(() => ended() === MANY + 200 - 1 - MOST_HEARD, { describe: 'older ones to end' });
    assert.ok(moments.count - before < 200 * 3 * MOST_HEARD, `${moments.count - before} answers`);
  });
