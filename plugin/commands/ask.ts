import {
  type Application,
  type EnvironmentStatus,
  environmentOf,
} from '../../operator/api/v1alpha1/application.ts';
import { requestFor } from '../../operator/api/v1alpha1/environment-request.ts';
import { ANNOTATION_SYNC_REQUESTED } from '../../operator/api/v1alpha1/names.ts';
import {
  commandOn,
  environmentNames,
  environmentsOf,
  isLookedAt,
  keyOf,
  leftNote,
  namedEnvironments,
  RESOURCE,
  readApplication,
} from '../application.ts';
import { CommandError, EXIT } from '../exit-codes.ts';
import { type Command, type Context, isJson, printJson, printLines } from './command.ts';
import { warnIfNobodyLeads } from './nobody-leads.ts';
import { resumeHeld } from './rollback.ts';
import { answerTo, askedOf, freezesOf, NOT_TOLD } from './sync-answer.ts';

/** Who asked stands in managedFields. */
const MANAGER = '--field-manager=kubectl-towpath';

export const sync: Command = {
  usage: 'sync APP [ENV]',
  words: [1, 2],
  flags: ['output', 'operator-namespace'],
  summary: 'Asks for a sync now: the source is asked, and what waits for its time or for a request is tried.',
  run: async (context) => {
    const { kubectl, words, now } = context;
    const [name = '', environment] = words;
    const application = await readApplication(kubectl, name);
    environmentsOf(application, environment);
    if (environment !== undefined && !namedEnvironments(application).includes(environment))
      throw new CommandError(
        `${leftNote(application, environment)} To run a hook again that failed meanwhile, sync all: ${commandOn(application, 'sync')}`,
      );
    const key = keyOf(application);
    if (application.spec.suspend) {
      const message = `${key} is suspended, so a sync would do nothing: ${commandOn(application, 'resume')}`;
      tell(context, { application: key, changed: false, message });
      return EXIT.Suspended;
    }
    const asked = askedOf(application, environment);
    const halted = haltsOf(application, asked);
    if (halted.size === asked.length) {
      const message = `A sync of ${key} would do nothing. ${inWords(halted)}`;
      tell(context, { application: key, changed: false, message });
      return EXIT.Suspended;
    }
    const since = await warnIfNobodyLeads(context, 'Asked');
    const value = now().toISOString();
    await request(context, application, environment, value);
    const asksAll = environment === undefined;
    const did = `Asked for a sync of ${key}${asksAll ? '' : ` in ${environment}`}`;
    const answer = since === undefined ? await answerTo(context, name, asked, value) : undefined;
    // What was pushed just before is known by now, and with it what keeps that out.
    const keptOut =
      answer === undefined
        ? new Map([
            ...halted,
            ...(await freezesOf(
              context,
              application,
              asked.filter((one) => !halted.has(one)),
            )),
          ])
        : haltsOf(answer, asked);
    const isAll = keptOut.size === asked.length;
    const how = isAll
      ? ', but for now nothing new enters there.'
      : `; follow it with ${commandOn(application, 'status', '--watch')}.`;
    const why = keptOut.size === 0 ? '' : ` ${isAll ? '' : 'Not in all: '}${inWords(keptOut)}`;
    const late = answer === undefined && since === undefined ? ` ${NOT_TOLD}` : '';
    tell(context, { application: key, changed: true, message: `${did}${how}${why}${late}` });
    return isAll ? EXIT.Suspended : EXIT.Done;
  },
};

/** How often a request is written anew because something else was written meanwhile. */
const TRIES = 10;

async function request(
  context: Context,
  application: Application,
  environment: string | undefined,
  value: string,
): Promise<void> {
  const { name } = application.metadata;
  let current = application;
  for (let tries = 1; ; tries += 1) {
    const { resourceVersion } = current.metadata;
    const annotations = { [ANNOTATION_SYNC_REQUESTED]: requestWith(current, environment, value) };
    try {
      await patch(context, name, { metadata: { resourceVersion, annotations } });
      return;
    } catch (error) {
      if (!(error instanceof CommandError) || !error.message.includes('(Conflict)') || tries === TRIES)
        throw error;
      current = await readApplication(context.kubectl, name);
    }
  }
}

/** The annotation that asks it of one environment, or of all, and what was asked of others and is not done yet. */
export function requestWith(
  application: Application,
  environment: string | undefined,
  value: string,
): string {
  if (environment === undefined) return value;
  const { metadata, status } = application;
  const before = metadata.annotations[ANNOTATION_SYNC_REQUESTED];
  // Of one that is longer than a status has room for, that which is done is known as such by the records.
  const isDone = before === status?.handledSyncRequest;
  const others = environmentNames(application).flatMap((other) => {
    const asked = isDone || other === environment ? undefined : requestFor(before, other);
    return asked === undefined ? [] : [`${other}=${asked}`];
  });
  return [...others, `${environment}=${value}`].join(',');
}

/** Why a sync would do nothing, of each of these environments in which it would not. */
export function haltsOf(application: Application, names: readonly string[]): Map<string, string> {
  const halts = new Map<string, string>();
  for (const name of names) {
    const entry = environmentOf(application.status, name);
    // Before the operator has looked, its status says still that it is suspended as a whole.
    if (entry === undefined || (entry.sync === 'Suspended' && !isLookedAt(application))) continue;
    const why = haltOf(entry, application);
    if (why !== undefined) halts.set(name, why);
  }
  return halts;
}

function inWords(halts: ReadonlyMap<string, string>): string {
  return [...halts.values()].join(' ');
}

/** Why a sync would do nothing in an environment, which a person or the time ends; undefined: it would. */
export function haltOf(
  { name, sync, message, blockedBy = [] }: EnvironmentStatus,
  application: Pick<Application, 'metadata'>,
): string | undefined {
  switch (sync) {
    case 'Suspended':
      return `${name}: ${message ?? 'it is suspended.'}`;
    case 'Held': {
      // Once it is let go, that keeps out what waits still.
      const other = blockedBy.find(({ reason }) => reason === 'Cancelled' || reason === 'Rejected');
      const besides = other === undefined ? '' : ` ${other.message}`;
      return `${name}: ${message ?? 'a rollback holds it.'} Let it go: ${commandOn(application, 'resume', name)}.${besides}`;
    }
    case 'Waiting': {
      // Checks that did not pass are run again.
      if (blockedBy.some(({ reason }) => reason === 'Checks')) return undefined;
      const why = blockedBy[0]?.message ?? message;
      return why && `${name}: ${why}`;
    }
    default:
      return undefined;
  }
}

export const suspend = switching('suspend');
export const resume = switching('resume');

function switching(verb: 'suspend' | 'resume'): Command {
  const isSuspended = verb === 'suspend';
  return {
    usage: isSuspended ? 'suspend APP' : 'resume APP [ENV]',
    words: isSuspended ? [1, 1] : [1, 2],
    flags: isSuspended ? ['output', 'operator-namespace'] : ['output', 'reason', 'operator-namespace'],
    summary: isSuspended
      ? 'Has nothing of an Application written any more, until it is resumed; what runs stays.'
      : 'Goes on with an Application that was suspended; with ENV, where a rollback holds that environment.',
    run: async (context) => {
      const [name = '', environment] = context.words;
      if (environment !== undefined) return resumeHeld(context, name, environment);
      const application = await readApplication(context.kubectl, name);
      const key = keyOf(application);
      const is = `${key} is ${isSuspended ? 'suspended' : 'not suspended'}`;
      if (application.spec.suspend === isSuspended) {
        tell(context, { application: key, changed: false, message: `${is} already.` });
        return EXIT.Done;
      }
      await warnIfNobodyLeads(context, 'Asked');
      await patch(context, name, { spec: { suspend: isSuspended } });
      const message = `${is} now. Where its own manifest stands in Git, change spec.suspend there, too.`;
      tell(context, { application: key, changed: true, message });
      return EXIT.Done;
    },
  };
}

async function patch({ kubectl }: Context, name: string, change: object): Promise<void> {
  await kubectl.json(['patch', RESOURCE, name, '--type=merge', MANAGER, `--patch=${JSON.stringify(change)}`]);
}

/** What -o json gives, or its message alone. */
function tell(context: Context, answer: { application: string; changed: boolean; message: string }): void {
  if (isJson(context)) printJson(context, answer);
  else printLines(context, [answer.message]);
}
