import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { compareVersions, parseRange, parseVersion } from './semver.ts';

function version(text: string) {
  const parsed = parseVersion(text);
  assert.ok(parsed, text);
  return parsed;
}

describe('a version', () => {
  it('is ordered as semver.org says', () => {
    const ordered = [
      '0.9.0',
      'v1.0.0-alpha',
      '1.0.0-alpha.1',
      '1.0.0-alpha.beta',
      '1.0.0-beta',
      '1.0.0-beta.2',
      '1.0.0-beta.11',
      '1.0.0-rc.1',
      '1.0.0',
      'v1.2.0',
      '1.10.0',
      '2.0.0',
    ];
    const shuffled = [...ordered].sort().sort((a, b) => compareVersions(version(a), version(b)));
    assert.deepEqual(shuffled, ordered);
    assert.equal(compareVersions(version('1.0.0+a'), version('v1.0.0+b')), 0);
  });

  it('is only what has three numbers', () => {
    for (const text of [
      '1.2',
      'v1',
      'release-1.2.3',
      '1.2.3.4',
      '',
      'latest',
      '1.2.x',
      `${'9'.repeat(20)}.0.0`,
    ]) {
      assert.equal(parseVersion(text), undefined, text);
    }
  });
});

describe('a range', () => {
  it('takes the versions that it says', () => {
    const cases: [range: string, inside: string, outside: string][] = [
      ['1.2.3', '1.2.3', '1.2.4 1.2.2 2.0.0'],
      ['=1.2.3', '1.2.3 1.2.3+build', '1.2.4'],
      ['!=1.2.3', '1.2.4 1.2.2', '1.2.3'],
      ['>1.2.3', '1.2.4 2.0.0', '1.2.3 1.0.0'],
      ['>=1.2', '1.2.0 9.0.0', '1.1.9'],
      ['<2', '1.9.9 0.0.1', '2.0.0 2.0.1'],
      ['<=1.2', '1.2.9 1.0.0', '1.3.0'],
      ['>1.2', '1.3.0', '1.2.9'],
      ['>=1.2.0 <2.0.0', '1.2.0 1.99.0', '2.0.0 1.1.0'],
      ['>=1.2.0, <2.0.0', '1.2.0', '2.0.0'],
      ['>= 1.2.0, < 2.0.0', '1.2.0', '2.0.0'],
      ['~1.2.3', '1.2.3 1.2.9', '1.3.0 1.2.2'],
      ['~1.2', '1.2.0 1.2.9', '1.3.0'],
      ['~1', '1.0.0 1.9.0', '2.0.0'],
      ['^1.2.3', '1.2.3 1.9.0', '2.0.0 1.2.2'],
      ['^0.2.3', '0.2.3 0.2.9', '0.3.0'],
      ['^0.0.3', '0.0.3', '0.0.4'],
      ['^0.0', '0.0.9', '0.1.0'],
      ['^0', '0.9.0', '1.0.0'],
      ['1.x', '1.0.0 1.9.9', '2.0.0 0.9.0'],
      ['1.2.*', '1.2.9', '1.3.0'],
      ['*', '0.0.1 9.9.9', '1.0.0-rc.1'],
      ['1.2 - 1.4', '1.2.0 1.4.9', '1.5.0 1.1.0'],
      ['1.2.0 - 1.4.0', '1.4.0', '1.4.1'],
      ['<1.0.0 || >=2.0.0', '0.9.0 2.1.0', '1.5.0'],
      ['>=1.0.0', '1.0.0', '2.0.0-rc.1'],
      ['>=1.0.0-0', '1.0.0-rc.1 2.0.0-rc.1 1.0.0', '0.9.0'],
      ['>=1.0.0-0 <2', '1.5.0-rc.1 2.0.0-rc.1 1.9.0', '2.0.0 2.0.1-rc.1'],
      ['>=1.0.0-0 <2.0.0-0', '1.5.0-rc.1 1.9.0', '2.0.0-rc.1 2.0.0'],
      ['>=1.0.0 <2', '1.5.0', '1.5.0-rc.1 2.0.0-rc.1'],
      ['<2 || 3.0.0-rc.1', '1.0.0 3.0.0-rc.1', '1.0.0-rc.1 3.0.0-rc.2'],
      ['*-0', '0.0.1 1.0.0-rc.1', ''],
      ['!=3 >=3.0.0-0', '4.0.0-rc.1', '3.0.0-rc.1 3.1.0'],
      [' 1.2 - 1.4 ', '1.2.0 1.4.9', '1.5.0 1.1.0'],
      ['1.2 - 1.4 <1.3', '1.2.9', '1.3.0'],
      ['>1.2.0,1.2 - 1.4', '1.2.1', '1.2.0 1.5.0'],
      ['>=1.2.0 , != 1.2.1', '1.2.0', '1.2.1'],
      ['^2.0.0-rc.1', '2.0.0-rc.2 2.0.0 2.1.0', '2.0.0-beta 3.0.0-rc.1'],
    ];
    for (const [text, inside, outside] of cases) {
      const range = parseRange(text);
      assert.ok(range, text);
      for (const each of inside.split(' ')) assert.ok(range(version(each)), `${each} in ${text}`);
      for (const each of outside.split(' ').filter(Boolean))
        assert.ok(!range(version(each)), `${each} not in ${text}`);
    }
  });

  it('is not every text', () => {
    const texts = ['', '  ', 'latest', '>', '1.2.3 ||', '^^1', '1.2.3.4', '>=a.b.c', '../1'];
    texts.push(
      '>=1.2 - 1.4',
      '1.2 - <1.4',
      '1.2 - 1.4 - 1.6',
      '1.2-',
      '1.2.3,',
      ',1.2',
      '>=1.2<2',
      '1.0.0-a..b',
    );
    for (const text of texts) {
      assert.equal(parseRange(text), undefined, text);
    }
  });
});
