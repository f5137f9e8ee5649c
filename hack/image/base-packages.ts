/** Tells which packages of a distribution an image has under what is built here. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { dockerSays } from './docker.ts';

/** As its control file has it. */
export interface BasePackage {
  name: string;
  version: string;
  architecture: string;
}

/**
 * Reads them where images have them that no package manager is in (distroless ones, too): in
 * `/var/lib/dpkg/status.d`, a control file for each.
 *
 * @throws Error where there are none.
 */
export function basePackages(image: string): BasePackage[] {
  const texts = textsIn(image, '/var/lib/dpkg/status.d').split(/^(?=Package: )/m);
  const field = (text: string, name: string) =>
    new RegExp(`^${name}: (\\S{1,300})$`, 'm').exec(text)?.[1] ?? '';
  return texts
    .map((text) => ({
      name: field(text, 'Package'),
      version: field(text, 'Version'),
      architecture: field(text, 'Architecture'),
    }))
    .filter(({ name }) => name !== '')
    .sort((one, other) => (one.name < other.name ? -1 : 1));
}

/** Writes them as a CycloneDX document; the same from the same image. @returns its path. */
export function writeBaseSbom(image: string, path: string): string {
  const [, distribution = 'debian'] = /^ID=(\w{1,50})$/m.exec(textsIn(image, '/usr/lib/os-release')) ?? [];
  const components = basePackages(image).map(({ name, version, architecture }) => {
    // Package URL's type deb.
    const purl = `pkg:deb/${distribution}/${encodeURIComponent(name)}@${encodeURIComponent(version)}?arch=${architecture}`;
    return { type: 'library', 'bom-ref': purl, name, version, purl };
  });
  const metadata = { component: { type: 'container', name: 'towpath' } };
  const document = { bomFormat: 'CycloneDX', specVersion: '1.6', version: 1, metadata, components };
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, `${JSON.stringify(document, null, 2)}\n`);
  return path;
}

/** All files at or below a path of an image that are text, one after the other. @throws Error where there are none. */
export function textsIn(image: string, path: string): string {
  const container = dockerSays('create', image);
  if (container === undefined) throw new Error(`There is no image ${image}.`);
  try {
    const archive = execFileSync('docker', ['cp', '--follow-link', `${container}:${path}`, '-'], {
      maxBuffer: 64 * 1024 * 1024,
    });
    return execFileSync('tar', ['-x', '-O', '--exclude=*.md5sums'], { input: archive, encoding: 'utf8' });
  } finally {
    dockerSays('rm', container);
  }
}
