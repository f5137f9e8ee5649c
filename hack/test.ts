/**
 * Runs tests: builds what they need, starts the control plane that they share, runs the files, and says what
 * ran, what was skipped and why, and how long each part took.
 *
 *   node hack/test.ts [test|faults|scale|image|installed|monitoring] [--only=PART_OF_A_PATH] [--name=PATTERN] [--cluster=current] [--strict=1]
 *
 * A strict run fails where a test was skipped for something that this machine should have.
 */
import { existsSync, globSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { sharedClusterVariable } from '../test/harness/use-control-plane.ts';
import { buildOperator } from './build-operator.ts';
import { buildPrograms, type Phase, type SharedCluster, startSharedCluster, timed } from './test/prepare.ts';
import { runFiles } from './test/run-files.ts';
import { inexcusable } from './test/skips.ts';
import { summary } from './test/summary.ts';

const root = join(import.meta.dirname, '..');

/** The long ones first, so that none is left running alone at the end. Faults measure times, and need the machine. */
const suites = {
  test: {
    files: [
      'test/integration/**/*.test.ts',
      'test/corpus/**/*.test.ts',
      'test/harness/**/*.test.ts',
      'operator/**/*.test.ts',
      'hack/**/*.test.ts',
    ],
    atOnce: 2,
  },
  faults: { files: ['test/faults/**/*.test.ts', 'test/e2e/**/*.test.ts'], atOnce: 1 },
  // Takes ten minutes by itself, and finds what grows with size only.
  scale: { files: ['test/scale/**/*.test.ts'], atOnce: 1 },
  image: { files: ['test/image/**/*.test.ts'], atOnce: 1 },
  // Needs Debian's package prometheus.
  monitoring: { files: ['test/monitoring/**/*.test.ts'], atOnce: 1 },
  // Started by hack/e2e.ts, with a control plane and an image of its own.
  installed: { files: ['test/installed/**/*.test.ts'], atOnce: 1 },
} as const;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    only: { type: 'string', default: '' },
    name: { type: 'string', default: '' },
    cluster: { type: 'string', default: '' },
    strict: { type: 'string', default: '' },
  },
});

const suite = suiteOf(positionals[0] ?? 'test');

function suiteOf(name: string): keyof typeof suites {
  if (name in suites) return name as keyof typeof suites;
  throw new Error(`no suite ${name}; there are ${Object.keys(suites).join(', ')}`);
}

process.chdir(root);
const { atOnce } = suites[suite];
const files = suites[suite].files
  .flatMap((pattern) => globSync(pattern).sort())
  .filter((file) => file.includes(values.only) && !file.includes('node_modules/'));
if (files.length === 0) {
  console.error(
    `There is no test file in the suite ${suite}${values.only && ` with ${values.only} in its path`}.`,
  );
  process.exit(1);
}

const phases: Phase[] = [];
let shared: SharedCluster | undefined;
if (suite !== 'installed') {
  // What is tested is what is installed: the bundle. A test file run by itself builds its own.
  process.env.TOWPATH_OPERATOR = await timed(phases, 'build', async () => {
    await buildPrograms();
    return buildOperator();
  });
  shared = await timed(phases, 'control plane', () => startSharedCluster(values.cluster));
  process.env[sharedClusterVariable] = shared.kubeconfigPath;
}
// What was made in a user's cluster goes also when the run is broken off.
for (const [signal, code] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const) {
  process.on(signal, () => void Promise.resolve(shared?.stop()).finally(() => process.exit(code)));
}
try {
  const results = await timed(phases, `tests, files at once: ${atOnce}`, () =>
    runFiles(files, values.name, atOnce),
  );
  console.log(summary(results, phases));
  const skipped = results.flatMap(({ skippedTests }) => skippedTests);
  const corpusBelongs = process.env.TOWPATH_CORPUS !== undefined || existsSync('../shared');
  const missing = values.strict === '' ? [] : inexcusable(skipped, corpusBelongs);
  for (const { file, name, reason } of missing)
    console.error(`${file}: ${name} must not be skipped: ${reason}.`);
  process.exitCode = missing.length === 0 && results.every(({ failed }) => failed === 0) ? 0 : 1;
} finally {
  await shared?.stop();
}
