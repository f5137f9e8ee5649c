import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { freePort, type RunningProcess, startProcess, temporaryDirectory } from './process.ts';
import { without } from './programs.ts';
import { eventually } from './wait.ts';

const run = promisify(execFile);

export interface GitSshServer {
  readonly port: number;
  /** The `ssh://` URL of a repository below the root. */
  url(repositoryName: string): string;
  /** Lines for known_hosts, one for each of the server's keys. */
  readonly knownHosts: string;
  /** A private key that the server accepts. */
  readonly identity: string;
  /** Files of the server's keys, `.pub` beside each. */
  readonly process: RunningProcess;
  stop(): Promise<void>;
}

export interface GitSshOptions {
  /** The directory whose repositories are served. */
  root: string;
  /** Protects the identity. */
  passphrase?: string;
  /** How often bcrypt is repeated to try the passphrase; default ssh-keygen's own. */
  rounds?: number;
  /** Public keys that are let in besides the identity, a line each. */
  authorized?: readonly string[];
  /** Lines of sshd_config. */
  configuration?: readonly string[];
}

/** Where distributions put a program that no user's PATH has. */
function findSshd(): string | undefined {
  return ['/usr/sbin/sshd', '/usr/local/sbin/sshd', '/usr/bin/sshd'].find((path) => existsSync(path));
}

/** What this machine lacks for Git over SSH, as the reason of a skipped test; false: nothing. */
export function withoutSsh(): string | false {
  if (findSshd() === undefined) return 'sshd is not installed';
  return withoutKeygen();
}

/** The same for keys alone. */
export function withoutKeygen(): string | false {
  return without('ssh-keygen');
}

/** Serves repositories by a real sshd on 127.0.0.1, for the user who runs the test. */
export async function startGitSsh(options: GitSshOptions): Promise<GitSshServer> {
  const sshd = findSshd();
  if (!sshd) throw new Error('sshd is not installed (apt-get install openssh-server)');
  const directory = temporaryDirectory('sshd');
  const { passphrase = '', rounds, authorized = [], configuration = [] } = options;
  const hostKey = await makeKey(directory, 'host', 'ed25519', '');
  const identity = await makeKey(directory, 'identity', 'ed25519', passphrase, roundsOf(rounds));
  const keys = [identity.publicKey, ...authorized].join('\n');
  writeFileSync(join(directory, 'authorized_keys'), keys, { mode: 0o600 });
  const port = await freePort();
  const config = join(directory, 'sshd_config');
  writeFileSync(config, [...configuration, ...configurationOf(directory, port, hostKey.path)].join('\n'));
  // As root, sshd wants the directory it separates its privileges in.
  if (userInfo().uid === 0) mkdirSync('/run/sshd', { recursive: true });
  const process = startProcess({
    name: 'sshd',
    command: sshd,
    args: ['-D', '-e', '-f', config],
    logPath: join(directory, 'sshd.log'),
  });
  await eventually(() => canConnect(port), { describe: `sshd (${process.logTail()})` });
  const [type, key] = hostKey.publicKey.split(' ');
  return {
    port,
    url: (name) => `ssh://${userInfo().username}@127.0.0.1:${port}${join(options.root, name)}`,
    knownHosts: `[127.0.0.1]:${port} ${type} ${key}\n`,
    identity: identity.privateKey,
    process,
    stop: () => process.stop('SIGTERM'),
  };
}

function roundsOf(rounds: number | undefined): string[] {
  return rounds === undefined ? [] : ['-a', `${rounds}`];
}

/** A key pair made by ssh-keygen, with further options of it. */
export async function makeKey(
  directory: string,
  name: string,
  type: string,
  passphrase: string,
  options: readonly string[] = [],
): Promise<{ path: string; privateKey: string; publicKey: string }> {
  const path = join(directory, name);
  await run('ssh-keygen', ['-q', '-t', type, '-N', passphrase, '-C', name, ...options, '-f', path]);
  return { path, privateKey: readFileSync(path, 'utf8'), publicKey: readFileSync(`${path}.pub`, 'utf8') };
}

function configurationOf(directory: string, port: number, hostKey: string): string[] {
  return [
    `Port ${port}`,
    'ListenAddress 127.0.0.1',
    `HostKey ${hostKey}`,
    `AuthorizedKeysFile ${join(directory, 'authorized_keys')}`,
    `PidFile ${join(directory, 'sshd.pid')}`,
    'StrictModes no',
    'UsePAM no',
    'PasswordAuthentication no',
    'KbdInteractiveAuthentication no',
    'PermitRootLogin yes',
    'UseDNS no',
    'MaxStartups 100',
    'LogLevel ERROR',
    '',
  ];
}

function canConnect(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => resolve(false));
  });
}
