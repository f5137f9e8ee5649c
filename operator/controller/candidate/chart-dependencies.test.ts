import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { TowpathError } from '../../api/errors.ts';
import { type ChartReference, MissingCharts } from '../../render/renderer.ts';
import {
  type ChartFetcher,
  type FetchTerms,
  fetchedCharts,
  notWhatItSays,
  rangeWarnings,
} from './chart-dependencies.ts';
import { FoundMemory } from './found-charts.ts';
import { RangeMemory } from './settled-ranges.ts';

const never = new AbortController().signal;
const terms: FetchTerms = {
  allowed: undefined,
  patience: 'Unlimited',
  tenant: 'shop',
  pins: [],
  found: { find: () => undefined, note: () => undefined },
  ranges: new RangeMemory().of('shop/web', []),
  credentialFor: () => undefined,
};
const resolve = () => assert.fail('a version is no range');

const of = (repository: string, name = 'redis'): ChartReference => ({ name, version: '1.0.0', repository });

/** Notes what it is asked for, and brings it. */
function noting(): ChartFetcher & { asked: string[] } {
  const asked: string[] = [];
  return {
    asked,
    resolve,
    fetch: async ({ repository, name, version }) => {
      asked.push(repository);
      return { name, version, digest: '', data: Buffer.alloc(0) };
    },
  };
}

describe('charts that a render lacks', () => {
  test('S17: are asked of no repository that the Environment does not take', async () => {
    const judged = async (allowed: readonly string[] | undefined, ...repositories: string[]) => {
      const fetcher = noting();
      const fetching = fetchedCharts(
        fetcher,
        repositories.map((each) => of(each)),
        { ...terms, allowed },
        never,
      );
      const refused = await fetching.then(
        () => false,
        (error: TowpathError) => {
          assert.doesNotMatch(error.message, /secret/);
          return error.reason === 'RepositoryNotAllowed' || error.reason === 'ChartRepositoryInvalid';
        },
      );
      assert.equal(fetcher.asked.length, refused ? 0 : repositories.length);
      return !refused;
    };
    const [good, evil] = ['https://charts.example.com', 'https://evil.example'];
    assert.ok(await judged(undefined, good, evil));
    assert.ok(!(await judged([], good)));
    assert.ok(await judged(['https://charts.example.com/**'], good, `${good}/`, `${good}/acme`));
    assert.ok(!(await judged(['https://charts.example.com/**'], good, evil)));
    assert.ok(await judged(['https://charts.example.com/acme'], `${good}/acme`));
    assert.ok(!(await judged(['https://charts.example.com/acme'], `${good}/other`, `${good}/acme`)));
    assert.ok(!(await judged(['https://charts.example.com/acme/*'], `${good}/acme/../other`)));
    // To Git one repository, to a server of files two.
    for (const end of ['.git', '.git/', '%2Egit'])
      assert.ok(!(await judged(['https://charts.example.com/acme'], `${good}/acme${end}`)), end);
    assert.ok(!(await judged(['https://charts.example.com/**'], 'https://me:secret@charts.example.com/x')));
    assert.ok(
      !(await judged(['https://charts.example.com/**'], 'https://charts.example.com@evil.example/x')),
    );
  });

  test('S4: are asked of a registry to which an index leads with what is named for that', async () => {
    const credentials: unknown[] = [];
    const fetcher: ChartFetcher = {
      resolve,
      fetch: async ({ name, version }, _signal, credential, credentialFor) => {
        credentials.push(credential, credentialFor('oci://ghcr.io/acme/redis'));
        return { name, version, digest: '', data: Buffer.alloc(0) };
      },
    };
    const credentialFor = (repository: string) => ({ username: 'me', password: repository });
    await fetchedCharts(fetcher, [of('https://x.example')], { ...terms, credentialFor }, never);
    assert.deepEqual(credentials, [
      credentialFor('https://x.example'),
      credentialFor('oci://ghcr.io/acme/redis'),
    ]);
  });

  test('A4: that do not come keep a look at what runs for seconds only', async () => {
    const silent: ChartFetcher = {
      resolve,
      fetch: (_chart, signal) =>
        new Promise((_, reject) => {
          signal.addEventListener('abort', () => reject(signal.reason));
        }),
    };
    const given = new AbortController();
    const waiting = fetchedCharts(silent, [of('https://x.example')], terms, given.signal);
    given.abort(new Error('no longer wanted'));
    await assert.rejects(waiting, /no longer wanted/);
    const began = performance.now();
    await assert.rejects(
      fetchedCharts(silent, [of('https://x.example')], { ...terms, patience: 'Limited' }, never),
      {
        reason: 'Timeout',
        remedy: 'Time',
        message: /https:\/\/x\.example has not answered for 3 s/,
      },
    );
    assert.ok(performance.now() - began < 20_000);
  });

  test('A4: come in the end though each try ends after one of them, each from where the one before ended', async () => {
    const names = ['one', 'two', 'three', 'four', 'five'];
    const memory = new FoundMemory();
    const asked: string[] = [];
    const tried = (application: string) => {
      let answers = 1;
      const slow: ChartFetcher = {
        resolve,
        fetch: async ({ name, version, digest }) => {
          if (digest === undefined) asked.push(name);
          if (digest === undefined && answers-- === 0)
            throw new TowpathError('Time', 'Timeout', 'It has not answered.');
          return { name, version, digest: `digest of ${name}`, data: Buffer.alloc(0) };
        },
      };
      const charts = names.map((name) => of('https://x.example', name));
      return fetchedCharts(slow, charts, { ...terms, found: memory.of(application) }, never);
    };
    for (let tries = 1; tries < names.length; tries++)
      await assert.rejects(tried('shop/web'), { reason: 'Timeout' });
    const { pins } = await tried('shop/web');
    assert.deepEqual(
      pins.map(({ name, digest }) => [name, digest]),
      names.map((name) => [name, `digest of ${name}`]),
    );
    assert.deepEqual(asked, ['one', 'two', 'two', 'three', 'three', 'four', 'four', 'five', 'five']);
    await assert.rejects(tried('shop/other'), { reason: 'Timeout' }, 'another one finds out by itself');
  });

  test('S9: are no more than 50', async () => {
    const fetcher = noting();
    const many = Array.from({ length: 51 }, (_, index) => of('https://x.example', `redis-${index}`));
    await assert.rejects(fetchedCharts(fetcher, many, terms, never), {
      reason: 'ChartInvalid',
      message: /51 dependencies .* at most 50/,
    });
    assert.equal(fetcher.asked.length, 0);
  });

  test('S9: are fetched one after the other, and no more of them than a render reads', async () => {
    let underWay = 0;
    const fetched: string[] = [];
    const large: ChartFetcher = {
      resolve,
      fetch: async ({ name, version }) => {
        underWay += 1;
        assert.equal(underWay, 1);
        await Promise.resolve();
        underWay -= 1;
        fetched.push(name);
        return { name, version, digest: '', data: Buffer.alloc(15 * 2 ** 20) };
      },
    };
    const four = ['one', 'two', 'three', 'four'].map((name) => of('https://x.example', name));
    await assert.rejects(fetchedCharts(large, four, terms, never), {
      reason: 'ChartTooLarge',
      message: /^The dependencies up to three 1\.0\.0 are archives of more than 32 MiB together/,
    });
    assert.deepEqual(fetched, ['one', 'two', 'three']);
  });

  test('S9: are refused where they are others than before under the same version, with both digests', async () => {
    const [before, now] = ['ab'.repeat(32), 'cd'.repeat(32)];
    const [repository, chart] = ['https://x.example/charts', of('https://x.example/charts')];
    const told: (string | undefined)[] = [];
    const fetcher: ChartFetcher = {
      resolve,
      fetch: async ({ name, version, digest }) => {
        told.push(digest);
        return { name, version, digest: now, data: Buffer.alloc(0) };
      },
    };
    const { pins } = await fetchedCharts(fetcher, [chart], terms, never);
    assert.deepEqual(pins, [{ ...chart, digest: now }]);
    const pinned = (digest: string) => ({ ...terms, pins: [{ ...chart, repository, digest }] });
    assert.equal((await fetchedCharts(fetcher, [chart], pinned(now), never)).archives.length, 1);
    await assert.rejects(fetchedCharts(fetcher, [of(`${repository}/`)], pinned(before), never), {
      reason: 'ChartReplaced',
      remedy: 'Person',
      message: new RegExp(`has the digest sha256:${now}, and had sha256:${before} .* is not used`),
    });
    assert.deepEqual(told, [undefined, now, before], 'what it was is told to who fetches it');
  });

  test('of a range stay the version that it came to first, and that is told', async () => {
    let highest = '7.2.1';
    const resolved: string[] = [];
    const fetcher: ChartFetcher = {
      resolve: async ({ version }) => {
        resolved.push(version);
        return highest;
      },
      fetch: async ({ name, version, isRange }) => {
        assert.equal(isRange, undefined);
        if (version === '7.2.9') throw new TowpathError('Person', 'ChartNotFound', 'It is gone.');
        return { name, version, digest: version, data: Buffer.alloc(0) };
      },
    };
    const memory = new RangeMemory();
    const range: ChartReference = { ...of('https://x.example'), version: '^7.0.0', isRange: true };
    const fetched = (asked = range, pins: FetchTerms['pins'] = []) =>
      fetchedCharts(fetcher, [asked], { ...terms, pins, ranges: memory.of('shop/web', pins) }, never);
    const first = await fetched();
    assert.deepEqual(first.pins, [
      { repository: 'https://x.example', name: 'redis', version: '7.2.1', digest: '7.2.1', range: '^7.0.0' },
    ]);
    assert.match(
      rangeWarnings(first.pins).join(),
      /^no Chart\.lock says .* redis \^7\.0\.0 .* 7\.2\.1 is used/,
    );
    highest = '7.2.9';
    assert.equal((await fetched()).archives[0]?.version, '7.2.1');
    memory.clear();
    assert.equal((await fetched(range, first.pins)).archives[0]?.version, '7.2.1', 'also in another process');
    assert.deepEqual(resolved, ['^7.0.0']);
    await assert.rejects(fetched({ ...range, version: '^7.1.0' }), { reason: 'ChartNotFound' });
    highest = '7.3.0';
    assert.equal((await fetched({ ...range, version: '^7.1.0' })).archives[0]?.version, '7.3.0');
    assert.deepEqual(rangeWarnings((await fetched(of('https://x.example'))).pins), []);
  });

  test('D14: of a tag that was a range to an earlier build stay what that came to, and are checked against that', async () => {
    const repository = 'oci://x.example/charts';
    const before = { repository, name: 'redis', digest: 'before' };
    const pins = [
      { ...before, version: '1.2.0', range: 'v1.2.0' },
      { ...before, version: '1.3.7', range: '1.3' },
    ];
    const fetched = (version: string, digest: string) => {
      const fetch: ChartFetcher['fetch'] = async (chart) => ({ ...chart, digest, data: Buffer.alloc(0) });
      return fetchedCharts({ resolve, fetch }, [{ ...of(repository), version }], { ...terms, pins }, never);
    };
    for (const [version, warnings] of [
      ['v1.2.0', []],
      ['1.3', [/ 1\.3 is meant; 1\.3\.7 is used/]],
    ] as const) {
      const { pins: used } = await fetched(version, 'before');
      assert.deepEqual(
        used,
        pins.filter(({ range }) => range === version),
      );
      const told = rangeWarnings(used);
      assert.equal(told.length, warnings.length);
      for (const warning of warnings) assert.match(told.join(), warning);
      await assert.rejects(fetched(version, 'other'), { reason: 'ChartReplaced' });
    }
    assert.equal((await fetched('v1.4.0', 'other')).archives[0]?.version, 'v1.4.0');
  });

  test('of a version with a v in an index are told as open only where that came to one of its builds', () => {
    const pin = { repository: 'https://x.example', name: 'redis', digest: '', range: 'v1.2.3' };
    const warned = (version: string) => rangeWarnings([{ ...pin, version }]);
    assert.deepEqual([...warned('1.2.3'), ...warned('v1.2.3')], []);
    assert.match(warned('1.2.3+up4.5.6').join(), /redis v1\.2\.3 is meant; 1\.2\.3\+up4\.5\.6 is used/);
  });

  test('that lack something still are told by what was published', () => {
    const told = notWhatItSays(new MissingCharts('', [], [of('https://x.example')]));
    assert.ok(told instanceof TowpathError);
    assert.equal(told.reason, 'ChartArchiveInvalid');
    assert.match(told.message, /redis 1\.0\.0 holds another chart/);
    const other = new Error('other');
    assert.equal(notWhatItSays(other), other);
  });
});
