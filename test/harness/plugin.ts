import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import type { TestContext } from 'node:test';
import { buildPlugin } from '../../hack/build-plugin.ts';
import { clusterBinary } from '../../hack/programs.ts';
import { type Cluster, type KubectlResult, runProgram } from './cluster.ts';

/** A user's shell: a PATH with kubectl, the plugin and the machine's own Node, and a kubeconfig. */
export interface PluginShell {
  /** `kubectl towpath …`, as kubectl itself starts it. */
  towpath(...args: string[]): Promise<KubectlResult>;
  /** What kubectl completes after `kubectl towpath`, the last word being typed. */
  complete(...words: string[]): Promise<string[]>;
  /** `kubectl towpath …` as a container of a Pod runs it: without a kubeconfig, by the files of its ServiceAccount. */
  inPod(
    files: Readonly<Record<'namespace' | 'token' | 'ca.crt', string>>,
    ...args: string[]
  ): Promise<KubectlResult>;
  /** Runs a command of the shell on a terminal of 80 columns; what it printed. */
  onTerminal(command: string): Promise<string>;
  /** How many runs of kubectl never answered so far (`hangsAt`). */
  hanging(): number;
  /** What is in its directory for temporary files. */
  temporary(): string[];
  /** How many runs of `kubectl proxy` there were, and how many of them go on. */
  proxies(): { all: number; running: number };
  /** One that goes on until it is interrupted. */
  startWatching(...args: string[]): Watching;
}

export interface Watching {
  /** What it has printed so far. */
  text(): string;
  /** As Ctrl-C does, to all that it started. @returns its exit code. */
  interrupt(): Promise<number | null>;
}

export interface PluginShellOptions {
  /** Of the user; default the administrator's. */
  kubeconfigPath?: string;
  namespace: string;
  /**
   * Which runs of kubectl never answer, by a word of theirs; a program that kubectl started, as one that logs in, holds
   * its output until the test ends.
   */
  hangsAt?: string;
}

export async function newPluginShell(
  t: TestContext,
  cluster: Cluster,
  { kubeconfigPath = cluster.kubeconfigPath, namespace, hangsAt }: PluginShellOptions,
): Promise<PluginShell> {
  const directory = mkdtempSync(join(tmpdir(), 'towpath-plugin-'));
  const program = await clusterBinary();
  const kubectl = join(directory, 'kubectl');
  const hung = join(directory, 'hung');
  const hang = `case " $* " in *" ${hangsAt} "*) sleep 600 & echo $! >> "${hung}"; wait;; esac`;
  const proxied = join(directory, 'proxied');
  const note = `case " $* " in *" proxy "*) echo $$ >> "${proxied}";; esac`;
  const lines = [
    '#!/bin/sh',
    note,
    ...(hangsAt === undefined ? [] : [hang]),
    `exec "${program}" kubectl "$@"`,
    '',
  ];
  writeFileSync(kubectl, lines.join('\n'), { mode: 0o755 });
  const temporary = join(directory, 'tmp');
  mkdirSync(temporary);
  t.after(() => {
    endAll(hanging());
    rmSync(directory, { recursive: true, force: true });
  });
  const plugin = dirname(await buildPlugin());
  const env = {
    PATH: [directory, plugin, process.env['PATH'] ?? ''].join(delimiter),
    KUBECONFIG: kubeconfigPath,
    HOME: directory,
    TERM: 'xterm',
    TMPDIR: temporary,
  };
  const pidsIn = (file: string) =>
    existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n').map(Number) : [];
  const hanging = () => pidsIn(hung);
  const words = (args: readonly string[]) => ['towpath', `--namespace=${namespace}`, ...args];
  return {
    towpath: (...args) => runProgram(kubectl, words(args), '', env),
    complete: async (...args) => {
      const { stdout } = await runProgram(kubectl, ['__complete', 'towpath', ...args], '', env);
      // The last line says what else the shell is to do.
      return stdout.trim().split('\n').slice(0, -1);
    },
    hanging: () => hanging().length,
    temporary: () => readdirSync(temporary),
    proxies: () => ({ all: pidsIn(proxied).length, running: pidsIn(proxied).filter(isRunning).length }),
    inPod: (files, ...args) => {
      const { hostname, port } = new URL(cluster.serverUrl);
      const mounted = join(directory, 'service-account');
      mkdirSync(mounted);
      for (const [name, text] of Object.entries(files)) writeFileSync(join(mounted, name), text);
      const place = '/var/run/secrets/kubernetes.io';
      // Nobody else sees what is mounted there, and it goes with it.
      const mount = `mount -t tmpfs tmpfs /run && mkdir -p ${place} && cp -r '${mounted}' ${place}/serviceaccount`;
      const inOwn = ['--map-root-user', '--mount', 'sh', '-c', `${mount} && exec "$0" towpath "$@"`, kubectl];
      const { KUBECONFIG: _, ...others } = env;
      const ofPod = { ...others, KUBERNETES_SERVICE_HOST: hostname, KUBERNETES_SERVICE_PORT: port };
      return runProgram('unshare', [...inOwn, ...args], '', ofPod);
    },
    onTerminal: async (command) => {
      const terminal = { command: 'script', args: ['-qec', `stty cols 80; ${command}`, '/dev/null'] };
      const { code, stdout } = await runProgram(terminal.command, terminal.args, '', env);
      assert.equal(code, 0, stdout);
      return stdout;
    },
    startWatching: (...args) => {
      const child = spawn(kubectl, words(args), {
        env,
        detached: true,
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      const signal = (name: NodeJS.Signals) => {
        if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, name);
      };
      t.after(() => signal('SIGKILL'));
      let text = '';
      child.stdout.setEncoding('utf8').on('data', (more: string) => {
        text += more;
      });
      const ended = new Promise<number | null>((resolve) => child.on('close', resolve));
      return {
        text: () => text,
        interrupt: () => {
          signal('SIGINT');
          return ended;
        },
      };
    },
  };
}

function endAll(pids: readonly number[]): void {
  for (const pid of pids) if (isRunning(pid)) process.kill(pid, 'SIGKILL');
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
