import assert from 'node:assert/strict';
import { test } from 'node:test';
import { diffLines, hunksOf } from './line-diff.ts';
import { yamlOf } from './yaml.ts';
import { placeIn } from './yaml-place.ts';

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
  assert.deepEqual(
    hunksOf(lines, 1).map((hunk) => placeIn(lines, hunk)),
    ['spec.template.spec.containers[name: web]'],
  );
  assert.deepEqual(
    hunksOf(lines, 0).map((hunk) => placeIn(lines, hunk)),
    ['spec.template.spec.containers[name: web]', 'spec'],
  );
  assert.equal(placeIn(lines, lines), '');
});
