import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Dependency } from '../gate.ts';
import { dependencies } from './dependencies.ts';

const NOTHING = { now: new Date(0), freezes: [], openings: [], approvals: [] };

function gateOf(...all: readonly Dependency[]) {
  return dependencies({ ...NOTHING, environment: 'prod', dependencies: all });
}

const APPLICATION = 'shop/database';

test('what depends on a version waits for that, and is told which there is and whether one comes', () => {
  const version = { wanted: '>=2.0', runs: '1.9.0' };
  const gate = gateOf({ application: APPLICATION, state: 'OtherVersion', version });
  assert.equal(gate?.reason, 'DependencyVersion');
  assert.equal(gate.standing, 'Waiting');
  assert.match(
    gate.message,
    /^Application shop\/database runs version 1\.9\.0 of its chart in environment prod, /,
  );
  assert.match(gate.message, /dependsOn wants >=2\.0: /);
  const coming = gateOf({
    application: APPLICATION,
    state: 'OtherVersion',
    version: { ...version, waits: '2.0.1' },
  });
  assert.match(coming?.message ?? '', /wants >=2\.0, and 2\.0\.1 waits to enter there:/);
  const none = gateOf({
    application: APPLICATION,
    state: 'OtherVersion',
    version: { wanted: '>=2.0', runs: undefined },
  });
  assert.match(none?.message ?? '', /runs no chart with a version in environment prod/);
});

test('A22: a version that is wanted and not verified yet, or failed at that, is waited for', () => {
  const version = { wanted: '>=2.0', runs: '2.0.1' };
  const verifies = gateOf({
    application: APPLICATION,
    state: 'OtherVersion',
    version: { ...version, verify: 'UnderWay' },
  });
  assert.equal(verifies?.reason, 'DependencyVersion');
  assert.equal(verifies.standing, 'Waiting');
  assert.match(verifies.message, /database verifies version 2\.0\.1 of its chart in environment prod/);
  const failed = gateOf({
    application: APPLICATION,
    state: 'OtherVersion',
    version: { ...version, verify: 'Failed', waits: '2.0.2' },
  });
  assert.match(failed?.message ?? '', /failed when it was verified, and 2\.0\.2 waits to enter there:/);
});

test('long versions are cut, so that there is room for the rest', () => {
  const version = { wanted: '>=2.0 '.repeat(21), runs: `1.0.0-${'a'.repeat(200)}`, waits: '2'.repeat(200) };
  const { message = '' } = gateOf({ application: APPLICATION, state: 'OtherVersion', version }) ?? {};
  assert.ok(message.length <= 256 && message.endsWith('it goes on when that runs there.'), message);
  for (const verify of ['UnderWay', 'Failed'] as const) {
    const its = gateOf({ application: APPLICATION, state: 'OtherVersion', version: { ...version, verify } });
    assert.ok((its?.message ?? '').length <= 300, its?.message);
  }
});

test('one that is not Ready is told before any version, and what is Ready is in nobody’s way', () => {
  const ready = { application: APPLICATION, state: 'Ready' } as const;
  assert.equal(gateOf(ready), undefined);
  assert.equal(gateOf(ready, { application: 'shop/cache', state: 'NotReady' })?.reason, 'DependencyNotReady');
});
