import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Application } from '../../operator/api/v1alpha1/application.ts';
import { type ChartRepository, lockOf, startChartRepository } from '../harness/chart-repository.ts';
import { conditionOf, fastLease, newStage, type Stage } from '../harness/operator.ts';
import { environmentOf } from '../harness/target.ts';
import { eventually } from '../harness/wait.ts';

const configMap = (name: string, text: string) =>
  `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ${name}}\ndata: {text: "${text}"}\n`;

function redis(version: string, text = '{{ .Chart.Version }}'): Record<string, string> {
  return {
    'Chart.yaml': `apiVersion: v2\nname: redis\nversion: ${version}\n`,
    'templates/a.yaml': configMap('{{ .Release.Name }}-redis', text),
  };
}

/** A chart in a directory whose only dependency is published in the repository, and not in Git. */
async function dependent(
  repository: ChartRepository,
  directory: string,
  version: string,
): Promise<Record<string, string>> {
  const files = {
    'Chart.yaml': `apiVersion: v2\nname: ${directory}\nversion: 1.0.0\ndependencies:\n- {name: redis, version: ${version}, repository: "${repository.url}"}\n`,
    'templates/own.yaml': configMap(directory, version),
  };
  const all = { ...files, 'Chart.lock': await lockOf(repository, files) };
  return Object.fromEntries(Object.entries(all).map(([path, text]) => [`${directory}/${path}`, text]));
}

/** The same without a lock. */
function loose(repository: ChartRepository, range: string, name = 'loose'): Record<string, string> {
  return {
    [`${name}/Chart.yaml`]: `apiVersion: v2\nname: ${name}\nversion: 1.0.0\ndependencies:\n- {name: redis, version: ${range}, repository: "${repository.url}"}\n`,
    [`${name}/templates/own.yaml`]: configMap(name, range),
  };
}

const textOf = (stage: Stage, name: string) =>
  stage.kubectl('get', 'configmap', name, '-o', 'jsonpath={.data.text}');

test('A4: charts that Git does not have are fetched from their repository, and run on when it is gone', async (t) => {
  const published = await startChartRepository();
  t.after(() => published.stop());
  for (const version of ['1.0.0', '2.0.0']) await published.publish(redis(version));
  const [web, shop] = await Promise.all(
    ['web', 'shop'].map((directory) => dependent(published, directory, '1.0.0')),
  );
  published.requests.length = 0;
  const stage = await newStage(t, {
    files: { ...web, ...shop, ...loose(published, '^1.0.0') },
    flags: [...fastLease, `--ca-file=${published.caFile}`],
  });
  const first = await stage.deployed('web', { source: { path: 'web' } });
  await stage.deployed('shop', { source: { path: 'shop' } });
  await stage.deployed('loose', { source: { path: 'loose' } });

  await t.test('as the lock pins them, once for all Applications', async () => {
    assert.equal(await textOf(stage, 'web-redis'), '1.0.0');
    assert.equal(await textOf(stage, 'shop-redis'), '1.0.0');
    assert.equal(published.count('redis-1.0.0.tgz'), 1);
  });

  await t.test('a lock that does not fit Chart.yaml quarantines its commit', async () => {
    const { 'web/Chart.lock': _, ...newer } = await dependent(published, 'web', '2.0.0');
    await stage.repository.commit(newer);
    const told = await stage.until(
      'web',
      ({ status }) => status?.sync === 'Quarantined',
      'the lock to be refused',
    );
    assert.equal(conditionOf(told, 'Stalled')?.reason, 'ChartLockOutOfDate');
    assert.equal(await textOf(stage, 'web-redis'), '1.0.0');
  });

  const newer = await dependent(published, 'web', '2.0.0');
  published.intercept = (_request, response) => {
    response.writeHead(503).end();
    return true;
  };
  await t.test(
    'a repository that is down is told, and what runs is looked after, also after a restart',
    async () => {
      const revision = await stage.repository.commit(newer);
      const reason = 'ServerError';
      const isTold = () =>
        stage.until(
          'web',
          (application) => conditionOf(application, 'Reconciling')?.reason === reason,
          'the status to tell of the chart repository',
        );
      const told = await isTold();
      assert.match(
        conditionOf(told, 'Reconciling')?.message ?? '',
        / The chart repository at 127\.0\.0\.1:\d+ answers 503 for (index\.yaml|the archive)/,
      );
      assert.equal(environmentOf(told.status)?.revision, first);
      // Whom the commit does not change says so later: until then another process would find it out by a render.
      for (const name of ['shop', 'loose'])
        await stage.until(
          name,
          ({ status }) => environmentOf(status)?.revision === revision,
          `${name} to tell that the commit is what it runs`,
        );
      await stage.restart();
      await stage.kubectl('patch', 'configmap', 'web-redis', '-p', '{"data":{"text":"drift"}}');
      await eventually(async () => (await textOf(stage, 'web-redis')) === '1.0.0', {
        describe: 'the drift to be repaired',
      });
      assert.equal(conditionOf(await isTold(), 'Ready')?.status, 'True');
    },
  );

  await t.test('back, the newer one is deployed by itself', async () => {
    published.intercept = undefined;
    await eventually(async () => (await textOf(stage, 'web-redis')) === '2.0.0', {
      describe: 'the newer chart to be deployed',
      within: 40_000,
    });
    const done = await stage.get('web');
    assert.equal(conditionOf(done, 'Stalled')?.status ?? 'False', 'False');
    // The other Application, which runs what the record has of it, asked for nothing.
    assert.equal(published.count('redis-1.0.0.tgz'), 1);
  });

  await t.test(
    'S9: a version that was replaced is refused with both digests, also by another process',
    async () => {
      await published.publish(redis('2.0.0', 'replaced'));
      await published.publish(redis('1.1.0'));
      await stage.restart();
      await stage.repository.commit({
        'web/templates/own.yaml': configMap('web', 'newer'),
        'loose/templates/own.yaml': configMap('loose', 'newer'),
      });
      const isRefused = (application: Application) =>
        conditionOf(application, 'Stalled')?.reason === 'ChartReplaced';
      const told = await stage.until('web', isRefused, 'the chart to be refused');
      const { message = '' } = conditionOf(told, 'Stalled') ?? {};
      const digests = [...message.matchAll(/sha256:[0-9a-f]{64}/g)].map(([digest]) => digest);
      assert.equal(new Set(digests).size, 2, message);
      assert.match(message, /^Chart redis 2\.0\.0 of https:/);
      for (const name of ['web', 'web-redis']) assert.equal(await textOf(stage, name), '2.0.0');
      assert.match(
        await stage.operator.metrics(),
        /^towpath_application_info\{.*reason="ChartReplaced"\} 1$/m,
      );
      await eventually(
        async () =>
          (await stage.kubectl('get', 'events', '-o', 'jsonpath={.items[*].reason}')).includes(
            'ChartReplaced',
          ),
        { describe: 'an event' },
      );
      await published.publish(redis('2.0.1'));
      await stage.repository.commit(await dependent(published, 'web', '2.0.1'));
      await eventually(async () => (await textOf(stage, 'web-redis')) === '2.0.1', {
        describe: 'another version to be deployed',
      });
    },
  );

  await t.test(
    'without a lock a range stays the version that it came to, also in another process',
    async () => {
      await eventually(async () => (await textOf(stage, 'loose')) === 'newer', {
        describe: 'the newer commit to be deployed',
      });
      assert.equal(await textOf(stage, 'loose-redis'), '1.0.0');
      const events = await stage.kubectl('get', 'events', '-o', 'jsonpath={.items[*].message}');
      assert.match(events, /no Chart\.lock says which version of redis \^1\.0\.0 is meant; 1\.0\.0 is used/);
      await stage.repository.commit(loose(published, '~1.1.0'));
      await eventually(async () => (await textOf(stage, 'loose-redis')) === '1.1.0', {
        describe: 'what another range comes to',
      });
    },
  );

  await t.test(
    'S4, D14: a repository that wants a credential gets that of the Secret, as soon as it is right',
    async () => {
      await published.publish(redis('3.0.0'));
      const expected = `Basic ${Buffer.from('me:right').toString('base64')}`;
      published.intercept = ({ headers }, response) => {
        if (headers.authorization === expected) return false;
        response.writeHead(401).end();
        return true;
      };
      await stage.repository.commit(loose(published, '^3.0.0'));
      const isTold = (reason: string) =>
        stage.until(
          'loose',
          ({ status }) => status?.conditions?.some((condition) => condition.reason === reason),
          `the status to say ${reason}`,
        );
      await isTold('AuthenticationFailed');
      const prefix = published.url.replace('https://', '');
      const registries = [{ prefix, secretRef: { name: 'charts' } }];
      await stage.application('loose', { source: { path: 'loose' }, helm: { registries } });
      await isTold('SecretMissing');
      await stage.kubectl(
        'create',
        'secret',
        'generic',
        'charts',
        '--from-literal=username=me',
        '--from-literal=password=wrong',
      );
      await isTold('AuthenticationFailed');
      const right = Buffer.from('right').toString('base64');
      await stage.kubectl('patch', 'secret', 'charts', '-p', JSON.stringify({ data: { password: right } }));
      await eventually(async () => (await textOf(stage, 'loose-redis')) === '3.0.0', {
        describe: 'the chart to be deployed',
      });
      // What it may read, another Application may not.
      await stage.repository.commit(loose(published, '^3.0.0', 'other'));
      await stage.application('other', { source: { path: 'other' } });
      await stage.until(
        'other',
        (application) => conditionOf(application, 'Stalled')?.reason === 'AuthenticationFailed',
        'the other Application to be refused',
      );
    },
  );
});
