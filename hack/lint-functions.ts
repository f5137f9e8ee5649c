/** Checks all functions: no boolean parameters, and in operator/controller/ none longer than a screen; see function-rules.ts. */
import { join } from 'node:path';
import { objections } from './function-rules.ts';

const found = objections(join(import.meta.dirname, '..'));
for (const said of found) console.error(said);
if (found.length > 0) {
  console.error(`\n${found.length} function(s) break the rules of hack/function-rules.ts.`);
  process.exitCode = 1;
}
