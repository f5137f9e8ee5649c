import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TowpathError } from '../../api/errors.ts';
import type { Application } from '../../api/v1alpha1/application.ts';
import { Quarantine } from '../candidate/quarantine.ts';
import type { Heard, Wanted } from '../candidate/wanted.ts';
import { type Candidate, newRecord } from '../record/record.ts';
import type { Target } from '../record/target.ts';
import { acceptedIn } from './accepted.ts';
import { resolve } from './actions/resolve.ts';
import type { Run } from './run.ts';
import { newSession } from './session.ts';
import type { TargetState } from './state.ts';
import { Verdicts } from './verdicts.ts';
import { Unreported } from './words/unreported.ts';

const AWAY = new TowpathError('Time', 'SourceUnreachable', 'The Git server does not answer.');
const INVALID = new TowpathError('Person', 'ManifestInvalid', 'It does not render.');
const identityOf = (environment: string) => ({
  id: environment,
  name: `shop/web/${environment}`,
  application: 'shop/web',
  environment,
});
const placeIn = (environment: string) =>
  ({ ...identityOf(environment), governance: { is: 'Free' }, overlay: { ref: {} }, settings: {} }) as Target;
const US = placeIn('us');
const EU = placeIn('eu');

type Find = (heard: Heard) => Candidate;
const resolvedTo = (heard: Heard, revision: string) =>
  heard.onResolved({ revision, ref: 'refs/heads/main' }, () => `asked at ${revision}`);
const fails = (error: Error) => () => {
  throw error;
};
const away: Find = fails(AWAY);

/** A process in which looks at us, which waits with a candidate at a gate, come to what they come to. */
function newProcess(told: object = {}, revision = 'c1') {
  const candidate = { id: 'sha256:a', digest: 'sha256:b', revision } as unknown as Candidate;
  const { id, digest } = candidate;
  const record = { ...newRecord(US), pending: { id, digest, generation: 3 } };
  const verdicts = new Verdicts(() => undefined);
  const metadata = { name: 'web', namespace: 'shop', generation: 3, annotations: {} };
  const application = (status: object) =>
    ({ metadata, spec: {}, status: { observedGeneration: 3, ...status } }) as unknown as Application;
  const session = newSession(application(told), US, new Unreported('us'));
  /** Whether what waits would enter at the end of it. */
  const look = async (find: Find, status: object = {}): Promise<boolean> => {
    const { signal } = new AbortController();
    const found = async (_: unknown, heard: Heard) => ({ candidate: find(heard) }) as Wanted;
    const run = {
      application: application(status),
      target: US,
      isOneOfSeveral: true,
      parts: {
        wanted: { find: found, sourceError: () => undefined, hasAnswered: () => false },
        specifiedTargets: () => [US, EU],
        verdicts,
      },
      context: {
        record,
        store: { candidatesOf: () => [candidate], pinnedFor: () => ({ charts: [], bases: [] }) },
        signal,
        now: () => new Date(),
      },
      request: {},
      underWay: {},
      session,
    } as unknown as Run;
    const outcome = await resolve(run, { memory: {}, found: {} } as TargetState);
    if (outcome.type !== 'Unresolved') return false;
    const { error, isAnswer } = outcome;
    return acceptedIn(run, { obstacle: { at: 'Resolving', error, isAnswer } }) !== undefined;
  };
  const comesTo = (at: string): Find => {
    return (heard) => {
      resolvedTo(heard, at);
      return { ...candidate, revision: at };
    };
  };
  return { look, comesTo, verdicts };
}

test('A4: what was accepted enters with Git away as long as nothing newer is known of', async () => {
  const { look, comesTo } = newProcess();
  assert.equal(await look(away), true, 'after a restart');
  await look(comesTo('c1'));
  assert.equal(await look(away), true);
  await look(comesTo('c2'));
  assert.equal(await look(away), true, 'c2 changed nothing of it');
  const hangs: Find = (heard) => {
    resolvedTo(heard, 'c3');
    throw AWAY;
  };
  assert.equal(await look(hangs), false, 'c3 is known, and cannot be fetched');
  assert.equal(await look(away), false, 'who is asked for a sync is not told of it again');
});

test('A4, D6: what was accepted does not enter with Git away where the newest does not render', async () => {
  for (const newest of ['c1', 'c2']) {
    const { look, comesTo } = newProcess();
    await look(comesTo('c1'));
    await look((heard) => {
      resolvedTo(heard, newest);
      throw new Quarantine({ revision: newest }, INVALID);
    });
    assert.equal(await look(away), false, newest);
  }
});

test('A4, D6: what another environment refuses does not enter with Git away, although no status tells of it by then', async () => {
  const { look, comesTo, verdicts } = newProcess();
  await look(comesTo('c1'));
  verdicts.note(EU, 'asked at c1', { refusedBy: new Quarantine({ revision: 'c1' }, INVALID) });
  verdicts.note(EU, undefined, 'Unseen');
  assert.equal(await look(away), false);
});

test('A4, D6: after a restart with Git away what the status told as refused does not enter', async () => {
  const refused = (error: object, more: object = {}) => ({
    quarantine: { revision: 'c1', errors: [{ message: 'No.', ...error }], total: 1 },
    ...more,
  });
  const cases: readonly [object, boolean][] = [
    [refused({ environment: 'eu' }), false],
    [refused({ environment: 'us', alone: true }), false],
    [refused({ environment: 'eu', alone: true }), true],
    [refused({ environment: 'eu' }, { observedGeneration: 2 }), true],
  ];
  for (const [status, enters] of cases) {
    assert.equal(
      await newProcess(status).look(away),
      enters,
      `${JSON.stringify(status)}, until another look tells`,
    );
    assert.equal(await newProcess().look(away, status), enters, JSON.stringify(status));
  }
  const { look, comesTo } = newProcess(refused({ environment: 'eu' }));
  await look(comesTo('c1'));
  assert.equal(await look(away), true, 'who found out what it comes to hears from the others');
});

test('A4: where the repository of a published chart is away, a commit that is newer is known of', async () => {
  const { look } = newProcess({}, '1.0.0@c1');
  const knows =
    (commit: string): Find =>
    (heard) => {
      heard.onCommit(commit);
      throw AWAY;
    };
  assert.equal(await look(knows('c1')), true);
  assert.equal(await look(knows('c2')), false);
});
