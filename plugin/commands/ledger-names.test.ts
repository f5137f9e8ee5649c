import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import {
  LEDGER_KEY,
  type LedgerRecord,
  ledgerText,
  removalRecord,
} from '../../operator/api/v1alpha1/ledger.ts';
import { LABEL_LEDGER } from '../../operator/api/v1alpha1/names.ts';
import { CommandError } from '../exit-codes.ts';
import { at } from './at.ts';
import type { Command, Context } from './command.ts';
import { history } from './history.ts';

const NOW = '2026-11-30T10:30:00Z';

function record(application: string, environment: string, id: number): LedgerRecord {
  const time = new Date(Date.UTC(2026, 10, 30, 9, id)).toISOString();
  return {
    uid: `${application}/${environment}/${id}`,
    promotion: `${application}-${environment}-${id}`,
    application,
    environment,
    type: 'Promote',
    phase: 'Succeeded',
    by: 'towpath:Commit',
    deployment: id,
    applicationUID: application,
    requestedAt: time,
    startedAt: time,
    finishedAt: time,
  };
}

function application(name: string, environments: readonly string[]) {
  return {
    apiVersion: 'towpath.dev/v1alpha1',
    kind: 'Application',
    metadata: { name, namespace: 'shop', uid: name, resourceVersion: '1', generation: 1 },
    spec: {
      source: { repoURL: 'https://git.example.com/web' },
      environments: environments.map((one) => ({ name: one })),
    },
  };
}

/** What there is: web runs in staging and waits for prod, new was never deployed, old was deleted, and is in the archive. */
const APPLICATIONS: readonly object[] = [
  application('web', ['staging', 'prod']),
  application('new', ['staging']),
];
const BEGUN = [record('web', 'staging', 1), record('old', 'prod', 1), record('old', 'test', 1)];
const REMOVED = ['prod', 'test'].map((environment) =>
  removalRecord({ application: 'old', environment }, 'old', '2026-11-30T09:30:00.000Z', 1),
);
const LINES = ledgerText([...BEGUN, ...REMOVED]);

interface There {
  /** The archive; null: it cannot be read. */
  readonly lines?: string | null;
  readonly promotions?: readonly object[];
  /** null: they cannot be listed. */
  readonly applications?: readonly object[] | null;
  /** Where they are listed once more, and others are there by then. */
  readonly later?: readonly object[];
}

async function answered(
  { run }: Command,
  words: readonly string[],
  { lines = LINES, promotions = [], applications = APPLICATIONS, later = APPLICATIONS }: There = {},
) {
  let listed = 0;
  const [printed, told]: [string[], string[]] = [[], []];
  const chunk = {
    metadata: { name: 'towpath-ledger.shop.000001', labels: { [LABEL_LEDGER]: 'shop' } },
    binaryData: { [LEDGER_KEY]: gzipSync(lines ?? '').toString('base64') },
  };
  const ifAny = ([, resource = '']: readonly string[]) => {
    if (resource.startsWith('applications')) {
      listed += 1;
      if (applications === null) return undefined;
      return { items: listed === 1 ? applications : later };
    }
    if (resource === 'configmaps') return lines === null ? undefined : { items: [chunk] };
    return undefined;
  };
  const context = {
    kubectl: {
      namespace: () => Promise.resolve('shop'),
      json: () => Promise.resolve({ items: promotions }),
      jsonIfAny: (args: readonly string[]) => Promise.resolve(ifAny(args)),
    },
    words,
    flags: { rates: true },
    now: () => new Date(NOW),
    signal: new AbortController().signal,
    out: { width: undefined, write: (text: string) => printed.push(text) },
    err: { width: undefined, write: (text: string) => told.push(text) },
  } as unknown as Context;
  const code = await run(context).catch((error: unknown) => {
    if (!(error instanceof CommandError)) throw error;
    told.push(error.message);
    return error.code;
  });
  return { code, printed: printed.join(''), told: told.join('') };
}

for (const [name, command] of Object.entries({ at, 'history --rates': history })) {
  test(`D8: ${name} of a name that nothing has names those that there are, or were`, async () => {
    const app = await answered(command, ['wbe']);
    assert.deepEqual([app.code, app.printed], [1, '']);
    assert.equal(
      app.told,
      'There is no Application wbe in namespace shop, nor a record of one; those that there are, or were: new, old, web.',
    );
    const environment = await answered(command, ['web', 'prdo']);
    assert.deepEqual([environment.code, environment.printed], [1, '']);
    assert.equal(
      environment.told,
      'Application shop/web has no environment prdo, nor a record of one; those that there are, or were: prod, staging.',
    );
    const gone = await answered(command, ['old', 'staging']);
    assert.match(gone.told, /no environment staging, .*: prod, test\.$/);
    const unseen = await answered(command, ['old'], { lines: null });
    assert.equal(unseen.code, 1);
    assert.match(
      unseen.told,
      /: new, web\. The archive in namespace towpath-system cannot be read with your rights/,
    );
  });

  test(`${name} answers of what was deleted, by its records`, async () => {
    const { code, printed } = await answered(command, ['old', 'prod']);
    assert.equal(code, 0);
    assert.match(printed, /\bprod\b/);
  });

  test(`A5: ${name} tells what of the ledger it cannot read, and is no whole answer then`, async () => {
    const broken = `${LINES}{"uid": "u", "phase": "Unheard"}\nno JSON\n`;
    const { code, told } = await answered(command, ['web', 'staging'], { lines: broken });
    assert.equal(code, 10);
    assert.match(
      told,
      /^Not all of the ledger can be read, .*: 2 lines of ConfigMap towpath-ledger\.shop\.000001\./,
    );
    const promotions = [{ metadata: { name: 'web-staging-2' }, spec: { type: 'Unheard' } }];
    const made = await answered(command, ['web', 'staging'], { promotions });
    assert.equal(made.code, 10);
    assert.match(
      made.told,
      /: Promotion web-staging-2\. Where a later Towpath wrote it, its plugin reads it\./,
    );
    const applications = [{ metadata: { name: 'web' }, spec: {} }];
    const unread = await answered(command, ['web', 'staging'], { applications });
    assert.deepEqual([unread.code, /: Application web\./.test(unread.told)], [10, true], unread.told);
    assert.equal((await answered(command, ['web', 'staging'])).code, 0);
  });
}

test('D8: where Applications cannot be listed, at and history --rates say that, and not that there is none of a name', async () => {
  for (const command of [at, history])
    for (const words of [['web', 'prod'], ['new'], ['web', 'staging']]) {
      const { code, told, printed } = await answered(command, words, { applications: null });
      assert.equal(code, 10, words.join(' '));
      assert.match(told, /^The Applications that there are could not be listed \(kubectl get applications/m);
      assert.doesNotMatch(told, /There is no/);
      if (command === at && words[1] !== undefined)
        assert.match(printed, words[1] === 'prod' ? /web +prod +not recorded/ : /web +staging .*Succeeded/);
    }
});

test('at of what was never deployed says of each of its environments that nothing is recorded', async () => {
  const { code, printed } = await answered(at, ['new']);
  assert.equal(code, 10);
  assert.match(printed, /new +staging +not recorded/);
  const waits = await answered(at, ['web', 'prod']);
  assert.match(waits.printed, /web +prod +not recorded/);
  const none = await answered(at, [], { lines: '', applications: [] });
  assert.deepEqual([none.code, none.told], [10, 'Nothing is recorded in namespace shop.\n']);
});

test('D8: what is not there any more, and whose removal is not recorded, is said to be not recorded: not to run still', async () => {
  const lines = ledgerText(BEGUN);
  const both = [...APPLICATIONS, application('old', ['prod'])];
  for (const [what, there, prod] of [
    ['the Application is gone', {}, 'not recorded'],
    ['it was made while the ledger was read', { later: both }, 'Succeeded'],
    ['it is there', { applications: both, later: both }, 'Succeeded'],
    ['nobody may list them', { applications: null }, 'Succeeded'],
    ['it cannot be read', { applications: [{ metadata: { name: 'old' }, spec: {} }] }, 'Succeeded'],
  ] as const) {
    const { code, printed } = await answered(at, ['old', 'prod'], { lines, ...there });
    assert.match(printed, new RegExp(`old +prod .*${prod}`), what);
    if (prod === 'not recorded') assert.equal(code, 10);
  }
  const isThere = { lines, applications: both, later: both };
  assert.match((await answered(at, ['old', 'test'], isThere)).printed, /old +test +not recorded/);
  const { code, told } = await answered(history, ['old', 'prod'], { lines });
  assert.equal(code, 10);
  assert.match(told, /^Not all deployments of prod of that time are known/);
});
