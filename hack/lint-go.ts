/** gofmt and go vet over the Go modules given as arguments. */
import { spawnSync } from 'node:child_process';

let failed = false;
for (const module of process.argv.slice(2)) {
  const go = (command: string, ...args: string[]) =>
    spawnSync(command, args, {
      cwd: module,
      encoding: 'utf8',
      // As the builds have it, so that vet takes what they compiled instead of compiling it all again.
      env: { ...process.env, CGO_ENABLED: '0' },
    });
  const unformatted = go('gofmt', '-l', '.');
  if (unformatted.status !== 0 || unformatted.stdout !== '') {
    failed = true;
    console.error(unformatted.stderr);
    for (const file of unformatted.stdout.split('\n').filter(Boolean)) {
      console.error(`${module}/${file} is not formatted: run "make format".`);
    }
  }
  const vetted = go('go', 'vet', '-trimpath', './...');
  if (vetted.status !== 0) {
    failed = true;
    console.error(`go vet in ${module}:\n${vetted.stderr}`);
  }
}
if (failed) process.exitCode = 1;
