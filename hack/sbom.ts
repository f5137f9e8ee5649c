/**
 * Writes what the operator's image is made of, as CycloneDX documents in dist/sbom: the packages from npm and the Go
 * modules of the engine. Node itself is among the packages.
 *
 *   node hack/sbom.ts
 */
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { runProgram } from '../test/harness/cluster.ts';
import { ourArchitecture } from './architecture.ts';
import { buildEngineFor } from './build-engine.ts';
import { goBinary } from './go-binary.ts';

const root = join(import.meta.dirname, '..');

/** @returns the paths of the documents. @throws Error with a tool's own words where it fails. */
export async function writeSboms(
  architecture: string,
  directory = join(root, 'dist/sbom'),
): Promise<string[]> {
  mkdirSync(directory, { recursive: true });
  const operator = join(directory, 'operator.cdx.json');
  const engine = join(directory, `engine-${architecture}.cdx.json`);
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
  // Its own packages are no part of the project's.
  await output('npm', 'ci', '--prefix', join(root, 'hack/sbom-npm'), '--loglevel=error');
  const tool = join(root, 'hack/sbom-npm/node_modules/@cyclonedx/cyclonedx-npm/bin/cyclonedx-npm-cli.js');
  const ofNpm = ['--omit=dev', '--package-lock-only', '--output-reproducible', '--output-format=JSON'];
  await output(process.execPath, tool, ...ofNpm, `--output-file=${operator}`, join(root, 'package.json'));
  const program = await goBinary({
    name: 'cyclonedx-gomod',
    moduleDir: 'hack/sbom',
    package: 'github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod',
  });
  const ofGo = ['bin', '-json', '-std', '-version', `v${version}`, '-output', engine];
  await output(program, ...ofGo, await buildEngineFor(architecture));
  return [operator, engine];
}

async function output(command: string, ...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await runProgram(command, args, undefined, { ...process.env, PWD: root });
  if (code !== 0) throw new Error(`${command} ${args[0]} ended with code ${code}: ${stderr}`);
  return stdout;
}

if (import.meta.main) {
  process.chdir(root);
  for (const path of await writeSboms(ourArchitecture())) console.log(path);
}
