/**
 * Runs tests: builds what they need, starts the control plane that they share, runs the files, and says what
 * ran, what was skipped and why, and how long each part took.
 *
 *   node hack/test.ts [test|faults|edges|exhaustive|release|scale|arm64|image|monitoring|installed] [--only=PART_OF_A_PATH[,ANOTHER]] [--name=PATTERN] [--cluster=current] [--strict=1]
 *
 * A strict run fails where a test was skipped for something that this machine should have.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { lastingClusterVariable, sharedClusterVariable } from '../test/harness/use-control-plane.ts';
import { buildOperator } from './build-operator.ts';
import { buildPrograms, type Phase, type SharedCluster, startSharedCluster, timed } from './test/prepare.ts';
import { type FileResult, runFiles } from './test/run-files.ts';
import { inexcusable } from './test/skips.ts';
import { groupsOf, suiteOf } from './test/suites.ts';
import { summary } from './test/summary.ts';

const root = join(import.meta.dirname, '..');

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

process.chdir(root);
// Hundreds of files are run, and most of what they import is the same: it is compiled once.
process.env.NODE_COMPILE_CACHE = join(root, 'node_modules/.cache/compiled');
const groups = groupsOf(suite, values.only);
if (groups.length === 0) {
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
  if (values.cluster !== '') process.env[lastingClusterVariable] = '1';
}
// What was made in a user's cluster goes also when the run is broken off.
for (const [signal, code] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const) {
  process.on(signal, () => void Promise.resolve(shared?.stop()).finally(() => process.exit(code)));
}
try {
  const results: FileResult[] = [];
  for (const { files, atOnce } of groups) {
    const work = () => runFiles(files, values.name, atOnce);
    results.push(...(await timed(phases, `tests, files at once: ${atOnce}`, work)));
  }
  console.log(summary(results, phases));
  const skipped = results.flatMap(({ skippedTests }) => skippedTests);
  const corpusBelongs = process.env.TOWPATH_CORPUS !== undefined || existsSync('../shared');
  const missing = values.strict === '' ? [] : inexcusable(skipped, { corpusBelongs });
  for (const { file, name, reason } of missing)
    console.error(`${file}: ${name} must not be skipped: ${reason}.`);
  process.exitCode = missing.length === 0 && results.every(({ failed }) => failed === 0) ? 0 : 1;
} finally {
  await shared?.stop();
}
