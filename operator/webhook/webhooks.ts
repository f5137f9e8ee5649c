import type { KubeClient } from '../kube/client.ts';
import { HttpServer } from '../observe/http-server.ts';
import type { ListenAddress } from '../observe/listen-address.ts';
import type { Logger } from '../observe/log.ts';
import type { Pushed } from './providers.ts';
import { PushRelay } from './push-relay.ts';
import { type Outcome, Receiver } from './receiver.ts';
import { comparablePath, type HostAliases, repositoryName } from './repository-name.ts';
import { WebhookSecrets } from './secrets.ts';

export interface WebhooksOptions {
  client: KubeClient;
  log: Logger;
  address: ListenAddress;
  namespace: string;
  secretName: string;
  aliases: HostAliases;
  isLeader(): boolean;
  /** The URLs of all repositories that Applications have. */
  repositories(): ReadonlySet<string>;
  /** Asks the repositories at these URLs now. */
  ask(urls: ReadonlySet<string>): void;
  onDelivery(provider: string, outcome: Outcome): void;
}

/** Of what is known, so many are logged beside what no Application has. */
const SHOWN = 5;

/** Receives pushes at every replica, finds the repository, and lets the leader ask it. */
export class Webhooks {
  readonly #options: WebhooksOptions;
  readonly #secrets: WebhookSecrets;
  readonly #relay: PushRelay;
  readonly #server: HttpServer;

  constructor(options: WebhooksOptions) {
    this.#options = options;
    const { client, namespace, log, secretName: name } = options;
    this.#secrets = new WebhookSecrets({ client, namespace, name, log });
    this.#relay = new PushRelay({ client, namespace, onPush: (keys) => this.#takeOver(keys) });
    const receiver = new Receiver({
      secretsOf: (provider) => this.#secrets.of(provider),
      onPush: (provider, pushed) => this.#push(provider, pushed),
      onDelivery: options.onDelivery,
    });
    this.#server = new HttpServer(options.address, (request, response) => {
      void receiver.answer(request, response);
    });
  }

  /** Resolves with the port it listens on. */
  start(): Promise<number> {
    this.#secrets.start();
    this.#relay.start();
    return this.#server.start();
  }

  async stop(): Promise<void> {
    await Promise.all([this.#server.stop(), this.#secrets.stop(), this.#relay.stop()]);
  }

  async #push(provider: string, { urls, paths }: Pushed): Promise<boolean> {
    const delivered = new Set(urls.map((url) => repositoryName(url, this.#options.aliases)));
    const anywhere = new Set(paths.map(comparablePath));
    const names = this.#byName();
    const matched = [...names.keys()].filter(
      (name) => delivered.has(name) || anywhere.has(name.slice(name.indexOf('/') + 1)),
    );
    if (matched.length === 0) {
      this.#tellUnmatched(provider, [...delivered, ...anywhere], [...names.keys()]);
      return false;
    }
    if (this.#options.isLeader())
      this.#options.ask(new Set(matched.flatMap((name) => names.get(name) ?? [])));
    else await this.#relay.tell(matched.map(PushRelay.keyOf));
    return true;
  }

  /** What another replica received. */
  #takeOver(keys: ReadonlySet<string>): void {
    if (!this.#options.isLeader()) return;
    const urls = [...this.#byName()].filter(([name]) => keys.has(PushRelay.keyOf(name)));
    this.#options.ask(new Set(urls.flatMap(([, each]) => each)));
  }

  #byName(): Map<string, string[]> {
    const names = new Map<string, string[]>();
    for (const url of this.#options.repositories()) {
      const name = repositoryName(url, this.#options.aliases);
      if (name !== undefined) names.set(name, [...(names.get(name) ?? []), url]);
    }
    return names;
  }

  /** With both forms, so that whoever reads it sees what differs: a host most often. */
  #tellUnmatched(provider: string, delivered: (string | undefined)[], known: string[]): void {
    const ends = new Set(delivered.map((name) => name?.split('/').at(-1)));
    const near = known.filter((name) => ends.has(name.split('/').at(-1)));
    this.#options.log.info(
      {
        provider,
        delivered: delivered.filter((name) => name !== undefined),
        applicationsHave: (near.length > 0 ? near : known).slice(0, SHOWN),
      },
      'A push came of a repository that no Application has. Where only the host differs, name it in --webhook-host-aliases.',
    );
  }
}
