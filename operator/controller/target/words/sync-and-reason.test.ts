import assert from 'node:assert/strict';
import { test } from 'node:test';
import { STATUS_LIMITS } from '../../../api/v1alpha1/application-status.ts';
import { jsonBytes } from '../../../api/v1alpha1/bound-status.ts';
import { heldMessage, waitingMessage } from './sync-and-reason.ts';

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
  const exceeds = { lost: 4_999, of: 5_000, allowed: 2_500, budget: '50%' };
  for (const ref of ['', 'refs/heads/main', `refs/heads/${'b'.repeat(200)}`]) {
    const message = heldMessage(
      'e'.repeat(63),
      { revision: '4f2c81a'.padEnd(40, '0'), ref },
      { digest, objects: [], exceeds },
    );
    assert.ok(message.endsWith(`=${digest}`), message);
    assert.ok(jsonBytes(message) <= STATUS_LIMITS.message, message);
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

test('D3: who loses more than the budget is told how many of how many, the budget, and each way out', () => {
  const told = (exceeds: { lost: number; of: number; allowed: number; budget: number | string }) =>
    heldMessage(
      'default',
      { revision: '4f2c81a'.padEnd(40, '0'), ref: 'refs/heads/main' },
      { digest, objects: [], exceeds },
    );
  const ways = `Correct Git, raise it, or annotate: towpath.dev/prune-consent=default=${digest}`;
  assert.equal(
    told({ lost: 8, of: 10, allowed: 5, budget: '50%' }),
    `Revision main@4f2c81a loses 8 of 10 objects; pruneBudget is 50% (5). ${ways}`,
  );
  assert.equal(
    told({ lost: 8, of: 10, allowed: 3, budget: 3 }),
    `Revision main@4f2c81a loses 8 of 10 objects; pruneBudget is 3. ${ways}`,
  );
});

test('what waits names its commit before why it waits, which ends in the command to copy', () => {
  const command = 'kubectl towpath approve podinfo prod -n shop';
  const message = waitingMessage('main@4f2c81a', `0 of 1 approval of manifests sha256:0c7a1d: ${command}`);
  assert.equal(
    message,
    `Revision main@4f2c81a waits: 0 of 1 approval of manifests sha256:0c7a1d: ${command}`,
  );
  assert.ok(jsonBytes(waitingMessage('main@4f2c81a', 'ü'.repeat(1_000))) <= STATUS_LIMITS.message);
});
