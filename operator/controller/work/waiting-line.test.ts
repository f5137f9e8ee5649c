import assert from 'node:assert/strict';
import { test } from 'node:test';
import { WaitingLine } from './waiting-line.ts';

const EVERYBODY = (_tenant: string): boolean => true;

function line(...keys: readonly string[]): WaitingLine {
  const subject = new WaitingLine((key) => key.split('/', 1)[0] ?? '');
  for (const key of keys) subject.add(key, 'InTurn');
  return subject;
}

function drain(subject: WaitingLine, mayServe = EVERYBODY): string[] {
  const keys: string[] = [];
  for (let key = subject.next(mayServe); key !== undefined; key = subject.next(mayServe)) keys.push(key);
  return keys;
}

test('A3: tenants are served in turn, and the keys of each in order', () => {
  const subject = line('shop/1', 'shop/2', 'shop/3', 'bank/1', 'bank/2');
  assert.equal(subject.size, 5);
  assert.deepEqual(drain(subject), ['shop/1', 'bank/1', 'shop/2', 'bank/2', 'shop/3']);
  assert.equal(subject.size, 0);
});

test('A3: what is first goes before what waits in turn, tenant by tenant, too', () => {
  const subject = line('shop/1', 'shop/2', 'bank/1');
  for (const key of ['shop/a', 'shop/b', 'bank/a']) subject.add(key, 'First');
  assert.deepEqual(drain(subject).slice(0, 3), ['shop/a', 'bank/a', 'shop/b']);
});

test('A3: a key that waits is brought forward, and waits once', () => {
  const subject = line('shop/1', 'shop/2', 'shop/3');
  subject.bringForward('shop/3');
  subject.bringForward('shop/3');
  subject.bringForward('shop/unknown');
  assert.equal(subject.size, 3);
  assert.deepEqual(drain(subject), ['shop/3', 'shop/1', 'shop/2']);
});

test('A3: however many are first, what waits in turn is one of four', () => {
  const subject = line('shop/1', 'shop/2');
  const first = Array.from({ length: 8 }, (_, index) => `shop/first-${index}`);
  for (const key of first) subject.add(key, 'First');
  const order = drain(subject);
  assert.deepEqual([order.indexOf('shop/1'), order.indexOf('shop/2')], [3, 7]);
  for (const key of first) subject.add(key, 'First');
  subject.add('shop/3', 'InTurn');
  assert.equal(drain(subject).indexOf('shop/3'), 3, 'those that went alone are not counted');
});

test('A3: a tenant that may not be served keeps its place, and holds up nobody', () => {
  const subject = line('shop/1', 'bank/1');
  subject.add('shop/a', 'First');
  assert.deepEqual(
    drain(subject, (tenant) => tenant === 'bank'),
    ['bank/1'],
  );
  assert.deepEqual(drain(subject), ['shop/a', 'shop/1']);
});
