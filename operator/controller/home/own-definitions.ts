import { setTimeout as sleep } from 'node:timers/promises';
import definitions from '../../api/v1alpha1/definitions.json' with { type: 'json' };
import { ANNOTATION_SCHEMA, ANNOTATION_VERSION } from '../../api/v1alpha1/names.ts';
import type { KubeClient, KubeObject } from '../../kube/client.ts';
import { isNotFound } from '../../kube/errors.ts';
import { MADE_DEFINITIONS } from '../../kube/rights.ts';
import type { Logger } from '../../observe/log.ts';
import { backoffMs } from '../../retry/backoff.ts';
import { compareVersions, parseVersion } from '../../source/semver.ts';
import { fieldsBeyond, type Versioned } from './kept-fields.ts';

const DEFINITIONS = {
  group: 'apiextensions.k8s.io',
  version: 'v1',
  plural: 'customresourcedefinitions',
};

/** A conflict is over at once, a right that is missing takes a person. Only the leader tries: nobody comes together. */
const RETRY = { firstMs: 1_000, longestMs: 60_000 };

/** Fields that a line of the log names of a definition. */
const MOST_TOLD = 10;

export interface UpgradeOptions {
  client: KubeClient;
  log: Logger;
  signal: AbortSignal;
}

/**
 * Brings the definitions of our kinds up to this operator's version, each with one conditional write, and logs those
 * that changed. One that is missing is created, since no upgrade by Helm brings a kind that is new; but for the
 * Application's, without which no operator leads. One of a newer version stays as it is, so that an older operator,
 * after a rollback or beside a newer one, takes no field away; so does one of the same version with the same schema, or
 * with fields that ours lacks, of a later build. A stored version that a newer one lacks is refused by the API server.
 * What fails is logged with what helps, and tried again until the signal ends it: the operator works with older
 * definitions meanwhile. Resolves after the first attempt.
 */
export async function upgradeDefinitions(options: UpgradeOptions): Promise<void> {
  if (!(await succeeds(options))) void tryAgain(options);
}

async function tryAgain(options: UpgradeOptions): Promise<void> {
  const { signal } = options;
  for (let failures = 1; ; failures += 1) {
    const pause = backoffMs({ ...RETRY, failures, jitter: 'None' });
    await sleep(pause, undefined, { signal, ref: false }).catch(() => undefined);
    if (signal.aborted || (await succeeds(options))) return;
  }
}

async function succeeds(options: UpgradeOptions): Promise<boolean> {
  const { log } = options;
  try {
    for (const upgrade of await upgradeOlder(options))
      log.info({ ...upgrade }, 'A definition of Towpath was brought up to this version.');
    return true;
  } catch (error) {
    if (options.signal.aborted) return false;
    log.error(
      { error: error instanceof Error ? error.message : String(error) },
      'The definitions of Towpath could not be brought up to this version; it is tried again. By hand: kubectl apply --server-side --force-conflicts -f charts/towpath/crds',
    );
    return false;
  }
}

interface DefinitionUpgrade {
  /** `applications.towpath.dev` */
  name: string;
  /** Undefined: of a time when definitions told no version, or there was none. */
  from: string | undefined;
  to: string;
}

type Definition = (typeof definitions)[number];

async function upgradeOlder(options: UpgradeOptions): Promise<DefinitionUpgrade[]> {
  const upgrades: DefinitionUpgrade[] = [];
  for (const definition of definitions) {
    const { name, annotations } = definition.metadata;
    const live = await read(name, options);
    if (live !== undefined && !isBehind(live, definition, options.log)) continue;
    if (live === undefined) await create(definition, options);
    else await upgrade(live, definition, options);
    const from = live?.metadata.annotations?.[ANNOTATION_VERSION];
    upgrades.push({ name, from, to: annotations[ANNOTATION_VERSION] });
  }
  return upgrades;
}

/** @returns undefined where it is missing and may be made */
async function read(
  name: string,
  { client, signal }: Omit<UpgradeOptions, 'log'>,
): Promise<KubeObject | undefined> {
  try {
    return await client.get({ resource: DEFINITIONS, name }, { signal });
  } catch (error) {
    if (isNotFound(error) && MADE_DEFINITIONS.includes(name)) return undefined;
    throw error;
  }
}

function isBehind(
  live: KubeObject,
  { metadata: { name, annotations }, spec }: Definition,
  log: Logger,
): boolean {
  if (isGoing(live)) return false;
  const from = live.metadata.annotations?.[ANNOTATION_VERSION];
  const to = annotations[ANNOTATION_VERSION];
  if (from !== to) return isNewer(to, from);
  if (live.metadata.annotations?.[ANNOTATION_SCHEMA] === annotations[ANNOTATION_SCHEMA]) return false;
  // Builds between releases: which of two is the later one no version says, but what one keeps of objects does.
  const lost = fieldsBeyond(versionsOf(live), spec.versions, MOST_TOLD);
  if (lost.length === 0) return true;
  log.info(
    { name, version: to, fields: lost },
    'A definition of Towpath has fields that this build of the same version lacks, and stays as it is.',
  );
  return false;
}

function versionsOf({ spec }: KubeObject): readonly Versioned[] {
  const { versions } = (spec ?? {}) as { versions?: readonly Versioned[] };
  return versions ?? [];
}

async function upgrade(
  live: KubeObject,
  { metadata: { name, annotations }, spec }: Definition,
  { client, signal }: Omit<UpgradeOptions, 'log'>,
): Promise<void> {
  // A merge patch replaces the list of versions as a whole: no field of an older schema is left in it.
  const { uid, resourceVersion } = live.metadata;
  const patch = {
    metadata: { uid, resourceVersion, annotations },
    spec: { names: spec.names, versions: spec.versions },
  };
  await client.mergePatch({ resource: DEFINITIONS, name }, patch, { fieldManager: 'towpath' }, { signal });
}

/**
 * By server-side apply, the one way to create of which RBAC takes the name. With this resourceVersion one that somebody
 * else made meanwhile is refused.
 */
async function create(
  { metadata, ...definition }: Definition,
  { client, signal }: Omit<UpgradeOptions, 'log'>,
): Promise<void> {
  const body = { ...definition, metadata: { ...metadata, resourceVersion: '1' } };
  const path = { resource: DEFINITIONS, name: metadata.name };
  await client.apply(path, JSON.stringify(body), { fieldManager: 'towpath', force: false }, { signal });
}

/** Whether a version comes after another; what is no version is older than any. */
function isNewer(version: string, than: string | undefined): boolean {
  const [ours, theirs] = [parseVersion(version), parseVersion(than ?? '')];
  if (ours === undefined) return false;
  return theirs === undefined || compareVersions(ours, theirs) > 0;
}

function isGoing({ metadata }: KubeObject): boolean {
  return metadata.deletionTimestamp !== undefined;
}
