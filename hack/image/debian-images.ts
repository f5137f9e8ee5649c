import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  cpSync,
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { ourArchitecture } from '../architecture.ts';
import { docker, dockerSays } from './docker.ts';

/** What Node needs when it runs, what TLS and time zones need, and the name and the licences of the distribution. */
const RUNTIME = ['base-files', 'libc6', 'libgcc-s1', 'libstdc++6', 'ca-certificates', 'tzdata'] as const;
/** The shell and the commands of the Dockerfile. */
const TOOLS = ['busybox-static'] as const;
/** Git, and the libraries of what serves repositories. */
const GIT = ['git', 'libpcre2-8-0', 'zlib1g'] as const;
/** What is mended in the distribution's packages comes with the next week. */
const WEEK_MS = 7 * 24 * 60 * 60_000;
/** By which an image that was made in another way, or in an earlier week, is made anew. */
const RECIPE = createHash('sha256')
  .update(readFileSync(import.meta.filename))
  .update(`${Math.floor(Date.now() / WEEK_MS)}`)
  .digest('hex')
  .slice(0, 12);

/**
 * Base images made of the distribution's packages, for machines from which no registry of images is in reach. apt
 * works in a directory of its own: nothing of this machine changes, and no root is needed.
 *
 * @param architecture of what runs in the end: amd64 or arm64.
 * @returns the names of local images, by the build argument that takes them; made first where Docker lacks them.
 */
export async function debianBases(architecture: string): Promise<Record<string, string>> {
  return { NODE_IMAGE: await nodeImage(), RUNTIME_IMAGE: await runtimeImage(architecture) };
}

function runtimeImage(architecture: string): Promise<string> {
  return madeOnce(`towpath-debian-runtime:${architecture}-${RECIPE}`, architecture, (root) => {
    unpack(root, architecture, RUNTIME);
    // Without it the C library asks name servers before /etc/hosts.
    writeFileSync(join(root, 'etc/nsswitch.conf'), 'hosts: files dns\n');
    writeFileSync(join(root, 'etc/passwd'), 'nonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin\n');
    writeFileSync(join(root, 'etc/group'), 'nonroot:x:65532:\n');
  });
}

/** Node and npm as this machine has them, beside the distribution's C library. */
function nodeImage(): Promise<string> {
  const npm = realpathSync(output('sh', '-c', 'command -v npm'));
  const key = `${process.version} ${output('npm', '--version')} ${RECIPE}`;
  const tag = createHash('sha256').update(key).digest('hex').slice(0, 12);
  return madeOnce(`towpath-debian-node:${tag}`, ourArchitecture(), (root) => {
    unpack(root, ourArchitecture(), [...RUNTIME, ...TOOLS]);
    for (const command of output(join(root, 'bin/busybox'), '--list').split('\n'))
      link('busybox', join(root, 'bin', command));
    mkdirSync(join(root, 'tmp'), { recursive: true });
    mkdirSync(join(root, 'usr/bin'), { recursive: true });
    link('../../bin/busybox', join(root, 'usr/bin/env'));
    // What this machine trusts, a company's own authority among it.
    cpSync('/etc/ssl/certs/ca-certificates.crt', join(root, 'etc/ssl/certs/ca-certificates.crt'));
    addNode(root);
    const local = join(root, 'usr/local');
    cpSync(join(npm, '../..'), join(local, 'lib/npm'), { recursive: true });
    link('../lib/npm/bin/npm-cli.js', join(local, 'bin/npm'));
  });
}

/** Git as the distribution has it, beside Node: for a Git server in a container. */
export function gitImage(): Promise<string> {
  return madeOnce(`towpath-debian-git:${process.version}-${RECIPE}`, ourArchitecture(), (root) => {
    unpack(root, ourArchitecture(), [...RUNTIME, ...GIT]);
    addNode(root);
  });
}

function addNode(root: string): void {
  const programs = join(root, 'usr/local/bin');
  mkdirSync(programs, { recursive: true });
  cpSync(process.execPath, join(programs, 'node'));
}

/** The PATH and the authorities that programs look for. */
const SETTINGS = [
  'ENV PATH=/usr/local/bin:/usr/bin:/bin',
  'ENV SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt',
  'ENV NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt',
];

async function madeOnce(name: string, architecture: string, fill: (root: string) => void): Promise<string> {
  if (dockerSays('image', 'inspect', '--format', '{{.Architecture}}', name) === architecture) return name;
  const directory = mkdtempSync(join(tmpdir(), 'towpath-image-'));
  const root = join(directory, 'root');
  const dockerfile = join(directory, 'Dockerfile');
  try {
    mkdirSync(root);
    fill(root);
    const settings = name.includes('-node:') ? SETTINGS : [];
    writeFileSync(dockerfile, ['FROM scratch', 'COPY . /', ...settings, ''].join('\n'));
    // Not `docker import`, by which an older Docker makes images of its own architecture only.
    const platform = `linux/${architecture}`;
    await docker(['build', '--platform', platform, '--tag', name, '--file', dockerfile, root]);
    return name;
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Downloads packages of an architecture with all their checks, and unpacks them without their scripts. */
function unpack(root: string, architecture: string, packages: readonly string[]): void {
  const state = mkdtempSync(join(tmpdir(), 'towpath-apt-'));
  const options = [
    `APT::Architecture=${architecture}`,
    `APT::Architectures=${architecture}`,
    `Dir::State=${state}`,
    `Dir::State::status=/dev/null`,
    `Dir::Cache=${state}`,
    'APT::Sandbox::User=root',
    'APT::Get::List-Cleanup=false',
  ].flatMap((option) => ['-o', option]);
  try {
    for (const directory of ['lists/partial', 'archives/partial', 'debs'])
      mkdirSync(join(state, directory), { recursive: true });
    const apt = (...args: string[]) =>
      execFileSync('apt-get', [...options, '--quiet', ...args], { cwd: join(state, 'debs'), stdio: 'pipe' });
    apt('update');
    apt('download', ...packages);
    const files = () => globSync(join(state, 'debs/*.deb')).sort();
    for (const file of files()) install(file, root);
    const others = textsElsewhere(root);
    if (others.length > 0) apt('download', ...others);
    for (const file of files())
      if (others.some((name) => basename(file).startsWith(`${name}_`))) install(file, root);
    bundleAuthorities(root);
  } finally {
    rmSync(state, { recursive: true, force: true });
  }
}

/** Unpacks a package, and notes what it is where images without a package manager have that. */
function install(file: string, root: string): void {
  const notes = join(root, 'var/lib/dpkg/status.d');
  execFileSync('dpkg-deb', ['-x', file, root]);
  mkdirSync(notes, { recursive: true });
  writeFileSync(
    join(notes, output('dpkg-deb', '-f', file, 'Package')),
    execFileSync('dpkg-deb', ['-f', file]),
  );
}

/** Packages that are not unpacked, in which the licence texts are of some that are. */
function textsElsewhere(root: string): string[] {
  const links = globSync(join(root, 'usr/share/doc/*')).filter((path) => !existsSync(path));
  return [...new Set(links.map((path) => basename(readlinkSync(path))))];
}

/** What the package's script would do: all authorities in one file. */
function bundleAuthorities(root: string): void {
  const authorities = globSync(join(root, 'usr/share/ca-certificates/mozilla/*.crt')).sort();
  mkdirSync(join(root, 'etc/ssl/certs'), { recursive: true });
  execFileSync('sh', [
    '-c',
    'out=$1; shift; cat "$@" > "$out"',
    'sh',
    join(root, 'etc/ssl/certs/ca-certificates.crt'),
    ...authorities,
  ]);
}

function link(target: string, path: string): void {
  if (basename(path) !== target) symlinkSync(target, path);
}

function output(command: string, ...args: string[]): string {
  return execFileSync(command, args, { encoding: 'utf8' }).trim();
}
