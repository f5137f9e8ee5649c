import assert from 'node:assert/strict';
import { test } from 'node:test';
import { withTexts } from './masked.ts';

const hide = (line: string) => line.replaceAll(/horse|4711471147/g, '***');

test('a value of a Secret is hidden as a text, a number and a name of a member', () => {
  const shown = {
    kind: 'ConfigMap',
    data: { horse: 'a\nhorse', '4711471147': 'pin' },
    spec: { pin: 4711471147, pins: [-4711471147n, 47], isOpen: true, none: null },
  };
  assert.deepEqual(withTexts(shown, hide), {
    kind: 'ConfigMap',
    data: { '***': 'a\n***', '*** 2': 'pin' },
    spec: { pin: '***', pins: ['-***', 47], isOpen: true, none: null },
  });
});

test('members whose names look alike when hidden all stay, and so do the fields of every object', () => {
  const all = { horse: 1, '*** 2': 2, '***': 3, 'a horse': 4 };
  assert.deepEqual(withTexts(all, hide), { '*** 3': 1, '*** 2': 2, '***': 3, 'a ***': 4 });
  const object = { kind: 'ConfigMap', metadata: { name: 'web' }, data: { a: 1, b: 2 } };
  assert.deepEqual(
    withTexts(object, () => '(masked)'),
    {
      kind: '(masked)',
      metadata: { name: '(masked)' },
      data: { '(masked)': '(masked)', '(masked) 2': '(masked)' },
    },
  );
});
