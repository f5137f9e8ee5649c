import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { setTimeout } from 'node:timers/promises';
import { z } from 'zod';
import { CommandError } from './exit-codes.ts';

/** Names the kubectl to run; default the one in the PATH. */
const PROGRAM_VARIABLE = 'TOWPATH_KUBECTL';

const configSchema = z.object({
  contexts: z
    .array(z.object({ name: z.string(), context: z.object({ namespace: z.string().optional() }) }))
    .nullish(),
});

const madeSchema = z.object({ metadata: z.object({ namespace: z.string().min(1) }) });

const watchEventSchema = z.object({ type: z.string(), object: z.unknown() });
const collectionSchema = z.object({
  metadata: z.object({ resourceVersion: z.string() }),
  items: z.array(z.unknown()),
});

export type WatchEvent = z.output<typeof watchEventSchema>;

/** All that there is. */
export interface Listed {
  type: 'LISTED';
  objects: readonly unknown[];
}

/** A watch that ended is begun again after so long, in milliseconds: at first, and at the most. */
const PAUSE_MS = { first: 200, most: 5_000 };

/** How a run of kubectl ended. */
interface Ended {
  code: number | null;
  stdout: string;
  stderr: string;
}

/**
 * The user's own kubectl, which knows the kubeconfig, how to log in and whom to impersonate: what it may not see and
 * do, this plugin may not either.
 */
export class Kubectl {
  readonly #program: string;
  /** What of the command line is kubectl's: --context=…, --namespace=… */
  readonly #flags: readonly string[];
  readonly #environment: NodeJS.ProcessEnv;

  constructor(flags: readonly string[], environment: NodeJS.ProcessEnv) {
    this.#flags = flags;
    this.#environment = environment;
    this.#program = environment[PROGRAM_VARIABLE] || 'kubectl';
  }

  /** The one that it takes where none is named. @throws CommandError where it fails */
  async namespace(): Promise<string> {
    const named = this.#flags.findLast((flag) => flag.startsWith('--namespace='));
    if (named !== undefined) return named.slice('--namespace='.length);
    // It fails where no context is chosen, as in a Pod, which has no kubeconfig.
    const config = configSchema.safeParse(await this.jsonIfAny(['config', 'view', '--minify']));
    return config.data?.contexts?.[0]?.context.namespace || (await this.#defaultNamespace());
  }

  /** Where no context names one kubectl goes by what else there is, a Pod's ServiceAccount say: where it would make something. */
  async #defaultNamespace(): Promise<string> {
    const object = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'nowhere' } };
    const made = await this.create(object, ['--dry-run=client', '--validate=false']);
    return madeSchema.parse(made).metadata.namespace;
  }

  /** The names of all contexts of the kubeconfig. @throws CommandError where it fails */
  async contexts(signal: AbortSignal): Promise<string[]> {
    const { contexts } = configSchema.parse(await this.json(['config', 'view'], signal));
    return (contexts ?? []).map(({ name }) => name);
  }

  /** The same kubectl in another context of the kubeconfig, which says itself where that is and how one enters. */
  inContext(name: string): Kubectl {
    const others = this.#flags.filter((flag) => !OF_ONE_CLUSTER.test(flag));
    return new Kubectl([...others, `--context=${name}`], this.#environment);
  }

  /**
   * What it prints, as JSON.
   *
   * @param signal ends kubectl where it is aborted.
   * @throws CommandError with its own words.
   */
  async json(args: readonly string[], signal?: AbortSignal): Promise<unknown> {
    const { code, stdout, stderr } = await this.#run([...args, '--output=json'], signal);
    if (code !== 0) throw new CommandError(inWords(stderr, code));
    return JSON.parse(stdout);
  }

  /**
   * Makes an object.
   *
   * @throws CommandError with kubectl's own words.
   */
  async create(object: object, flags: readonly string[] = []): Promise<unknown> {
    const { code, stdout, stderr } = await this.#run(
      ['create', '-f', '-', '--output=json', ...flags],
      undefined,
      JSON.stringify(object),
    );
    if (code !== 0) throw new CommandError(inWords(stderr, code));
    return JSON.parse(stdout);
  }

  /** What it prints, as JSON; undefined where it fails, for whatever reason. */
  async jsonIfAny(args: readonly string[], signal?: AbortSignal): Promise<unknown> {
    const { code, stdout } = await this.#run([...args, '--output=json'], signal);
    return code === 0 ? JSON.parse(stdout) : undefined;
  }

  /**
   * Each event of a watch until it ends or `signal` is aborted, as `{type, object}`.
   *
   * @throws CommandError where kubectl fails.
   */
  watch(args: readonly string[], signal: AbortSignal): AsyncGenerator<unknown> {
    return this.#documents([...args, '--watch', '--output-watch-events', '--output=json'], signal);
  }

  /**
   * Each change of what `get` with these arguments has, what is there first, until `signal` is aborted. An API server
   * ends a watch after some time, and restarts: once it has answered, it is asked again until it does.
   *
   * @throws CommandError where kubectl fails before the first answer, or what is watched is gone or forbidden.
   */
  follow(args: readonly string[], signal: AbortSignal): AsyncGenerator<WatchEvent> {
    return askedAgain(() => eventsIn(this.watch(['get', ...args], signal)), signal);
  }

  /**
   * The same of a whole collection, by its path: all that it has as `LISTED`, which comes anew whenever it was asked
   * again. So what was deleted while nobody answered is known, too.
   */
  followAll(path: string, signal: AbortSignal): AsyncGenerator<WatchEvent | Listed> {
    const once = async function* (this: Kubectl): AsyncGenerator<WatchEvent | Listed> {
      const { metadata, items } = collectionSchema.parse(await this.#raw(path, signal));
      yield { type: 'LISTED', objects: items };
      const from = `${path}?watch=true&resourceVersion=${encodeURIComponent(metadata.resourceVersion)}`;
      yield* eventsIn(this.#documents(['get', `--raw=${from}`], signal));
    };
    return askedAgain(once.bind(this), signal);
  }

  /**
   * Has kubectl serve the API server on a Unix socket, with all that the user may do there, until `signal` is aborted
   * or this process ends. Resolves once it listens.
   *
   * @throws CommandError where kubectl fails.
   */
  async proxy(socket: string, signal: AbortSignal): Promise<void> {
    const child = this.#start(['proxy', `--unix-socket=${socket}`], signal);
    const stderr = wordsOf(child);
    const listens = new Promise<'listens'>((resolve) => {
      let text = '';
      child.stdout?.setEncoding('utf8').on('data', (more: string) => {
        if (text.length < MOST_WORDS) text += more;
        if (text.includes('Starting to serve')) resolve('listens');
      });
    });
    const outcome = await Promise.race([listens, endOf(child)]);
    if (outcome === 'listens') return;
    signal.throwIfAborted();
    throw new CommandError(inWords(stderr(), outcome));
  }

  async #raw(path: string, signal: AbortSignal): Promise<unknown> {
    const { code, stdout, stderr } = await this.#run(['get', `--raw=${path}`], signal);
    if (code !== 0) throw new CommandError(inWords(stderr, code));
    return JSON.parse(stdout);
  }

  /** What kubectl prints until it ends, one a line. */
  async *#documents(args: readonly string[], signal: AbortSignal): AsyncGenerator<unknown> {
    const child = this.#start(args, signal);
    const stderr = wordsOf(child);
    const failing = new AbortController();
    const ended = endOf(child);
    // Nobody waits for that while lines are read: what could not be started has none, and no end of them either.
    ended.catch(() => failing.abort());
    if (child.stdout === null) return;
    // Of a stream that was destroyed it would never see the end.
    const either = AbortSignal.any([signal, failing.signal]);
    for await (const line of createInterface({ input: child.stdout, signal: either }))
      if (line !== '') yield JSON.parse(line);
    const code = await ended;
    if (code !== 0 && !signal.aborted) throw new CommandError(inWords(stderr(), code));
  }

  async #run(args: readonly string[], signal?: AbortSignal, input?: string): Promise<Ended> {
    const child = this.#start(args, signal, input === undefined ? 'ignore' : 'pipe');
    // One that ends before it has read all says why.
    child.stdin?.on('error', () => undefined).end(input);
    const stderr = wordsOf(child);
    let stdout = '';
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
    });
    return { code: await endOf(child), stdout, stderr: stderr() };
  }

  #start(args: readonly string[], signal?: AbortSignal, stdin: 'ignore' | 'pipe' = 'ignore'): ChildProcess {
    const child = spawn(this.#program, [...this.#flags, ...args], {
      stdio: [stdin, 'pipe', 'pipe'],
      ...(signal === undefined ? {} : { signal }),
    });
    // What kubectl started, a program that logs in say, may hold these open after kubectl's own end.
    const close = () => {
      child.stdout?.destroy();
      child.stderr?.destroy();
    };
    signal?.addEventListener('abort', close, { once: true });
    // Who asked may have given no signal, and is ended by one.
    const end = () => child.kill();
    process.once('exit', end);
    child.once('close', () => {
      signal?.removeEventListener('abort', close);
      process.removeListener('exit', end);
    });
    return child;
  }
}

/** By which a cluster is reached and entered: in another one they are wrong, and credentials are not to be shown there. */
const OF_ONE_CLUSTER =
  /^--(context|cluster|user|server|token|tls-server-name|certificate-authority|client-certificate|client-key|insecure-skip-tls-verify)=/;

/** What asking again does not change. */
const FINAL_WORDS = /\((NotFound|Forbidden|Unauthorized)\)/;

/** What it says until it ends, and again. @throws where it fails before it has said anything, or for good. */
async function* askedAgain<T>(ask: () => AsyncGenerator<T>, signal: AbortSignal): AsyncGenerator<T> {
  let hasAnswered = false;
  let pause = PAUSE_MS.first;
  while (!signal.aborted) {
    try {
      for await (const said of ask()) {
        hasAnswered = true;
        pause = PAUSE_MS.first;
        yield said;
      }
    } catch (error) {
      const isFinal = error instanceof CommandError && FINAL_WORDS.test(error.message);
      if (!hasAnswered || isFinal) throw error;
    }
    await setTimeout(pause, undefined, { signal }).catch(() => undefined);
    pause = Math.min(2 * pause, PAUSE_MS.most);
  }
}

/** But for errors, which are of the watch itself, and end with it. */
async function* eventsIn(documents: AsyncGenerator<unknown>): AsyncGenerator<WatchEvent> {
  for await (const one of documents) {
    const event = watchEventSchema.parse(one);
    if (event.type !== 'ERROR') yield event;
  }
}

/** Of what kubectl says, in characters. */
const MOST_WORDS = 4_000;

/** The last of what it says on stderr, so far. */
function wordsOf(child: ChildProcess): () => string {
  let stderr = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    stderr = (stderr + text).slice(-MOST_WORDS);
  });
  return () => stderr;
}

function endOf(child: ChildProcess): Promise<number | null> {
  return new Promise((resolve, reject) => {
    child.on('error', ({ name, message }) => {
      const help = `put it into the PATH, or its path into ${PROGRAM_VARIABLE}`;
      if (name === 'AbortError') resolve(null);
      else reject(new CommandError(`kubectl could not be run (${message}): ${help}.`));
    });
    child.on('close', resolve);
  });
}

function inWords(stderr: string, code: number | null): string {
  const said = stderr
    .split('\n')
    // What its libraries log, each try anew.
    .filter((line) => !/^[EWI]\d{4} /.test(line))
    .join('\n')
    .trim()
    .replace(/^error: /i, '');
  if (/doesn't have a resource type "applications"/.test(said))
    return 'This cluster does not know Applications: install Towpath there, or name another cluster with --context.';
  return said === '' ? `kubectl ended with code ${code}.` : said;
}
