import { setTimeout } from 'node:timers/promises';
import { z } from 'zod';
import type { Application, EnvironmentStatus } from '../../operator/api/v1alpha1/application.ts';
import { GROUP } from '../../operator/api/v1alpha1/names.ts';
import { isMeant } from '../../operator/api/v1alpha1/revision.ts';
import { isLookedAt, keyOf } from '../application.ts';
import { CommandError, EXIT } from '../exit-codes.ts';
import type { Context } from './command.ts';
import type { Named, Overtaken } from './overtaken.ts';
import type { Verdict } from './verdict.ts';

type Entry = NonNullable<Application['spec']['environments']>[number];

/** The values that Environments have for every chart, as JSON, by name. */
export type Defaults = ReadonlyMap<string, string>;

/** What is said of an environment. */
export interface Judged {
  environment: EnvironmentStatus;
  verdict: Verdict | undefined;
}

/** Environments that have in common by what something comes to them. */
interface Group {
  what: string;
  names: string[];
}

const environmentsSchema = z.object({
  items: z.array(
    z.object({
      metadata: z.object({ name: z.string() }),
      spec: z.object({ values: z.unknown().optional() }),
    }),
  ),
});

/** Of all Environments that the Application names; of none where the user may not read them, or one is not there. */
export async function defaultsOf(
  { kubectl }: Pick<Context, 'kubectl'>,
  { spec }: Application,
  signal: AbortSignal,
): Promise<Defaults> {
  const names = (spec.environments ?? []).map(({ name }) => name);
  // With one name kubectl prints no list, and one is never apart.
  if (names.length < 2) return new Map();
  const args = ['get', `environments.${GROUP}`, ...names];
  const told = environmentsSchema.safeParse(await kubectl.jsonIfAny(args, signal));
  if (!told.success) return new Map();
  return new Map(
    told.data.items.flatMap(({ metadata, spec: { values } }) =>
      values === undefined ? [] : [[metadata.name, JSON.stringify(values)]],
    ),
  );
}

/**
 * Environments that are rendered of other files, or with other values, have candidates of their own: who waited for one
 * in all of them would wait for ever.
 *
 * @throws CommandError
 */
export function refuseApart(application: Application, defaults: Defaults): void {
  const { source } = application.spec;
  const groups = groupsOf(application, (entry) => {
    const { name, path = source?.path ?? '.', valuesFiles = [], valuesFrom = [], values } = entry;
    const sources = valuesFrom.map((one) => `${one.kind} ${one.name} key ${one.key}`);
    const inherited = defaults.get(name);
    const all = [`path ${path}`, ...valuesFiles, ...sources];
    // What they are may be long, and nobody's business where this is printed.
    if (values !== undefined) all.push('values of its own');
    if (inherited !== undefined) all.push('values of its Environment');
    const by = [path, valuesFiles, sources, values ?? null, inherited ?? null];
    return { what: all.join(', '), key: JSON.stringify(by) };
  });
  if (groups.length < 2) return;
  throw apart(
    application,
    'are not rendered of the same files and values, and have candidates of their own each',
    groups,
  );
}

/**
 * Where environments follow refs of their own, one commit may come to all of them, and later to one than to another. So
 * that it does not is said only once nothing more is to come in those that it came to. Undefined: not so far.
 */
export function apartByRef(
  application: Application,
  { digits }: Named,
  all: readonly Judged[],
  overtaken: Overtaken,
): CommandError | undefined {
  // By a spec that was corrected since then they may follow the same one.
  if (!isLookedAt(application)) return undefined;
  const groups = groupsOf(application, ({ ref = application.spec.source?.ref }) => ({ what: refText(ref) }));
  const by = new Map(all.map((one) => [one.environment.name, one]));
  const of = ({ names }: Group) => names.flatMap((name) => by.get(name) ?? []);
  const came = ({ environment }: Judged) =>
    hasSeen(environment, digits) || overtaken.wasToRunIn(environment.name);
  const reached = groups.filter((group) => of(group).some(came));
  const others = groups.filter((group) => !reached.includes(group) && of(group).every(knowsItsRef));
  if (reached.length === 0 || others.length === 0) return undefined;
  if (reached.flatMap(of).some(({ verdict }) => verdict === undefined)) return undefined;
  const theirs = reached.flatMap(({ names }) => names).join(', ');
  return apart(application, `do not follow the same ref, and that commit came to ${theirs} alone`, groups);
}

/** Of one out of reach nobody knows what it will be to run. */
function knowsItsRef({ environment: { sync, desiredRevision } }: Judged): boolean {
  return desiredRevision !== undefined && sync !== 'Blocked';
}

/**
 * One commit may be told of one environment before another, each being looked at by itself. Nor is it said before it is
 * known whether an operator looks at all, which a Lease of the chart's duration tells in less.
 */
const APART_MS = 30_000;

/** Throws what keeps them apart once it did so twice in a row. */
export async function whenApart(
  refusal: () => CommandError | undefined,
  signal: AbortSignal,
  everyMs = APART_MS,
): Promise<never> {
  for (let before = refusal(); ; ) {
    // Throws where the wait is over.
    await setTimeout(everyMs, undefined, { signal });
    const now = refusal();
    if (before !== undefined && now !== undefined) throw now;
    before = now;
  }
}

function hasSeen({ desiredRevision, revision, history = [] }: EnvironmentStatus, digits: string): boolean {
  const all = [desiredRevision, revision, ...history.map((entry) => entry.revision)];
  return all.some((one) => one !== undefined && isMeant(digits, one));
}

function groupsOf({ spec }: Application, by: (entry: Entry) => { what: string; key?: string }): Group[] {
  const groups = new Map<string, Group>();
  for (const entry of spec.environments ?? []) {
    const { what, key = what } = by(entry);
    const group = groups.get(key) ?? { what, names: [] };
    group.names.push(entry.name);
    groups.set(key, group);
  }
  return [...groups.values()];
}

function apart(application: Application, why: string, groups: readonly Group[]): CommandError {
  const named = groups.map(({ what, names }) => `${names.join(', ')} (${what})`);
  return new CommandError(
    `The environments of ${keyOf(application)} ${why}: name the one to wait for: ${named.join('; ')}.`,
    EXIT.Usage,
  );
}

function refText(ref: Entry['ref']): string {
  const [kind, name] = Object.entries(ref ?? {})[0] ?? [];
  return kind === undefined ? 'the default branch' : `${kind} ${name}`;
}
