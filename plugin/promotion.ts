import { setTimeout } from 'node:timers/promises';
import { z } from 'zod';
import { API_VERSION, GROUP } from '../operator/api/v1alpha1/names.ts';
import { type Promotion, parsePromotion } from '../operator/api/v1alpha1/promotion.ts';
import { partsOf, shortened } from '../operator/api/v1alpha1/revision.ts';
import { CommandError } from './exit-codes.ts';
import type { Kubectl } from './kubectl.ts';
import { known } from './text/known.ts';
import { plain } from './text/terminal.ts';
import { local } from './text/times.ts';
import { whoAmI } from './who-am-i.ts';

export const PROMOTIONS = `promotions.${GROUP}`;

/** So long the operator gets to say something of what was asked for. */
const ANSWER_MS = 10_000;
const LOOK_MS = 200;
/** Of the objects that change, so many are named. */
const NAMED = 10;

/** What a person asks for: the rest is filled in. */
export type Asked = Omit<Promotion['spec'], 'requestedBy' | 'skipGates' | 'deployment'> &
  Partial<Pick<Promotion['spec'], 'skipGates'>>;

const listSchema = z.object({ items: z.array(z.unknown()) });

/** Makes a Promotion in the user's own name. @throws CommandError with kubectl's own words */
export async function ask(kubectl: Kubectl, spec: Asked): Promise<Promotion> {
  const { username } = await whoAmI(kubectl);
  const { application, environment } = spec;
  return promotionOf(
    await kubectl.create({
      apiVersion: API_VERSION,
      kind: 'Promotion',
      metadata: {
        generateName: `${application}-${environment}-`,
        labels: { [`${GROUP}/application`]: application, [`${GROUP}/environment`]: environment },
      },
      spec: { ...spec, requestedBy: username },
    }),
  );
}

/** @throws CommandError where there is none of that name, with those that there are, the newest first */
export async function readPromotion(
  kubectl: Kubectl,
  name: string,
  signal?: AbortSignal,
): Promise<Promotion> {
  try {
    return promotionOf(await kubectl.json(['get', PROMOTIONS, name], signal));
  } catch (error) {
    if (!(error instanceof CommandError) || !error.message.includes('(NotFound)')) throw error;
    const others = newestFirst(await kubectl.json(['get', PROMOTIONS], signal));
    const names = known(others.map(({ metadata }) => metadata.name));
    throw new CommandError(`There is no Promotion ${name} here; the newest in this namespace are: ${names}.`);
  }
}

/** Those of an Application in an environment that may be seen, the newest first. */
export async function promotionsOf(
  kubectl: Kubectl,
  application: string,
  environment: string,
): Promise<readonly Promotion[]> {
  const found = await kubectl.jsonIfAny([
    'get',
    PROMOTIONS,
    `--field-selector=spec.application=${application},spec.environment=${environment}`,
  ]);
  return newestFirst(found);
}

/** Those of a list; none where it is no list. */
function newestFirst(list: unknown): readonly Promotion[] {
  const { items = [] } = listSchema.safeParse(list).data ?? {};
  const time = ({ metadata }: Promotion) => metadata.creationTimestamp ?? '';
  return items.map(promotionOf).sort((one, other) => (time(one) < time(other) ? 1 : -1));
}

/** Each change of one, what it is now first, until `signal` is aborted. */
export async function* watchPromotion(
  kubectl: Kubectl,
  name: string,
  signal: AbortSignal,
): AsyncGenerator<{ type: string; promotion: Promotion }> {
  for await (const { type, object } of kubectl.follow([PROMOTIONS, name], signal))
    yield { type, promotion: promotionOf(object) };
}

/** As it is once the operator said something of it; without an answer in time as it is then. */
export async function answered(kubectl: Kubectl, asked: Promotion, signal: AbortSignal): Promise<Promotion> {
  const until = performance.now() + ANSWER_MS;
  for (;;) {
    const promotion = await readPromotion(kubectl, asked.metadata.name, signal);
    if (isAnswer(promotion) || performance.now() >= until) return promotion;
    await setTimeout(LOOK_MS, undefined, { signal });
  }
}

function isAnswer({ status = {} }: Promotion): boolean {
  const { phase = 'Pending', blockedBy = [] } = status;
  return phase !== 'Pending' || blockedBy.length > 0;
}

/**
 * What it changes, and what it waits for: line by line.
 *
 * @param shown digest of the manifests of which was told before what they change
 */
export function linesOf({ metadata, status = {} }: Promotion, shown?: string): string[] {
  const { phase = 'Pending', message, blockedBy = [], changes, digest } = status;
  const waits = blockedBy.map(({ reason, message: why, clearsAt }) => {
    const until = clearsAt === undefined ? '' : ` (clears at ${local(clearsAt)})`;
    return `  ${reason}: ${plain(why)}${until}`;
  });
  return [
    ...(digest !== undefined && digest === shown ? [] : linesOfChanges(changes)),
    ...(waits.length === 0 ? [] : ['It waits for:', ...waits]),
    `Promotion ${metadata.name}: ${phase}${message === undefined || waits.length > 0 ? '' : `. ${plain(message)}`}`,
  ];
}

const SIGNS = { Added: '+', Changed: '~', Pruned: '-' } as const;

export function linesOfChanges(changes: NonNullable<Promotion['status']>['changes']): string[] {
  if (changes === undefined) return [];
  const { added = 0, changed = 0, pruned = 0, objects = [], revision, chart } = changes;
  const others = added + changed + pruned - Math.min(objects.length, NAMED);
  const named = objects.slice(0, NAMED).map(({ change, kind, namespace, name }) => {
    const where = namespace === undefined || namespace === '' ? '' : `${namespace}/`;
    return `  ${SIGNS[change]} ${kind} ${where}${name}`;
  });
  return [
    ...fromTo(isOfChart(revision?.to) ? 'Revision' : 'Commit', revision, shortened),
    ...fromTo('Chart', chart, plain),
    `Changes: ${changed} changed, ${added} added, ${pruned} deleted.`,
    ...named,
    ...(others > 0 ? [`  and ${others} more`] : []),
  ];
}

function isOfChart(revision = ''): boolean {
  return partsOf(revision).version !== undefined;
}

function fromTo(
  what: string,
  change: { from?: string | undefined; to?: string | undefined } | undefined,
  shown: (text: string) => string,
): string[] {
  const { from, to } = change ?? {};
  if (to === undefined || from === to) return [];
  return [`${what}: ${from === undefined ? 'nothing' : shown(from)} → ${shown(to)}`];
}

/** @throws CommandError where it cannot be read */
function promotionOf(object: unknown): Promotion {
  const promotion = parsePromotion(object);
  if (promotion !== undefined) return promotion;
  throw new CommandError(
    'This plugin cannot read a Promotion of that cluster: take the plugin of the Towpath that is installed there.',
  );
}
