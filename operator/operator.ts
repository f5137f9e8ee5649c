import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseDuration } from './api/v1alpha1/duration.ts';
import { ApplicationController } from './controller/application/controller.ts';
import { Targets } from './controller/application/targets.ts';
import { takeAnswer, watchApplications } from './controller/application/watch.ts';
import { Cluster } from './controller/cluster/cluster.ts';
import { defaultInstallation, Installations, leaseName } from './controller/home/installations.ts';
import { Leadership, type LeadershipOptions } from './controller/home/leadership.ts';
import { upgradeDefinitions } from './controller/home/own-definitions.ts';
import { CONCURRENCY } from './controller/target/paced-queue.ts';
import type { FlagValues } from './flags.ts';
import { KubeClient, type KubeObject } from './kube/client.ts';
import { EventRecorder } from './kube/events.ts';
import type { ListWatch } from './kube/list-watch.ts';
import { WriteGate } from './kube/write-gate.ts';
import { APPLICATION_LINES } from './observe/application-log.ts';
import { Slices } from './observe/event-loop-slices.ts';
import { HttpServer } from './observe/http-server.ts';
import { type ListenAddress, listenAddress } from './observe/listen-address.ts';
import type { Logger } from './observe/log.ts';
import { Metrics } from './observe/metrics.ts';
import { answerMetrics } from './observe/metrics-answer.ts';
import { answerProbes } from './observe/probes.ts';
import { Turns } from './observe/turns.ts';
import { Renderer } from './render/renderer.ts';
import { type HostAliases, hostAliases, repositoryName } from './source/repository-name.ts';
import { Sources } from './source/sources.ts';
import { Authorities } from './source/transport/authorities.ts';
import { proxyRule } from './source/transport/proxy.ts';
import { Webhooks } from './webhook/webhooks.ts';

/** SIGTERM to exit: what is under way gets this long (A7). */
const STOP_MS = 8_000;
/** What waits to be told gets this long. */
const EVENTS_MS = 1_000;

/** The operator: watches Applications, leads by Lease, and works while it leads. */
export class Operator {
  readonly #flags: FlagValues;
  readonly #log: Logger;
  readonly #lease: string;
  readonly #gate = new WriteGate(() => this.#leadership.isLeader());
  readonly #client: KubeClient;
  readonly #cluster: Cluster;
  readonly #authorities: Authorities | undefined;
  readonly #sources: Sources;
  readonly #renderer: Renderer;
  readonly #controller: ApplicationController;
  readonly #leadership: Leadership;
  readonly #metrics: Metrics;
  readonly #probeServer: HttpServer;
  readonly #metricsServer: HttpServer;
  readonly #webhooks: Webhooks;
  readonly #events: EventRecorder;
  readonly #turns: Turns;
  readonly #applications: ListWatch<KubeObject>;
  readonly #installations: Installations;
  readonly #stopping = new AbortController();
  #stopped: Promise<void> | undefined;

  /** `giveWay` is called where another installation comes to look after the same Applications: it must stop this one. */
  constructor(flags: FlagValues, log: Logger, giveWay: () => void) {
    this.#flags = flags;
    this.#log = log;
    const slices = new Slices();
    const installation = flags.installation || defaultInstallation(flags.namespace);
    this.#lease = leaseName(flags.namespace, installation);
    // What it asks when it is asked is made further down.
    this.#metrics = new Metrics({
      observed: {
        applications: () => (this.#leadership.isLeader() ? this.#controller.states() : []),
        objects: () => this.#cluster.inventory.size,
        load: () => this.#controller.load,
        leader: () => this.#leadership.isLeader(),
        leaseAge: () => this.#leadership.leaseAgeMs / 1_000,
        engines: () => this.#renderer.engines,
        engineMemory: () => this.#renderer.residentBytes,
        droppedEvents: () => this.#events.dropped,
        longestTurn: () => this.#turns.longest / 1_000,
      },
      slices,
      lease: this.#lease,
      concurrency: CONCURRENCY,
      withApplications: !flags['omit-application-metrics'],
    });
    this.#client = KubeClient.load({
      slices,
      gate: this.#gate,
      onRequest: (request) => this.#metrics.requested(request),
      userAgent: 'towpath',
      silenceMs: parseDuration(flags['watch-silence']),
      onWatchFault: (resource, error) =>
        log.error(
          { resource, error: error.message, stack: error.stack },
          'A watch could not take in what it was told.',
        ),
    });
    this.#authorities = authoritiesOf(flags, log);
    // The only one so far, and the one that we are in ourselves.
    this.#cluster = new Cluster({
      client: this.#client,
      onChange: (target) => this.#controller.onTargetChanged(target),
      onKindsChanged: () => this.#controller.onKindsChanged(),
      onDefinitionsChanged: () => this.#controller.onDefinitionsChanged(),
      onFault: (error) =>
        log.warn(
          { error: describe(error) },
          'The API server cannot be asked what it serves; it is tried again.',
        ),
      random: Math.random,
    });
    this.#sources = new Sources({
      allowLoopback: flags['allow-loopback-repositories'],
      allowLinkLocal: flags['allow-link-local-repositories'],
      allowPlainHttpCredentials: flags['allow-plain-http-credentials'],
      ...(flags['cache-directory'] === '' ? {} : { cacheDirectory: flags['cache-directory'] }),
      slices,
      proxies: proxyRule(process.env),
      observer: {
        polled: (poll) => this.#metrics.polled(poll),
        fetched: (fetch) => this.#metrics.fetched(fetch),
      },
    });
    this.#renderer = new Renderer({
      enginePath: flags.engine,
      processes: Number(flags['render-processes']),
      slices,
      onRendered: (render) => this.#metrics.rendered(render),
    });
    this.#events = new EventRecorder({
      client: this.#client,
      component: 'towpath',
      instance: hostname(),
      onFault: (error) => log.warn({ error: describe(error) }, 'An event could not be written.'),
    });
    const aliases = aliasesOf(flags);
    this.#controller = new ApplicationController({
      home: this.#client,
      clusterOf: () => this.#cluster,
      sources: this.#sources,
      nameOf: (url) => repositoryName(url, aliases),
      renderer: this.#renderer,
      events: this.#events,
      slices,
      namespace: flags.namespace,
      installation,
      targets: new Targets({ installation, impersonate: !flags['insecure-no-impersonation'] }),
      random: Math.random,
      onFault: (application, { message: error, stack }) =>
        log.warn({ application, error, stack }, 'A look at an Application failed; it is tried again.'),
      onUntrustedRecord: (secret, why) =>
        log.warn(
          { secret, why },
          'A record is not trusted and counts as lost: what it described is searched for in the cluster.',
        ),
      onTold: (application, { line, fields }) => {
        log.info({ application, ...fields }, APPLICATION_LINES[line].says);
        this.#metrics.told(line, fields);
      },
      takeAnswer: (object) => takeAnswer(this.#applications, object),
      queueObserver: this.#metrics.work,
      onLooked: (result, seconds) => this.#metrics.work.looked(result, seconds),
      onLong: (application, seconds) =>
        log.warn({ application, seconds }, 'A look at an Application has not ended for long.'),
      onAbandoned: (application) => {
        this.#metrics.abandoned();
        log.error(
          { application },
          'A look at an Application did not end when it was interrupted: a defect. It is abandoned, and a new one goes on.',
        );
      },
    });
    this.#applications = watchApplications({
      client: this.#client,
      namespace: flags['watch-namespace'],
      log,
      onEvent: (event) => {
        this.#webhooks.onApplication(event);
        this.#controller.onEvent(event);
      },
    });
    this.#installations = new Installations({
      client: this.#client,
      namespace: flags.namespace,
      id: installation,
      watchNamespace: flags['watch-namespace'],
      log,
      giveWay,
    });
    this.#leadership = new Leadership(this.#work(), this.#stopping.signal);
    this.#turns = new Turns((milliseconds) =>
      log.warn(
        { milliseconds: Math.round(milliseconds) },
        'The event loop was held by one piece of work: a defect, all other work waited meanwhile.',
      ),
    );
    this.#probeServer = new HttpServer(
      addressOf(flags, 'probe-address'),
      answerProbes(() => this.#notReady()),
    );
    this.#metricsServer = new HttpServer(
      addressOf(flags, 'metrics-address'),
      answerMetrics(() => this.#metrics.text()),
    );
    this.#webhooks = new Webhooks({
      client: this.#client,
      log,
      address: flags['webhook-address'] === '' ? undefined : addressOf(flags, 'webhook-address'),
      namespace: flags.namespace,
      secretName: flags['webhook-secret'],
      aliases: aliasesOf(flags),
      isLeader: () => this.#leadership.isLeader(),
      isListed: () => this.#applications.synced,
      ask: (urls) => this.#sources.ask(urls),
      onDelivery: (provider, outcome) => this.#metrics.delivered(provider, outcome),
    });
  }

  /** Resolves when it watches; rejects where an address cannot be listened on, and when it is stopped before. */
  async start(): Promise<void> {
    this.#turns.start();
    this.#authorities?.start();
    const ports = {
      probePort: await this.#probeServer.start(),
      metricsPort: await this.#metricsServer.start(),
      webhookPort: await this.#webhooks.start(),
    };
    await this.#cluster.start();
    this.#applications.start();
    await this.#applications.whenSynced(this.#stopping.signal);
    await this.#installations.whenAlone(this.#stopping.signal);
    await this.#leadership.compete(this.#stopping.signal);
    const { namespace } = this.#flags;
    this.#log.info({ ...ports, namespace, lease: this.#lease }, 'Towpath is watching.');
  }

  /** Ends within 10 s: no new work, writes under way finish, the Lease is released (A7). */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  get isStopping(): boolean {
    return this.#stopping.signal.aborted;
  }

  async #stop(): Promise<void> {
    this.#stopping.abort(new Error('stopping'));
    // What happened is told by whom it happened to, and only a leader writes.
    const work = this.#leadership.stop(() => this.#events.stop(EVENTS_MS));
    await Promise.race([work, sleep(STOP_MS, undefined, { ref: false })]);
    const rest = Promise.allSettled([
      this.#applications.stop(),
      this.#installations.stop(),
      // What is under way looks at the cluster still.
      this.#controller.stop().finally(() => this.#cluster.stop()),
      this.#events.stop(),
      this.#sources.stop(),
      this.#renderer.stop(),
      this.#probeServer.stop(),
      this.#metricsServer.stop(),
      this.#webhooks.stop(),
    ]);
    const closed = rest.then(() => this.#client.close());
    await Promise.race([closed, sleep(1_000, undefined, { ref: false })]);
    this.#turns.stop();
    this.#authorities?.stop();
  }

  #work(): LeadershipOptions {
    const [flags, client, log] = [this.#flags, this.#client, this.#log];
    return {
      client,
      gate: this.#gate,
      log,
      lease: {
        namespace: flags.namespace,
        name: this.#lease,
        identity: `${hostname()}-${randomBytes(4).toString('hex')}`,
        leaseDurationMs: parseDuration(flags['lease-duration']),
        renewDeadlineMs: parseDuration(flags['renew-deadline']),
        retryPeriodMs: parseDuration(flags['retry-period']),
      },
      obstacle: () => this.#obstacle(),
      tryRecords: (signal) => this.#controller.tryRecords(signal),
      prepare: async (signal) => {
        this.#events.resume();
        // Before the controllers lead, so that what they write finds its fields.
        if (flags['upgrade-definitions']) await upgradeDefinitions({ client, log, signal });
      },
      begin: (signal) => this.#controller.lead(signal),
      end: () => this.#controller.follow(),
      random: Math.random,
    };
  }

  #obstacle(): string | undefined {
    const fault = this.#applications.lastError;
    return fault && `The Applications cannot be watched; it is tried again: ${fault.message}`;
  }

  #notReady(): string | undefined {
    if (this.#stopping.signal.aborted) return 'Stopping.';
    if (this.#cluster.problem !== undefined) return this.#cluster.problem;
    if (!this.#applications.synced) return this.#obstacle() ?? 'The Applications are not listed yet.';
    return this.#installations.problem ?? this.#obstacle() ?? this.#leadership.problem;
  }
}

function authoritiesOf(flags: FlagValues, log: Logger): Authorities | undefined {
  const path = flags['ca-file'];
  if (path === '') return undefined;
  return new Authorities({
    path,
    onChange: (count) =>
      log.info({ path, count }, 'The authorities of --ca-file changed, and were read again.'),
    onFault: (message) => log.warn(`${message} What it had before goes on.`),
  });
}

/** What was checked with the flags. */
function aliasesOf(flags: FlagValues): HostAliases {
  return hostAliases(flags['webhook-host-aliases']) ?? new Map();
}

function addressOf(flags: FlagValues, name: `${'probe' | 'metrics' | 'webhook'}-address`): ListenAddress {
  const address = listenAddress(flags[name]);
  if (address === undefined) throw new Error(`--${name} is "${flags[name]}"`);
  return address;
}

function describe(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
