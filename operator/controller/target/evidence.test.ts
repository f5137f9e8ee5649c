import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Evidence, type Shown } from './evidence.ts';

const place = (environment: string) => ({
  name: `shop/web/${environment}`,
  application: 'shop/web',
  environment,
});
const HEALTHY: Shown = { asked: 'a', digest: 'd', health: 'Healthy' };

test('who asked how an environment is, is woken when that changes, and by nothing else', () => {
  const woken: string[] = [];
  const evidence = new Evidence((target) => woken.push(target));
  assert.equal(evidence.of(place('prod'), 'staging'), undefined);
  evidence.note(place('staging'), HEALTHY);
  evidence.note(place('staging'), { ...HEALTHY });
  assert.deepEqual(woken, ['shop/web/prod']);
  assert.deepEqual(evidence.of(place('prod'), 'staging'), HEALTHY);
  evidence.note(place('staging'), { ...HEALTHY, health: 'NotHealthy' });
  evidence.note(place('staging'), undefined);
  assert.equal(woken.length, 3);
  assert.equal(evidence.of(place('prod'), 'staging'), undefined);
  evidence.forgetTarget(place('prod'));
  evidence.note(place('staging'), HEALTHY);
  assert.equal(woken.length, 3);
});

test('who may have stayed for a target is woken when that has what it waited for', () => {
  const woken: string[] = [];
  new Evidence((target) => woken.push(target)).release(place('prod'), ['staging', 'load']);
  assert.deepEqual(woken, ['shop/web/staging', 'shop/web/load']);
});

test('A14: who stays for a target is woken when what waits there stands otherwise, and not when something else waits', () => {
  const woken: string[] = [];
  const evidence = new Evidence((target) => woken.push(target));
  const note = (standing: Readonly<Record<string, string>>) =>
    evidence.noteStanding(place('prod'), new Map(Object.entries(standing)), ['staging']);
  note({ a: 'Now' });
  note({ a: 'Now', b: 'Other' });
  note({ b: 'Other' });
  note({});
  note({ b: 'Now' });
  assert.deepEqual(woken, []);
  note({ b: 'Other' });
  assert.deepEqual(woken, ['shop/web/staging']);
  evidence.forgetTarget(place('prod'));
  note({ b: 'Now' });
  assert.equal(woken.length, 1);
});

test('A10: checks that are asked for wake where they run, once for the same manifests, until they are begun', () => {
  const woken: string[] = [];
  const evidence = new Evidence((target) => woken.push(target));
  const ask = (digest: string) => evidence.awaitChecks(place('prod'), 'staging', digest);
  ask('d');
  ask('d');
  assert.deepEqual(woken, ['shop/web/staging']);
  assert.equal(evidence.areChecksAwaited(place('staging'), 'd'), true);
  assert.equal(evidence.areChecksAwaited(place('staging'), 'e'), false);
  evidence.checksBegun(place('staging'));
  assert.equal(evidence.areChecksAwaited(place('staging'), 'd'), false);
  ask('d');
  assert.equal(woken.length, 2);
  evidence.forgetAll();
  assert.equal(evidence.areChecksAwaited(place('staging'), 'd'), false);
});
