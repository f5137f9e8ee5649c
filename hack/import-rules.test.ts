import assert from 'node:assert/strict';
import { test } from 'node:test';
import { circles, importsOf, objection, roomCircles } from './import-rules.ts';

const judge = (file: string, specifier: string) => objection({ file, line: 1, specifier });

test('imports run downwards', () => {
  assert.equal(judge('operator/main.ts', './operator.ts'), undefined);
  assert.equal(judge('operator/controller/application/status/settle.ts', '../../../plan/plan.ts'), undefined);
  assert.equal(judge('operator/plan/plan.ts', '../api/errors.ts'), undefined);
  assert.match(judge('operator/kube/client.ts', '../plan/plan.ts') ?? '', /plan is above kube/);
  assert.match(judge('operator/api/errors.ts', '../manifest/manifest.ts') ?? '', /manifest is above api/);
});

test('rooms of one level do not import each other, files of one room do', () => {
  assert.match(judge('operator/plan/plan.ts', '../health/kstatus.ts') ?? '', /of one level/);
  assert.equal(judge('operator/plan/plan.ts', './live.ts'), undefined);
});

test('the rooms of controller/ have levels, too', () => {
  assert.equal(judge('operator/controller/target/snapshot.ts', '../record/record.ts'), undefined);
  assert.match(
    judge('operator/controller/record/store.ts', '../target/words/facts.ts') ?? '',
    /target is above record/,
  );
  assert.match(
    judge('operator/controller/cluster/pods.ts', '../candidate/spec-inputs.ts') ?? '',
    /of one level/,
  );
  assert.match(judge('operator/controller/attic/a.ts', '../work/queue.ts') ?? '', /attic has no level/);
});

test('imports in a circle are found, those of types, too', () => {
  const at = (file: string, specifier: string) => ({ file, line: 1, specifier });
  const round = [at('a/a.ts', '../b/b.ts'), at('b/b.ts', './c.ts'), at('b/c.ts', '../a/a.ts')];
  assert.deepEqual(circles(round), ['a/a.ts → b/b.ts → b/c.ts → a/a.ts: imports run in a circle.']);
  assert.deepEqual(circles([at('a.ts', './b.ts'), at('a.ts', './c.ts'), at('b.ts', './c.ts')]), []);
});

test('rooms of one room do not import each other, however far apart their files are', () => {
  const at = (file: string, specifier: string) => ({ file, line: 1, specifier });
  const deploy = at('operator/c/target/deploy/pruning.ts', '../removal/stages.ts');
  const removal = at('operator/c/target/removal/finalize.ts', '../deploy/hooks.ts');
  assert.match(
    roomCircles([deploy, removal]).join(),
    /target\/deploy → .*removal → .*pruning\.ts:1, .*finalize\.ts:1/,
  );
  const third = [
    at('operator/source/a/a.ts', '../b/b.ts'),
    at('operator/source/b/deep/b.ts', '../../c/c.ts'),
    at('operator/source/c/c.ts', '../a/other.ts'),
  ];
  assert.equal(roomCircles(third).length, 1);
  assert.deepEqual(roomCircles([deploy]), []);
  const beside = at('operator/c/target/run.ts', './deploy/pruning.ts');
  const back = at('operator/c/target/deploy/pruning.ts', '../run.ts');
  assert.deepEqual(roomCircles([beside, back]), []);
  assert.deepEqual(
    roomCircles([deploy, { ...removal, file: 'operator/c/target/removal/finalize.test.ts' }]),
    [],
  );
});

test('the operator uses neither test/ nor hack/, its tests may', () => {
  assert.match(judge('operator/plan/plan.ts', '../../test/harness/wait.ts') ?? '', /outside operator/);
  assert.equal(judge('operator/plan/plan.test.ts', '../../test/harness/wait.ts'), undefined);
});

test('client-node stays in kube/, ssh2 in source/', () => {
  assert.equal(judge('operator/kube/client.ts', '@kubernetes/client-node'), undefined);
  assert.match(judge('operator/plan/plan.ts', '@kubernetes/client-node') ?? '', /plan\.ts:1: imports @kube/);
  assert.match(judge('operator/kube/client.ts', 'ssh2') ?? '', /source/);
});

test('isomorphic-git serves tests, and reads the clone of who runs the plugin', () => {
  assert.match(judge('operator/source/tree/commit-tree.ts', 'isomorphic-git') ?? '', /tests compare with/);
  assert.match(judge('hack/demo/setting.ts', 'isomorphic-git/http/node') ?? '', /tests compare with/);
  assert.equal(judge('test/harness/isomorphic-git.ts', 'isomorphic-git/http/node'), undefined);
  assert.equal(judge('plugin/local/clone.ts', 'isomorphic-git'), undefined);
  assert.match(judge('plugin/commands/status.ts', 'isomorphic-git') ?? '', /tests compare with/);
});

test("A3: users' YAML is not parsed on the event loop of the operator", () => {
  assert.match(judge('operator/render/kinds.ts', 'yaml') ?? '', /read by the engine/);
  assert.equal(judge('test/corpus/corpus.test.ts', 'yaml'), undefined);
});

test('the plugin knows nothing of the operator but its API, and what renders', () => {
  const of = (specifier: string) => objection({ file: 'plugin/commands/why.ts', line: 1, specifier });
  assert.equal(of('../text/tree.ts'), undefined);
  assert.equal(of('../../operator/api/v1alpha1/names.ts'), undefined);
  assert.match(of('../../operator/health/health.ts') ?? '', /the plugin knows operator\/api\/ only/);
  assert.match(of('../../hack/programs.ts') ?? '', /the plugin knows operator\/api\/ only/);
  assert.equal(of('../../operator/render/renderer.ts'), undefined);
  assert.equal(of('../../operator/manifest/live.ts'), undefined);
  for (const other of [
    'render/engine-pool.ts',
    'plan/plan.ts',
    'kube/client.ts',
    'controller/record/record.ts',
  ])
    assert.match(of(`../../operator/${other}`) ?? '', /has to stand in a status/, other);
});

test('imports are found over several lines, as re-exports, for side effects and when dynamic', () => {
  const source = `import {
  a,
} from './a.ts';
export type { B } from "./b.ts";
import './c.ts';
const d = await import('./d.ts');
// from './no.ts'
`;
  const found = importsOf('x.ts', source).map(({ specifier, line }) => [specifier, line]);
  assert.deepEqual(found, [
    ['./a.ts', 3],
    ['./b.ts', 4],
    ['./c.ts', 5],
    ['./d.ts', 6],
  ]);
});
