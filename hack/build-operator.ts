/**
 * Bundles the operator as it is installed: dist/operator/main.js and the worker beside it, plain JavaScript
 * without the parts of its dependencies that nothing calls. From source Node strips the types at each start,
 * and loads them all.
 *
 *   node hack/build-operator.ts
 */
import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { build, type Plugin } from 'esbuild';

const root = join(import.meta.dirname, '..');
const directory = join(root, 'dist/operator');

/**
 * Modules of client-node do nothing but define; it does not say so in its package.json. Without this its 900
 * generated models, of which the operator uses none, would be loaded at each start.
 */
const withoutUnusedModels: Plugin = {
  name: 'without-unused-models',
  setup(bundle) {
    bundle.onResolve({ filter: /^@kubernetes\/client-node$/ }, async ({ path, pluginData, ...from }) => {
      if (pluginData === 'resolved') return undefined;
      return { ...(await bundle.resolve(path, { ...from, pluginData: 'resolved' })), sideEffects: false };
    });
    // Its modules name each other by their files, so that there is nothing to ask esbuild, thousands of times.
    bundle.onResolve({ filter: /^\.\.?\/.*\.js$/ }, ({ path, importer }) =>
      importer.includes('/@kubernetes/client-node/')
        ? { path: join(dirname(importer), path), sideEffects: false }
        : undefined,
    );
  },
};

/**
 * How Node is started for it: a small young generation, since what thousands of Applications need is old, and
 * a bound of the old one, by which V8 also decides how far it lets garbage pile up (at 1 GiB to 1.6 times what
 * is in use, without to 4 times).
 */
export const NODE_FLAGS: readonly string[] = ['--max-semi-space-size=8', '--max-old-space-size=1024'];

/** And in which environment: with glibc's default of 8 arenas a core, threads keep memory that nobody uses. */
export const NODE_ENVIRONMENT: Readonly<Record<string, string>> = { MALLOC_ARENA_MAX: '2' };

/**
 * Returns the path of main.js, built first. `TOWPATH_OPERATOR` names one to use instead: the test runner builds
 * once for all test files.
 */
export async function buildOperator(): Promise<string> {
  if (process.env.TOWPATH_OPERATOR) return process.env.TOWPATH_OPERATOR;
  return bundleOperator(root, directory);
}

/** Bundles the operator of a working tree into a directory. @returns the path of main.js. */
export async function bundleOperator(sources: string, to: string): Promise<string> {
  const { outputFiles } = await build({
    write: false,
    absWorkingDir: sources,
    entryPoints: ['operator/main.ts', 'operator/source/threads/worker.ts'],
    outdir: to,
    entryNames: '[name]',
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node24',
    // White space and comments are half of what would stay in memory as source text; names are kept for stack traces.
    minifyWhitespace: true,
    minifySyntax: true,
    sourcemap: 'linked',
    legalComments: 'linked',
    plugins: [withoutUnusedModels],
    // ssh2 does without its native parts, which are not built here.
    external: ['cpu-features', '*.node'],
    // CommonJS packages inside an ES module need what only CommonJS has.
    banner: {
      js: [
        "import{createRequire as newRequire}from'node:module';",
        'const require=newRequire(import.meta.url),__dirname=import.meta.dirname,__filename=import.meta.filename;',
      ].join(''),
    },
    logLevel: 'warning',
  });
  mkdirSync(to, { recursive: true });
  // At once: an operator that starts beside another build must not read half a file.
  for (const { path, contents } of outputFiles) {
    const written = `${path}.${process.pid}`;
    writeFileSync(written, contents);
    renameSync(written, path);
  }
  return join(to, 'main.js');
}

if (import.meta.main) console.log(await buildOperator());
