import type { Application, EnvironmentStatus } from '../../operator/api/v1alpha1/application.ts';
import { shortened } from '../../operator/api/v1alpha1/revision.ts';
import { commandOn, isLookedAt, readyOf } from '../application.ts';
import { paint, plain, type Terminal } from './terminal.ts';
import { clears, relative } from './times.ts';
import type { Node } from './tree.ts';

type Look = Pick<Terminal, 'isColoured'>;

const GOOD: ReadonlySet<string> = new Set(['Synced', 'Healthy']);
const BAD: ReadonlySet<string> = new Set(['Failed', 'Quarantined', 'Degraded', 'Missing']);

/** An Application and what its status tells of each environment. */
export function applicationNode(
  application: Application,
  name: string,
  now: Date,
  look: Look,
  environments: readonly EnvironmentStatus[] = application.status?.environments ?? [],
): Node {
  const { status, metadata } = application;
  const words = [paint(look, 'bold', name)];
  if (status?.summary?.revision !== undefined) words.push(plain(status.summary.revision));
  words.push(state(status?.sync, status?.health, look));
  const ready = readyOf(status);
  // Conditions are those of the environment that is worst off.
  const isTold = (status?.environments ?? []).some((one) => tells(one, ready?.message));
  const below: Node[] = [];
  if (metadata.deletionTimestamp !== undefined)
    below.push({ text: `is being deleted, asked for ${relative(metadata.deletionTimestamp, now)}` });
  if (!isLookedAt(application)) below.push({ text: 'its spec was changed since the operator looked last' });
  if (ready !== undefined && ready.status !== 'True' && !isTold)
    below.push({ text: `${ready.reason}: ${plain(ready.message)}` });
  if (status?.keptTotal !== undefined && status.keptTotal > 0)
    below.push({
      text: `${objects(status.keptTotal)} that left Git stayed: ${commandOn(application, 'why')}`,
    });
  for (const environment of environments) below.push(environmentNode(environment, now, look));
  return { text: words.join('  '), below };
}

/** Whether an environment says that, as what goes on or as what it waits for. */
export function tells({ message, blockedBy = [] }: EnvironmentStatus, said: string | undefined): boolean {
  return said !== undefined && (message === said || blockedBy.some((blocked) => blocked.message === said));
}

/** So much of what blocks is looked for in a message, which may be cut behind it. */
const KNOWN_BY = 80;

/** Whether what an environment waits for says its message already: that is often it, behind the commit that waits. */
export function isSaidBy(blockedBy: readonly { message: string }[], message: string): boolean {
  return blockedBy.some((blocked) => message.includes(blocked.message.slice(0, KNOWN_BY)));
}

function environmentNode(environment: EnvironmentStatus, now: Date, look: Look): Node {
  const { name, sync, health, chart, revision } = environment;
  const words = [name, state(sync, health, look)];
  if (chart !== undefined) words.push(plain(chart));
  if (revision !== undefined) words.push(short(revision));
  if (environment.objects !== undefined) words.push(objects(environment.objects));
  return { text: words.join('  '), below: factsOf(environment, now) };
}

function factsOf(environment: EnvironmentStatus, now: Date): Node[] {
  const {
    sync,
    health,
    message,
    revision,
    desiredRevision,
    blockedBy = [],
    drift,
    pendingPrune,
  } = environment;
  const texts: string[] = [];
  if (desiredRevision !== undefined && desiredRevision !== revision)
    texts.push(`is to run ${short(desiredRevision)}`);
  const isFine = sync === 'Synced' && health === 'Healthy';
  if (message !== undefined && !isFine && !isSaidBy(blockedBy, message)) texts.push(plain(message));
  for (const blocked of blockedBy) texts.push(blockedText(blocked, now));
  if (drift !== undefined && drift.count > 0) texts.push(driftText(drift, now));
  if (pendingPrune !== undefined)
    texts.push(`deleting ${objects(pendingPrune.count)} waits for consent: kubectl towpath why`);
  return [...new Set(texts)].map((text) => ({ text }));
}

function blockedText(
  { reason, message, since, clearsAt }: NonNullable<EnvironmentStatus['blockedBy']>[number],
  now: Date,
): string {
  return `blocked by ${reason}${timesOf({ since, clearsAt }, now)}: ${plain(message)}`;
}

/** ` (since 5m ago, clears in 3m, at 2026-12-03 09:00 UTC+1)`, as far as that is known. */
export function timesOf(
  { since, clearsAt }: { since?: string | undefined; clearsAt?: string | undefined },
  now: Date,
): string {
  const times = [
    ...(since === undefined ? [] : [`since ${relative(since, now)}`]),
    ...(clearsAt === undefined ? [] : [clears(clearsAt, now)]),
  ];
  return times.length === 0 ? '' : ` (${times.join(', ')})`;
}

function driftText(drift: NonNullable<EnvironmentStatus['drift']>, now: Date): string {
  const by = drift.lastBy === undefined ? '' : ` by ${plain(drift.lastBy)}`;
  const at = drift.lastAt === undefined ? '' : ` ${relative(drift.lastAt, now)}`;
  const last = drift.lastObject === undefined ? '' : `; last ${plain(drift.lastObject)}${by}${at}`;
  const differ = drift.count === 1 ? '1 object differs' : `${drift.count} objects differ`;
  return `${differ} from Git${last}`;
}

export function state(sync: string | undefined, health: string | undefined, look: Look): string {
  const words = [sync, health].filter((word) => word !== undefined);
  if (words.length === 0) return paint(look, 'yellow', 'not looked at yet');
  return words
    .map((word) => paint(look, GOOD.has(word) ? 'green' : BAD.has(word) ? 'red' : 'yellow', word))
    .join(', ');
}

/** `4f2c81a`; of a published chart its version. */
export function short(revision: string): string {
  return plain(shortened(revision));
}

export function objects(count: number): string {
  return count === 1 ? '1 object' : `${count} objects`;
}
