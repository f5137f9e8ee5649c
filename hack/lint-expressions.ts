/** Checks that no regular expression of the operator takes more than linear time; see expression-rules.ts. */
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expressionsOf, objection } from './expression-rules.ts';

const root = join(import.meta.dirname, '..');
const files = globSync('{operator,plugin}/**/*.ts', { cwd: root })
  .filter((file) => !file.endsWith('.test.ts') && !file.includes('/testing/') && !file.includes('/testdata/'))
  .sort();
const objections = files
  .flatMap((file) => expressionsOf(file, readFileSync(join(root, file), 'utf8')))
  .map(objection)
  .filter((said) => said !== undefined);
for (const said of objections) console.error(said);
if (objections.length > 0) {
  console.error(`\n${objections.length} expression(s) break the rule of hack/expression-rules.ts.`);
  process.exitCode = 1;
}
