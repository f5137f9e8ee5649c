import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryDirectory } from '../test/harness/process.ts';
import { sourcesOfPlugin } from './build-plugin.ts';

const root = join(import.meta.dirname, '..');

/** What Node 20 has of the language's library: no Map.groupBy, no methods of sets and iterators. */
const NODE_20 = ['es2023', 'es2024.string'];

test('of what is bundled into kubectl towpath nothing asks for more than Node 20', async () => {
  const sources = await sourcesOfPlugin();
  assert.ok(sources.includes('plugin/main.ts') && sources.includes('operator/render/renderer.ts'));
  const config = {
    extends: join(root, 'tsconfig.json'),
    compilerOptions: { lib: NODE_20, typeRoots: [join(root, 'node_modules/@types')] },
    include: [],
    files: [join(root, 'plugin/main.ts')],
  };
  const path = join(temporaryDirectory('node-20'), 'tsconfig.json');
  writeFileSync(path, JSON.stringify(config));
  const compiler = join(root, 'node_modules/.bin/tsc');
  const { stdout } = spawnSync(compiler, ['-p', path], { cwd: root, encoding: 'utf8' });
  const errors = stdout.split('\n').filter((line) => sources.includes(line.split('(', 1)[0] ?? ''));
  assert.deepEqual(errors, []);
  // It does look: a source of which only types are taken groups a map.
  assert.match(stdout, /^operator\/manifest\/field-set\.ts\(\d+,\d+\): .*groupBy/m);
});
