import assert from 'node:assert/strict';
import { test } from 'node:test';
import { diffLines, hunksOf } from './line-diff.ts';
import { yamlOf } from './yaml.ts';
import { placesIn } from './yaml-place.ts';

test('of each difference it is told in what it stands', () => {
  const deployment = (image: string, { paused }: { paused: boolean }) => ({
    kind: 'Deployment',
    metadata: { name: 'web' },
    spec: {
      template: {
        spec: {
          containers: [
            { name: 'web', ports: [{ containerPort: 80 }], env: [], image, tty: false, stdin: false },
          ],
        },
      },
      paused,
    },
  });
  const linesOf = (value: unknown) => yamlOf(value).trimEnd().split('\n');
  const lines = diffLines(
    linesOf(deployment('a', { paused: false })),
    linesOf(deployment('b', { paused: true })),
  );
  assert.deepEqual(placesIn(lines, hunksOf(lines, 1)), ['spec.template.spec.containers[name: web]']);
  assert.deepEqual(placesIn(lines, hunksOf(lines, 0)), ['spec.template.spec.containers[name: web]', 'spec']);
  assert.deepEqual(placesIn(lines, [lines]), ['']);
});

test('an empty line of a text is no place, and of a long name the beginning is', () => {
  const long = 'é'.repeat(1_000);
  const linesOf = (text: string) =>
    yamlOf({ data: { [long]: text } })
      .trimEnd()
      .split('\n');
  const lines = diffLines(linesOf('a\n\nb\n'), linesOf('a\n\nc\n'));
  assert.deepEqual(placesIn(lines, hunksOf(lines, 0)), [`data.${'é'.repeat(79)}…`]);
});
