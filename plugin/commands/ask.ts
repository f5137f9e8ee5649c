import type { EnvironmentStatus } from '../../operator/api/v1alpha1/application.ts';
import { ANNOTATION_SYNC_REQUESTED } from '../../operator/api/v1alpha1/names.ts';
import { environmentsOf, keyOf, RESOURCE, readApplication } from '../application.ts';
import { EXIT } from '../exit-codes.ts';
import { type Command, type Context, isJson, printJson, printLines } from './command.ts';
import { warnIfNobodyLeads } from './nobody-leads.ts';
import { resumeHeld } from './rollback.ts';

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
    const asked = environmentsOf(application, environment);
    const key = keyOf(application);
    if (application.spec.suspend) {
      const message = `${key} is suspended, so a sync would do nothing: kubectl towpath resume ${name}.`;
      tell(context, { application: key, changed: false, message });
      return EXIT.Suspended;
    }
    const halted = asked.flatMap((one) => haltOf(one) ?? []);
    const why = halted.join(' ');
    if (halted.length > 0 && halted.length === asked.length) {
      const message = `A sync of ${key} would do nothing. ${why}`;
      tell(context, { application: key, changed: false, message });
      return EXIT.Suspended;
    }
    await warnIfNobodyLeads(context);
    const value = now().toISOString();
    const annotations = {
      [ANNOTATION_SYNC_REQUESTED]: environment === undefined ? value : `${environment}=${value}`,
    };
    await patch(context, name, { metadata: { annotations } });
    const where = environment === undefined ? '' : ` in ${environment}`;
    const others = halted.length === 0 ? '' : ` Not in all: ${why}`;
    const message = `Asked for a sync of ${key}${where}; follow it with kubectl towpath status ${name} --watch.${others}`;
    tell(context, { application: key, changed: true, message });
    return EXIT.Done;
  },
};

/** Why a sync would do nothing in an environment, which a person or the time ends; undefined: it would. */
function haltOf({ name, sync, message, blockedBy = [] }: EnvironmentStatus): string | undefined {
  if (sync === 'Suspended') return `${name}: ${message ?? 'it is suspended.'}`;
  const [gate] = sync === 'Waiting' ? blockedBy : [];
  return gate && `${name}: ${gate.message}`;
}

export const suspend = switching('suspend');
export const resume = switching('resume');

function switching(verb: 'suspend' | 'resume'): Command {
  const isSuspended = verb === 'suspend';
  return {
    usage: isSuspended ? 'suspend APP' : 'resume APP [ENV]',
    words: isSuspended ? [1, 1] : [1, 2],
    flags: isSuspended ? ['output'] : ['output', 'reason', 'operator-namespace'],
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
