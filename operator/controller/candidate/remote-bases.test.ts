import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { type GitHttpOptions, type GitHttpServer, startGitHttp } from '../../../test/harness/git-http.ts';
import { createRepository, type GitRepository } from '../../../test/harness/git-repository.ts';
import { configMap, data, request, TestRenderer } from '../../../test/harness/render.ts';
import { TowpathError } from '../../api/errors.ts';
import { applicationSchema } from '../../api/v1alpha1/application.ts';
import type { Rendered, RenderTree } from '../../render/renderer.ts';
import { Sources } from '../../source/sources.ts';
import type { BasePin } from '../record/base-pins.ts';
import { baseAccessOf } from './base-access.ts';
import { Quarantine } from './quarantine.ts';
import type { ReferencedContent } from './references.ts';
import { type BaseTerms, RemoteBases } from './remote-bases.ts';

const engine = new TestRenderer();
const never = new AbortController().signal;

interface Server {
  git: GitRepository;
  http: GitHttpServer;
  url: string;
}

async function serve(
  t: TestContext,
  files: Record<string, string>,
  options: Partial<GitHttpOptions> = {},
): Promise<Server> {
  const git = await createRepository({ files });
  const http = await startGitHttp({ root: git.root, ...options });
  t.after(() => http.stop());
  return { git, http, url: http.url(git.name) };
}

const base = (text: string) => ({
  'web/kustomization.yaml': 'resources: [a.yaml]\n',
  'web/a.yaml': configMap('a', text),
});

const TERMS: Omit<BaseTerms, 'target'> = {
  key: 'shop/web',
  kept: [],
  basePins: [],
  accessFor: (url) => ({ access: { url }, isTrusted: false }),
  askedSince: 0,
};

async function newest(sources: Sources, url: string) {
  const repository = sources.watch('shop/web', { url }, 3_600_000, () => undefined);
  await repository.poll();
  return repository.open(repository.resolve({}));
}

function rendering(tree: RenderTree, owner: string): Promise<Rendered> {
  return engine.renderer.render(tree, request('web', { owner })).catch((error: unknown) => {
    throw error instanceof TowpathError ? new Quarantine({ revision: tree.revision }, error) : error;
  });
}

/** An Application whose overlay refers to bases elsewhere, as one process after the other renders it. */
async function overlay(t: TestContext, { url, http }: Server, entries: readonly string[]) {
  const own = await serve(t, { 'web/kustomization.yaml': kustomization(entries) });
  let remote: RemoteBases;
  let sources: Sources;
  let basePins: readonly BasePin[] = [];
  const start = async () => {
    await sources?.stop();
    sources = new Sources({ allowLoopback: true, allowPlainHttpCredentials: true });
    remote = new RemoteBases(sources);
  };
  await start();
  t.after(() => sources.stop());
  const render = async (changes: Partial<BaseTerms> = {}, environment = 'default') => {
    const tree = await newest(sources, own.url);
    const name = `shop/web/${environment}`;
    const askedSince = performance.now();
    const terms: BaseTerms = { ...TERMS, target: { name }, basePins, askedSince, ...changes };
    const rendered = await remote.render(terms, tree, (whole) => rendering(whole, name), never);
    return {
      text: rendered.objects.map((each) => data(rendered, each.name).text).join(),
      warnings: rendered.warnings,
      bases: rendered.bases ?? [],
    };
  };
  return {
    own,
    url,
    http,
    render,
    restart: start,
    commit: (text = '') => own.git.commit({ 'web/kustomization.yaml': kustomization(entries, text) }),
    accept: (rendered: { bases: readonly BasePin[] }) => {
      basePins = rendered.bases;
    },
  };
}

const kustomization = (entries: readonly string[], comment = '') =>
  `# ${comment}\nresources:\n${entries.map((entry) => `- ${entry}\n`).join('')}`;

function failing(rendering: Promise<unknown>): Promise<TowpathError> {
  return rendering.then(
    () => assert.fail('it was rendered'),
    (error: unknown) => {
      const told = error instanceof Quarantine ? error.error : error;
      assert.ok(told instanceof TowpathError, String(error));
      return told;
    },
  );
}

test('D14: a branch is looked up with each commit of the source, once for all environments, and told', async (t) => {
  const other = await serve(t, base('one'));
  const on = await overlay(t, other, [`${other.url}//web?ref=main`]);
  const first = await on.render();
  assert.equal(first.text, 'one');
  const [pin] = first.bases;
  assert.equal(pin?.commit, await other.git.revParse('main'));
  assert.equal(pin?.name, 'refs/heads/main');
  assert.match(first.warnings.join(), /without a tag or commit; [0-9a-f]{7} of main is used/);
  await other.git.commit(base('two'));
  assert.equal((await on.render({}, 'prod')).text, 'one', 'another environment');
  await on.restart();
  assert.equal((await on.render()).text, 'two', 'what nobody accepted is looked up anew');
  on.accept(first);
  await on.restart();
  assert.equal((await on.render()).text, 'one', 'what was accepted stays, also after a restart');
  await on.commit('another commit');
  assert.equal((await on.render()).text, 'two');
});

test('D14: a tag stays what it was, also when it is moved, and that is told', async (t) => {
  const other = await serve(t, base('one'));
  await other.git.tag('v1', { annotated: true });
  const on = await overlay(t, other, [`${other.url}//web?ref=v1`]);
  const first = await on.render();
  assert.equal(first.text, 'one');
  assert.deepEqual(first.warnings, []);
  on.accept(first);
  await other.git.commit(base('two'));
  await other.git.tag('v1', { annotated: true });
  await on.restart();
  await on.commit('another commit');
  const second = await on.render();
  assert.equal(second.text, 'one');
  assert.match(
    second.warnings.join(),
    /the tag v1 of .* was moved to [0-9a-f]{7}; [0-9a-f]{7} is used, as before/,
  );
});

test('D14: a commit is what it says, and what a ref lacks is told with what to do', async (t) => {
  const other = await serve(t, base('one'));
  const commit = await other.git.revParse('main');
  await other.git.commit(base('two'));
  const on = await overlay(t, other, [`${other.url}//web?ref=${commit}`]);
  const { text, warnings, bases } = await on.render();
  assert.deepEqual([text, warnings, bases], ['one', [], []]);
  const lost = await overlay(t, other, [`${other.url}//web?ref=v9`]);
  const error = await failing(lost.render());
  assert.equal(error.reason, 'RefNotFound');
  assert.match(error.message, /neither a tag nor a branch "v9".*web\/kustomization\.yaml refers to it as/);
});

test('A4: a server that is down, or hangs, is told, and goes on where it is back', async (t) => {
  let isDown = false;
  const other = await serve(t, base('one'), {
    intercept: (_request, response) => {
      if (isDown) response.writeHead(503).end();
      return isDown;
    },
  });
  const on = await overlay(t, other, [`${other.url}//web`]);
  on.accept(await on.render());
  await on.restart();
  isDown = true;
  const down = await failing(on.render());
  assert.deepEqual([down.reason, down.remedy], ['ServerError', 'Time']);
  isDown = false;
  other.http.hang = true;
  const began = performance.now();
  const hanging = await failing(on.render({ kept: [{}] }));
  assert.deepEqual([hanging.reason, hanging.remedy], ['Timeout', 'Time']);
  assert.match(hanging.message, /has not answered for 3 s/);
  assert.ok(performance.now() - began < 20_000);
  other.http.hang = false;
  assert.equal((await on.render({ kept: [{}] })).text, 'one');
});

test('S17: nothing is asked of a repository that the Environment does not take', async (t) => {
  const other = await serve(t, base('one'));
  const on = await overlay(t, other, [`${other.url}//web`]);
  const allowed = (patterns: string[]) => ({
    target: { name: 'shop/web/default', allowedRepositories: patterns },
  });
  const error = await failing(on.render(allowed(['https://git.example.com/**', on.own.url])));
  assert.deepEqual([error.reason, error.remedy], ['RepositoryNotAllowed', 'Resource']);
  assert.equal(other.http.requests.length, 0);
  assert.equal((await on.render(allowed([other.url.replace('.git', '')]))).text, 'one');
});

test('S9: no more than twenty repositories and refs are fetched', async (t) => {
  const other = await serve(t, base('one'));
  const entries = Array.from({ length: 21 }, (_, index) => `${other.url}//web?ref=v${index}`);
  const error = await failing((await overlay(t, other, entries)).render());
  assert.equal(error.reason, 'KustomizationInvalid');
  assert.match(error.message, /more than 20 other repositories/);
  assert.equal(other.http.requests.length, 0);
});

test("S4: the Application's credential goes to its own host, and not for what another one refers to", async (t) => {
  const basic = { username: 'me', password: 'secret-word' };
  const [secured, foreign] = [await serve(t, base('one'), { basic }), await serve(t, base('two'))];
  const application = applicationSchema.parse({
    apiVersion: 'towpath.dev/v1alpha1',
    kind: 'Application',
    metadata: { name: 'web', namespace: 'shop' },
    spec: { source: { repoURL: secured.url, path: 'web', secretRef: { name: 'git' } } },
  });
  const content: ReferencedContent = {
    data: new Map(Object.entries(basic).map(([key, text]) => [key, Buffer.from(text)])),
    hosts: undefined,
  };
  const accessFor = baseAccessOf(application, new Map([['Secret/git', content]]));
  const both = await overlay(t, secured, [`${secured.url}//web`]);
  assert.equal((await both.render({ accessFor })).text, 'one');
  const away = await overlay(t, foreign, [`${foreign.url}//web`]);
  assert.equal((await away.render({ accessFor })).text, 'two');
  assert.ok(foreign.http.requests.length > 0);
  assert.ok(foreign.http.requests.every(({ headers }) => headers.authorization === undefined));
  // A stranger has the Application read what it may not read itself.
  await foreign.git.commit({ 'web/kustomization.yaml': kustomization([`${secured.url}//web`]) });
  const misled = await overlay(t, foreign, [`${foreign.url}//web`]);
  const error = await failing(misled.render({ accessFor }));
  assert.equal(error.reason, 'AuthenticationFailed');
  assert.match(error.message, /refers to it as .*only where it is on the host of spec\.source\.repoURL/);
  assert.doesNotMatch(error.message, /secret-word/);
});

test('one that nothing refers to any more is no longer asked', async (t) => {
  const other = await serve(t, base('one'));
  const subscribed = new Set<string>();
  const sources = new Sources({ allowLoopback: true });
  t.after(() => sources.stop());
  const remote = new RemoteBases({
    watch: (subscriber, ...rest) => {
      subscribed.add(subscriber);
      return sources.watch(subscriber, ...rest);
    },
    unwatch: (subscriber) => {
      subscribed.delete(subscriber);
      sources.unwatch(subscriber);
    },
  });
  const own = await serve(t, { 'web/kustomization.yaml': kustomization([`${other.url}//web`]) });
  const render = async (environment: string) => {
    const name = `shop/web/${environment}`;
    const tree = await newest(sources, own.url);
    await remote.render({ ...TERMS, target: { name } }, tree, (whole) => rendering(whole, name), never);
  };
  await render('staging');
  await render('prod');
  assert.equal(subscribed.size, 2);
  remote.forgetTarget('shop/web/staging');
  assert.deepEqual([...subscribed], [`shop/web/prod ${other.url}`]);
  await own.git.commit({
    'web/kustomization.yaml': 'resources: [a.yaml]\n',
    'web/a.yaml': configMap('a', 'own'),
  });
  await render('prod');
  assert.equal(subscribed.size, 0);
});
