import { z } from 'zod';
import { parseDuration } from '../../operator/api/v1alpha1/duration.ts';
import type { Freeze } from '../../operator/api/v1alpha1/environment.ts';
import { GROUP } from '../../operator/api/v1alpha1/names.ts';
import { CommandError, EXIT } from '../exit-codes.ts';
import { known } from '../text/known.ts';
import { wrap } from '../text/terminal.ts';
import { whoAmI } from '../who-am-i.ts';
import { type Command, type Context, isJson, printJson, printLines } from './command.ts';

const RESOURCE = `environments.${GROUP}`;
/** What a reason may have, in characters. */
const REASON = 128;

export const freeze: Command = {
  usage: 'freeze ENV | --all',
  words: [0, 1],
  first: 'Environment',
  flags: ['all', 'until', 'reason', 'output'],
  summary:
    'Stops everything new in an Environment, or in all, from now on; what runs is looked after as ever.',
  notes: [
    'Needs the right to patch Environments. --until: a time (2026-12-24T18:00:00Z) or how long (2h); without it until',
    'kubectl towpath unfreeze. --reason TEXT is told, with your name, by all that waits.',
  ],
  run: async (context) => {
    const { kubectl, flags, now } = context;
    const { username, askedAt } = await whoAmI(kubectl);
    // Whether it holds is found out by the cluster's clock: the user's may be wrong.
    const from = askedAt ?? now();
    const until = flags.until === undefined ? undefined : untilOf(flags.until, from);
    const why = `${flags.reason === undefined ? 'frozen' : flags.reason} (${username})`;
    const added: Freeze = {
      from: wholeSecond(from),
      ...(until === undefined ? {} : { until }),
      reason: [...why].slice(0, REASON).join(''),
    };
    const how = until === undefined ? `until kubectl towpath unfreeze` : `until ${until}`;
    return change(context, (freezes) => ({
      freezes: [...freezes, added],
      message: `is frozen from now on, ${how}: nothing new enters it`,
    }));
  },
};

export const unfreeze: Command = {
  usage: 'unfreeze ENV | --all',
  words: [0, 1],
  first: 'Environment',
  flags: ['all', 'output'],
  summary: 'Ends the freezes that hold now in an Environment, or in all; those that are to come stay.',
  notes: ['Needs the right to patch Environments. Freezes of PromotionPolicies are ended in these.'],
  run: async (context) => {
    const { askedAt } = await whoAmI(context.kubectl);
    // The end of that second: what began in it holds.
    const now = askedAt === undefined ? context.now() : new Date(askedAt.getTime() + 999);
    return change(context, (freezes) => {
      const left = freezes.filter((one) => !holds(one, now));
      const ended = freezes
        .filter((one) => holds(one, now))
        .map(({ reason }) => reason ?? 'without a reason');
      if (ended.length === 0) return { freezes, message: 'is not frozen' };
      return { freezes: left, message: `is no longer frozen; ended: ${ended.join('; ')}` };
    });
  },
};

function holds({ from, until }: Freeze, now: Date): boolean {
  return Date.parse(from) <= now.getTime() && (until === undefined || Date.parse(until) > now.getTime());
}

const environmentSchema = z.object({
  metadata: z.object({ name: z.string(), resourceVersion: z.string() }),
  spec: z.object({
    freezes: z
      .array(
        z.looseObject({
          from: z.string(),
          until: z.string().exactOptional(),
          reason: z.string().exactOptional(),
        }),
      )
      .default([]),
  }),
});
const listSchema = z.object({ items: z.array(environmentSchema) });

type Change = (freezes: readonly Freeze[]) => { freezes: readonly Freeze[]; message: string };

/** Each by itself: one that may not be changed keeps it from no other. */
async function change(context: Context, make: Change): Promise<typeof EXIT.Done | typeof EXIT.Error> {
  const answers: { environment: string; changed: boolean; message: string }[] = [];
  let hasFailed = false;
  for (const { metadata, spec } of await environmentsOf(context)) {
    const { name: environment, resourceVersion } = metadata;
    const { freezes, message } = make(spec.freezes);
    const changed = freezes !== spec.freezes;
    try {
      if (changed) await patch(context, environment, { metadata: { resourceVersion }, spec: { freezes } });
      answers.push({ environment, changed, message });
    } catch (error) {
      if (!(error instanceof CommandError)) throw error;
      hasFailed = true;
      answers.push({ environment, changed: false, message: `could not be changed: ${error.message}` });
    }
  }
  if (isJson(context)) printJson(context, answers);
  else {
    const lines = answers.map(({ environment, message }) => `Environment ${environment} ${message}.`);
    printLines(
      context,
      lines.flatMap((line) => wrap(line, context.out.width)),
    );
  }
  return hasFailed ? EXIT.Error : EXIT.Done;
}

async function environmentsOf({ kubectl, words, flags }: Context) {
  const [name] = words;
  if ((name === undefined) === (flags.all !== true))
    throw new CommandError('Name one Environment, or write --all.', EXIT.Usage);
  const all = async () => listSchema.parse(await kubectl.json(['get', RESOURCE])).items;
  if (name === undefined) return all();
  try {
    return [environmentSchema.parse(await kubectl.json(['get', RESOURCE, name]))];
  } catch (error) {
    if (!(error instanceof CommandError) || !error.message.includes('(NotFound)')) throw error;
    const names = known((await all()).map(({ metadata }) => metadata.name));
    throw new CommandError(`There is no Environment ${name}; there are: ${names}.`);
  }
}

async function patch({ kubectl }: Context, name: string, body: object): Promise<void> {
  const manager = '--field-manager=kubectl-towpath';
  await kubectl.json(['patch', RESOURCE, name, '--type=merge', manager, `--patch=${JSON.stringify(body)}`]);
}

function untilOf(text: string, from: Date): string {
  const time = Date.parse(text);
  if (!Number.isNaN(time) && /^\d{4}-\d\d-\d\dT/.test(text)) {
    if (time > from.getTime()) return wholeSecond(new Date(time));
    throw new CommandError(`--until=${text} is over.`, EXIT.Usage);
  }
  try {
    return wholeSecond(new Date(from.getTime() + parseDuration(text)));
  } catch {
    throw new CommandError(
      `--until=${text} is neither a time (2026-12-24T18:00:00Z) nor a duration (2h).`,
      EXIT.Usage,
    );
  }
}

function wholeSecond(time: Date): string {
  return `${time.toISOString().slice(0, -'.000Z'.length)}Z`;
}
