import {
  type Application,
  type ApplicationStatus,
  type EnvironmentStatus,
  environmentOf,
} from '../../operator/api/v1alpha1/application.ts';
import { requestFor } from '../../operator/api/v1alpha1/environment-request.ts';
import { ANNOTATION_PRUNE_CONSENT } from '../../operator/api/v1alpha1/names.ts';
import { REASONS } from '../../operator/api/v1alpha1/reasons.ts';
import {
  commandOn,
  DEFAULT_ENVIRONMENT,
  environmentsOf,
  hasSeveral,
  keyOf,
  RESOURCE,
  readApplication,
  readyOf,
} from '../application.ts';
import { EXIT } from '../exit-codes.ts';
import { isSaidBy, objects, short, state, tells, timesOf } from '../text/application-tree.ts';
import { paint, plain, wrap } from '../text/terminal.ts';
import { relative } from '../text/times.ts';
import { type Command, type Context, isJson, printJson, printLines } from './command.ts';
import { warnIfNobodyLeads } from './nobody-leads.ts';

/** One thing that keeps an Application from being as Git says. */
interface Cause {
  environment?: string;
  reason: string;
  message: string;
  since?: string | undefined;
  clearsAt?: string | undefined;
  /** What helps, in a sentence or a command. */
  next?: string;
}

export const why: Command = {
  usage: 'why APP [ENV]',
  words: [1, 2],
  flags: ['output', 'operator-namespace'],
  summary: 'Says what an Application waits for, since when, and what to do about it: the first cause first.',
  run: async (context) => {
    const [name = '', environment] = context.words;
    const application = await readApplication(context.kubectl, name);
    const environments = environmentsOf(application, environment);
    await warnIfNobodyLeads(context);
    const causes = causesOf(application, environments);
    if (isJson(context)) printJson(context, jsonOf(application, environment, causes));
    else print(context, application, environments, causes);
    return EXIT.Done;
  },
};

function jsonOf(
  { metadata, status }: Application,
  environment: string | undefined,
  causes: readonly Cause[],
) {
  const { namespace, name } = metadata;
  const retry = retryIn(status, environment);
  return { namespace, name, causes, ...(retry === undefined ? {} : { retry }) };
}

export function causesOf(application: Application, environments: readonly EnvironmentStatus[]): Cause[] {
  const { status, metadata } = application;
  const causes: Cause[] = [];
  const ready = readyOf(status);
  // Conditions are those of the environment that is worst off.
  const about = (status?.environments ?? []).filter((one) => tells(one, ready?.message));
  const [asked] = about.filter((one) => environments.includes(one));
  const isOfOthers = about.length > 0 && asked === undefined;
  if (ready === undefined)
    causes.push({ reason: 'NotLookedAt', message: 'No operator has told anything of it yet.' });
  else if (ready.status !== 'True' && !isOfOthers)
    causes.push({
      ...(hasSeveral(application) && asked !== undefined ? { environment: asked.name } : {}),
      reason: ready.reason,
      message: ready.message,
      since: ready.lastTransitionTime,
      ...nextOf(ready.reason, application),
    });
  if (status?.observedGeneration !== undefined && status.observedGeneration !== metadata.generation)
    causes.push({ reason: 'SpecChanged', message: 'The spec was changed since the operator looked last.' });
  for (const environment of environments) {
    const told = environment === asked ? ready?.message : undefined;
    causes.push(...stateOf(environment, told), ...blocksOf(environment, application, told));
  }
  causes.push(...refusalsOf(application), ...keptOf(status, environments));
  return causes;
}

/** What an environment tells that is not as it should be, and that nothing else says. */
function stateOf(environment: EnvironmentStatus, told: string | undefined): Cause[] {
  const { name, sync, health, message, blockedBy = [] } = environment;
  if (sync === 'Synced' && health === 'Healthy') return [];
  if (message === undefined || message === told || isSaidBy(blockedBy, message)) return [];
  const reason = (sync === 'Synced' ? health : sync) ?? 'NotLookedAt';
  return [{ environment: name, reason, message }];
}

function blocksOf(
  environment: EnvironmentStatus,
  application: Application,
  told: string | undefined,
): Cause[] {
  const { name, blockedBy = [], pendingPrune } = environment;
  const { metadata } = application;
  const causes: Cause[] = blockedBy
    .filter(({ message }) => message !== told)
    .map((blocked) => ({
      environment: name,
      ...blocked,
      ...nextOf(blocked.reason, application),
    }));
  if (pendingPrune !== undefined) {
    const named = pendingPrune.objects?.map(({ kind, name }) => `${kind} ${name}`).join(', ');
    causes.push({
      environment: name,
      reason: 'PruneHeld',
      message: `Deleting ${objects(pendingPrune.count)} waits for consent${named === undefined ? '' : `: ${named}`}.`,
      next: `kubectl annotate -n ${metadata.namespace} ${RESOURCE} ${metadata.name} --overwrite ${ANNOTATION_PRUNE_CONSENT}=${consentWith(application, name, pendingPrune.digest)}`,
    });
  }
  return causes;
}

/** The annotation that consents to a plan, and to those of other environments that were consented to and go on. */
export function consentWith(
  { metadata, status }: Pick<Application, 'metadata' | 'status'>,
  environment: string,
  digest: string,
): string {
  const before = metadata.annotations[ANNOTATION_PRUNE_CONSENT];
  const others = (status?.environments ?? [])
    .filter(({ name }) => name !== environment)
    .filter(
      ({ name, pendingPrune }) =>
        pendingPrune !== undefined && requestFor(before, name) === pendingPrune.digest,
    )
    .map(({ name, pendingPrune }) => `${name}=${pendingPrune?.digest}`);
  return [...others, `${environment}=${digest}`].join(',');
}

function refusalsOf({ status }: Application): Cause[] {
  const { quarantine } = status ?? {};
  if (quarantine === undefined) return [];
  const errors = quarantine.errors ?? [];
  // Environments that follow another ref refuse another commit.
  const revisionIn = (environment: string | undefined) =>
    (environment === undefined ? undefined : environmentOf(status, environment)?.desiredRevision) ??
    quarantine.revision;
  const causes = errors.map(({ environment, object, file, line, message }): Cause => {
    // Most messages begin with it.
    const isSaid = file === undefined || message.startsWith(file);
    const place = isSaid ? '' : `${file}${line === undefined ? '' : `:${line}`}: `;
    const what =
      object === undefined
        ? ''
        : `${object.kind} ${object.namespace && `${object.namespace}/`}${object.name}: `;
    return {
      ...(environment === undefined ? {} : { environment }),
      reason: `Refused ${short(revisionIn(environment))}`,
      message: `${place}${what}${message}`,
    };
  });
  const more = quarantine.total - errors.length;
  if (more > 0)
    causes.push({ reason: `Refused ${short(quarantine.revision)}`, message: `And ${more} more.` });
  return causes;
}

/** Of these environments. */
function keptOf(status: ApplicationStatus | undefined, environments: readonly EnvironmentStatus[]): Cause[] {
  const isAsked = (name: string | undefined) =>
    name === undefined || environments.some((one) => one.name === name);
  const kept = (status?.kept ?? []).filter(({ environment }) => isAsked(environment));
  return kept.map(({ environment, object, reason }) => ({
    ...(environment === undefined ? {} : { environment }),
    reason: 'Kept',
    message: `${object.kind} ${object.namespace && `${object.namespace}/`}${object.name} left Git and stays: ${reason}`,
  }));
}

function nextOf(reason: string, application: Application): Pick<Cause, 'next'> {
  if (reason === 'AwaitingSync') return { next: commandOn(application, 'sync') };
  const entry = Object.entries(REASONS).find(([name]) => name === reason)?.[1];
  return entry === undefined || entry.remedy === 'None' ? {} : { next: entry.action };
}

function print(
  context: Context,
  application: Application,
  environments: readonly EnvironmentStatus[],
  causes: readonly Cause[],
): void {
  const { out, now } = context;
  const { status } = application;
  const [only] = environments.length === 1 && hasSeveral(application) ? environments : [];
  const title = only === undefined ? keyOf(application) : `${keyOf(application)} in ${only.name}`;
  const retry = retryIn(status, only?.name);
  const { sync, health } = only ?? status ?? {};
  const lines = [`${paint(out, 'bold', title)}  ${state(sync, health, out)}`];
  if (causes.length === 0) {
    const message = only === undefined ? readyOf(status)?.message : only.message;
    lines.push(
      ...wrap(`Nothing: ${message === undefined ? 'it is as Git says.' : plain(message)}`, out.width),
    );
  }
  for (const { environment, reason, message, since, clearsAt, next } of causes) {
    const where = environment === undefined ? '' : `${environment}: `;
    const when = timesOf({ since, clearsAt }, now());
    lines.push(
      ...wrap(`${where}${paint(out, 'yellow', plain(reason))}${when}: ${plain(message)}`, out.width, '  '),
    );
    // A command is to be copied whole.
    if (next !== undefined)
      lines.push(...(next.startsWith('kubectl ') ? [`  → ${next}`] : wrap(`  → ${next}`, out.width, '    ')));
  }
  if (retry !== undefined) {
    const next = retry.nextAt === undefined ? '' : `; the next try is ${relative(retry.nextAt, now())}`;
    const where = only === undefined && hasSeveral(application) ? `${retry.environment}: ` : '';
    lines.push(`${where}${retry.attempts === 1 ? '1 try' : `${retry.attempts} tries`} failed${next}.`);
  }
  printLines(context, lines);
}

/** What is tried again there; undefined: in any. */
export function retryIn(
  status: ApplicationStatus | undefined,
  environment: string | undefined,
): { attempts: number; nextAt?: string | undefined; environment: string } | undefined {
  const { retry } = status ?? {};
  const { environment: of = environment ?? DEFAULT_ENVIRONMENT } = retry ?? {};
  return retry === undefined || (environment ?? of) !== of ? undefined : { ...retry, environment: of };
}
