import assert from 'node:assert/strict';
import { test } from 'node:test';
import { STATUS_LIMITS } from '../../../api/v1alpha1/application-status.ts';
import { jsonBytes } from '../../../api/v1alpha1/bound-status.ts';
import { heldMessage } from './sync-and-reason.ts';

const digest = `sha256:${'0123456789abcdef'.repeat(4)}`;
const objectOf = (name: string) => ({ group: 'apps', kind: 'StatefulSet', namespace: 'n'.repeat(63), name });

test('S18: the digest to consent to is told in full, however long what else is told', () => {
  for (const ref of [
    '',
    'refs/heads/main',
    `refs/heads/${'b'.repeat(200)}`,
    `refs/tags/${'ü'.repeat(200)}`,
  ]) {
    for (const count of [1, 5_000]) {
      const objects = Array.from({ length: count }, () => objectOf('o'.repeat(253)));
      const message = heldMessage(
        'default',
        { revision: '4f2c81a'.padEnd(40, '0'), ref },
        { digest, objects },
      );
      assert.ok(message.endsWith(`annotate: towpath.dev/prune-consent=default=${digest}`), message);
      assert.ok(jsonBytes(message) <= STATUS_LIMITS.message, message);
    }
  }
  assert.equal(
    heldMessage(
      'default',
      { revision: '4f2c81a'.padEnd(40, '0'), ref: 'refs/heads/main' },
      {
        digest,
        objects: [{ group: '', kind: 'ConfigMap', namespace: 'shop', name: 'web' }],
      },
    ),
    `Revision main@4f2c81a renders nothing: deleting ConfigMap shop/web needs consent. Correct it in Git, or annotate: towpath.dev/prune-consent=default=${digest}`,
  );
});
