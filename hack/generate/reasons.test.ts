import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { HEALTH_STATES } from '../../operator/api/v1alpha1/application-status.ts';
import { EVENTS, REASONS } from '../../operator/api/v1alpha1/reasons.ts';

const OPERATOR = join(import.meta.dirname, '../../operator');

/** Every reason that something tells, in whatever way: as an error, a state of health, or a fact. */
async function reasonsTold(): Promise<Set<string>> {
  const found = new Set<string>(HEALTH_STATES);
  for (const { file, source } of await sources()) {
    if (file.startsWith('api/')) continue;
    const told = source.matchAll(
      /\b(?:TowpathError|fail|templateFailure|meaning|refuse)\(\s*(?:'\w+',\s*){0,2}['"](\w+)['"]|\b(?:normal|warn|gate)\(\s*'(\w+)'|\b(?:[rR]eason|missing)(?::| =| :=| \?\?=) *['"](\w+)['"]|\b(?:Secret|ConfigMap): '(\w+)'/g,
    );
    for (const [, ...reasons] of told)
      for (const reason of reasons) if (reason !== undefined) found.add(reason);
  }
  return found;
}

/** The operator's code, without its tests. */
async function sources(): Promise<{ file: string; source: string }[]> {
  const files = await readdir(OPERATOR, { recursive: true });
  return Promise.all(
    files
      .filter((file) => /(?<!\.test)\.ts$|(?<!_test)\.go$/.test(file))
      .map(async (file) => ({ file, source: await readFile(join(OPERATOR, file), 'utf8') })),
  );
}

/** Every reason that an error is made with: `new TowpathError(remedy, 'Reason'`, a row of classify.ts, and the engine's `fail("Reason"`. */
async function reasonsInCode(): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for (const { file, source } of await sources()) {
    const errors = source.matchAll(
      /(?:new TowpathError\(|\bmeaning\(\s*'\w+',)\s*[^,()]+,\s*'(\w+)'|\bfail\("(\w+)"|templateFailure\("(\w+)"/g,
    );
    if (file.startsWith('controller/')) {
      for (const [, reason = ''] of source.matchAll(/\breason: '([A-Z]\w+)'/g)) found.set(reason, file);
    }
    for (const [, typescript, go, template] of errors) found.set(typescript ?? go ?? template ?? '', file);
  }
  return found;
}

test('every reason that an error carries is documented', async () => {
  const undocumented = [...(await reasonsInCode())].filter(
    ([reason]) => !(reason in REASONS) && !(reason in EVENTS),
  );
  assert.deepEqual(undocumented, [], 'declare them in operator/api/v1alpha1/reasons/');
});

test('every reason that is documented is told by something', async () => {
  const told = await reasonsTold();
  const idle = [...Object.keys(REASONS), ...Object.keys(EVENTS)].filter((reason) => !told.has(reason));
  assert.deepEqual(idle, [], 'take them out of operator/api/v1alpha1/reasons/, or tell them');
});

test('a reason is CamelCase, and its documentation is sentences', () => {
  for (const [reason, { meaning, action }] of Object.entries(REASONS)) {
    assert.match(reason, /^[A-Z][A-Za-z]{2,62}$/);
    for (const sentence of [meaning, action]) assert.match(sentence, /^[A-Z"].+\.$/, reason);
  }
});

test('docs/troubleshooting.md names no reason that does not exist', async () => {
  const text = await readFile(join(OPERATOR, '../docs/troubleshooting.md'), 'utf8');
  const rows = text.split('\n').filter((line) => line.startsWith('| `'));
  const named = rows.flatMap((line) =>
    [...(line.split('|')[1] ?? '').matchAll(/`([A-Z][A-Za-z]+)`/g)].map(([, name = '']) => name),
  );
  assert.ok(named.length > 30);
  assert.deepEqual(
    named.filter((reason) => reason !== 'Unschedulable' && !(reason in REASONS) && !(reason in EVENTS)),
    [],
  );
});

test('docs/troubleshooting.md helps with every error that a person or another resource must heal', async () => {
  const text = await readFile(join(OPERATOR, '../docs/troubleshooting.md'), 'utf8');
  const errors = [...(await reasonsInCode()).keys()];
  const unhelped = errors.filter((reason) => {
    const entry: { remedy: string } | undefined = Reflect.get(REASONS, reason);
    return ['Person', 'Resource'].includes(entry?.remedy ?? '') && !text.includes(`\`${reason}\``);
  });
  assert.deepEqual(unhelped, [], 'they need a row');
});

/** Where one error knows better than the table. */
const BETTER_KNOWN: Readonly<Record<string, readonly string[]>> = {
  KindMissing: ['Time'], // a definition that was just applied is not established yet
  EnvironmentInvalid: ['Person'], // an Application waits for the Environment, and that one for who writes it
  WindowInvalid: ['Person'], // likewise
  EnvironmentInUse: ['Person'], // of an installation that is gone nobody but a person takes the finalizer off
  Deleting: ['Resource'], // what a person asks for meanwhile waits for that
};

test('what helps is the same in the documentation and in the code', async () => {
  const different: string[] = [];
  for (const { file, source } of await sources()) {
    for (const [, remedy = '', reason = ''] of source.matchAll(/new TowpathError\(\s*'(\w+)',\s*'(\w+)'/g)) {
      const entry: { remedy: string } | undefined = Reflect.get(REASONS, reason);
      const isSame = entry === undefined || entry.remedy === remedy;
      if (!isSame && BETTER_KNOWN[reason]?.includes(remedy) !== true)
        different.push(`${file}: ${remedy} ${reason}`);
    }
  }
  assert.deepEqual(different, []);
});
