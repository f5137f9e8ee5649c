import assert from 'node:assert/strict';
import { createHash, randomUUID } from 'node:crypto';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { type LedgerRecord, ledgerRecord, ledgerRecords, ledgerText } from './ledger.ts';
import { parsePromotion } from './promotion.ts';

const hash = (text: string) => createHash('sha256').update(text).digest('hex');

/** Of ten Applications in three environments, as the operator writes it: no two have a digest in common. */
function recordOf(index: number): LedgerRecord {
  const application = `podinfo-${index % 10}`;
  const environment = ['dev', 'staging', 'prod'][index % 3] ?? '';
  const startedAt = new Date(Date.parse('2026-11-29T00:00:00Z') + index * 576_123).toISOString();
  const id = 1 + Math.floor(index / 30);
  const promotion = parsePromotion({
    apiVersion: 'towpath.dev/v1alpha1',
    kind: 'Promotion',
    metadata: { name: `${application}-${environment}-${id}`, namespace: 'shop', uid: randomUUID() },
    spec: {
      type: 'Promote',
      application,
      environment,
      candidate: `sha256:${hash(`candidate ${index}`)}`,
      requestedBy: 'towpath:Promotion',
      deployment: { applicationUID: `${hash(application)}`.slice(0, 36), id, startedAt },
    },
    status: {
      phase: 'Succeeded',
      message: 'the password is hunter2',
      deployment: id,
      requestedAt: startedAt,
      startedAt,
      deployedAt: startedAt,
      finishedAt: startedAt,
      digest: `sha256:${hash(`digest ${index}`)}`,
      revision: hash(`revision ${index}`).slice(0, 40),
      summary: { revision: 'main@4f2c81a' },
      chart: 'podinfo-6.7.0',
      appVersion: '6.7.0',
      previous: { digest: `sha256:${hash(`digest ${index - 30}`)}`, revision: hash(`${index}`).slice(0, 40) },
    },
  });
  assert.ok(promotion);
  const record = ledgerRecord(promotion);
  assert.ok(record);
  return record;
}

test('a ConfigMap of 64 KB has 240 records or more, each with all that at answers with', (t) => {
  const records = Array.from({ length: 240 }, (_, index) => recordOf(index));
  const text = ledgerText(records);
  assert.deepEqual(ledgerRecords(text), { records, unreadable: 0 });
  const bytes = gzipSync(text).toString('base64').length;
  t.diagnostic(`${(bytes / records.length).toFixed(0)} bytes a record, as docs/ledger.md has it`);
  assert.ok(bytes <= 64 * 1024, `${bytes} bytes`);
});

test('S5: the archive has no message, which could hold something of a Secret', () => {
  assert.doesNotMatch(ledgerText([recordOf(1)]), /hunter2|message/);
});

test('a line that cannot be read takes none of the others with it', () => {
  const [first, second] = [recordOf(1), recordOf(2)];
  const text = `${ledgerText([first])}{"uid":1}\nnonsense\n${ledgerText([second])}`;
  assert.deepEqual(ledgerRecords(text), { records: [first, second], unreadable: 2 });
});
