import { isDeepStrictEqual } from 'node:util';
import type { TowpathError } from '../../../api/errors.ts';
import type { Application, ApplicationStatus } from '../../../api/v1alpha1/application.ts';
import { STATUS_LIMITS } from '../../../api/v1alpha1/application-status.ts';
import { boundStatus, cut } from '../../../api/v1alpha1/bound-status.ts';
import { setConditions } from '../../../api/v1alpha1/conditions.ts';
import { API_VERSION, GROUP, VERSION } from '../../../api/v1alpha1/names.ts';
import type { KubeClient, KubeObject, ObjectMetadata } from '../../../kube/client.ts';
import { isNotFound } from '../../../kube/errors.ts';
import type { EventRecorder } from '../../../kube/events.ts';
import { secondTime } from '../../../kube/times.ts';
import { describeObject } from '../../../manifest/manifest.ts';
import type { KeptObject } from '../../../plan/plan.ts';
import type { Facts } from '../../target/facts.ts';
import type { Report, Unreported } from '../../target/unreported.ts';
import { mergePatchBetween } from '../../work/merge-patch.ts';
import { changeEvents, doneEvents, endedSince, type ReportedEvent } from './events.ts';
import { changeLines, doneLines, type LogLine } from './log-lines.ts';
import { settle } from './settle.ts';

export const APPLICATIONS = { group: GROUP, version: VERSION, plural: 'applications' };

type Named = Pick<ObjectMetadata, 'name' | 'uid' | 'resourceVersion'> & { namespace: string };

export interface WriterOptions {
  client: KubeClient;
  events: EventRecorder;
  /** Told what each write returned, which is newer than what the watch told last. */
  onWritten(object: KubeObject): void;
  /** Told what the log is to say of an Application, as soon as its status does. */
  onTold(application: Application, lines: readonly LogLine[]): void;
}

/** What a write of the status says, and what of it is news. */
interface Telling {
  action: Action;
  settled(told: Report): ApplicationStatus;
  news(status: ApplicationStatus, told: Report): readonly ReportedEvent[];
  lines(status: ApplicationStatus, told: Report): readonly LogLine[];
}

/** What an event tells of; those of a deletion are no repetition of what a sync did. */
type Action = 'Sync' | 'Delete';

const none = () => [];

/** What is written to an Application itself: its status, one patch at a time, its finalizers, its events. */
export class ApplicationWriter {
  readonly #options: WriterOptions;

  constructor(options: WriterOptions) {
    this.#options = options;
  }

  /** Settles the facts of a reconcile. What is not told yet is told once, with a write that succeeded. */
  async tell(
    application: Application,
    facts: Facts,
    unreported: Unreported,
    signal: AbortSignal,
  ): Promise<void> {
    const settled = ({ done }: Report) => settle(facts, done, application.status);
    const news = (status: ApplicationStatus, { before }: Report) => changeEvents(facts, status, before);
    const lines = (status: ApplicationStatus, { before }: Report) =>
      changeLines(facts.environment, status, before);
    await this.#write(application, unreported, { action: 'Sync', settled, news, lines }, signal);
  }

  /** How far a deletion is. */
  async tellDeleting(
    application: Application,
    unreported: Unreported,
    told: {
      reason: string;
      message: string;
      isStalled: boolean;
      kept?: readonly KeptObject[];
      retry?: NonNullable<ApplicationStatus['retry']>;
    },
    signal: AbortSignal,
  ): Promise<void> {
    const { reason } = told;
    const message = cut(told.message, STATUS_LIMITS.message);
    const conditions = [
      { type: 'Ready', status: 'False' as const, reason, message },
      { type: told.isStalled ? 'Stalled' : 'Reconciling', status: 'True' as const, reason, message },
    ];
    const { kept, keptTotal, retry: _, ...before } = application.status ?? {};
    const { environment } = unreported;
    const keptNow = told.kept?.map((one) => ({ environment, ...one })) ?? kept ?? [];
    const status = boundStatus({
      ...before,
      ...notReady(before),
      sync: told.isStalled ? ('Blocked' as const) : ('Syncing' as const),
      ...this.#conditions(application.status, application.metadata.generation, conditions),
      ...(keptNow.length === 0
        ? {}
        : { kept: keptNow, keptTotal: told.kept?.length ?? keptTotal ?? keptNow.length }),
      ...(told.retry === undefined ? {} : { retry: { ...told.retry, environment } }),
    });
    const settled = () => status;
    await this.#write(
      application,
      unreported,
      { action: 'Delete', settled, news: none, lines: none },
      signal,
    );
  }

  /** Looks in a row that failed: what runs is as it was, as far as is known. */
  async tellFailed(
    application: Application,
    unreported: Unreported,
    failed: { error: TowpathError; retry: { attempts: number; nextAt: Date } },
    signal: AbortSignal,
  ): Promise<void> {
    const { metadata, status: previous } = application;
    const { reason, remedy, message } = failed.error;
    const { attempts, nextAt } = failed.retry;
    const isStalled = remedy === 'Person';
    const conditions = [
      { type: 'Ready', status: 'False' as const, reason, message },
      { type: isStalled ? 'Stalled' : 'Reconciling', status: 'True' as const, reason, message },
    ];
    const status = boundStatus({
      ...previous,
      ...notReady(previous ?? {}),
      sync: 'Blocked' as const,
      ...this.#conditions(previous, metadata.generation, conditions),
      retry: { attempts, nextAt: secondTime(nextAt), environment: unreported.environment },
    });
    const news = (_status: ApplicationStatus, { before }: Report): ReportedEvent[] => {
      const ready = before?.conditions?.find(({ type }) => type === 'Ready');
      const isOld = ready?.reason === reason && ready.message === message;
      return isOld ? [] : [{ type: 'Warning', reason, message }];
    };
    const settled = () => status;
    const told = await this.#write(
      application,
      unreported,
      { action: 'Sync', settled, news, lines: none },
      signal,
    );
    unreported.leaveRest(told, status);
  }

  tellDeleted(application: Application, unreported: Unreported, kept: readonly KeptObject[]): void {
    const { metadata, status } = application;
    const { name, namespace } = metadata;
    const told = unreported.take(status);
    this.#tellEvents(metadata, 'Delete', doneEvents(told));
    const gone = { line: 'gone' as const, fields: { objects: kept.length } };
    this.#options.onTold(application, [...doneLines(told), gone]);
    const [first] = kept;
    const more = kept.length > 1 ? ` and ${kept.length - 1} more` : '';
    const note =
      first === undefined
        ? `All objects of Application ${namespace}/${name} were deleted or released.`
        : `Application ${namespace}/${name} is gone; ${describeObject(first.object)}${more} stayed: ${first.reason}`;
    this.#record(metadata, { type: 'Normal', reason: 'Deleted', action: 'Delete', note });
  }

  warn({ metadata }: Application, reason: string, note: string): void {
    this.#record(metadata, { type: 'Warning', reason, action: 'Delete', note });
  }

  tellAbandoned({ metadata }: KubeObject, seconds: number): void {
    const { namespace = '', name, uid, resourceVersion } = metadata;
    const note = `A look at Application ${namespace}/${name} went on for ${seconds} s after it was interrupted, which is a defect of Towpath: it was abandoned, nothing that it still does has an effect, and a new look goes on. Tell who runs Towpath.`;
    this.#record(
      { namespace, name, uid, resourceVersion },
      { type: 'Warning', reason: 'LookAbandoned', action: 'Sync', note },
    );
  }

  /** An object that cannot be read as an Application is told so on itself (A6). */
  async tellInvalid(object: KubeObject, errors: readonly string[], signal: AbortSignal): Promise<void> {
    const { name, uid, resourceVersion, namespace = '', generation = 0 } = object.metadata;
    const message = cut(
      `The Application cannot be read; correct it: ${errors.join('; ')}`,
      STATUS_LIMITS.message,
    );
    const previous = (object.status ?? {}) as ApplicationStatus;
    const readable = Array.isArray(previous.conditions) ? previous : { ...previous, conditions: [] };
    const { conditions } = this.#conditions(readable, generation, [
      { type: 'Ready', status: 'False', reason: 'InvalidSpec', message },
      { type: 'Stalled', status: 'True', reason: 'InvalidSpec', message },
    ]);
    if (isDeepStrictEqual(conditions, previous.conditions)) return;
    const status = {
      ...previous,
      ...notReady(previous),
      sync: 'Blocked' as const,
      observedGeneration: generation,
      conditions,
    };
    await this.#patchStatus({ name, namespace, uid, resourceVersion }, previous, status, signal);
  }

  /** Conditional: the Application may have changed since. */
  async setFinalizers(
    { name, namespace = '', resourceVersion }: Pick<ObjectMetadata, 'name' | 'namespace' | 'resourceVersion'>,
    finalizers: readonly string[],
    signal: AbortSignal,
  ): Promise<void> {
    const patch = { metadata: { resourceVersion, finalizers } };
    await this.#patch({ resource: APPLICATIONS, namespace, name }, patch, signal);
  }

  /** Writes a status, and tells what was done, and what is news since events told last. */
  async #write(
    application: Application,
    unreported: Unreported,
    { action, settled, news, lines }: Telling,
    signal: AbortSignal,
  ): Promise<Report> {
    const { metadata, status: previous } = application;
    const taken = unreported.take(previous);
    const status = settled(taken);
    const told = { ...taken, outcomes: endedSince(status, taken) };
    try {
      await this.#patchStatus(metadata, previous, status, signal);
    } catch (error) {
      unreported.putBack(told);
      throw error;
    }
    this.#tellEvents(metadata, action, [...doneEvents(told), ...news(status, told)]);
    this.#options.onTold(application, [...doneLines(told), ...lines(status, told)]);
    return told;
  }

  #tellEvents(metadata: Named, action: Action, events: readonly ReportedEvent[]): void {
    for (const { type, reason, message } of events)
      this.#record(metadata, { type, reason, action, note: message });
  }

  #conditions(
    previous: ApplicationStatus | undefined,
    generation: number,
    judged: Parameters<typeof setConditions>[1],
  ): Required<Pick<ApplicationStatus, 'conditions' | 'observedGeneration'>> {
    const now = secondTime(this.#options.client.now());
    const conditions = setConditions(previous?.conditions ?? [], judged, generation, now);
    return { observedGeneration: generation, conditions };
  }

  /**
   * One patch of what changed; none where nothing did. Conditional (D8): one that was under way when somebody
   * else took over, or that was given up and came late, must not undo what was written since.
   */
  async #patchStatus(
    { name, namespace, resourceVersion }: Named,
    previous: ApplicationStatus | undefined,
    status: ApplicationStatus,
    signal: AbortSignal,
  ): Promise<void> {
    const patch = mergePatchBetween(previous ?? {}, status);
    if (patch === undefined) return;
    const path = { resource: APPLICATIONS, namespace, name, subresource: 'status' };
    await this.#patch(path, { metadata: { resourceVersion }, status: patch }, signal);
  }

  /** An Application that is gone needs nothing any more. */
  async #patch(
    path: Parameters<KubeClient['mergePatch']>[0],
    patch: object,
    signal: AbortSignal,
  ): Promise<void> {
    try {
      this.#options.onWritten(await this.#options.client.mergePatch(path, patch, {}, { signal }));
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
  }

  #record(
    { name, namespace, uid }: Named,
    event: { type: 'Normal' | 'Warning'; reason: string; action: Action; note: string },
  ): void {
    const regarding = { apiVersion: API_VERSION, kind: 'Application', name, namespace, uid };
    this.#options.events.record({ regarding, ...event });
  }
}

/** What `kubectl get` shows of an Application that is not looked after as usual. */
function notReady({ summary }: ApplicationStatus): Pick<ApplicationStatus, 'summary'> {
  return summary === undefined ? {} : { summary: { ...summary, environments: '0/1' } };
}
