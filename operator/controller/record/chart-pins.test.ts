import assert from 'node:assert/strict';
import { test } from 'node:test';
import { arePinned, type ChartPin, pinnedRepository, pinOf, pinOfRange, withPins } from './chart-pins.ts';

const pin = (version: string, more: Partial<ChartPin> = {}): ChartPin => ({
  repository: 'https://charts.example.com/acme',
  name: 'redis',
  version,
  digest: 'ab'.repeat(32),
  ...more,
});

test('S9: a chart is found by name, version and repository, however that is written', () => {
  const pins = [pin('1.0.0'), pin('2.0.0')];
  for (const repository of [
    'https://charts.example.com/acme',
    'https://charts.example.com/acme//',
    'HTTPS://Charts.Example.com:443/acme/',
  ])
    assert.equal(pinOf(pins, pin('2.0.0', { repository })), pins[1], repository);
  const oci = pin('2.0.0', { repository: pinnedRepository('oci://ghcr.io/acme') });
  for (const repository of ['oci://ghcr.io/acme/', 'OCI://GHCR.io:443/acme'])
    assert.equal(pinOf([oci], pin('2.0.0', { repository })), oci, repository);
  assert.equal(pinOf([oci], pin('2.0.0', { repository: 'oci://ghcr.io/acme2' })), undefined);
  assert.equal(pinnedRepository('https://me:secret@X.example/a/'), 'https://me:secret@x.example/a');
  for (const other of [
    pin('3.0.0'),
    pin('1.0.0', { name: 'redis2' }),
    pin('1.0.0', { repository: 'https://x.example' }),
  ])
    assert.equal(pinOf(pins, other), undefined);
});

test('S9: those that are used are remembered before those of long ago', () => {
  const versions = (pins: readonly ChartPin[]) => pins.map(({ version }) => version);
  assert.deepEqual(versions(withPins([pin('1'), pin('2')], [pin('2'), pin('3')])), ['2', '3', '1']);
  const [exact, ranged] = [pin('7.2.1'), pin('7.2.1', { range: '^7.0.0' })];
  assert.deepEqual(withPins([ranged], [exact]), [exact, ranged], 'what a range came to is not forgotten');
  assert.equal(pinOfRange([exact, ranged], pin('^7.0.0')), ranged);
  assert.ok(!arePinned([exact], [ranged]));
  let pins: readonly ChartPin[] = [];
  for (let at = 0; at < 300; at += 1) pins = withPins(pins, [pin('0'), pin(String(at))]);
  assert.equal(pins.length, 200);
  assert.ok(arePinned(pins, [pin('0'), pin('299')]));
  assert.ok(!arePinned(pins, [pin('0'), pin('50')]));
});
