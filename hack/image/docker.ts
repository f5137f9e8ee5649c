import { spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';

/**
 * The client to build with. One of version 23 or newer builds by its component buildx; where that is missing, an
 * older one beside it (Debian's) can do without.
 */
function buildClient(): string {
  const canBuild = spawnSync('docker', ['buildx', 'version']).status === 0;
  return canBuild || !existsSync(DEBIANS) ? 'docker' : DEBIANS;
}

const DEBIANS = '/usr/bin/docker';

export interface DockerBuild {
  directory: string;
  /** `linux/amd64`. */
  platform: string;
  buildArgs: Readonly<Record<string, string>>;
  tag: string;
}

/** Builds a directory's Dockerfile. @throws Error where it fails. */
export function dockerBuild({ directory, platform, buildArgs, tag }: DockerBuild): Promise<void> {
  const args = Object.entries(buildArgs).flatMap(([name, value]) => ['--build-arg', `${name}=${value}`]);
  // The host's network: a bridge's may lead nowhere, and nothing that runs in the build listens.
  return docker(['build', '--network=host', '--platform', platform, ...args, '--tag', tag, directory]);
}

/** Runs docker with its output on this terminal. @throws Error with the command, where it fails. */
export async function docker(args: readonly string[], input?: NodeJS.ReadableStream): Promise<void> {
  const child = spawn(args[0] === 'build' ? buildClient() : 'docker', args, {
    stdio: [input === undefined ? 'ignore' : 'pipe', 'inherit', 'inherit'],
    env: { ...process.env, DOCKER_BUILDKIT: '1' },
  });
  if (input !== undefined && child.stdin !== null) input.pipe(child.stdin);
  const code = await new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', resolve);
  });
  if (code !== 0) throw new Error(`docker ${args.slice(0, 2).join(' ')} ended with code ${code}.`);
}

/** What docker prints; undefined where it fails. */
export function dockerSays(...args: readonly string[]): string | undefined {
  const { status, stdout } = spawnSync('docker', args, { encoding: 'utf8' });
  return status === 0 ? stdout.trim() : undefined;
}

/** Why there is no Docker to build with, as a sentence; undefined where there is one. */
export function withoutDocker(): string | undefined {
  const { error, status, stderr } = spawnSync('docker', ['version', '--format', '{{.Server.Version}}'], {
    encoding: 'utf8',
  });
  if (error !== undefined) return 'The docker command was not found: install Docker (Debian: docker.io).';
  return status === 0 ? undefined : `Docker does not answer: ${stderr.trim()}`;
}
