import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CommandError } from '../exit-codes.ts';
import type { Context } from './command.ts';
import { status } from './status.ts';

const application = (...environments: string[]) => ({
  apiVersion: 'towpath.dev/v1alpha1',
  kind: 'Application',
  metadata: { name: 'web', namespace: 'shop', uid: 'u', resourceVersion: '1', generation: 1 },
  spec: {
    source: { repoURL: 'https://git.example.com/web' },
    environments: environments.map((name) => ({ name })),
  },
});

interface Event {
  readonly type: 'MODIFIED' | 'DELETED';
  readonly object: ReturnType<typeof application>;
}

/** What is printed of web in an environment while these changes come, each after the one before was drawn. */
async function watched(
  environment: string,
  events: readonly Event[],
  flags: Context['flags'] = {},
  printed: Pick<string[], 'push' | 'join'> = [],
) {
  const drawn = () => new Promise<void>((resolve) => setImmediate(resolve));
  const first = application('staging', 'prod');
  const context = {
    kubectl: {
      json: () => Promise.resolve(first),
      jsonIfAny: () => Promise.resolve(undefined),
      follow: async function* () {
        for (const event of [{ type: 'MODIFIED', object: first }, ...events]) {
          yield event;
          await drawn();
        }
      },
    },
    words: ['web', environment],
    flags: { watch: true, ...flags },
    now: () => new Date('2026-11-30T10:00:00Z'),
    signal: new AbortController().signal,
    out: { width: undefined, isColoured: false, write: (text: string) => printed.push(text) },
    err: { width: undefined, isColoured: false, write: () => undefined },
  } as unknown as Context;
  return { code: await status.run(context), printed: printed.join('') };
}

test('D8: status --watch of an environment that is not there says so as status does', async () => {
  await assert.rejects(watched('prdo', []), (error) => {
    assert.ok(error instanceof CommandError && error.code === 1);
    assert.match(error.message, /Application shop\/web has no environment prdo; it has staging, prod\./);
    return true;
  });
});

test('status --watch goes on where the environment leaves the Application, and comes back', async () => {
  const { code, printed } = await watched('prod', [
    { type: 'MODIFIED', object: application('staging') },
    { type: 'MODIFIED', object: application('staging', 'prod') },
    { type: 'DELETED', object: application('staging', 'prod') },
  ]);
  assert.equal(code, 0);
  assert.match(
    printed,
    /─ prod.*\n\nApplication shop\/web has no environment prod any more; it has staging\.\n\nweb.*\n.*\n.*─ prod.*\n\nApplication web was deleted\.\n/,
  );
});

test('status --watch -o json stays JSON when what it is about is gone', async () => {
  const object = application('staging');
  const events = [
    { type: 'MODIFIED', object },
    { type: 'DELETED', object },
  ] as const;
  const { printed } = await watched('prod', events, { output: 'json' });
  const told = printed
    .split('\n\n')
    .filter((one) => one.trim() !== '')
    .map((one) => JSON.parse(one) as { name: string; environments: unknown[]; message?: string });
  assert.deepEqual(
    told.map(({ name, environments, message }) => [name, environments.length, message]),
    [
      ['web', 1, undefined],
      ['web', 0, 'Application shop/web has no environment prod any more; it has staging.'],
      ['web', 0, 'Application web was deleted.'],
    ],
  );
});

test('what status --watch cannot draw ends it with that, and no process', async () => {
  const defect = new Error('a defect');
  const broken = {
    push: () => {
      throw defect;
    },
    join: () => '',
  };
  await assert.rejects(watched('prod', [], {}, broken), defect);
});
