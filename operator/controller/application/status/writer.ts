import { isDeepStrictEqual } from 'node:util';
import type { Application, ApplicationStatus } from '../../../api/v1alpha1/application.ts';
import { ANNOTATION_SYNC_REQUESTED, API_VERSION, GROUP, VERSION } from '../../../api/v1alpha1/names.ts';
import type { KubeClient, KubeObject, ObjectMetadata } from '../../../kube/client.ts';
import { isNotFound } from '../../../kube/errors.ts';
import type { EventRecorder } from '../../../kube/events.ts';
import { secondTime } from '../../../kube/times.ts';
import type { TargetUpdate } from '../../target/words/target-update.ts';
import type { Report, Unreported } from '../../target/words/unreported.ts';
import { mergePatchBetween } from '../../work/merge-patch.ts';
import { combine, partOf } from './combine.ts';
import { deletedNote, type EndedTarget, leftNote } from './end-texts.ts';
import { doneEvents, endedSince, type ReportedEvent } from './event-texts.ts';
import { behindLines, doneLines, type LogLine } from './log-lines.ts';
import {
  type Action,
  actionOf,
  linesOf,
  newsOf,
  statusOf,
  statusUnreadable,
  statusUntold,
} from './status-of-update.ts';

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

/** What is known of one environment when a status is written. */
export interface Gathered {
  environment: string;
  unreported: Unreported;
  /** Undefined: nothing so far, and what the status has of it stays. */
  update: TargetUpdate | undefined;
  /** It was told since the last write. */
  isNew: boolean;
  /** The Application names it no more. */
  hasLeft: boolean;
}

const NOTHING_DONE = { repaired: [] };

/** Whether what the status lists of the environment stays as it was. */
function isFormer(update: TargetUpdate | undefined): boolean {
  if (update?.kind === 'Leaving') return update.kept === undefined;
  return update?.kind !== 'Facts';
}

/** What is written to an Application itself: its status, one patch at a time, its finalizers, its events. */
export class ApplicationWriter {
  readonly #options: WriterOptions;

  constructor(options: WriterOptions) {
    this.#options = options;
  }

  /**
   * Writes what the targets told last as one patch, and tells what was done, and what is news since events told last:
   * once, with a write that succeeded.
   *
   * @param gathered of each target, in the order of the status.
   * @param latest the environment that told last; undefined where none did.
   */
  async tell(
    application: Application,
    gathered: readonly Gathered[],
    latest: string | undefined,
    signal: AbortSignal,
  ): Promise<void> {
    const { metadata, status: previous } = application;
    const news = gathered.flatMap(({ update, isNew, unreported }) =>
      update === undefined || !isNew ? [] : [{ update, unreported, report: unreported.take(previous) }],
    );
    const reportOf = (environment: string) =>
      news.find(({ report }) => report.environment === environment)?.report;
    const now = this.#options.client.now();
    const parts = gathered.map(({ environment, update, hasLeft }) => {
      const status = partOf(previous, environment, gathered);
      const before = { environment, generation: metadata.generation, now, status };
      const done = reportOf(environment)?.done ?? NOTHING_DONE;
      return {
        environment,
        status: update === undefined ? statusUntold(before) : statusOf(update, done, before),
        isFormer: isFormer(update),
        hasLeft,
        runsNewest: update === undefined ? undefined : update.kind === 'Facts' && update.facts.runsNewest,
      };
    });
    const syncRequest = metadata.annotations[ANNOTATION_SYNC_REQUESTED];
    const status = combine(parts, latest, previous, syncRequest, secondTime(now));
    const reports = news.map((one) => {
      const outcomes = endedSince(status, one.report);
      return { ...one, report: { ...one.report, outcomes } };
    });
    try {
      await this.#patchStatus(metadata, previous, status, signal);
    } catch (error) {
      for (const { unreported, report } of reports) unreported.putBack(report);
      throw error;
    }
    this.#tellNews(application, status, reports);
  }

  #tellNews(
    application: Application,
    status: ApplicationStatus,
    reports: readonly { update: TargetUpdate; unreported: Unreported; report: Report }[],
  ): void {
    const texts = new Set<string>();
    for (const { update, unreported, report } of reports) {
      // What is about the whole Application is told once, whoever of its targets told of it.
      const isNew = (event: ReportedEvent | LogLine) => {
        const text = JSON.stringify(event);
        return !texts.has(text) && texts.add(text).has(text);
      };
      const events = [...doneEvents(report), ...newsOf(update, status, report).filter(isNew)];
      this.#tellEvents(application.metadata, actionOf(update), events);
      const lines = [...doneLines(report), ...linesOf(update, status, report).filter(isNew)];
      this.#options.onTold(application, lines);
      if (update.kind === 'Failing') unreported.leaveRest(report, status);
    }
  }

  tellDeleted(application: Application, targets: readonly EndedTarget[]): void {
    const { metadata, status } = application;
    const kept = targets.flatMap((one) => one.kept);
    const reports = targets.map(({ unreported }) => unreported.take(status));
    this.#tellEvents(metadata, 'Delete', reports.flatMap(doneEvents));
    const gone = { line: 'gone' as const, fields: { objects: kept.length } };
    const lines = [...reports.flatMap(doneLines), ...targets.flatMap(behindLines), gone];
    this.#options.onTold(application, lines);
    const note = deletedNote(`${metadata.namespace}/${metadata.name}`, targets);
    this.#record(metadata, { type: 'Normal', reason: 'Deleted', action: 'Delete', note });
  }

  /** An environment that the Application names no more is over. */
  tellLeft(application: Application, target: EndedTarget): void {
    const { metadata, status } = application;
    const report = target.unreported.take(status);
    this.#tellEvents(metadata, 'Delete', doneEvents(report));
    this.#options.onTold(application, [...doneLines(report), ...behindLines(target)]);
    const note = leftNote(target);
    this.#record(metadata, { type: 'Normal', reason: 'EnvironmentLeft', action: 'Delete', note });
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
    const previous = (object.status ?? {}) as ApplicationStatus;
    const status = statusUnreadable(previous, errors, generation, this.#options.client.now());
    if (isDeepStrictEqual(status.conditions, previous.conditions)) return;
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

  #tellEvents(metadata: Named, action: Action, events: readonly ReportedEvent[]): void {
    for (const { type, reason, message } of events)
      this.#record(metadata, { type, reason, action, note: message });
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
