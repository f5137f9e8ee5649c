/**
 * Checks that imports between the rooms of operator/ run one way (docs on architecture, import-rules.ts), and that
 * nothing there waits while the event loop stands still (blocking-rules.ts), or takes the first environment for the
 * only one (environment-rules.ts), or a part of a digest for the digest (digest-rules.ts), or writes an Application
 * beside its writer (writer-rules.ts).
 */
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { blockingCalls } from './blocking-rules.ts';
import { shortenedDigests } from './digest-rules.ts';
import { placedEnvironments } from './environment-rules.ts';
import { circles, type Import, importsOf, objection, roomCircles } from './import-rules.ts';
import { otherWriters } from './writer-rules.ts';

const root = join(import.meta.dirname, '..');
const objections: string[] = [];
const statements: Import[] = [];
// What `make image` installed beside its tools is others'.
const ours = { cwd: root, exclude: ['**/node_modules/**'] };
for (const file of globSync('{operator,plugin,test,hack}/**/*.ts', ours).sort()) {
  const source = readFileSync(join(root, file), 'utf8');
  for (const statement of importsOf(file, source)) {
    statements.push(statement);
    const said = objection(statement);
    if (said) objections.push(said);
  }
  objections.push(...blockingCalls(file, source), ...placedEnvironments(file, source));
  objections.push(...shortenedDigests(file, source), ...otherWriters(file, source));
}
objections.push(...circles(statements), ...roomCircles(statements));
for (const said of objections) console.error(said);
if (objections.length > 0) {
  console.error(
    `\n${objections.length} place(s) break the rules of hack/{import,blocking,environment,digest,writer}-rules.ts.`,
  );
  process.exitCode = 1;
}
