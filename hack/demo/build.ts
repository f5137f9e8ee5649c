/** Builds the Go programs that the demo runs; apart from it, so that an interrupt can end the compiler too. */
import { buildEngine } from '../build-engine.ts';
import { clusterBinary } from '../programs.ts';

// The compiler gets the signal as well, ends, and its half-written file is removed before this process ends.
process.on('SIGINT', () => {
  process.exitCode = 130;
});

try {
  await buildEngine();
  await clusterBinary();
} catch (error) {
  if (process.exitCode === undefined) console.error(error instanceof Error ? error.message : error);
  process.exitCode ??= 1;
}
