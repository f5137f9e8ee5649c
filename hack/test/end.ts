/**
 * Loaded into each test file's process: what a test left open, a socket of a process that it killed say, must not
 * keep it from ending. node:test's own `forceExit` ends the process before all that was reported has left it.
 */
import { after, beforeEach } from 'node:test';

/** What a file does after its tests has so much time. */
const GRACE_MS = 5_000;
/** And so much the report, to leave the process. */
const REPORT_MS = 1_000;

let timer: NodeJS.Timeout | undefined;

after(() => {
  // Without what Node does at its own end: it waits, busily, for handles that never close where sockets were reset.
  process.once('exit', () => process.exit());
  // Unreferenced: where nothing is open the process ends by itself, at once.
  timer = setTimeout(() => {
    const open = [...new Set(process.getActiveResourcesInfo())].join(', ');
    console.error(`Something that the tests opened is still open (${open}): their process is ended.`);
    // node:test reports its totals as soon as nothing is open, and is told so here.
    process.emit('beforeExit', 0);
    setTimeout(() => process.exit(), REPORT_MS);
  }, GRACE_MS).unref();
});

// In a file that waits for something between its tests, the first of them may not have been the last.
beforeEach(() => clearTimeout(timer));
