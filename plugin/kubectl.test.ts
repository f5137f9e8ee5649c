import assert from 'node:assert/strict';
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { endsWith, hangingProgram } from '../test/harness/left-behind.ts';
import { isRunning, temporaryDirectory } from '../test/harness/process.ts';
import { eventually } from '../test/harness/wait.ts';
import { readCommandLine } from './command-line.ts';
import { diff } from './commands/diff.ts';
import { Kubectl } from './kubectl.ts';
import { terminalOf } from './text/terminal.ts';

test('kubectl ends with the process that asked it', async (t) => {
  const hanging = hangingProgram(t);
  const source = `
    import { Kubectl } from ${JSON.stringify(join(import.meta.dirname, 'kubectl.ts'))};
    await new Kubectl([], { TOWPATH_KUBECTL: ${JSON.stringify(hanging.path)} }).json(['get', 'pods']);
  `;
  await endsWith(t, source, hanging);
});

for (const [flags, what] of [
  [{ local: '.' }, 'with a clone'],
  [{}, 'without one'],
] as const) {
  test(`kubectl that diff asks for an Application ${what} ends with the signal`, async (t) => {
    const hanging = hangingProgram(t);
    const ending = new AbortController();
    const kubectl = new Kubectl([], { TOWPATH_KUBECTL: hanging.path });
    const terminal = terminalOf({ write: () => undefined }, {});
    const context = { kubectl, words: ['web'], flags, signal: ending.signal, now: () => new Date() };
    const asked = assert.rejects(diff.run({ ...context, out: terminal, err: terminal }));
    const pid = await hanging.pid();
    ending.abort();
    await asked;
    await eventually(() => !isRunning(pid), { within: 10_000, describe: 'the end of kubectl' });
  });
}

for (const [what, when] of [
  ['under way', 'Later'],
  ['that begins', 'Before'],
] as const) {
  test(`a watch ${what} ends when its signal says so`, { timeout: 20_000 }, async (t) => {
    const hanging = hangingProgram(t, `echo '{"type":"ADDED","object":{}}'`);
    const ending = new AbortController();
    if (when === 'Before') ending.abort();
    const kubectl = new Kubectl([], { TOWPATH_KUBECTL: hanging.path });
    const events: unknown[] = [];
    for await (const event of kubectl.watch(['get', 'pods'], ending.signal)) {
      events.push(event);
      ending.abort();
    }
    assert.deepEqual(events, when === 'Before' ? [] : [{ type: 'ADDED', object: {} }]);
  });
}

test('S12: another context of the kubeconfig gets nothing by which the first cluster is reached and entered', async () => {
  const path = join(temporaryDirectory('flags'), 'program');
  writeFileSync(path, `#!/bin/sh\nprintf '["%s"' "$1"; shift; printf ',"%s"' "$@"; echo ]\n`);
  chmodSync(path, 0o755);
  const { kubectlFlags } = readCommandLine([
    'diff',
    ...['--context=home', '--cluster=home', '--user=me', '--server=https://home', '--token=secret'],
    ...['--tls-server-name=home', '--certificate-authority=ca.crt', '--insecure-skip-tls-verify'],
    ...['--client-certificate=me.crt', '--client-key=me.key'],
    ...['--kubeconfig=both', '--namespace=shop', '--as=anna', '--request-timeout=5s'],
  ]);
  const home = new Kubectl(kubectlFlags, { TOWPATH_KUBECTL: path });
  assert.deepEqual(await home.inContext('other').json(['get', 'pods']), [
    ...['--namespace=shop', '--kubeconfig=both', '--as=anna', '--request-timeout=5s', '--context=other'],
    ...['get', 'pods', '--output=json'],
  ]);
});

/** A kubectl that answers its first runs with these lines of a shell, and each later one with the last of them. */
function scripted(runs: readonly string[]): Kubectl {
  const directory = temporaryDirectory('scripted');
  const path = join(directory, 'program');
  const cases = runs.map((lines, at) => `${at === runs.length - 1 ? '*' : at}) ${lines} ;;`);
  const counted = `n=$(cat '${directory}/n' 2>/dev/null || echo 0); echo $((n + 1)) > '${directory}/n'`;
  writeFileSync(path, `#!/bin/sh\n${counted}\ncase $n in\n${cases.join('\n')}\nesac\n`);
  chmodSync(path, 0o755);
  return new Kubectl([], { TOWPATH_KUBECTL: path });
}

const says = (type: string, value: number) => `echo '{"type":"${type}","object":{"value":${value}}}'`;
const fails = (words: string) => `echo '${words}' >&2; exit 1`;
const REFUSED =
  'The connection to the server 127.0.0.1:6443 was refused - did you specify the right host or port?';

test('what is followed is asked for again while the API server is away, until it is gone', async () => {
  const kubectl = scripted([
    says('ADDED', 1),
    fails(REFUSED),
    `${says('ERROR', 0)}; ${says('MODIFIED', 2)}`,
    fails('Error from server (NotFound): applications.towpath.dev "web" not found'),
  ]);
  const seen: unknown[] = [];
  await assert.rejects(async () => {
    for await (const event of kubectl.follow(['applications', 'web'], AbortSignal.timeout(60_000)))
      seen.push(event);
  }, /\(NotFound\): applications\.towpath\.dev "web" not found/);
  assert.deepEqual(seen, [
    { type: 'ADDED', object: { value: 1 } },
    { type: 'MODIFIED', object: { value: 2 } },
  ]);
});

const lists = (...values: number[]) => {
  const items = values.map((value) => `{"value":${value}}`);
  return `echo '{"metadata":{"resourceVersion":"7"},"items":[${items.join(',')}]}'`;
};

test('what is followed as a whole is listed anew after the API server was away', async () => {
  const gone = 'Error from server (Forbidden): applications.towpath.dev is forbidden';
  const kubectl = scripted([
    lists(1, 2),
    says('MODIFIED', 3),
    fails(REFUSED),
    lists(3),
    `${says('ERROR', 0)}; exit 1`,
    lists(),
    fails(REFUSED),
    fails(gone),
  ]);
  const seen: unknown[] = [];
  await assert.rejects(async () => {
    for await (const event of kubectl.followAll('/apis/towpath.dev', AbortSignal.timeout(60_000)))
      seen.push('objects' in event ? event.objects : event.object);
  }, /is forbidden/);
  assert.deepEqual(seen, [[{ value: 1 }, { value: 2 }], { value: 3 }, [{ value: 3 }], []]);
});

test('what is followed of an API server that never answered ends with what kubectl says', async () => {
  const following = scripted([fails(REFUSED)]).follow(['applications'], AbortSignal.timeout(60_000));
  await assert.rejects(following.next(), /was refused/);
});

test('a watch of a kubectl that cannot be started ends with why', { timeout: 20_000 }, async () => {
  const missing = new Kubectl([], { TOWPATH_KUBECTL: join(temporaryDirectory('missing'), 'program') });
  const watching = missing.watch(['get', 'pods'], new AbortController().signal);
  await assert.rejects(watching.next(), /kubectl could not be run \(.*ENOENT\)/);
});

test('the namespace is that of -n, of the context, and else the one in which kubectl would make something', async () => {
  const path = join(temporaryDirectory('namespaced'), 'program');
  const write = (view: string) => {
    const made = `cat >/dev/null; case "$*" in *--dry-run=client*) echo '{"metadata":{"namespace":"ci"}}';; *) exit 1;; esac`;
    writeFileSync(path, `#!/bin/sh\ncase "$*" in *config*) ${view};; *) ${made};; esac\n`);
    chmodSync(path, 0o755);
  };
  const of = (...flags: string[]) => new Kubectl(flags, { TOWPATH_KUBECTL: path }).namespace();
  write(fails('error: current-context must exist in order to minify'));
  assert.equal(await of('--namespace=shop'), 'shop');
  assert.equal(await of(), 'ci');
  write(`echo '{"contexts":[{"name":"home","context":{}}]}'`);
  assert.equal(await of(), 'ci', 'in a Pod the context may name none');
  write(`echo '{"contexts":[{"name":"home","context":{"namespace":"web"}}]}'`);
  assert.equal(await of(), 'web');
});
