/** gofmt over the Go modules, and go vet where it is affordable. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { GO_FLAGS } from './go-binary.ts';

const root = join(import.meta.dirname, '..');

/** Vet looks through every package that a module depends on: for Kubernetes or a registry whole, minutes at the first time. */
const modules = [
  { directory: 'hack/cluster', vet: false },
  { directory: 'hack/registry', vet: false },
  { directory: 'operator/render/engine', vet: true },
] as const;

let failed = false;
for (const { directory, vet } of modules) {
  const go = (command: string, ...args: string[]) => {
    // As the builds have it, so that vet takes what they compiled instead of compiling it all again.
    const env = { ...process.env, CGO_ENABLED: '0', GOGC: '300' };
    const result = spawnSync(command, args, { cwd: join(root, directory), encoding: 'utf8', env });
    if (result.status !== 0) {
      failed = true;
      console.error(
        `${command} ${args.join(' ')} in ${directory}: ${result.stderr ?? result.error?.message}`,
      );
    }
    return result.stdout ?? '';
  };
  for (const file of go('gofmt', '-l', '.').split('\n').filter(Boolean)) {
    failed = true;
    console.error(`${directory}/${file} is not formatted: run "make format".`);
  }
  if (vet) go('go', 'vet', ...GO_FLAGS, './...');
}
if (failed) process.exitCode = 1;
