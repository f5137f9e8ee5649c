import { setTimeout as sleep } from 'node:timers/promises';
import { parseDuration } from './api/v1alpha1/duration.ts';
import { ApplicationController } from './controller/application/controller.ts';
import { Targets } from './controller/application/targets.ts';
import { takeAnswer, watchApplications } from './controller/application/watch-applications.ts';
import { Cluster } from './controller/cluster/cluster.ts';
import { EnvironmentController } from './controller/environment/controller.ts';
import { environmentFinalizer } from './controller/environment/left-finalizers.ts';
import { ManagedAccess } from './controller/environment/managed-access.ts';
import { Home } from './controller/home/home.ts';
import { defaultInstallation, leaseName } from './controller/home/installations.ts';
import { PolicyController } from './controller/policy/controller.ts';
import { Approvals } from './controller/promotion/approvals.ts';
import { Archive } from './controller/promotion/archive.ts';
import { Commands } from './controller/promotion/commands.ts';
import { LedgerKeeper } from './controller/promotion/keeper.ts';
import { Ledger } from './controller/promotion/ledger.ts';
import { CONCURRENCY } from './controller/target/paced-queue.ts';
import { addressOf, aliasesOf, type FlagValues, rolesOf } from './flags.ts';
import { type ClientOptions, KubeClient, type KubeObject } from './kube/client.ts';
import type { LedBefore } from './kube/lease.ts';
import type { ListWatch } from './kube/list-watch.ts';
import { WriteGate } from './kube/write-gate.ts';
import { APPLICATION_LINES } from './observe/application-log.ts';
import { Slices } from './observe/event-loop-slices.ts';
import { HttpServer } from './observe/http-server.ts';
import type { Logger } from './observe/log.ts';
import { Metrics } from './observe/metrics.ts';
import { answerMetrics } from './observe/metrics-answer.ts';
import { answerProbes } from './observe/probes.ts';
import { Turns } from './observe/turns.ts';
import { Renderer } from './render/renderer.ts';
import { ChartRepositories } from './source/charts/chart-repositories.ts';
import { ChartVersions } from './source/charts/chart-versions.ts';
import { repositoryName } from './source/repository-name.ts';
import { Sources } from './source/sources.ts';
import { Authorities } from './source/transport/authorities.ts';
import { proxyRule } from './source/transport/proxy.ts';
import { Webhooks } from './webhook/webhooks.ts';

/** SIGTERM to exit: what is under way gets this long (A7). */
const STOP_MS = 8_000;

/** The operator: watches Applications, leads by Lease, and works while it leads. */
export class Operator {
  readonly #flags: FlagValues;
  readonly #log: Logger;
  readonly #slices = new Slices();
  readonly #installation: string;
  readonly #metrics: Metrics;
  readonly #turns: Turns;
  readonly #gate = new WriteGate(() => this.#home.isLeader());
  readonly #home: Home;
  readonly #applications: ListWatch<KubeObject>;
  readonly #environments: EnvironmentController;
  readonly #policies: PolicyController;
  readonly #cluster: Cluster;
  readonly #approvals: Approvals;
  readonly #ledger: Ledger;
  readonly #keeper: LedgerKeeper;
  readonly #commands: Commands;
  readonly #authorities: Authorities | undefined;
  readonly #sources: Sources;
  readonly #charts: ChartRepositories;
  readonly #chartVersions: ChartVersions;
  readonly #renderer: Renderer;
  readonly #controller: ApplicationController;
  readonly #probeServer: HttpServer;
  readonly #metricsServer: HttpServer;
  readonly #webhooks: Webhooks;
  readonly #stopping = new AbortController();
  #stopped: Promise<void> | undefined;

  /** `giveWay` is called where another installation comes to look after the same Applications: it must stop this one. */
  constructor(flags: FlagValues, log: Logger, giveWay: () => void) {
    this.#flags = flags;
    this.#log = log;
    this.#installation = flags.installation || defaultInstallation(flags.namespace);
    // What they ask when they are asked is made further down.
    this.#metrics = this.#newMetrics();
    this.#turns = this.#newTurns();

    const client = KubeClient.load(this.#clientOptions());
    this.#home = this.#newHome(client, giveWay);
    this.#applications = this.#watchApplications();
    // The one that we are in ourselves.
    this.#cluster = this.#newCluster(client);
    this.#environments = this.#newEnvironments();
    this.#policies = this.#newPolicies();
    this.#approvals = this.#newApprovals();
    this.#ledger = this.#newLedger();
    this.#keeper = this.#newKeeper();
    this.#commands = this.#newCommands();

    this.#authorities = authoritiesOf(flags, log);
    this.#sources = this.#newSources();
    this.#renderer = this.#newRenderer();
    this.#charts = this.#newCharts();
    this.#chartVersions = new ChartVersions({ charts: this.#charts, slices: this.#slices });
    this.#controller = this.#newController();

    this.#probeServer = new HttpServer(
      addressOf(flags, 'probe-address'),
      answerProbes(() => this.#notReady()),
    );
    this.#metricsServer = new HttpServer(
      addressOf(flags, 'metrics-address'),
      answerMetrics(() => this.#metrics.text()),
    );
    this.#webhooks = this.#newWebhooks();
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
    await Promise.all([this.#environments.start(), this.#policies.start()]);
    // One that was accepted holds: nothing enters before it is known.
    await this.#commands.start();
    this.#applications.start();
    await this.#applications.whenSynced(this.#stopping.signal);
    await this.#home.start(this.#stopping.signal);
    const { namespace } = this.#flags;
    this.#log.info({ ...ports, namespace, lease: this.#home.lease }, 'Towpath is watching.');
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
    await Promise.race([this.#home.endWork(), sleep(STOP_MS, undefined, { ref: false })]);
    const allStopped = Promise.allSettled([
      this.#applications.stop(),
      // What is under way looks at the clusters still.
      this.#controller
        .stop()
        .finally(() =>
          Promise.all([
            this.#policies.stop(),
            this.#environments.stop(),
            this.#approvals.stop(),
            this.#commands.stop(),
            this.#cluster.stop(),
          ]),
        ),
      this.#home.stop(),
      this.#sources.stop(),
      this.#renderer.stop(),
      this.#chartVersions.stop().then(() => this.#charts.stop()),
      this.#probeServer.stop(),
      this.#metricsServer.stop(),
      this.#webhooks.stop(),
    ]);
    const closed = allStopped.then(() => this.#home.client.close());
    await Promise.race([closed, sleep(1_000, undefined, { ref: false })]);
    this.#turns.stop();
    this.#authorities?.stop();
  }

  #obstacle(): string | undefined {
    const fault = this.#applications.lastError;
    return fault && `The Applications cannot be watched; it is tried again: ${fault.message}`;
  }

  #notReady(): string | undefined {
    if (this.#stopping.signal.aborted) return 'Stopping.';
    if (this.#cluster.problem !== undefined) return this.#cluster.problem;
    if (!this.#applications.synced) return this.#obstacle() ?? 'The Applications are not listed yet.';
    return this.#home.rival ?? this.#obstacle() ?? this.#home.problem;
  }

  #newMetrics(): Metrics {
    return new Metrics({
      observed: {
        applications: () => (this.#home.isLeader() ? this.#controller.states() : []),
        objects: () => {
          let count = 0;
          for (const { inventory } of this.#environments.clusters()) count += inventory.size;
          return count;
        },
        unrecordedDeployments: () => this.#ledger.unrecorded,
        credentials: () => (this.#home.isLeader() ? this.#environments.credentials() : []),
        reach: () => (this.#home.isLeader() ? this.#environments.reach() : []),
        load: () => this.#controller.load,
        leader: () => this.#home.isLeader(),
        leaseAge: () => this.#home.leaseAgeMs / 1_000,
        engines: () => this.#renderer.engines,
        engineMemory: () => this.#renderer.residentBytes,
        droppedEvents: () => this.#home.events.dropped,
        longestTurn: () => this.#turns.longest / 1_000,
      },
      slices: this.#slices,
      lease: leaseName(this.#flags.namespace, this.#installation),
      concurrency: CONCURRENCY,
      withApplications: !this.#flags['omit-application-metrics'],
    });
  }

  #newTurns(): Turns {
    return new Turns((milliseconds) =>
      this.#log.warn(
        { milliseconds: Math.round(milliseconds) },
        'The event loop was held by one piece of work: a defect, all other work waited meanwhile.',
      ),
    );
  }

  /** The same for every API server that this process talks to. */
  #clientOptions(): ClientOptions {
    return {
      slices: this.#slices,
      gate: this.#gate,
      onRequest: (request) => this.#metrics.requested(request),
      userAgent: 'towpath',
      silenceMs: parseDuration(this.#flags['watch-silence']),
      onWatchFault: (resource, error) =>
        this.#log.error(
          { resource, error: error.message, stack: error.stack },
          'A watch could not take in what it was told.',
        ),
    };
  }

  #newHome(client: KubeClient, giveWay: () => void): Home {
    const [flags, log] = [this.#flags, this.#log];
    const options = {
      client,
      gate: this.#gate,
      log,
      namespace: flags.namespace,
      installation: this.#installation,
      clusterRole: flags['cluster-role'],
      watchNamespace: flags['watch-namespace'],
      times: {
        leaseDurationMs: parseDuration(flags['lease-duration']),
        renewDeadlineMs: parseDuration(flags['renew-deadline']),
        retryPeriodMs: parseDuration(flags['retry-period']),
      },
      upgradesDefinitions: flags['upgrade-definitions'],
      giveWay,
      onInstallations: () => this.#environments.onInstallations(),
      onEventFault: (error: unknown) =>
        log.warn({ error: describe(error) }, 'An event could not be written.'),
      obstacle: () => this.#obstacle(),
      tryRecords: (signal: AbortSignal) => this.#controller.tryRecords(signal),
      begin: async (signal: AbortSignal, before: LedBefore) => {
        await this.#controller.lead(signal, before);
        // What is deployed where is known by then.
        if (signal.aborted) return;
        this.#environments.lead();
        this.#policies.lead();
        this.#keeper.lead();
        this.#commands.lead();
      },
      end: async () => {
        this.#environments.follow();
        this.#policies.follow();
        this.#commands.follow();
        this.#ledger.follow();
        await Promise.all([this.#controller.follow(), this.#keeper.follow()]);
      },
      random: Math.random,
    };
    return new Home(options, this.#stopping.signal);
  }

  #watchApplications(): ListWatch<KubeObject> {
    return watchApplications({
      client: this.#home.client,
      namespace: this.#flags['watch-namespace'],
      log: this.#log,
      onEvent: (event) => {
        this.#webhooks.onApplication(event);
        this.#controller.onEvent(event);
      },
    });
  }

  #newCluster(client: KubeClient, named: { host?: string } = {}): Cluster {
    return new Cluster({
      client,
      onChange: (target) => this.#controller.onTargetChanged(target),
      onKindsChanged: () => this.#controller.onKindsChanged(),
      onDefinitionsChanged: () => this.#controller.onDefinitionsChanged(),
      onFault: (error) =>
        this.#log.warn(
          { ...named, error: describe(error) },
          'The API server cannot be asked what it serves; it is tried again.',
        ),
      random: Math.random,
    });
  }

  #newEnvironments(): EnvironmentController {
    return new EnvironmentController({
      client: this.#home.client,
      home: this.#cluster,
      connect: {
        client: (access, beforeWrite) => new KubeClient(access, { ...this.#clientOptions(), beforeWrite }),
        cluster: (client, host) => this.#newCluster(client, { host }),
      },
      namespace: this.#flags.namespace,
      isOnly: this.#flags['watch-namespace'] === '',
      clusterRoles: rolesOf(this.#flags),
      finalizer: environmentFinalizer(this.#installation),
      installations: () => this.#home.installations,
      usesOf: (name) => this.#controller.usesOf(name),
      isNamed: (name) => this.#controller.isNamed(name),
      recordedIn: (name) => this.#controller.recordedIn(name),
      log: this.#log,
      onChange: (name) => {
        this.#controller.onEnvironment(name);
        this.#policies.onEnvironment(name);
      },
      onHeld: (name) => this.#controller.onEnvironmentHeld(name),
      onListed: () => {
        this.#controller.onEnvironmentsListed();
        this.#policies.onEnvironment(undefined);
      },
      random: Math.random,
    });
  }

  #newPolicies(): PolicyController {
    return new PolicyController({
      client: this.#home.client,
      namespace: this.#flags['watch-namespace'],
      log: this.#log,
      applicationsIn: (namespace) => this.#controller.applicationsIn(namespace),
      isMissing: (name) =>
        this.#environments.problem === undefined && this.#environments.get(name) === undefined,
      gatesIn: (name) => this.#environments.get(name)?.environment?.spec.gates,
      onChange: (namespace) => this.#controller.onPolicies(namespace),
      random: Math.random,
    });
  }

  #newApprovals(): Approvals {
    return new Approvals({
      client: this.#home.client,
      namespace: this.#flags['watch-namespace'],
      policy: this.#flags['approval-policy'],
      log: this.#log,
      onChange: (target) => this.#controller.onApproval(target),
      onAdmission: () => this.#controller.onApprovalAdmission(),
      random: Math.random,
    });
  }

  #newLedger(): Ledger {
    return new Ledger({
      client: this.#home.client,
      log: this.#log,
      onGone: (namespace, records) => this.#keeper.gone(namespace, records),
      onEnded: (promotion) => this.#keeper.ended(promotion),
      onWritable: () => this.#keeper.sweepSoon(),
      now: () => this.#home.client.now(),
      random: Math.random,
    });
  }

  #newCommands(): Commands {
    return new Commands({
      client: this.#home.client,
      namespace: this.#flags['watch-namespace'],
      policy: this.#flags['promotion-policy'],
      log: this.#log,
      onChange: (target) => this.#controller.onCommand(target),
      isActedOn: (target, uid) => this.#controller.isActedOn(target, uid),
      onEnded: (promotion) => {
        this.#ledger.ended(promotion);
        this.#keeper.ended(promotion);
      },
      onVanished: () => this.#keeper.sweepSoon(),
      now: () => this.#home.client.now(),
      random: Math.random,
    });
  }

  #newKeeper(): LedgerKeeper {
    const flags = this.#flags;
    const { client } = this.#home;
    return new LedgerKeeper({
      client,
      archive: new Archive({ client, namespace: flags.namespace, most: Number(flags['archive-size']) }),
      log: this.#log,
      slices: this.#slices,
      namespace: flags['watch-namespace'],
      intervalMs: parseDuration(flags['archive-interval']),
      keep: Number(flags['promotion-history']),
      gone: {
        promotions: Number(flags['gone-promotions']),
        chunks: Number(flags['gone-archive-size']),
        retentionMs: parseDuration(flags['gone-retention']),
      },
      ledger: this.#ledger,
      applicationOf: (key) => this.#controller.applicationOf(key),
      recordsOf: (key) => this.#controller.recordsOf(key),
      keys: () => this.#controller.keys(),
    });
  }

  #newSources(): Sources {
    const flags = this.#flags;
    return new Sources({
      allowLoopback: flags['allow-loopback-repositories'],
      allowLinkLocal: flags['allow-link-local-repositories'],
      allowPlainHttpCredentials: flags['allow-plain-http-credentials'],
      ...(flags['cache-directory'] === '' ? {} : { cacheDirectory: flags['cache-directory'] }),
      slices: this.#slices,
      proxies: proxyRule(process.env),
      observer: {
        polled: (poll) => this.#metrics.polled(poll),
        fetched: (fetch) => this.#metrics.fetched(fetch),
      },
    });
  }

  #newCharts(): ChartRepositories {
    const flags = this.#flags;
    return new ChartRepositories({
      locate: (chart, index, signal) => this.#renderer.findInIndex(chart, index, signal),
      allowLoopback: flags['allow-loopback-repositories'],
      allowLinkLocal: flags['allow-link-local-repositories'],
      ...(flags['cache-directory'] === '' ? {} : { cacheDirectory: flags['cache-directory'] }),
      slices: this.#slices,
      proxies: proxyRule(process.env),
    });
  }

  #newRenderer(): Renderer {
    return new Renderer({
      enginePath: this.#flags.engine,
      processes: Number(this.#flags['render-processes']),
      slices: this.#slices,
      onRendered: (render) => this.#metrics.rendered(render),
    });
  }

  #newController(): ApplicationController {
    const [flags, log] = [this.#flags, this.#log];
    const aliases = aliasesOf(flags);
    return new ApplicationController({
      home: this.#home.client,
      clusterOf: (target) => this.#environments.clusterOf(target),
      clusters: () => this.#environments.clusters(),
      onUse: (environment) => this.#environments.used(environment),
      isHeld: (environment) => this.#environments.isHeld(environment),
      access: new ManagedAccess({
        home: this.#home.client,
        ownNamespace: flags.namespace,
        clusterRoles: rolesOf(flags),
        podSecurity: flags['managed-pod-security'],
        clientOf: (target) => this.#environments.clusterOf(target).client,
        onChange: (target) => this.#controller.onTargetChanged(target),
      }),
      approvals: this.#approvals,
      ledger: this.#ledger,
      commands: this.#commands,
      sources: this.#sources,
      nameOf: (url) => repositoryName(url, aliases),
      charts: this.#charts,
      chartVersions: this.#chartVersions,
      renderer: this.#renderer,
      events: this.#home.events,
      slices: this.#slices,
      namespace: flags.namespace,
      installation: this.#installation,
      targets: new Targets({
        installation: this.#installation,
        impersonate: !flags['insecure-no-impersonation'],
        environments: this.#environments,
        policies: this.#policies,
      }),
      ledUntil: () => this.#home.ledUntil,
      onApplication: (key) => this.#policies.used(key),
      onTargetGone: (target) => {
        this.#ledger.left(target);
        this.#commands.gone(target);
      },
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
      onChecked: (outcome) => this.#metrics.checked(outcome),
      onVerified: (verified) => this.#metrics.verified(verified),
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
  }

  #newWebhooks(): Webhooks {
    const flags = this.#flags;
    return new Webhooks({
      client: this.#home.client,
      log: this.#log,
      address: flags['webhook-address'] === '' ? undefined : addressOf(flags, 'webhook-address'),
      namespace: flags.namespace,
      secretName: flags['webhook-secret'],
      aliases: aliasesOf(flags),
      isLeader: () => this.#home.isLeader(),
      isListed: () => this.#applications.synced,
      ask: (urls) => this.#sources.ask(urls),
      onDelivery: (provider, outcome) => this.#metrics.delivered(provider, outcome),
    });
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

function describe(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
