/**
 * Loaded into each test file's process: what a test left open, a socket of a process that it killed say, must not
 * keep it from ending. node:test's own `forceExit` ends the process before all that was reported has left it.
 */
import { after } from 'node:test';

const GRACE_MS = 1_000;

after(() => {
  // Unreferenced: where nothing is open the process ends by itself, at once.
  setTimeout(() => {
    // node:test reports its totals as soon as nothing is open, and is told so here.
    process.emit('beforeExit', 0);
    setTimeout(() => process.exit(), GRACE_MS);
  }, GRACE_MS).unref();
});
