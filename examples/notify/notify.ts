/**
 * Posts to a URL whenever an Application becomes Ready, or the reason why it is not changes, and says in each Notice's conditions
 * whether that works. An example of how others build on Towpath's API.
 */
import k8sOperator, { type ResourceEvent, ResourceEventType, type ResourceMeta } from '@dot-i/k8s-operator';

interface Condition {
  type: string;
  status: string;
  reason?: string;
  message?: string;
  lastTransitionTime?: string;
}

interface Application {
  metadata: { name: string; namespace: string };
  status?: { conditions?: Condition[]; summary?: { revision?: string } };
}

interface Notice {
  metadata: { uid: string; name: string; namespace: string; generation: number; deletionTimestamp?: string };
  spec: { namespace?: string; applications?: string[]; url: string };
  status?: { observedGeneration?: number; conditions?: Condition[]; told?: Record<string, string> };
}

const FINALIZER = 'notify.example.com/farewell';
const POST_MS = 5_000;
const AGAIN_MS = 3_000;

/** What is told of an Application: its condition Ready, in one word. */
function wordOf({ status }: Application): string {
  const ready = status?.conditions?.find(({ type }) => type === 'Ready');
  return ready === undefined ? 'Unknown' : ready.status === 'True' ? 'Ready' : (ready.reason ?? 'NotReady');
}

async function post(url: string, body: object): Promise<void> {
  const headers = { 'content-type': 'application/json' };
  const signal = AbortSignal.timeout(POST_MS);
  const response = await fetch(url, { method: 'POST', headers, body: JSON.stringify(body), signal });
  await response.body?.cancel();
  if (!response.ok) throw new Error(`${new URL(url).host} answered ${response.status}`);
}

/** A Notice, and what is known of it beside what its events say: they come later than what was just written. */
interface Known {
  notice: Notice;
  meta: ResourceMeta;
  /** The run that posts for it: there is one at a time. */
  running: Promise<void> | undefined;
  /** Something changed since that run began. */
  isWanted: boolean;
  again: NodeJS.Timeout | undefined;
}

class Notify extends k8sOperator.default {
  readonly #applications = new Map<string, Application>();
  readonly #notices = new Map<string, Known>();

  /** The base class hands over one event after the other, and ends the process where a watch fails. */
  protected override async init(): Promise<void> {
    await this.watchResource('towpath.dev', 'v1alpha1', 'applications', async (event) =>
      this.#onApplication(event),
    );
    await this.watchResource('notify.example.com', 'v1', 'notices', (event) => this.#onNotice(event));
  }

  #onApplication({ type, object }: ResourceEvent): void {
    const application = object as unknown as Application;
    const key = `${application.metadata.namespace}/${application.metadata.name}`;
    if (type === ResourceEventType.Deleted) this.#applications.delete(key);
    else this.#applications.set(key, application);
    for (const known of this.#notices.values()) this.#wake(known);
  }

  async #onNotice(event: ResourceEvent): Promise<void> {
    const notice = event.object as unknown as Notice;
    const { uid, name, namespace, deletionTimestamp } = notice.metadata;
    const known = this.#notices.get(uid);
    if (event.type === ResourceEventType.Deleted || deletionTimestamp !== undefined) {
      this.#notices.delete(uid);
      clearTimeout(known?.again);
      // Nothing is posted after the farewell.
      await known?.running;
      if (event.type === ResourceEventType.Deleted) return;
    }
    const farewell = () =>
      post(notice.spec.url, { notice: `${namespace}/${name}`, farewell: true }).catch((error) =>
        console.error(String(error)),
      );
    if (await this.handleResourceFinalizer(event, FINALIZER, farewell)) return;
    if (known === undefined)
      this.#notices.set(uid, {
        notice,
        meta: event.meta,
        running: undefined,
        isWanted: false,
        again: undefined,
      });
    // Its status is ours, and what was written last is newer than any event.
    else known.notice = { ...notice, ...(known.notice.status && { status: known.notice.status }) };
    this.#wake(this.#notices.get(uid));
  }

  #wake(known: Known | undefined): void {
    if (known === undefined) return;
    known.isWanted = true;
    known.running ??= this.#run(known);
  }

  async #run(known: Known): Promise<void> {
    while (known.isWanted && this.#notices.has(known.notice.metadata.uid)) {
      known.isWanted = false;
      await this.#tell(known);
    }
    known.running = undefined;
  }

  /**
   * Posts what was not told yet, and says how that went. What is told stands in the status, so that a restart repeats
   * only what was posted just before it.
   */
  async #tell(known: Known): Promise<void> {
    const { metadata, status } = known.notice;
    const told: Record<string, string | null> = { ...status?.told };
    for (const key of Object.keys(told)) if (!this.#applications.has(key)) told[key] = null;
    const problem = await this.#post(known.notice, told);
    clearTimeout(known.again);
    known.again = problem === undefined ? undefined : setTimeout(() => this.#wake(known), AGAIN_MS);
    const isNew = status?.observedGeneration !== metadata.generation;
    const before = status?.conditions?.find(({ type }) => type === 'Ready');
    const changes = Object.keys(told).some((key) => told[key] !== status?.told?.[key]);
    if (!isNew && !changes && before?.message === (problem ?? 'All is told.')) return;
    const ready = problem === undefined ? 'True' : 'False';
    const isSame = before?.status === ready && before.lastTransitionTime !== undefined;
    const condition = {
      type: 'Ready',
      status: ready,
      reason: problem === undefined ? 'Told' : 'PostFailed',
      message: problem ?? 'All is told.',
      observedGeneration: metadata.generation,
      lastTransitionTime: isSame ? before.lastTransitionTime : new Date().toISOString().replace(/\.\d+/, ''),
    };
    const written = { observedGeneration: metadata.generation, conditions: [condition], told };
    const kept = Object.entries(told).filter((entry): entry is [string, string] => entry[1] !== null);
    known.notice = {
      ...known.notice,
      status: { ...written, told: Object.fromEntries(kept) } as Notice['status'] & object,
    };
    // Without a version: nobody else writes the status, so there is nothing to conflict with.
    const { resourceVersion: _, ...meta } = known.meta;
    if ((await this.patchResourceStatus(meta as ResourceMeta, written)) !== null) return;
    // Not written: the next run finds that it differs.
    known.notice = { ...known.notice, status: { ...known.notice.status, conditions: [] } };
    known.again ??= setTimeout(() => this.#wake(known), AGAIN_MS);
  }

  /** Posts each change, and notes it in `told`; returns what went wrong. */
  async #post({ metadata, spec }: Notice, told: Record<string, string | null>): Promise<string | undefined> {
    let problem: string | undefined;
    for (const [key, application] of this.#applications) {
      const { name, namespace } = application.metadata;
      if (namespace !== (spec.namespace ?? metadata.namespace)) continue;
      if (spec.applications !== undefined && !spec.applications.includes(name)) continue;
      const word = wordOf(application);
      if (told[key] === word) continue;
      try {
        const revision = application.status?.summary?.revision;
        const notice = `${metadata.namespace}/${metadata.name}`;
        await post(spec.url, { notice, application: key, word, revision });
        told[key] = word;
      } catch (error) {
        problem = `Application ${key} could not be told of: ${String(error)}. It is tried again.`;
      }
    }
    return problem;
  }
}

const notify = new Notify({
  debug: () => undefined,
  info: console.log,
  warn: console.warn,
  error: console.error,
});
await notify.start();
for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  process.on(signal, () => {
    notify.stop();
    process.exit(0);
  });
}
