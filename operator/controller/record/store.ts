import { TowpathError } from '../../api/errors.ts';
import type { KubeClient } from '../../kube/client.ts';
import { ApiError } from '../../kube/errors.ts';
import { inParallel } from '../../kube/in-parallel.ts';
import type { Slices } from '../../observe/event-loop-slices.ts';
import { Turns } from '../work/turns.ts';
import { type CandidateOfAll, candidatesIn, isAccepted, type Pinned } from './application-record.ts';
import { type Acceptance, ApplicationSecrets, type Rendered } from './application-secrets.ts';
import { RecordChunks } from './chunks.ts';
import { KeptManifests } from './kept-manifests.ts';
import { type OnUntrusted, RecordReader } from './reader.ts';
import { type Candidate, type Manifests, noteRan, type TargetRecord } from './record.ts';
import { type Place, RecordsInMemory } from './records-in-memory.ts';
import { purposeOf, RecordSecrets, targetSecret } from './secrets.ts';
import { HOME, type TargetIdentity } from './target.ts';
import { TargetSecrets } from './target-secrets.ts';

export interface StoreOptions {
  /** The operator's. */
  namespace: string;
  installation: string;
  slices: Slices;
  onUntrusted: OnUntrusted;
}

interface SaveOptions {
  /** A candidate that is accepted with this write, in the environment of the target. */
  accepted?: { candidate: Candidate; manifests: Manifests };
  signal?: AbortSignal;
}

/**
 * Keeps what Applications accepted, manifests included, and the records of their targets, in Secrets of the operator's
 * namespace. The record of the first target is a member of its Application's Secret, so that accepting and writing
 * ahead is one request where there is one environment; each further target has a Secret of its own. Texts are kept once
 * for all that share them, and what does not fit goes into chunk Secrets.
 *
 * An acceptance is written before the record of any target that names it, and bytes go when no such record does. What
 * is written of one Application is written one after the other.
 */
export class RecordStore {
  readonly #secrets: RecordSecrets;
  readonly #chunks: RecordChunks;
  readonly #reader: RecordReader;
  readonly #manifests: KeptManifests;
  readonly #ofApplications: ApplicationSecrets;
  readonly #ofTargets: TargetSecrets;
  readonly #entries: RecordsInMemory;
  readonly #turns = new Turns();
  /** Records that are ahead of what is written. */
  readonly #ahead = new WeakSet<TargetRecord>();

  constructor(client: KubeClient, { namespace, installation, slices, onUntrusted }: StoreOptions) {
    const secrets = new RecordSecrets(client, namespace, installation);
    const parts = {
      secrets,
      chunks: new RecordChunks(secrets),
      reader: new RecordReader(secrets, slices, onUntrusted),
      manifests: new KeptManifests(secrets, slices),
      entries: new RecordsInMemory((target) => targetSecret(installation, target)),
    };
    this.#entries = parts.entries;
    this.#secrets = secrets;
    this.#chunks = parts.chunks;
    this.#reader = parts.reader;
    this.#manifests = parts.manifests;
    this.#ofApplications = new ApplicationSecrets(parts);
    this.#ofTargets = new TargetSecrets(secrets, parts.reader, this.#entries);
  }

  /** Reads one record, if there is any. @throws where the records cannot be read */
  async tryRead(signal: AbortSignal): Promise<void> {
    await this.#secrets.tryList(signal);
  }

  /** Reads all records of this installation; what was in memory is forgotten. */
  async load(signal: AbortSignal): Promise<void> {
    const secrets = Map.groupBy(await this.#secrets.records(signal), purposeOf);
    const former = secrets.get('Former') ?? [];
    for (const secret of former) this.#reader.refuse(secret, 'it is of another layout');
    const entries = new RecordsInMemory((target) => this.#ofTargets.nameOf(target));
    await inParallel(secrets.get('Application') ?? [], async (secret) => {
      const found = await this.#reader.application(secret, signal);
      if (found === undefined) return;
      entries.setApplication(found.entry.record.application, found.entry);
      if (found.inside !== undefined) entries.setTarget(found.inside);
    });
    await inParallel(secrets.get('Target') ?? [], async (secret) => {
      const found = await this.#reader.target(secret, signal);
      // What a member of an Application's Secret is already counts once.
      if (found !== undefined && entries.target(found.record.target) === undefined) entries.setTarget(found);
      else entries.doubt(secret.metadata.name, []);
    });
    this.#entries.become(entries);
    const used = [...entries.applications()].flatMap(([key, { index }]) => [
      ...index.secrets(this.#ofApplications.nameOf(key)),
    ]);
    await this.#chunks.restart(new Set(used), former, signal);
  }

  /** The record of this very target: what another one has at the same id is not taken for it (S18). */
  get({ id, name }: Pick<TargetIdentity, 'id' | 'name'>): TargetRecord | undefined {
    const record = this.find(id);
    return record?.target.name === name ? record : undefined;
  }

  /** The record of whichever target has the id. */
  find(id: string): TargetRecord | undefined {
    return this.#entries.find(id);
  }

  /** Those of the targets of the Application with that key. */
  recordsOf(application: string): TargetRecord[] {
    return [...this.#entries.targetsOf(application).values()].map(({ record }) => record);
  }

  /** The clusters in which something was written of that environment, of whichever Application. */
  clustersOf(environment: string): ReadonlySet<string> {
    const clusters = new Set<string>();
    for (const { target, cluster = HOME, kinds } of this.#entries.records())
      if (target.environment === environment && kinds.length > 0) clusters.add(cluster);
    return clusters;
  }

  /** The candidates whose manifests are kept for the target, the newest first. */
  candidatesOf({ application, environment }: Place): Candidate[] {
    const entry = this.#entries.application(application);
    return entry === undefined ? [] : candidatesIn(entry.record, environment);
  }

  /** What was that was fetched for what the Application accepted, besides its own commits. */
  pinnedFor(application: string): Required<Pinned> {
    const { charts = [], bases = [] } = this.#entries.application(application)?.record ?? {};
    return { charts, bases };
  }

  /** Notes what was fetched for a candidate that is accepted already: with a new one it is written together. */
  async notePinned(application: string, pinned: Pinned, signal?: AbortSignal): Promise<void> {
    if (this.#entries.application(application) === undefined) return;
    await this.#written(this.#ofApplications.nameOf(application), () =>
      this.#turns.take(application, signal, () =>
        this.#ofApplications.write(application, { pinned, signal }),
      ),
    );
  }

  /** Notes that the record was changed in memory, until the next write of it. */
  changed(record: TargetRecord): void {
    this.#ahead.add(record);
  }

  /** Whether the record in memory was changed since it was written, or since that failed. */
  isAhead(record: TargetRecord): boolean {
    return this.#ahead.has(record);
  }

  /**
   * Accepts a candidate in several environments at once, before the record of any of its targets names it: none of
   * them has one that another does not know.
   *
   * @param application its key
   */
  async accept(
    application: string,
    candidate: CandidateOfAll,
    renderings: Readonly<Record<string, Rendered>>,
    signal?: AbortSignal,
  ): Promise<void> {
    const name = this.#ofApplications.nameOf(application);
    const acceptance = { candidate, renderings };
    await this.#written(name, () =>
      this.#turns.take(application, signal, () =>
        this.#ofApplications.write(application, { acceptance, signal }),
      ),
    );
  }

  /**
   * Writes the record and, before it or with it, a newly accepted candidate. Conditional: where another leader wrote
   * meanwhile, or the record was read anew since the caller got this one, it is a conflict, and the caller reloads.
   * Other refusals are told as RecordNotSaved.
   */
  async save(record: TargetRecord, { accepted, signal }: SaveOptions = {}): Promise<void> {
    // With a newly accepted candidate, whoever accepts takes the change back where the write fails.
    if (accepted === undefined) this.#ahead.add(record);
    const { target } = record;
    const acceptance = accepted && acceptanceIn(target.environment, accepted);
    const secret = this.#entries.isInside(target)
      ? this.#ofApplications.nameOf(target.application)
      : this.#ofTargets.nameOf(target);
    await this.#written(secret, () =>
      this.#turns.take(target.application, signal, async () => {
        if (this.#entries.isOutdated(record)) throw outdated(secret);
        await this.#write(record, acceptance, signal);
      }),
    );
    this.#ahead.delete(record);
  }

  /** What is accepted is written with the record where they share a Secret, and else before it. */
  async #write(
    record: TargetRecord,
    acceptance: Acceptance | undefined,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const { target } = record;
    const { application } = target;
    noteRan(record);
    if (this.#entries.isInside(target))
      return this.#ofApplications.write(application, { inside: record, acceptance, signal });
    if (acceptance !== undefined && !(await this.#isKept(application, acceptance, signal)))
      await this.#ofApplications.write(application, { acceptance, signal });
    await this.#ofTargets.write(record, signal);
  }

  async #written(secret: string, write: () => Promise<void>): Promise<void> {
    try {
      await write();
    } catch (error) {
      if (!isRefusal(error)) throw error;
      throw new TowpathError(
        'Time',
        'RecordNotSaved',
        `The operator cannot write Secret ${this.#secrets.namespace}/${secret}, its record of this Application: ${error.message} Who runs Towpath can help; it is tried again.`,
        { cause: error },
      );
    }
  }

  async #isKept(
    application: string,
    { candidate, renderings }: Acceptance,
    signal: AbortSignal | undefined,
  ): Promise<boolean> {
    const entry = this.#entries.application(application);
    if (entry === undefined || !isAccepted(entry.record, candidate, renderings)) return false;
    for (const { digest } of Object.values(renderings)) {
      const kept = await this.#manifests.read(
        this.#ofApplications.nameOf(application),
        entry.index,
        digest,
        signal,
      );
      if (kept === undefined) return false;
    }
    return true;
  }

  /** The manifests of a candidate, their digest checked; undefined where they are not kept, or damaged. */
  async manifests(
    { target: { application } }: TargetRecord,
    { digest }: { digest: string },
    signal?: AbortSignal,
  ): Promise<Manifests | undefined> {
    const index = this.#entries.application(application)?.index;
    return this.#manifests.read(this.#ofApplications.nameOf(application), index, digest, signal);
  }

  /** Removes the record of a target; with the last one what its Application accepted. */
  async remove({ target }: TargetRecord, signal?: AbortSignal): Promise<void> {
    const { application } = target;
    await this.#turns.take(application, signal, async () => {
      const entry = this.#entries.target(target);
      if (entry !== undefined && entry.record.target.name !== target.name) return;
      await this.#ofTargets.remove(target, signal);
      const environments = [...this.#entries.targetsOf(application).keys()];
      if (environments.every((one) => one === target.environment))
        await this.#ofApplications.remove(application, signal);
      else if (entry !== undefined && entry.own === undefined)
        await this.#ofApplications.removeInside(target, signal);
      this.#entries.forgetTarget(target);
    });
  }

  /** Reads one record anew, after a conflict. */
  async reload(target: TargetIdentity, signal?: AbortSignal): Promise<void> {
    await this.#ofApplications.reload(target.application, signal);
    if (!this.#entries.isInside(target)) await this.#ofTargets.reload(target, signal);
  }

  /** The same where even what nobody else wrote may be changed in memory, by who has no say any more. */
  async readAnew(target: TargetIdentity, signal?: AbortSignal): Promise<void> {
    await this.#turns.take(target.application, signal, () =>
      this.#entries.anew(target, () => this.reload(target, signal)),
    );
  }
}

function acceptanceIn(
  environment: string,
  { candidate: { digest, reads, ...candidate }, manifests }: { candidate: Candidate; manifests: Manifests },
): Acceptance {
  const rendered = { digest, ...(reads === undefined ? {} : { reads }), manifests };
  return { candidate, renderings: { [environment]: rendered } };
}

/** What the API server would say of a write to a version that is not the last one. */
function outdated(name: string): ApiError {
  return new ApiError(409, 'Conflict', `Secret ${name} was read anew since: the record changed meanwhile.`);
}

/** An answer that is about more than who wrote first. */
function isRefusal(error: unknown): error is ApiError {
  return error instanceof ApiError && error.code !== 409;
}
