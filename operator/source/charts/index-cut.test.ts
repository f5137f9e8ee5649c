import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { readIndex } from '../../../test/harness/chart-repository.ts';
import { IndexCutter } from './index-cut.ts';

const INDEX = `apiVersion: v1
entries:
  # The first of them.
  alpine:
  - name: alpine
    version: 1.0.0
    description: |
      entries:
      redis:
    urls: [alpine-1.0.0.tgz]
  "redis":
  - name: redis
    version: 2.0.0

    annotations: {note: "a # b"}
    urls:
    - redis-2.0.0.tgz
  'redis-cluster':
    - name: redis-cluster
      version: 3.0.0
      urls: [x]
generated: "2026-01-01T00:00:00Z"
`;

function cut(text: string, name: string, { chunk = text.length, entryBytes = 1_000 } = {}) {
  const cutter = new IndexCutter({ name, repository: 'https://charts.example.com', entryBytes });
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at += chunk) cutter.add(bytes.subarray(at, at + chunk));
  return cutter.end();
}

describe('what an index has of one chart', () => {
  test('is the same that a reader of the whole YAML finds, wherever the chunks end', () => {
    for (const name of ['alpine', 'redis', 'redis-cluster']) {
      for (const chunk of [1, 7, 64, 10_000]) {
        const { text, names } = cut(INDEX, name, { chunk });
        const alone = readIndex(text?.toString() ?? '');
        assert.deepEqual(alone, { entries: { [name]: readIndex(INDEX).entries[name] } });
        assert.deepEqual(names, ['alpine', 'redis', 'redis-cluster']);
      }
    }
  });

  test('is nothing where the chart is not there, and the names of those that are', () => {
    assert.deepEqual(cut(INDEX, 'version'), { text: undefined, names: ['alpine', 'redis', 'redis-cluster'] });
    assert.deepEqual(cut('apiVersion: v1\nentries: {}\n', 'redis'), { text: undefined, names: [] });
    assert.deepEqual(cut('', 'redis'), { text: undefined, names: [] });
  });

  test('is all of it in JSON form', () => {
    const json = JSON.stringify(readIndex(INDEX));
    for (const chunk of [3, 10_000]) assert.equal(cut(json, 'redis', { chunk }).text?.toString(), json);
  });

  test('S9: is refused where it is too large, whatever else the index has', () => {
    const reason = 'ChartIndexInvalid';
    assert.throws(() => cut(INDEX, 'redis', { entryBytes: 50 }), {
      reason,
      message: /more than 50 bytes of redis/,
    });
    const json = JSON.stringify(readIndex(INDEX));
    assert.throws(() => cut(json, 'redis', { entryBytes: 50 }), { reason, message: /is in JSON form/ });
    const line = `entries:\n  redis:\n  - icon: ${'x'.repeat(2 ** 20 + 1)}`;
    assert.throws(() => cut(line, 'redis', { chunk: 2 ** 16 }), {
      reason,
      message: /a line of more than 1 MiB/,
    });
    const keys = `entries:\n${'  a:\n'.repeat(200_001)}`;
    assert.throws(() => cut(keys, 'redis', { chunk: 2 ** 16 }), {
      reason,
      message: /more than 200000 charts/,
    });
    const others = `entries:\n${'  other:\n  - version: 1.0.0\n'.repeat(10_000)}  redis:\n  - version: 2.0.0\n`;
    assert.deepEqual(readIndex(cut(others, 'redis').text?.toString() ?? ''), {
      entries: { redis: [{ version: '2.0.0' }] },
    });
  });
});
