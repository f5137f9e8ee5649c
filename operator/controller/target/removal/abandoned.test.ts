import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Deployment, newRecord, type TargetRecord } from '../../record/record.ts';
import { howToAbandon, isAbandoned, isOutdated, noteAbandoned, whyOutdated } from './abandoned.ts';
import { leftBehind } from './left-behind.ts';

const EU = { id: 'i', name: 'shop/web/eu', application: 'shop/web', environment: 'eu' };

function isLetGo(abandoned: string | undefined, record: TargetRecord | undefined): boolean {
  return isAbandoned({ get: () => record }, { ...EU, settings: { abandoned } });
}

test('D11: what an annotation said before something was deployed lets go of nothing that came since', () => {
  const record = newRecord(EU);
  assert.equal(isLetGo('eu', undefined), true);
  assert.equal(isLetGo('eu', record), true);
  assert.equal(isLetGo(undefined, record), false);
  noteAbandoned(record, { abandoned: 'eu' });
  assert.equal(isLetGo('eu', record), false);
  assert.equal(isLetGo('eu=again', record), true, 'said anew');
  noteAbandoned(record, { abandoned: undefined });
  assert.equal(isLetGo('eu', record), true, 'it was taken away, and came after that');
});

test('D11: a removal that is stuck says what to annotate, also where that stands there from before', () => {
  const record = newRecord(EU);
  const fresh = ' To leave the objects: annotate towpath.dev/abandon=eu.';
  assert.deepEqual([howToAbandon('eu', undefined), howToAbandon('eu', record)], [fresh, fresh]);
  record.deployment = { startedAt: '2026-11-30T10:00:00.000Z' } as Deployment;
  noteAbandoned(record, { abandoned: 'eu' });
  const told = howToAbandon('eu', record);
  const [, value] = /towpath\.dev\/abandon=(\S+) \(/.exec(told) ?? [];
  assert.equal(value, 'eu=2026-11-30T10:00:00.000Z', told);
  assert.equal(isLetGo(value, record), true);
});

test('D3, D11: what counts no more is told apart from what nobody wrote, with what to write in its place', () => {
  const record = newRecord(EU);
  const isSaidBefore = (abandoned: string | undefined) =>
    isOutdated({ get: () => record }, { ...EU, settings: { abandoned } });
  assert.deepEqual([isSaidBefore('eu'), isSaidBefore(undefined)], [false, false]);
  noteAbandoned(record, { abandoned: 'eu' });
  assert.deepEqual([isSaidBefore('eu'), isSaidBefore(undefined)], [true, false]);
  record.deployment = { startedAt: '2026-11-30T10:00:00.000Z' } as Deployment;
  const [, value = ''] = /write (\S+) there/.exec(whyOutdated('eu', record)) ?? [];
  assert.equal(value, 'eu=2026-11-30T10:00:00.000Z');
  assert.equal(isSaidBefore(value), false);
  assert.equal(isLetGo(value, record), true);
});

test('D11: what stays of a target is where it wrote, but for a namespace that goes', () => {
  const kind = (namespace: string) => ({ group: '', kind: 'ConfigMap', namespace });
  const record = { kinds: [kind('shop'), kind('shop-eu'), kind('shop'), kind('')] };
  assert.deepEqual(leftBehind('Leaving', record, 'shop')?.namespaces, ['-', 'shop-eu']);
  assert.equal(leftBehind('Leaving', { kinds: [kind('shop')] }, 'shop'), undefined);
});
