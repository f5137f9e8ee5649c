import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { endsWith, hangingProgram } from '../../test/harness/left-behind.ts';
import { enginePath } from './engine.ts';

test('the engine is found beside the plugin, where a symlink leads, or where it is named', (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'towpath-engine-'));
  t.after(() => rmSync(directory, { recursive: true }));
  for (const name of ['built', 'bin']) mkdirSync(join(directory, name));
  const [built, linked] = [join(directory, 'built/kubectl-towpath'), join(directory, 'bin/kubectl-towpath')];
  writeFileSync(built, '');
  symlinkSync(built, linked);
  assert.throws(
    () => enginePath(linked, {}),
    /towpath-engine, is not beside the plugin in .*: make plugin builds/,
  );
  assert.equal(enginePath(linked, { TOWPATH_ENGINE: '/other' }), '/other');
  const engine = join(directory, 'built/towpath-engine');
  writeFileSync(engine, '');
  for (const script of [built, linked]) assert.equal(enginePath(script, {}), engine);
});

test('an engine ends with the process that renders, however busy it is', async (t) => {
  const hanging = hangingProgram(t);
  const at = (path: string) => JSON.stringify(join(import.meta.dirname, path));
  const source = `
    import { withRenderer } from ${at('engine.ts')};
    import { MemoryTree } from ${at('../../test/harness/memory-tree.ts')};
    import { request } from ${at('../../test/harness/render.ts')};
    const tree = new MemoryTree({ 'config.yaml': 'kind: ConfigMap' });
    await withRenderer(${JSON.stringify(hanging.path)}, (renderer) => renderer.render(tree, request('')));
  `;
  await endsWith(t, source, hanging);
});
