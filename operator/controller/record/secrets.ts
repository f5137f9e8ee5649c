import { GROUP } from '../../api/v1alpha1/names.ts';
import type { KubeClient, KubeObject } from '../../kube/client.ts';
import { isAlreadyExists, isConflict, isNotFound, isTooLarge } from '../../kube/errors.ts';
import { sha256Name } from '../../manifest/digest.ts';
import type { TargetIdentity } from './target.ts';

const SECRETS = { group: '', version: 'v1', plural: 'secrets' };
const LABEL_RECORD = `${GROUP}/record`;
const LABEL_CHUNK = `${GROUP}/manifests`;
const PREFIX = 'towpath-application-';
/** Records a page, and where that is too much for one answer: each may have 1 MiB, in base64. */
const PAGES = { limit: 100, smaller: 20 };

export interface SecretObject extends KubeObject {
  data?: Record<string, string>;
}

/** A Secret as it was last seen. */
export interface SeenSecret {
  readonly resourceVersion: string;
  readonly uid: string;
}

export function seen({ metadata }: KubeObject): SeenSecret {
  return { resourceVersion: metadata.resourceVersion, uid: metadata.uid };
}

/** `null` deletes a member. */
export type Members = Record<string, string | null>;

type Signal = AbortSignal | undefined;

/**
 * The Secret that keeps an Application's record and manifests. The whole of the digest stands in the name: no two
 * Applications share one (S18).
 */
export function applicationSecret(installation: string, application: string): string {
  return `${PREFIX}${sha256Name(JSON.stringify([installation, application]))}`;
}

/** The Secret of its own that the record of a target has where the Application's has another one's already. */
export function targetSecret(
  installation: string,
  { application, environment }: Pick<TargetIdentity, 'application' | 'environment'>,
): string {
  return `${applicationSecret(installation, application)}.${environment}`;
}

/** What a Secret that keeps a record is for; `Former`: nothing, in the layout that there is now. */
export function purposeOf({ metadata: { name } }: SecretObject): 'Application' | 'Target' | 'Former' {
  if (!name.startsWith(PREFIX)) return 'Former';
  return name.includes('.') ? 'Target' : 'Application';
}

/** The Secrets of one installation in the operator's namespace, and nothing of what is in them. */
export class RecordSecrets {
  readonly namespace: string;
  readonly installation: string;
  readonly #client: KubeClient;
  readonly #label: string;

  constructor(client: KubeClient, namespace: string, installation: string) {
    this.#client = client;
    this.namespace = namespace;
    this.installation = installation;
    this.#label = sha256Name(installation);
  }

  /** All that keep a record. */
  async records(signal: AbortSignal): Promise<SecretObject[]> {
    const select = { labelSelector: `${LABEL_RECORD}=${this.#label}` };
    const list = (limit: number) => this.#client.list(this.#collection(), { ...select, limit }, { signal });
    try {
      return (await list(PAGES.limit)).items;
    } catch (error) {
      if (!isTooLarge(error)) throw error;
      return (await list(PAGES.smaller)).items;
    }
  }

  /** Asks for one that keeps a record. @throws where they cannot be listed */
  async tryList(signal: AbortSignal): Promise<void> {
    const one = { labelSelector: `${LABEL_RECORD}=${this.#label}`, limit: 1, metadataOnly: true };
    await this.#client.listPage(this.#collection(), one, '', { signal });
  }

  /** The metadata of all that keep manifests for which a record's own Secret has no room. */
  async chunks(signal: AbortSignal): Promise<KubeObject[]> {
    const select = { labelSelector: `${LABEL_CHUNK}=${this.#label}`, metadataOnly: true };
    return (await this.#client.list(this.#collection(), select, { signal })).items;
  }

  async read(name: string, signal: Signal): Promise<SecretObject> {
    return this.#client.get({ ...this.#collection(), name }, optional(signal));
  }

  async createRecord(name: string, data: Members, signal: Signal): Promise<KubeObject> {
    return this.#create(name, { [LABEL_RECORD]: this.#label }, data, signal);
  }

  async createChunk(name: string, data: Members, signal: Signal): Promise<void> {
    await this.#create(name, { [LABEL_CHUNK]: this.#label }, data, signal);
  }

  /** Writes a Secret with a record, where it is as it was `seen`; undefined: it is made, in place of one that is not trusted. */
  async put(
    name: string,
    seen: SeenSecret | undefined,
    data: Members,
    { signal, read }: { signal: Signal; read: () => Promise<boolean> },
  ): Promise<KubeObject> {
    if (seen !== undefined) return this.update(name, seen.resourceVersion, data, signal);
    try {
      return await this.createRecord(name, data, signal);
    } catch (error) {
      // A create whose answer was lost, or another leader's: to be read first.
      if (!isAlreadyExists(error) || (await read())) throw error;
      await this.delete(name, signal);
      return this.createRecord(name, data, signal);
    }
  }

  /** A conflict where the Secret is no longer at the resourceVersion. */
  async update(name: string, resourceVersion: string, data: Members, signal: Signal): Promise<KubeObject> {
    const patch = { metadata: { resourceVersion }, data };
    return this.#client.mergePatch({ ...this.#collection(), name }, patch, {}, optional(signal));
  }

  /** One that is gone already is no failure. `uid`: only this very Secret. */
  async delete(name: string, signal: Signal, uid?: string): Promise<void> {
    try {
      const options = uid === undefined ? {} : { uid };
      await this.#client.delete({ ...this.#collection(), name }, options, optional(signal));
    } catch (error) {
      if (!isNotFound(error) && !(uid !== undefined && isConflict(error))) throw error;
    }
  }

  /** Ends when no write that its caller gave up is on its way any more. */
  async writesEnded(signal: Signal): Promise<void> {
    await this.#client.writesEnded(optional(signal));
  }

  async #create(name: string, labels: Record<string, string>, data: Members, signal: Signal) {
    const body = {
      apiVersion: 'v1',
      kind: 'Secret',
      type: `${GROUP}/record`,
      metadata: { name, labels },
      data,
    };
    return this.#client.create(this.#collection(), body, {}, optional(signal));
  }

  #collection() {
    return { resource: SECRETS, namespace: this.namespace };
  }
}

function optional(signal: Signal): { signal?: AbortSignal } {
  return signal === undefined ? {} : { signal };
}
