import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type Application,
  type EnvironmentStatus,
  parseApplication,
} from '../../operator/api/v1alpha1/application.ts';
import { CommandError } from '../exit-codes.ts';
import { defaultsOf, refuseApart, whenApart } from './apart.ts';
import type { Context } from './command.ts';
import { Overtaken } from './overtaken.ts';
import type { Awaited } from './verdict.ts';
import { apartIn, verdictOnAll } from './wait.ts';

const REVISION = 'a'.repeat(40);
const OTHER = 'b'.repeat(40);
const DIGEST = `sha256:${'1'.repeat(64)}`;
const awaited: Awaited = { by: 'revision', digits: REVISION.slice(0, 7), goal: 'healthy' };
const signal = new AbortController().signal;

interface Of {
  entries: readonly object[];
  told?: readonly Partial<EnvironmentStatus>[];
  observedGeneration?: number;
}

/** With environments staging, prod and demo, as many as there are entries. */
function application({ entries, told = [], observedGeneration = 1 }: Of): Application {
  const nameOf = (at: number) => ['staging', 'prod', 'demo'][at] ?? '';
  const parsed = parseApplication({
    apiVersion: 'towpath.dev/v1alpha1',
    kind: 'Application',
    metadata: { name: 'web', namespace: 'shop', uid: 'u', resourceVersion: '1', generation: 1 },
    spec: {
      source: { repoURL: 'https://git.example.com/web', path: 'web' },
      environments: entries.map((one, at) => ({ name: nameOf(at), ...one })),
    },
    status: { observedGeneration, environments: told.map((one, at) => ({ name: nameOf(at), ...one })) },
  });
  if (!parsed.ok) throw new Error(parsed.errors.join('; '));
  return parsed.application;
}

function refusalOf(entries: readonly object[], defaults: Record<string, string> = {}): string | undefined {
  try {
    refuseApart(application({ entries }), new Map(Object.entries(defaults)));
  } catch (error) {
    if (error instanceof CommandError && error.code === 2) return error.message;
    throw error;
  }
  return undefined;
}

const files = { path: 'prod', valuesFiles: ['prod.yaml'] };
const own = { values: { size: 1 } };
const from = { valuesFrom: [{ kind: 'Secret', name: 'of-prod' }] };
const NOT_SAME = 'The environments of shop/web are not rendered of the same files and values, and have';

const candidates: readonly [string, readonly object[], string | undefined, Record<string, string>?][] = [
  ['nothing of their own', [{}, { ref: { tag: 'v1' } }], undefined],
  ['the same files', [files, files], undefined],
  ['other files', [{}, files, {}], 'staging, demo (path web); prod (path prod, prod.yaml)'],
  ['the same values', [own, { values: { size: 1 } }], undefined],
  [
    'other values',
    [own, { values: { size: 2 } }],
    'staging (path web, values of its own); prod (path web, values of its own)',
  ],
  ['the same Secret', [from, from], undefined],
  ['a Secret of its own', [{}, from], 'staging (path web); prod (path web, Secret of-prod key values.yaml)'],
  ['Environments with the same values', [{}, {}], undefined, { staging: '{"a":1}', prod: '{"a":1}' }],
  [
    'an Environment with values',
    [{}, {}],
    'staging (path web); prod (path web, values of its Environment)',
    { prod: '{"a":1}' },
  ],
];

for (const [what, entries, names, defaults] of candidates)
  test(`wait for a candidate asks for an environment where none comes to all: ${what}`, () => {
    const text = names && `${NOT_SAME} candidates of their own each: name the one to wait for: ${names}.`;
    assert.equal(refusalOf(entries, defaults), text);
  });

test('wait for a candidate goes by the values of Environments as far as the user may read them', async () => {
  const two = application({ entries: [{}, {}] });
  const asked: string[] = [];
  const readAs = (answer: unknown) => {
    const jsonIfAny = (args: readonly string[]) => {
      asked.push(args.join(' '));
      return Promise.resolve(answer);
    };
    return defaultsOf({ kubectl: { jsonIfAny } as unknown as Context['kubectl'] }, two, signal);
  };
  const items = [
    { metadata: { name: 'staging' }, spec: {} },
    { metadata: { name: 'prod' }, spec: { values: { a: 1 } } },
  ];
  assert.deepEqual([...(await readAs({ items }))], [['prod', '{"a":1}']]);
  assert.deepEqual([...(await readAs(undefined))], []);
  assert.deepEqual(new Set(asked), new Set(['get environments.towpath.dev staging prod']));
});

const has: Partial<EnvironmentStatus> = {
  sync: 'Synced',
  health: 'Healthy',
  revision: REVISION,
  desiredRevision: REVISION,
  digest: DIGEST,
};
const lacks = { ...has, revision: OTHER, desiredRevision: OTHER };
const isNew = { ...lacks, sync: 'Syncing', desiredRevision: REVISION } as const;
const ran: Partial<EnvironmentStatus> = {
  ...lacks,
  history: [
    { id: 1, revision: REVISION, digest: DIGEST, trigger: 'Commit', startedAt: '2026-11-23T10:00:00Z' },
  ],
};
const main = { ref: { branch: 'main' } };
const tag = { ref: { tag: 'v1' } };
const ALONE = 'The environments of shop/web do not follow the same ref, and that commit came to';

const commits: readonly [string, Of, string | undefined][] = [
  ['nothing was told of the commit', { entries: [{}, tag], told: [lacks, lacks] }, undefined],
  ['both came to it', { entries: [main, {}], told: [has, isNew] }, undefined],
  ['it ran in both', { entries: [{}, tag], told: [has, ran] }, undefined],
  ['it is on its way where it came', { entries: [{}, tag], told: [isNew, lacks] }, undefined],
  ['one cannot be looked at', { entries: [{}, tag], told: [has, { ...lacks, sync: 'Blocked' }] }, undefined],
  ['nothing was told of one', { entries: [{}, tag], told: [has] }, undefined],
  ['the spec was changed', { entries: [{}, tag], told: [has, lacks], observedGeneration: 0 }, undefined],
  ['they follow the same', { entries: [tag, tag], told: [has, lacks] }, undefined],
  [
    'nothing more is to come',
    { entries: [{}, tag, {}], told: [has, lacks, has] },
    `${ALONE} staging, demo alone: name the one to wait for: staging, demo (the default branch); prod (tag v1).`,
  ],
];

for (const [what, of, said] of commits)
  test(`wait for a commit asks for an environment once it comes to no more of them: ${what}`, () => {
    const one = application(of);
    const error = apartIn(one, awaited);
    assert.deepEqual([error?.message, error?.code], [said, said && 2]);
    if (said !== undefined) assert.equal(verdictOnAll(one, undefined, awaited), undefined);
    assert.equal(apartIn(one, { ...awaited, by: 'candidate' }), undefined);
  });

test('wait for a commit does not say that it never came where something newer took its turn', () => {
  const overtaken = new Overtaken(awaited);
  const entries = [{}, main];
  const newer = { ...lacks, desiredRevision: 'c'.repeat(40), sync: 'Waiting' } as const;
  verdictOnAll(application({ entries, told: [has, isNew] }), undefined, awaited, overtaken);
  const then = application({ entries, told: [has, newer] });
  assert.equal(apartIn(then, awaited, overtaken), undefined);
  assert.equal(apartIn(then, awaited)?.code, 2, 'by who has not seen it');
});

test('wait for a commit gives environments the time between two looks before it says that they are apart', async () => {
  const error = new CommandError('apart');
  const said = [error, undefined, error, error, undefined];
  await assert.rejects(
    whenApart(() => said.shift(), signal, 1),
    error,
  );
  assert.equal(said.length, 1);
});
