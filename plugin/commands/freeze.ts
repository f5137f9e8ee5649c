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
/** How often a change is made anew because something else was written meanwhile, the Environment's status say. */
const TRIES = 10;

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
    const added: Freeze = {
      from: wholeSecond(from),
      ...(until === undefined ? {} : { until }),
      reason: signed(flags.reason ?? 'frozen', username),
    };
    const how = until === undefined ? `until kubectl towpath unfreeze` : `until ${until}`;
    return change(context, (freezes) => ({
      freezes: [...withoutOver(freezes, askedAt), added],
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
      const left = withoutOver(freezes, askedAt).filter((one) => !holds(one, now));
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

/**
 * What is over goes, or there is no room for one more some day.
 *
 * @param now by the cluster's clock; without it nothing goes: by a user's that is wrong one that holds would
 */
function withoutOver(freezes: readonly Freeze[], now: Date | undefined): readonly Freeze[] {
  if (now === undefined) return freezes;
  return freezes.filter(({ until }) => until === undefined || Date.parse(until) > now.getTime());
}

/** A reason with the name of who gives it, which is not cut: it says whom to ask. */
function signed(reason: string, username: string): string {
  const name = ` (${username})`;
  const [letters, room] = [[...reason], REASON - [...name].length];
  if (letters.length <= room) return `${reason}${name}`;
  // A name that leaves none is that of a program, and ends with what it is called.
  if (room < 1) return `…${[...username].slice(1 - REASON).join('')}`;
  return `${letters.slice(0, room - 1).join('')}…${name}`;
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
type Environment = z.output<typeof environmentSchema>;
const listSchema = z.object({ items: z.array(environmentSchema) });

type Change = (freezes: readonly Freeze[]) => { freezes: readonly Freeze[]; message: string };

interface Answer {
  environment: string;
  changed: boolean;
  message: string;
}

/** Each by itself: one that may not be changed keeps it from no other. */
async function change(context: Context, make: Change): Promise<typeof EXIT.Done | typeof EXIT.Error> {
  const answers: Answer[] = [];
  const left: string[] = [];
  for (const one of await environmentsOf(context)) {
    const environment = one.metadata.name;
    try {
      answers.push(await changeOne(context, one, make));
    } catch (error) {
      if (!(error instanceof CommandError)) throw error;
      left.push(environment);
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
  if (left.length === 0) return EXIT.Done;
  // Each of them: once more for all would freeze twice what is frozen.
  const told = `Left as they were: ${left.join(', ')}. Say it again of each of these by its name.`;
  context.err.write(
    wrap(told, context.err.width)
      .map((line) => `${line}\n`)
      .join(''),
  );
  return EXIT.Error;
}

/** @throws CommandError where it cannot be changed, or others kept writing it */
async function changeOne(context: Context, read: Environment, make: Change): Promise<Answer> {
  const { name: environment } = read.metadata;
  let { metadata, spec } = read;
  for (let tries = 1; ; tries += 1) {
    const { resourceVersion } = metadata;
    const { freezes, message } = make(spec.freezes);
    if (freezes === spec.freezes) return { environment, changed: false, message };
    try {
      await patch(context, environment, { metadata: { resourceVersion }, spec: { freezes } });
      return { environment, changed: true, message };
    } catch (error) {
      if (!(error instanceof CommandError) || !error.message.includes('(Conflict)') || tries === TRIES)
        throw error;
      ({ metadata, spec } = await readEnvironment(context, environment));
    }
  }
}

async function environmentsOf(context: Context): Promise<readonly Environment[]> {
  const { words, flags } = context;
  const [name] = words;
  if ((name === undefined) === (flags.all !== true))
    throw new CommandError('Name one Environment, or write --all.', EXIT.Usage);
  return name === undefined ? allEnvironments(context) : [await readEnvironment(context, name)];
}

async function allEnvironments({ kubectl }: Context): Promise<readonly Environment[]> {
  return listSchema.parse(await kubectl.json(['get', RESOURCE])).items;
}

/** @throws CommandError where there is none of that name, with those that there are */
async function readEnvironment(context: Context, name: string): Promise<Environment> {
  try {
    return environmentSchema.parse(await context.kubectl.json(['get', RESOURCE, name]));
  } catch (error) {
    if (!(error instanceof CommandError) || !error.message.includes('(NotFound)')) throw error;
    const names = known((await allEnvironments(context)).map(({ metadata }) => metadata.name));
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
