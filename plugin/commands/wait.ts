import { setTimeout } from 'node:timers/promises';
import type { Application } from '../../operator/api/v1alpha1/application.ts';
import { parseDuration } from '../../operator/api/v1alpha1/duration.ts';
import type { Promotion } from '../../operator/api/v1alpha1/promotion.ts';
import { partsOf } from '../../operator/api/v1alpha1/revision.ts';
import {
  commandOn,
  DEFAULT_ENVIRONMENT,
  environmentsOf,
  keyOf,
  readApplication,
  readyOf,
  watchApplications,
} from '../application.ts';
import { CommandError, EXIT } from '../exit-codes.ts';
import { isOld, LeaderWatch, lastRenewal } from '../leader.ts';
import { readPromotion } from '../promotion.ts';
import { short } from '../text/application-tree.ts';
import { plain, wrap } from '../text/terminal.ts';
import { apartByRef, defaultsOf, type Judged, refuseApart, whenApart } from './apart.ts';
import { type Command, type Context, isJson, printJson, printLines } from './command.ts';
import { leadsSince, operatorNamespace, silence, warnOfSilence } from './nobody-leads.ts';
import { Overtaken } from './overtaken.ts';
import { type Awaited, type Verdict, verdictOn } from './verdict.ts';
import { PROMOTION_GOALS, promotionEnds, promotionSoFar, verdictOnPromotion } from './wait-promotion.ts';

const DEFAULT_TIMEOUT = '10m';
/** What a timer can wait for: 24 days. */
const LONGEST_MS = 2 ** 31 - 1;
/** How often it is asked whether an operator leads: nothing tells of one that is silent. */
const LEADER_MS = 10_000;
/** How long what is known already is kept back for who leads. */
const LEADER_ANSWERS_MS = 5_000;

export const wait: Command = {
  usage: 'wait APP [ENV] --revision SHA | --candidate ID, or wait --promotion NAME',
  words: [0, 2],
  flags: ['revision', 'candidate', 'promotion', 'for', 'timeout', 'output', 'operator-namespace'],
  summary:
    'Waits for exactly that commit, candidate or Promotion, and says in its exit code what became of it.',
  notes: [
    'Of a Promotion --for verified (default): it came to its end; deployed: it was applied and was healthy.',
    '--for healthy (default): it was deployed to its end and is healthy; synced: that it was deployed is enough, whatever its health is by now.',
    `--timeout: default ${DEFAULT_TIMEOUT}. Without ENV all environments are waited for.`,
    'Exit codes: 0 it is so, 3 not in time, 4 failed, 5 quarantined, 6 superseded, 7 no operator leads, 8 suspended.',
  ],
  run: async (context) => {
    const { code, message } = await verdictFor(context);
    if (isJson(context)) printJson(context, { answer: nameOf(code), message });
    else printLines(context, wrap(plain(message), context.out.width));
    return code;
  },
};

function verdictFor(context: Context): Promise<Verdict> {
  const { words, flags } = context;
  const { promotion } = flags;
  if (promotion === undefined) {
    const awaited = awaitedOf(context);
    const overtaken = new Overtaken(awaited);
    const seen: { application?: Application } = {};
    const late = () => lateOf(seen.application, context);
    return inTime(context, late, async (signal) => {
      const answer = (application: Application) => {
        seen.application = application;
        return verdictOnAll(application, words[1], awaited, overtaken);
      };
      const apart = () =>
        seen.application && words[1] === undefined
          ? apartIn(seen.application, awaited, overtaken)
          : undefined;
      return (
        (await firstOf(context, () => now(context, awaited, answer, signal), signal)) ??
        Promise.race([
          changed(context, answer, signal),
          whenSilent(context, signal),
          whenApart(apart, signal),
        ])
      );
    });
  }
  const goal = PROMOTION_GOALS.find((one) => one === (flags.for ?? 'verified'));
  if (goal === undefined || words.length > 0 || flags.revision !== undefined || flags.candidate !== undefined)
    throw new CommandError(
      'Write wait --promotion NAME, and --for deployed or verified: it says itself what it is about.',
      EXIT.Usage,
    );
  const seen: { promotion?: Promotion } = {};
  const late = () =>
    `Not within ${flags.timeout ?? DEFAULT_TIMEOUT}.${seen.promotion === undefined ? '' : promotionSoFar(seen.promotion)}`;
  const note = (one: Promotion) => {
    seen.promotion = one;
    return verdictOnPromotion(one, goal);
  };
  return inTime(context, late, async (signal) => {
    const read = async () => note(await readPromotion(context.kubectl, promotion, signal));
    return (
      (await firstOf(context, read, signal)) ??
      Promise.race([promotionEnds(context, promotion, note, signal), whenSilent(context, signal)])
    );
  });
}

function awaitedOf({ flags, words }: Context): Awaited {
  const { revision, candidate } = flags;
  if (words.length === 0)
    throw new CommandError(
      `The name of an Application is missing. Usage: kubectl towpath ${wait.usage}`,
      EXIT.Usage,
    );
  const goal = flags.for ?? 'healthy';
  if (goal !== 'synced' && goal !== 'healthy')
    throw new CommandError(`--for=${goal} is neither synced nor healthy.`, EXIT.Usage);
  if ((revision === undefined) === (candidate === undefined))
    throw new CommandError(
      'Say what to wait for, with one of --revision (a commit, or the version of a published chart) and --candidate: a wait for "whatever is next" would end before a push is seen.',
      EXIT.Usage,
    );
  const by = revision === undefined ? 'candidate' : 'revision';
  const text = revision ?? candidate ?? '';
  if (by === 'revision' && partsOf(text).version !== undefined) return { by, digits: text, goal };
  const digits = text.replace(/^(sha256:|c-)/, '').toLowerCase();
  if (!/^[0-9a-f]{7,64}$/.test(digits))
    throw new CommandError(
      `--${by}=${text} names none: write at least 7 of its hexadecimal digits.`,
      EXIT.Usage,
    );
  return { by, digits, goal };
}

/** What comes of it, but not after the time is over, nor where no operator leads. */
async function inTime(
  context: Context,
  late: () => string,
  verdict: (signal: AbortSignal) => Promise<Verdict>,
): Promise<Verdict> {
  const timeoutMs = millisecondsOf(context.flags.timeout ?? DEFAULT_TIMEOUT);
  const ending = new AbortController();
  const signal = AbortSignal.any([ending.signal, context.signal]);
  const timedOut = async (): Promise<Verdict> => {
    await setTimeout(timeoutMs, undefined, { signal });
    return { code: EXIT.TimedOut, message: late() };
  };
  try {
    // What loses is ended, and what that fails with is nobody's.
    return await Promise.race([verdict(signal), timedOut()]);
  } finally {
    ending.abort();
  }
}

type Answer = (application: Application) => Verdict | undefined;

async function now(context: Context, { by }: Awaited, answer: Answer, signal: AbortSignal) {
  const [name = '', environment] = context.words;
  const application = await readApplication(context.kubectl, name, signal);
  if (by === 'candidate' && environment === undefined)
    refuseApart(application, await defaultsOf(context, application, signal));
  return answer(application);
}

async function changed({ kubectl, words }: Context, answer: Answer, signal: AbortSignal): Promise<Verdict> {
  const [name = ''] = words;
  for await (const { type, application } of watchApplications(kubectl, [name], signal)) {
    if (type === 'DELETED') throw new CommandError(`${keyOf(application)} was deleted meanwhile.`);
    const said = answer(application);
    if (said !== undefined) return said;
  }
  throw signal.reason;
}

function millisecondsOf(timeout: string): number {
  try {
    return Math.min(parseDuration(timeout), LONGEST_MS);
  } catch {
    throw new CommandError(`--timeout=${timeout} is no duration: write 90s, 10m or 1h30m.`, EXIT.Usage);
  }
}

/** The first that is not good, or good where all are; undefined where one is not final and none is bad. */
export function verdictOnAll(
  application: Application,
  environment: string | undefined,
  awaited: Awaited,
  overtaken: Overtaken = new Overtaken(awaited),
): Verdict | undefined {
  const verdicts = judged(application, environment, awaited, overtaken).map(({ verdict }) => verdict);
  const bad = verdicts.find((one) => one !== undefined && one.code !== EXIT.Done);
  if (bad !== undefined) return bad;
  if (verdicts.length === 0 || verdicts.includes(undefined)) return undefined;
  return {
    code: EXIT.Done,
    message: verdicts.map((one) => one?.message).join(' '),
    ...(verdicts.some((one) => one?.isOfNow) ? { isOfNow: true } : {}),
  };
}

/** Why that commit comes to no more of all environments, where that is so by now. */
export function apartIn(
  application: Application,
  awaited: Awaited,
  overtaken: Overtaken = new Overtaken(awaited),
): CommandError | undefined {
  if (awaited.by !== 'revision') return undefined;
  return apartByRef(application, awaited, judged(application, undefined, awaited, overtaken), overtaken);
}

function judged(
  application: Application,
  environment: string | undefined,
  awaited: Awaited,
  overtaken: Overtaken,
): Judged[] {
  const { environments = [{ name: DEFAULT_ENVIRONMENT }] } = application.spec;
  // One that the spec names no more is on its way out, and gets nothing new.
  return environmentsOf(application, environment)
    .filter(({ name }) => name === environment || environments.some((one) => one.name === name))
    .map((one) => ({ environment: one, verdict: verdictOn(application, one, awaited, overtaken) }));
}

/**
 * What is so already, with what is known of who leads: a status that nobody looks after keeps saying what it said
 * last. Who does not say so in time says nothing.
 */
async function firstOf(
  context: Context,
  answer: () => Promise<Verdict | undefined>,
  signal: AbortSignal,
): Promise<Verdict | undefined> {
  const asked = leadsSince(context, signal).catch(() => undefined);
  const verdict = await answer();
  if (verdict === undefined) return undefined;
  const patience = setTimeout(LEADER_ANSWERS_MS, undefined, { signal }).catch(() => undefined);
  const since = await Promise.race([asked, patience]);
  if (since === undefined) return verdict;
  if (verdict.isOfNow === undefined) {
    warnOfSilence(since, context);
    return verdict;
  }
  return { code: EXIT.NobodyLeads, message: `${verdict.message} But ${silence(since, context)}` };
}

async function whenSilent(context: Context, signal: AbortSignal): Promise<Verdict> {
  const watch = new LeaderWatch();
  for (;;) {
    const renewal = await lastRenewal(context.kubectl, operatorNamespace(context), signal);
    const byClock = renewal !== undefined && isOld(renewal, context.now()) ? 'Old' : 'New';
    const since = renewal && watch.note(renewal, byClock, performance.now());
    if (since !== undefined)
      return { code: EXIT.NobodyLeads, message: `While waiting: ${silence(since, context)}` };
    // Throws where the wait is over.
    await setTimeout(Math.min(LEADER_MS, renewal?.durationMs ?? LEADER_MS), undefined, { signal });
  }
}

function lateOf(application: Application | undefined, { flags, words }: Context): string {
  const [name = '', environment] = words;
  const within = `Not within ${flags.timeout ?? DEFAULT_TIMEOUT}.`;
  if (application === undefined)
    return `${within} The cluster did not answer kubectl: try kubectl get applications ${name}.`;
  const { status } = application;
  const seen = status?.source?.revision;
  const source = seen === undefined ? '' : ` The newest that was seen is ${short(seen)}.`;
  const more = commandOn(application, 'why', ...(environment === undefined ? [] : [environment]));
  return `${within}${source}${stateOf(application, environment)} More: ${more}`;
}

/** Conditions are those of the environment that is worst off: of one that was named, what it says itself. */
function stateOf(application: Application, environment: string | undefined): string {
  const [own] = environment === undefined ? [] : environmentsOf(application, environment);
  if (own !== undefined) {
    const { name, sync, health = 'health unknown', message } = own;
    if (sync === undefined) return ` Nothing was told of ${name} yet.`;
    return message === undefined ? ` ${name} is ${sync}, ${health}.` : ` ${sync}, ${health}: ${message}`;
  }
  const ready = readyOf(application.status);
  return ready === undefined ? '' : ` ${ready.reason}: ${ready.message}`;
}

function nameOf(code: number): string {
  return Object.entries(EXIT).find(([, value]) => value === code)?.[0] ?? 'Error';
}
