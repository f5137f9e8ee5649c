import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type GitHttpServer, startGitHttp } from '../harness/git-http.ts';
import { conditionOf, newStage } from '../harness/operator.ts';
import { always, eventually } from '../harness/wait.ts';
import { messageOf, reasonOf } from './steps.ts';

const files = Object.fromEntries(
  ['home', 'away', 'free', 'moved'].map((name) => [
    `${name}/a.yaml`,
    `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ${name}}\n`,
  ]),
);
const basic = { username: 'reader', password: 'correct horse' };

test('S17: a Secret that names its hosts opens no other host', async (t) => {
  const stage = await newStage(t, { files });
  const { root, name } = stage.repository;
  const serve = async (options: Partial<Parameters<typeof startGitHttp>[0]> = {}) => {
    const server = await startGitHttp({ root, basic, ...options });
    t.after(() => server.stop());
    return server;
  };
  const [home, away, moving] = [await serve(), await serve(), await serve()];
  // Its own redirects lead to another host; it is listed, that one is not.
  const redirecting = await serve({
    intercept: (request, response) => {
      response.writeHead(302, { location: `http://127.0.0.1:${away.port}${request.url}` }).end();
      return true;
    },
  });
  const secret = (name: string, hosts?: string) =>
    stage.apply({
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name, annotations: hosts === undefined ? {} : { 'towpath.dev/hosts': hosts } },
      stringData: basic,
    });
  const listed = `127.0.0.1:${home.port}, 127.0.0.1:${redirecting.port}`;
  await secret('bound', listed);
  const make = (path: string, server: GitHttpServer, secretName: string) =>
    stage.application(path, {
      source: { repoURL: server.url(name), path, secretRef: { name: secretName } },
    });
  const head = await stage.repository.revParse('main');
  const until = (path: string, reason: string) =>
    stage.until(path, (one) => reasonOf(one) === reason, reason);

  await make('home', home, 'bound');
  await stage.untilReadyAt('home', head);
  await make('away', away, 'bound');
  const told = await until('away', 'HostNotListed');
  assert.equal(conditionOf(told, 'Stalled')?.reason, 'HostNotListed');
  assert.equal(
    messageOf(told),
    `Secret ${stage.namespace}/bound may not be sent to 127.0.0.1:${away.port}, which spec.source.repoURL names: its annotation towpath.dev/hosts lists ${listed}. Add the host there if it may have the credential, or name another Secret.`,
  );
  await make('moved', redirecting, 'bound');
  await until('moved', 'RedirectRefused');
  assert.deepEqual(away.requests, [], 'it was not even asked');

  await t.test('D14: not by sharing what another Secret of the same content has fetched', async () => {
    await secret('free');
    await make('free', away, 'free');
    await stage.untilReadyAt('free', head);
    const asked = await stage.requestSync('away');
    const refused = await stage.until(
      'away',
      (one) => messageOf(one).startsWith('The sync that was asked for waits: '),
      'the request to be told of',
    );
    assert.notEqual(refused.status?.handledSyncRequest, asked, 'Git was not looked at');
    assert.equal(reasonOf(refused), 'HostNotListed');
    await make('free', home, 'bound');
    await stage.untilReadyAt('free', head);
  });

  await t.test('a change of the list takes effect at once, both ways', async () => {
    await make('moved', moving, 'bound');
    await until('moved', 'HostNotListed');
    assert.deepEqual(moving.requests, []);
    await secret('bound', `${listed},127.0.0.1:${moving.port}`);
    await stage.untilReadyAt('moved', head);
    await secret('bound', `${listed}`);
    await until('moved', 'HostNotListed');
    // What was on its way has come by now; its polls, one a second, have ended.
    await eventually(
      async () => {
        const before = moving.requests.length;
        await always(
          () => moving.requests.length,
          (count) => assert.equal(count, before),
          2_500,
        ).catch(() => undefined);
        return moving.requests.length === before;
      },
      { describe: 'the polls to end' },
    );
    assert.equal(
      await stage.kubectl('get', 'configmap', 'moved', '-o', 'name'),
      'configmap/moved\n',
      'what runs stays',
    );
  });

  await t.test('without the annotation it opens what it is asked to', async () => {
    await stage.kubectl('annotate', 'secret', 'bound', 'towpath.dev/hosts-');
    await stage.untilReadyAt('away', head);
  });
});
