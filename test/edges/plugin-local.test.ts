import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { existsSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { parseAllDocuments } from 'yaml';
import { withFetched } from '../../plugin/local/fetched.ts';
import { cloneOf, type UserClone } from '../harness/clone.ts';
import { definition } from '../harness/definition.ts';
import { kubeconfigWith } from '../harness/operator-rights.ts';
import { newPluginShell, type PluginShell } from '../harness/plugin.ts';
import { eventually } from '../harness/wait.ts';
import { claim, configMap, newSteps, type Steps, volumeFor } from '../integration/steps.ts';

/** A chart that shows its values, what it finds of the cluster, and a Secret. */
const chart = {
  'web/Chart.yaml': 'apiVersion: v2\nname: web\nversion: 1.2.3\n',
  'web/values.yaml': 'color: red\nsize: 1\n',
  'web/prod.yaml': 'size: 2\n',
  'web/templates/config.yaml': [
    'apiVersion: v1',
    'kind: ConfigMap',
    'metadata: {name: web}',
    'data:',
    '  color: {{ .Values.color | quote }}',
    '  size: {{ .Values.size | quote }}',
    '  big: {{ .Values.big | default "" | quote }}',
    '  secret: {{ .Values.token | default "" | quote }}',
    '  jobs: {{ .Capabilities.APIVersions.Has "batch/v1/CronJob" | quote }}',
    '  mode: "0644"',
    '',
  ].join('\n'),
  'web/templates/secret.yaml': [
    'apiVersion: v1',
    'kind: Secret',
    'metadata: {name: web}',
    'stringData:',
    '  password: correct-horse',
    '',
  ].join('\n'),
};
const helm = { valuesFiles: ['prod.yaml'] };

interface Ground extends Steps, PluginShell {
  clone: UserClone;
  /** A user who may do what the rules say in the namespace. */
  userWith(...rules: [verbs: string, resources: string][]): Promise<PluginShell>;
}

async function newGround(t: TestContext): Promise<Ground> {
  const steps = await newSteps(t, { files: chart });
  const { stage } = steps;
  const { namespace, cluster } = stage;
  const userWith = async (...rules: [string, string][]) => {
    const name = `user-${randomBytes(4).toString('hex')}`;
    await stage.kubectl('create', 'serviceaccount', name);
    for (const [index, [verbs, resources]] of rules.entries()) {
      const role = `${name}-${index}`;
      await stage.kubectl('create', 'role', role, `--verb=${verbs}`, `--resource=${resources}`);
      const subject = `--serviceaccount=${namespace}:${name}`;
      await stage.kubectl('create', 'rolebinding', role, `--role=${role}`, subject);
    }
    const token = (await stage.kubectl('create', 'token', name)).trim();
    return newPluginShell(t, cluster, { namespace, kubeconfigPath: kubeconfigWith(cluster, token) });
  };
  return {
    ...steps,
    ...(await newPluginShell(t, cluster, { namespace })),
    clone: await cloneOf(stage.repository),
    userWith,
  };
}

interface Rendered {
  clone: { directory: string; commit: string; branch?: string; changes: object[]; untracked: string[] };
  objects: { kind: string; metadata: object; data?: Record<string, string> }[];
  warnings: string[];
  unknown: string[];
}

function renderedIn(stdout: string): Rendered {
  return JSON.parse(stdout) as Rendered;
}

function dataOf({ objects }: Rendered, kind: string): Record<string, string> {
  return objects.find((object) => object.kind === kind)?.data ?? {};
}

test('kubectl towpath render shows what the files of a clone make before they are pushed', async (t) => {
  const ground = await newGround(t);
  const { stage, towpath, clone, userWith } = ground;
  await stage.deployed('web', { source: { path: 'web' }, helm });
  const head = await clone.git('rev-parse', 'HEAD');

  await t.test('as YAML documents, with the values and the cluster of the Application', async () => {
    const { code, stdout, stderr } = await towpath('render', 'web', '--local', clone.directory);
    assert.equal(code, 0, stderr);
    const objects = parseAllDocuments(stdout).map((document) => document.toJS());
    const config = objects.find(({ kind }) => kind === 'ConfigMap');
    assert.deepEqual(config, {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'web', namespace: stage.namespace },
      data: { color: 'red', size: '2', big: '', secret: '', jobs: 'true', mode: '0644' },
    });
    const seven = head.slice(0, 7);
    assert.match(stderr, new RegExp(`^Clone ${clone.directory}, branch main, HEAD ${seven}, nothing uncomm`));
    assert.ok(!stdout.includes('correct-horse') && !stdout.includes('Y29ycmVjd'), stdout);
  });

  await t.test('uncommitted changes are rendered and named, untracked files are named only', async () => {
    clone.write('web/values.yaml', 'color: green\n');
    clone.write('web/templates/new.yaml', 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: new}\n');
    clone.write('web/templates/unknown.yaml', 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: unknown}\n');
    await clone.git('add', 'web/templates/new.yaml');
    rmSync(join(clone.directory, 'web/templates/secret.yaml'));
    const { code, stdout, stderr } = await towpath('render', 'web', '--local', clone.directory, '-o', 'json');
    assert.equal(code, 0, stderr);
    const rendered = renderedIn(stdout);
    assert.deepEqual(rendered.clone, {
      directory: clone.directory,
      commit: head,
      branch: 'main',
      changes: [
        { path: 'web/templates/new.yaml', change: 'added' },
        { path: 'web/templates/secret.yaml', change: 'deleted' },
        { path: 'web/values.yaml', change: 'modified' },
      ],
      untracked: ['web/templates/unknown.yaml'],
    });
    assert.equal(dataOf(rendered, 'ConfigMap')['color'], 'green');
    const names = rendered.objects.map(({ metadata }) => (metadata as { name: string }).name);
    assert.deepEqual(names.sort(), ['new', 'web']);
    assert.ok(
      rendered.warnings.some((warning) =>
        /Git does not know a file there \(web.*unknown\.yaml/.test(warning),
      ),
    );
    const { stderr: said } = await towpath('render', 'web', '--local', clone.directory);
    assert.match(said, /with 3 uncommitted changes:\n {2}added web\/templates\/new\.yaml\n/);
    await clone.git('reset', '--quiet', '--hard');
    rmSync(join(clone.directory, 'web/templates/unknown.yaml'));
  });

  const json = async (shell: PluginShell, app = 'web') => {
    const answer = await shell.towpath('render', app, '--local', clone.directory, '-o', 'json');
    return { ...answer, rendered: () => JSON.parse(answer.stdout) as Rendered };
  };

  await t.test('integers of spec.helm.values keep all their digits', async () => {
    const patch = '{"spec":{"helm":{"values":{"big":9007199254740993}}}}';
    await stage.kubectl('patch', 'application', 'web', '--type=merge', `--patch=${patch}`);
    const { rendered } = await json(ground);
    assert.equal(dataOf(rendered(), 'ConfigMap')['big'], '9007199254740993');
  });

  await t.test('what Secrets say is rendered where the user may read them, and never shown', async () => {
    const token = 'a-token-that-nobody-sees';
    await stage.kubectl(
      'create',
      'secret',
      'generic',
      'tokens',
      `--from-literal=values.yaml=token: ${token}\npin: 4711471147`,
    );
    const valuesFrom = [{ kind: 'Secret', name: 'tokens' }];
    await stage.application('secretive', { source: { path: 'web' }, helm: { ...helm, valuesFrom } });
    const all = await json(ground, 'secretive');
    assert.equal(all.code, 0, all.stderr);
    assert.equal(dataOf(all.rendered(), 'ConfigMap')['secret'], '***');
    assert.deepEqual(dataOf(all.rendered(), 'Secret'), { password: '(masked)' });

    const anywhere = '{"{{ .Values.token }}": a, pin: {{ .Values.pin }}, float: {{ mulf .Values.pin 1.0 }}}';
    clone.write(
      'web/templates/pin.yaml',
      `{apiVersion: v1, kind: ConfigMap, metadata: {name: pin}, data: ${anywhere}}\n`,
    );
    await clone.git('add', '.');
    for (const args of [[], ['-o', 'json']]) {
      const { code, stdout, stderr } = await towpath(
        'render',
        'secretive',
        '--local',
        clone.directory,
        ...args,
      );
      assert.equal(code, 0, stderr);
      assert.match(stdout, /\bpin\b.*\*\*\*/);
      assert.doesNotMatch(stdout, /4711471147|4\.711471147|a-token-that/);
    }
    await clone.git('reset', '--quiet', '--hard');

    const odd = `--from-literal=values.yaml=token: ${token}\nmany: [${'x, '.repeat(2_000)}y]`;
    await stage.kubectl('create', 'secret', 'generic', 'odd', odd);
    const from = [{ kind: 'Secret', name: 'odd' }];
    await stage.application('unsearchable', { source: { path: 'web' }, helm: { ...helm, valuesFrom: from } });
    const unsearchable = (await json(ground, 'unsearchable')).rendered();
    assert.ok(Object.values(dataOf(unsearchable, 'ConfigMap')).every((text) => text === '(masked)'));

    const reader = await userWith(['get,list,watch', 'applications.towpath.dev']);
    const some = await json(reader, 'secretive');
    assert.equal(some.code, 10, some.stderr);
    assert.equal(dataOf(some.rendered(), 'ConfigMap')['secret'], '');
    assert.match(some.rendered().unknown.join(), /^Secret \S+\/tokens cannot be read with your rights: /);
    const { stderr } = await reader.towpath('render', 'secretive', '--local', clone.directory);
    assert.match(stderr, /\nUnknown: Secret /);
  });

  await t.test('a Secret that is missing is told as what a sync would wait for', async () => {
    const valuesFrom = [{ kind: 'Secret', name: 'missing' }];
    await stage.application('waits', { source: { path: 'web' }, helm: { ...helm, valuesFrom } });
    const { code, stderr } = await towpath('render', 'waits', '--local', clone.directory);
    assert.equal(code, 1);
    assert.match(
      stderr,
      /^Secret \S+\/missing, which spec.helm.valuesFrom names, does not exist: a sync would/,
    );
  });

  await t.test('5: what the operator would refuse, with its file', async () => {
    clone.write('web/templates/config.yaml', 'kind: {{ .Values.no.such }}\n');
    const broken = await towpath('render', 'web', '--local', clone.directory);
    assert.equal(broken.code, 5);
    assert.match(broken.stderr, /templates\/config\.yaml/);
    assert.equal(broken.stdout, '');
    await clone.git('checkout', '--quiet', 'web');

    rmSync(join(clone.directory, 'web/prod.yaml'));
    symlinkSync('/etc/hostname', join(clone.directory, 'web/prod.yaml'));
    const escaping = await towpath('render', 'web', '--local', clone.directory);
    assert.equal(escaping.code, 5);
    assert.match(escaping.stderr, /web\/prod\.yaml leads out of the repository/);
    await clone.git('checkout', '--quiet', 'web');
  });

  await t.test(
    'a detached HEAD, a linked worktree and a directory below the root are read alike',
    async () => {
      const linked = `${clone.directory}-linked`;
      await clone.git('worktree', 'add', '--quiet', '--detach', linked, head);
      t.after(() => rmSync(linked, { recursive: true, force: true }));
      const { code, stdout, stderr } = await towpath(
        'render',
        'web',
        '--local',
        join(linked, 'web'),
        '-o',
        'json',
      );
      assert.equal(code, 0, stderr);
      const { clone: read } = JSON.parse(stdout) as Rendered;
      assert.deepEqual(read, { directory: linked, commit: head, changes: [], untracked: [] });
    },
  );

  await t.test(
    'a kustomization is rendered with its base, and hooks come last, with their events',
    async () => {
      const hook = 'metadata: {name: hook, annotations: {helm.sh/hook: pre-upgrade}}';
      clone.write('base/kustomization.yaml', 'resources: [config.yaml]\n');
      clone.write('base/config.yaml', 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: base}\n');
      clone.write('overlay/kustomization.yaml', 'resources: [../base]\nnamePrefix: my-\n');
      clone.write('web/templates/hook.yaml', `apiVersion: v1\nkind: ConfigMap\n${hook}\n`);
      await clone.git('add', '.');
      await stage.application('overlay', { source: { path: 'overlay' } });
      const { code, stdout, stderr } = await towpath('render', 'overlay', '--local', clone.directory);
      assert.equal(code, 0, stderr);
      assert.match(stdout, /\n {2}name: my-base\n/);
      const hooked = await towpath('render', 'web', '--local', clone.directory);
      assert.match(hooked.stdout, /\n# Hook: pre-upgrade\n(?!(?:.*\n)*---\n)(?:.*\n)*? {2}name: hook\n/);
      await clone.git('reset', '--quiet', '--hard');
    },
  );

  await t.test('what is no clone, no directory or not named is told with the next step', async () => {
    const of = async (...args: string[]) => {
      const { code, stderr } = await towpath('render', ...args);
      return `${code} ${stderr}`;
    };
    assert.match(await of('web', '--local', '/'), /^1 \/ is in no Git clone: name /);
    assert.match(await of('web', '--local', '/nowhere'), /^1 There is no directory \/nowhere: /);
    assert.match(
      await of('wbe', '--local', clone.directory),
      /^1 There is no Application wbe here; .*\bweb\b/,
    );
    assert.match(
      await of('web', 'prod', '--local', clone.directory),
      /^1 .* no environment prod; it has default/,
    );
  });
});

interface Differences {
  differences: {
    change: string;
    object: { kind: string; name: string };
    message?: string;
    live?: { data?: Record<string, string> };
    wanted?: { data?: Record<string, string> };
  }[];
  unchanged: number;
  unknown: string[];
}

test('kubectl towpath diff shows what a sync of a clone would change, and changes nothing', async (t) => {
  const ground = await newGround(t);
  const { stage, towpath, clone, userWith, live } = ground;
  const extra = {
    'web/templates/old.yaml': 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: old}\ndata: {a: b}\n',
    'web/templates/claim.yaml': JSON.stringify(claim('kept')),
  };
  await stage.repository.commit(extra);
  await clone.git('pull', '--quiet');
  await volumeFor(t, stage, 'kept');
  await stage.deployed('web', { source: { path: 'web' }, helm });
  const diff = async (shell: PluginShell = ground, app = 'web') => {
    const answer = await shell.towpath('diff', app, '--local', clone.directory);
    const json = await shell.towpath('diff', app, '--local', clone.directory, '-o', 'json');
    assert.equal(json.code, answer.code);
    return { ...answer, found: () => JSON.parse(json.stdout) as Differences };
  };
  const changesIn = ({ differences }: Differences) =>
    differences.map(({ change, object }) => `${change} ${object.kind} ${object.name}`);

  await t.test('0: no difference', async () => {
    const { code, stdout, stderr, found } = await diff();
    assert.equal(code, 0, stdout + stderr);
    assert.match(stdout, /\nNo difference: 4 as they are\.\n$/);
    assert.deepEqual(found().differences, []);
  });

  await t.test('9: what would change, be made, be deleted and stay, with no value of a Secret', async () => {
    const before = (await live('configmap', 'web'))?.metadata.resourceVersion;
    const config = chart['web/templates/config.yaml'].replace('  mode: "0644"\n', '');
    clone.write('web/templates/config.yaml', config);
    clone.write('web/values.yaml', 'color: green\n');
    clone.write('web/templates/secret.yaml', chart['web/templates/secret.yaml'].replace('horse', 'zebra'));
    clone.write('web/templates/new.yaml', 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: new}\n');
    await clone.git('add', '.');
    await clone.git('rm', '--quiet', 'web/templates/old.yaml', 'web/templates/claim.yaml');
    const { code, stdout, stderr, found } = await diff();
    assert.equal(code, 9, stdout + stderr);
    const all = found();
    assert.deepEqual(changesIn(all).sort(), [
      'Changed ConfigMap web',
      'Changed Secret web',
      'Created ConfigMap new',
      'Deleted ConfigMap old',
      'Kept PersistentVolumeClaim kept',
    ]);
    const changed = all.differences.find(
      ({ object }) => object.kind === 'ConfigMap' && object.name === 'web',
    );
    assert.equal(changed?.live?.data?.['mode'], '0644');
    assert.equal(changed?.wanted?.data?.['mode'], undefined);
    assert.match(
      stdout,
      /\n~ ConfigMap \S+\/web would change\n(?: .*\n)*? {2}- {3}color: red\n {2}\+ {3}color: green\n/,
    );
    assert.match(stdout, /\n {2}- {3}mode: "0644"\n/);
    assert.match(
      stdout,
      /- {3}password: \(masked, as it is\)\n {2}\+ {3}password: \(masked, as it would be\)\n/,
    );
    assert.match(stdout, /\n\+ ConfigMap \S+\/new would be created\n {2}\+ apiVersion: v1\n/);
    assert.match(stdout, /\n- ConfigMap \S+\/old would be deleted\n/);
    assert.doesNotMatch(stdout + JSON.stringify(all), /horse|zebra|Y29ycmVj/);
    assert.match(stdout, /\n1 Created, 2 Changed, 1 Deleted, 1 Kept, 0 as they are\.\n$/);
    assert.equal((await live('configmap', 'web'))?.metadata.resourceVersion, before);
    assert.equal(await live('configmap', 'new'), undefined);
    await clone.git('reset', '--quiet', '--hard');
  });

  await t.test('10: what the rights of the user do not show is unknown, and no difference', async () => {
    const reader = await userWith(['get,list,watch', 'applications.towpath.dev,configmaps']);
    const { code, stdout, stderr, found } = await diff(reader);
    assert.equal(code, 10, stdout + stderr);
    assert.deepEqual(changesIn(found()), []);
    const unknown = found().unknown.join('\n');
    assert.match(unknown, /^Secret \S+\/web cannot be read: secrets "web" is forbidden: /m);
    assert.match(unknown, /^ConfigMap \S+\/web cannot be tried: .*cannot patch resource "configmaps"/m);
    assert.match(unknown, /objects that run were not found with your rights to list/);
    assert.match(stdout, /\nUnknown: Secret /);
    assert.match(stdout, / Not all is known: see Unknown above\.\n$/);
  });

  await t.test(
    'what others changed is a difference, but not where spec.sync.ignore leaves it to them',
    async () => {
      const sync = { drift: 'Report' };
      const update = async (more: object) => {
        await stage.application('web', { source: { path: 'web' }, helm, sync: { ...sync, ...more } });
      };
      await update({});
      await stage.kubectl('patch', 'configmap', 'web', '--type=merge', '-p', '{"data":{"color":"black"}}');
      const drifted = await diff();
      assert.equal(drifted.code, 9);
      assert.match(drifted.stdout, /- {3}color: black\n {2}\+ {3}color: red\n/);
      await update({ ignore: [{ kind: 'ConfigMap', name: 'web', paths: ['/data/color'] }] });
      const { code, stdout } = await diff();
      assert.equal(code, 0, stdout);
      await update({});
      await stage.kubectl('patch', 'configmap', 'web', '--type=merge', '-p', '{"data":{"color":"red"}}');
    },
  );

  await t.test('what the API server refuses, and what comes with its definition or namespace', async () => {
    clone.write(
      'web/templates/wrong.yaml',
      'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: wrong}\nspec: {}\n',
    );
    clone.write(
      'web/templates/kind.yaml',
      'apiVersion: none.example.com/v1\nkind: None\nmetadata: {name: none}\n',
    );
    const inNew = '{apiVersion: v1, kind: ConfigMap, metadata: {name: in-new, namespace: towpath-new}}\n';
    clone.write('web/templates/in-new.yaml', inNew);
    clone.write(
      'web/templates/new.yaml',
      '{apiVersion: v1, kind: Namespace, metadata: {name: towpath-new}}\n',
    );
    await clone.git('add', '.');
    const { code, stdout, found } = await diff();
    assert.equal(code, 9, stdout);
    assert.deepEqual(changesIn(found()).sort(), [
      'Created ConfigMap in-new',
      'Created Namespace towpath-new',
      'Refused ConfigMap wrong',
      'Refused None none',
    ]);
    assert.match(stdout, /! ConfigMap \S+\/wrong would be refused\n {4}.*spec/);
    assert.match(stdout, /does not serve the kind None of none\.example\.com\/v1\.\n/);
    await clone.git('reset', '--quiet', '--hard');
  });

  await t.test(
    'what is there and was not applied, what is made anew, and a kind that comes along',
    async () => {
      await stage.kubectl('create', 'configmap', 'theirs', '--from-literal=a=b');
      await stage.apply({ ...configMap('fixed'), immutable: true });
      const write = (name: string, object: object) =>
        clone.write(`web/templates/${name}.yaml`, JSON.stringify(object));
      write('theirs', configMap('theirs', { a: 'c' }));
      write('fixed', {
        ...configMap('fixed', { key: 'next' }, { 'towpath.dev/replace': 'true' }),
        immutable: true,
      });
      const group = `${stage.namespace}.example.com`;
      // As definitions have it: a number that doubles cannot hold.
      const text = JSON.stringify(definition('things', group, 'Thing'));
      const large = text.replace('{"type":"string"}', '{"type":"integer","maximum":9223372036854775807}');
      clone.write('web/templates/definition.yaml', large);
      write('thing', { apiVersion: `${group}/v1`, kind: 'Thing', metadata: { name: 'one' } });
      await clone.git('add', '.');
      const { code, stdout, found } = await diff();
      assert.equal(code, 9, stdout);
      const all = found();
      assert.deepEqual(changesIn(all).sort(), [
        'Changed ConfigMap theirs',
        `Created CustomResourceDefinition things.${group}`,
        'Created Thing one',
        'Replaced ConfigMap fixed',
      ]);
      const messageOf = (name: string) => all.differences.find(({ object }) => object.name === name)?.message;
      assert.match(messageOf('theirs') ?? '', /this Application did not apply it: .* towpath\.dev\/adopt/);
      assert.match(messageOf('fixed') ?? '', /^It would be deleted and made anew: .*immutable/);
      assert.equal(messageOf('one'), 'Its definition comes with it.');
      assert.match(stdout, /\n {2}\+ +maximum: 9223372036854775807\n/);
      await clone.git('reset', '--quiet', '--hard');
    },
  );

  await t.test('hooks are named and not compared, and a suspended Application is told as such', async () => {
    const hook = 'metadata: {name: hook, annotations: {helm.sh/hook: pre-upgrade}}';
    clone.write('web/templates/hook.yaml', `apiVersion: v1\nkind: ConfigMap\n${hook}\n`);
    await clone.git('add', '.');
    await towpath('suspend', 'web');
    const { stdout } = await diff();
    await towpath('resume', 'web');
    assert.match(
      stdout,
      /\nHooks run at their time, and are not compared: ConfigMap \S+\/hook \(pre-upgrade\)\.\n/,
    );
    assert.match(stdout, /\nThe Application is suspended: nothing is synced before it is resumed\.\n/);
    await clone.git('reset', '--quiet', '--hard');
  });

  await t.test('--context names the cluster, as for kubectl', async () => {
    const of = (context: string) => towpath('diff', 'web', '--local', clone.directory, '--context', context);
    const { code, stderr } = await of('elsewhere');
    assert.equal(code, 1);
    assert.match(stderr, /context "elsewhere" does not exist/);
    assert.equal((await of('towpath')).code, 0);
  });

  await t.test('kubectl proxy and its socket go with the command, also where Ctrl-C ends it', async (t) => {
    assert.ok(ground.proxies().all > 0);
    await eventually(() => ground.proxies().running === 0, {
      describe: 'the end of all runs of kubectl proxy',
    });
    assert.deepEqual(ground.temporary(), []);
    const { cluster, namespace } = stage;
    const shell = await newPluginShell(t, cluster, { namespace, hangsAt: 'proxy' });
    const { interrupt } = shell.startWatching('diff', 'web', '--local', clone.directory);
    await eventually(() => shell.hanging() > 0, { describe: 'kubectl proxy, which hangs' });
    assert.notDeepEqual(shell.temporary(), []);
    assert.equal(await interrupt(), 130);
    assert.deepEqual(shell.temporary(), []);
  });

  await t.test(
    "without a clone the commit that is wanted is fetched with the user's git, and goes again",
    async () => {
      const { status } = await stage.get('web');
      const seven = status?.source?.revision?.slice(0, 7);
      const same = await towpath('diff', 'web');
      assert.equal(same.code, 0, same.stdout + same.stderr);
      assert.ok(same.stdout.startsWith(`Commit ${seven} of ${stage.repoURL}`), same.stdout);
      await towpath('suspend', 'web');
      await stage.kubectl('patch', 'configmap', 'web', '--type=merge', '-p', '{"data":{"color":"by hand"}}');
      const json = await towpath('diff', 'web', '-o', 'json');
      await towpath('resume', 'web');
      assert.equal(json.code, 9, json.stderr);
      assert.deepEqual(changesIn(JSON.parse(json.stdout) as Differences), ['Changed ConfigMap web']);
      const { clone: fetched } = JSON.parse(json.stdout) as { clone: object };
      assert.deepEqual(fetched, { fetchedFrom: stage.repoURL, commit: status?.source?.revision });
      const rendered = await towpath('render', 'web');
      assert.equal(rendered.code, 0, rendered.stderr);
      assert.match(rendered.stdout, /color: red/);
      assert.deepEqual(ground.temporary(), []);
    },
  );

  await t.test(
    'a commit that cannot be fetched is told with the words of git, and runs no program',
    async () => {
      const mark = join(clone.directory, 'ran');
      const ofUrl = (url: string) => {
        const wanted = { url, commit: '0'.repeat(40), ref: 'refs/heads/main' };
        return withFetched(wanted, AbortSignal.timeout(60_000), async () =>
          assert.fail('nothing was fetched'),
        );
      };
      await assert.rejects(ofUrl(stage.repoURL), /git checkout ended with code \d+: .*--local DIR\./s);
      await assert.rejects(ofUrl(`ext::sh -c touch% ${mark}`), /transport 'ext' not allowed/);
      assert.ok(!existsSync(mark));
      await stage.application('unknown', { source: { repoURL: `${stage.repoURL}-missing` } });
      const { code, stderr } = await towpath('diff', 'unknown');
      assert.equal(code, 1, stderr);
      assert.match(stderr, /^No commit is known yet that \S+\/unknown wants .* kubectl towpath why unknown/);
    },
  );
});
