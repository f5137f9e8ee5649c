/**
 * `make demo`: a Helm chart travels from a Git server into a cluster, in view of the reader.
 *
 *   KEEP=1          leaves all running and says how to use it
 *   CLUSTER=current plays in the cluster of $KUBECONFIG instead of one of its own
 */
import { makeDirectory } from './directory.ts';
import { namespace } from './names.ts';
import { prepareSetting, type Setting } from './setting.ts';
import { tell } from './story.ts';
import { answer, heading, problem, say } from './terminal.ts';

const signals = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;

class Interrupted extends Error {
  readonly code: number;

  constructor(signal: keyof typeof signals) {
    super(`Interrupted by ${signal}.`);
    this.code = signals[signal];
  }
}

const interrupt = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => {
    // The second time: at once. What still runs is killed by this process's end.
    if (interrupt.signal.aborted) process.exit(signals[signal]);
    interrupt.abort(new Interrupted(signal));
  });
}
// The reader of a pipe is gone: nobody is told anything any more.
process.stdout.on('error', () => process.exit(1));

// Not by running out of work: a look that lost its race may still be waiting for its next turn.
process.exit(await demo());

async function demo(): Promise<number> {
  const keep = isSet(process.env.KEEP);
  const cluster = process.env.CLUSTER ?? '';
  if (cluster !== '' && cluster !== 'current') {
    problem(
      `CLUSTER=${cluster} is not known: leave it out, or write CLUSTER=current for the cluster of $KUBECONFIG.`,
    );
    return 2;
  }
  const started = performance.now();
  const directory = makeDirectory();
  const { signal } = interrupt;
  let setting: Setting | undefined;
  let code = 0;
  try {
    setting = await prepareSetting({ directory, current: cluster === 'current', signal });
    await tell(setting, { keep });
    heading(`All of this took ${Math.round((performance.now() - started) / 1000)} s.`);
    say(
      'Your own cluster and repository: docs/getting-started.md. Every field by task: docs/application-guide.md.',
    );
    if (keep) await leaveRunning(setting);
  } catch (error) {
    code = error instanceof Interrupted ? error.code : 1;
    if (signal.aborted) say(`\n${(signal.reason as Error).message}`);
    else await report(error, setting);
  }
  say('Stopping what was started ...');
  try {
    await setting?.stop();
  } catch (error) {
    problem(messageOf(error));
    code ||= 1;
  }
  directory.remove();
  return code;
}

function isSet(value: string | undefined): boolean {
  return value !== undefined && value !== '' && value !== '0';
}

/** Until an interrupt, which is the way to end it and no failure. */
async function leaveRunning(setting: Setting): Promise<void> {
  const { kubeconfigPath, binDirectory, repoURL, shell } = setting;
  say(`
It all goes on running. In another terminal:

  export KUBECONFIG=${kubeconfigPath} PATH=${binDirectory}:$PATH
  cd ${shell.directory}
  kubectl get ${setting.applications}

The repository is ${repoURL}, its clone is in podinfo/: commit and push there.
The namespace is ${namespace}; the operator's log is ${setting.operator?.logPath}.
Ctrl-C here stops it and removes all of it.`);
  await new Promise<void>((resolve) => {
    // Keeps this process alive: a waiting promise does not.
    const alive = setInterval(() => {}, 60_000);
    const { signal } = interrupt;
    const end = () => {
      clearInterval(alive);
      resolve();
    };
    signal.addEventListener('abort', end, { once: true });
    if (signal.aborted) end();
  });
  say('');
}

/** What went wrong, the Applications' status and the end of the operator's log. */
async function report(error: unknown, setting: Setting | undefined): Promise<void> {
  problem(`\n${messageOf(error)}`);
  const operator = setting?.operator;
  if (setting === undefined || operator === undefined) return;
  try {
    const text = await setting.shell.ask(`kubectl -n ${namespace} get ${setting.applications} -o json`);
    const { items } = JSON.parse(text) as { items: { metadata: { name: string }; status?: object }[] };
    for (const { metadata, status } of items) {
      heading(`The status of Application ${metadata.name}:`);
      answer(JSON.stringify(status ?? 'none', null, 2));
    }
  } catch (failure) {
    problem(messageOf(failure));
  }
  heading(`The end of the operator's log:`);
  answer(operator.logTail(30));
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
