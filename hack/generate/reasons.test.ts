import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { EVENTS, REASONS } from '../../operator/api/v1alpha1/reasons.ts';

const OPERATOR = join(import.meta.dirname, '../../operator');

/** Every reason that an error is made with: `new TowpathError(remedy, 'Reason'`, a row of classify.ts, and the engine's `fail("Reason"`. */
async function reasonsInCode(): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for (const file of await readdir(OPERATOR, { recursive: true })) {
    if (!/(?<!\.test)\.ts$|(?<!_test)\.go$/.test(file)) continue;
    const source = await readFile(join(OPERATOR, file), 'utf8');
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
    named.filter((reason) => reason !== 'Unschedulable' && !(reason in REASONS)),
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
