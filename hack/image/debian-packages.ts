import { spawnSync } from 'node:child_process';

/** What downloads the distribution's packages, and what unpacks them. */
const PROGRAMS = ['apt-get', 'dpkg-deb'] as const;

/** Why no base can be made of the distribution's packages here, as a sentence; undefined where one can. */
export function withoutDebian(environment: NodeJS.ProcessEnv = process.env): string | undefined {
  const missing = PROGRAMS.filter(
    (name) => spawnSync(name, ['--version'], { env: environment, stdio: 'ignore' }).error !== undefined,
  );
  if (missing.length === 0) return undefined;
  return `The base of the image is made of Debian's packages, and ${missing.join(' and ')} ${missing.length > 1 ? 'are' : 'is'} not here: build on Debian, or on what has apt as it has, or from public base images with \`make image BASE=public\` (docs/installation.md).`;
}
