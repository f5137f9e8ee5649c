import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import type { Manifest } from './manifest.ts';
import { withStringDataAsData } from './secret.ts';

function manifest(object: Record<string, unknown>, kind = 'Secret'): Manifest {
  const text = JSON.stringify(object);
  return {
    group: '',
    kind,
    namespace: 'shop',
    name: 'web',
    apiVersion: 'v1',
    text,
    digest: 'of the text',
    annotations: {},
  };
}

test('stringData becomes data, and wins over it as in the API server', () => {
  const subject = manifest({
    data: { a: 'b2xk', c: 'a2VwdA==' },
    kind: 'Secret',
    stringData: { a: 'new', é: 'ü' },
  });
  const result = withStringDataAsData(subject);
  assert.deepEqual(JSON.parse(result.text), {
    data: { a: 'bmV3', c: 'a2VwdA==', é: 'w7w=' },
    kind: 'Secret',
  });
  assert.equal(result.digest, createHash('sha256').update(result.text).digest('hex'));
});

test('everything else is sent byte for byte', () => {
  for (const subject of [
    manifest({ data: { a: 'b2xk' } }),
    manifest({ stringData: { a: 1 } }),
    manifest({ stringData: { a: 'x' } }, 'ConfigMap'),
  ]) {
    assert.equal(withStringDataAsData(subject), subject);
  }
});
