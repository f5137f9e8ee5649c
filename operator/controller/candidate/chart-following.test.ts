import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TowpathError } from '../../api/errors.ts';
import type { Application } from '../../api/v1alpha1/application.ts';
import { ChartVersions, type WatchedChart } from '../../source/charts/chart-versions.ts';
import { ChartFollowing } from './chart-following.ts';

const never = new AbortController().signal;
const NOTHING = new Map();

function following() {
  const told: string[] = [];
  const watched: { version: string; error?: TowpathError; polls: number; runs: (string | undefined)[] } = {
    version: '1.0.0',
    polls: 0,
    runs: [],
  };
  const range: WatchedChart = {
    resolve: async (_signal, runs) => {
      watched.runs.push(runs);
      return watched.version;
    },
    poll: async () => {
      watched.polls += 1;
    },
    get error() {
      return watched.error;
    },
    checkedAt: performance.now(),
  };
  const subscribers = new Map<string, () => void>();
  const charts = new ChartFollowing({
    chartVersions: {
      watch: (subscriber, _chart, _interval, onChange) => {
        subscribers.set(subscriber, onChange);
        return range;
      },
      unwatch: (subscriber) => void subscribers.delete(subscriber),
    },
    onChange: (application) => told.push(application),
  });
  return { charts, watched, subscribers, told };
}

function input(version: string, secretRef: object = {}, kept: { published?: object }[] = []) {
  const chart = { repoURL: 'https://charts.example.com', name: 'web', version, interval: '5m', ...secretRef };
  const application = { metadata: { namespace: 'shop', name: 'web' }, spec: { helm: { chart } } };
  return { key: 'shop/web', application: application as unknown as Application, kept } as Parameters<
    ChartFollowing['follow']
  >[0];
}

test('an exact version is what it says, and nobody is asked', async () => {
  const { charts, subscribers } = following();
  const one = input('1.2.3');
  const followed = charts.follow(one, NOTHING);
  assert.ok(followed);
  assert.equal(await charts.resolve(one, followed, 'now', never), '1.2.3');
  assert.equal(subscribers.size, 0);
  assert.ok(charts.hasAnswered(one.key, 'now'));
});

test('a range is what its repository told last, and asked for once for each request', async () => {
  const { charts, watched, subscribers, told } = following();
  const one = input('^1.0.0');
  const followed = charts.follow(one, NOTHING);
  assert.ok(followed);
  assert.equal(await charts.resolve(one, followed, undefined, never), '1.0.0');
  assert.equal(watched.polls, 0);
  assert.ok(!charts.hasAnswered(one.key, 'now'));
  watched.version = '1.1.0';
  for (let looks = 0; looks < 2; looks++)
    assert.equal(await charts.resolve(one, followed, 'now', never), '1.1.0');
  assert.equal(watched.polls, 1);
  assert.ok(charts.hasAnswered(one.key, 'now'));
  subscribers.get(one.key)?.();
  assert.deepEqual(told, ['shop/web']);
  charts.follow(input('1.1.0'), NOTHING);
  assert.equal(subscribers.size, 0, 'an exact version in its place ends the polls');
});

test('what runs of the same chart is told, so that a version that vanished takes nobody back', async () => {
  const { charts, watched } = following();
  for (const [name, expected] of [
    ['web', '1.5.0'],
    ['other', undefined],
  ] as const) {
    const published = { repository: 'https://charts.example.com', name, version: '1.5.0', digest: '' };
    const one = input('^1.0.0', {}, [{ published }]);
    const followed = charts.follow(one, NOTHING);
    assert.ok(followed);
    await charts.resolve(one, followed, undefined, never);
    assert.equal(watched.runs.at(-1), expected);
  }
});

test('where the record has nothing of what runs, the status tells which version it is', async () => {
  const { charts, watched } = following();
  for (const [repoURL, expected] of [
    ['https://charts.example.com', '1.5.0'],
    ['https://other.example.com', undefined],
  ] as const) {
    const one = input('^1.0.0');
    one.application.status = { source: { chart: { repoURL, name: 'web', version: '1.5.0', digest: '' } } };
    const followed = charts.follow(one, NOTHING);
    assert.ok(followed);
    await charts.resolve(one, followed, undefined, never);
    assert.equal(watched.runs.at(-1), expected);
  }
});

test('errors name where the spec has the chart', async () => {
  const { charts, watched, subscribers } = following();
  const one = input('^1.0.0');
  const followed = charts.follow(one, NOTHING);
  assert.ok(followed);
  watched.error = new TowpathError(
    'Person',
    'AuthenticationFailed',
    'It wants a credential. Name a Secret with one in spec.helm.registries.',
  );
  const message = 'It wants a credential. Name a Secret with one in spec.helm.chart.secretRef.';
  assert.equal(charts.error(one.key)?.message, message);
  await assert.rejects(charts.resolve(one, followed, undefined, never), { message });
  assert.throws(() => charts.follow(input('^1.0.0', { secretRef: { name: 'gone' } }), NOTHING), {
    reason: 'SecretMissing',
    message: /which spec\.helm\.chart\.secretRef names/,
  });
  assert.equal(subscribers.size, 0, 'nothing is asked with what was taken back');
});

test('a version that no status has room for is refused', async () => {
  const { charts } = following();
  const one = input(`1.0.0-${'a'.repeat(80)}`);
  const followed = charts.follow(one, NOTHING);
  assert.ok(followed);
  await assert.rejects(charts.resolve(one, followed, undefined, never), {
    reason: 'ChartNotFound',
    message: /more than 40 characters/,
  });
});

test('that a range has no version is an answer to a request; that its repository says nothing is none', async () => {
  const failing = { none: true };
  const versions = new ChartVersions({
    charts: {
      list: async () => {
        if (!failing.none) throw new TowpathError('Person', 'AuthenticationFailed', 'Who are you?');
        const highest = async () => {
          throw new TowpathError('Person', 'ChartNotFound', 'It has no version ^9.0.0.');
        };
        return { state: 'as it is', highest };
      },
    },
  });
  const charts = new ChartFollowing({ chartVersions: versions, onChange: () => undefined });
  const one = input('^9.0.0');
  const followed = charts.follow(one, NOTHING);
  assert.ok(followed);
  await assert.rejects(charts.resolve(one, followed, 'now', never), { reason: 'ChartNotFound' });
  assert.ok(charts.hasAnswered(one.key, 'now'));
  failing.none = false;
  await assert.rejects(charts.resolve(one, followed, 'later', never), { reason: 'AuthenticationFailed' });
  assert.ok(!charts.hasAnswered(one.key, 'later'));
  charts.stopPolling();
  await versions.stop();
});
