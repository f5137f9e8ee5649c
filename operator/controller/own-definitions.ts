import definitions from '../api/v1alpha1/definitions.json' with { type: 'json' };
import { ANNOTATION_VERSION } from '../api/v1alpha1/names.ts';
import type { KubeClient, KubeObject } from '../kube/client.ts';
import type { Logger } from '../observe/log.ts';
import { compareVersions, parseVersion } from '../source/semver.ts';

const DEFINITIONS = {
  group: 'apiextensions.k8s.io',
  version: 'v1',
  plural: 'customresourcedefinitions',
};

export interface UpgradeOptions {
  client: KubeClient;
  log: Logger;
  signal: AbortSignal;
}

/**
 * Brings the definitions of our kinds up to this operator's version, each with one conditional write, and logs those
 * that changed. One of the same version or of a newer one stays as it is, so that an older operator, after a rollback
 * or beside a newer one, takes no field away. A stored version that a newer one lacks is refused by the API server.
 * What fails is logged with what helps: the operator works with older definitions, too.
 */
export async function upgradeDefinitions({ log, ...options }: UpgradeOptions): Promise<void> {
  try {
    for (const upgrade of await upgradeOlder(options))
      log.info({ ...upgrade }, 'A definition of Towpath was brought up to this version.');
  } catch (error) {
    log.error(
      { error: error instanceof Error ? error.message : String(error) },
      'The definitions of Towpath could not be brought up to this version: kubectl apply --server-side --force-conflicts -f charts/towpath/crds',
    );
  }
}

interface DefinitionUpgrade {
  /** `applications.towpath.dev` */
  name: string;
  /** Undefined: of a time when definitions told no version. */
  from: string | undefined;
  to: string;
}

async function upgradeOlder({ client, signal }: Omit<UpgradeOptions, 'log'>): Promise<DefinitionUpgrade[]> {
  const upgrades: DefinitionUpgrade[] = [];
  for (const { metadata, spec } of definitions) {
    const { name } = metadata;
    const path = { resource: DEFINITIONS, name };
    const live = await client.get(path, { signal });
    const from = live.metadata.annotations?.[ANNOTATION_VERSION];
    const to = metadata.annotations[ANNOTATION_VERSION];
    if (!isNewer(to, from) || isGoing(live)) continue;
    // A merge patch replaces the list of versions as a whole: no field of an older schema is left in it.
    const { uid, resourceVersion } = live.metadata;
    const annotations = { [ANNOTATION_VERSION]: to };
    const patch = {
      metadata: { uid, resourceVersion, annotations },
      spec: { names: spec.names, versions: spec.versions },
    };
    await client.mergePatch(path, patch, { fieldManager: 'towpath' }, { signal });
    upgrades.push({ name, from, to });
  }
  return upgrades;
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
