/**
 * Posts to a URL whenever an Application becomes Ready, or stops being so, and says in each Notice's conditions
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
  metadata: { name: string; namespace: string; generation: number; deletionTimestamp?: string };
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

class Notify extends k8sOperator.default {
  readonly #applications = new Map<string, Application>();
  readonly #notices = new Map<string, { notice: Notice; meta: ResourceMeta }>();

  /** The base class hands over one event after the other, and ends the process where a watch fails. */
  protected override async init(): Promise<void> {
    await this.watchResource('towpath.dev', 'v1alpha1', 'applications', (event) =>
      this.#onApplication(event),
    );
    await this.watchResource('notify.example.com', 'v1', 'notices', (event) => this.#onNotice(event));
  }

  async #onApplication({ type, object }: ResourceEvent): Promise<void> {
    const application = object as unknown as Application;
    const key = `${application.metadata.namespace}/${application.metadata.name}`;
    if (type === ResourceEventType.Deleted) this.#applications.delete(key);
    else this.#applications.set(key, application);
    for (const { notice, meta } of this.#notices.values()) await this.#tell(notice, meta);
  }

  async #onNotice(event: ResourceEvent): Promise<void> {
    const notice = event.object as unknown as Notice;
    const key = `${notice.metadata.namespace}/${notice.metadata.name}`;
    if (event.type === ResourceEventType.Deleted) {
      this.#notices.delete(key);
      return;
    }
    const farewell = () =>
      post(notice.spec.url, { notice: key, farewell: true }).catch((error) => console.error(String(error)));
    if (await this.handleResourceFinalizer(event, FINALIZER, farewell)) return;
    this.#notices.set(key, { notice, meta: event.meta });
    await this.#tell(notice, event.meta);
  }

  /** Posts what was not told yet, and says how that went. What is told stands in the status: no restart repeats it. */
  async #tell({ metadata, spec, status }: Notice, meta: ResourceMeta): Promise<void> {
    const told: Record<string, string | null> = { ...status?.told };
    let problem: string | undefined;
    for (const key of Object.keys(told)) if (!this.#applications.has(key)) told[key] = null;
    for (const [key, application] of this.#applications) {
      const { name, namespace } = application.metadata;
      if (namespace !== (spec.namespace ?? metadata.namespace)) continue;
      if (spec.applications !== undefined && !spec.applications.includes(name)) continue;
      const word = wordOf(application);
      if (told[key] === word) continue;
      try {
        const revision = application.status?.summary?.revision;
        await post(spec.url, {
          notice: `${metadata.namespace}/${metadata.name}`,
          application: key,
          word,
          revision,
        });
        told[key] = word;
      } catch (error) {
        problem = `Application ${key} could not be told of: ${String(error)}. It is tried again.`;
      }
    }
    if (problem !== undefined) setTimeout(() => void this.#again(metadata), AGAIN_MS);
    const isNew = status?.observedGeneration !== metadata.generation;
    const before = status?.conditions?.find(({ type }) => type === 'Ready');
    const changes = Object.keys(told).some((key) => told[key] !== status?.told?.[key]);
    if (!isNew && !changes && before?.message === (problem ?? 'All is told.')) return;
    const ready = problem === undefined ? 'True' : 'False';
    const condition = {
      type: 'Ready',
      status: ready,
      reason: problem === undefined ? 'Told' : 'PostFailed',
      message: problem ?? 'All is told.',
      observedGeneration: metadata.generation,
      lastTransitionTime:
        before?.status === ready ? before.lastTransitionTime : new Date().toISOString().replace(/\.\d+/, ''),
    };
    // Where somebody else wrote meanwhile, the event of that comes here again.
    await this.patchResourceStatus(meta, {
      observedGeneration: metadata.generation,
      conditions: [condition],
      told,
    });
  }

  async #again({ namespace, name }: Notice['metadata']): Promise<void> {
    const latest = this.#notices.get(`${namespace}/${name}`);
    if (latest !== undefined) await this.#tell(latest.notice, latest.meta);
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
