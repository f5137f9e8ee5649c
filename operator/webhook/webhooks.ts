import type { KubeClient, KubeObject } from '../kube/client.ts';
import type { WatchEvent } from '../kube/list-watch.ts';
import { HttpServer } from '../observe/http-server.ts';
import type { ListenAddress } from '../observe/listen-address.ts';
import type { Logger } from '../observe/log.ts';
import type { HostAliases } from '../source/repository-name.ts';
import type { Pushed } from './providers.ts';
import { PushRelay } from './push-relay.ts';
import { named } from './pushed-names.ts';
import { type Asked, type Outcome, Receiver } from './receiver.ts';
import { RepositoryIndex } from './repository-index.ts';
import { WebhookSecrets } from './secrets.ts';

export interface WebhooksOptions {
  client: KubeClient;
  log: Logger;
  /** Undefined: it receives nothing, and takes no Secret in. */
  address: ListenAddress | undefined;
  namespace: string;
  secretName: string;
  aliases: HostAliases;
  isLeader(): boolean;
  /** Whether all Applications were told once. */
  isListed(): boolean;
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
  readonly #server: HttpServer | undefined;
  readonly #index: RepositoryIndex;

  constructor(options: WebhooksOptions) {
    this.#options = options;
    const { client, namespace, log, secretName: name } = options;
    this.#index = new RepositoryIndex(options.aliases);
    this.#secrets = new WebhookSecrets({ client, namespace, name, log });
    this.#relay = new PushRelay({ client, namespace, onPush: (keys) => this.#takeOver(keys) });
    const receiver = new Receiver({
      secretsOf: (provider) => this.#secrets.of(provider),
      onPush: (provider, pushed) => this.#push(provider, pushed),
      onDelivery: options.onDelivery,
    });
    if (options.address === undefined) return;
    this.#server = new HttpServer(options.address, (request, response, keep) => {
      void receiver.answer(request, response, keep);
    });
  }

  /** Resolves with the port it listens on; undefined where it listens nowhere. */
  async start(): Promise<number | undefined> {
    // Also where it listens nowhere: another replica, in the midst of a change of that, may still receive pushes.
    this.#relay.start();
    if (this.#server === undefined) return undefined;
    this.#secrets.start();
    return this.#server.start();
  }

  async stop(): Promise<void> {
    await Promise.all([this.#server?.stop(), this.#secrets.stop(), this.#relay.stop()]);
  }

  /** Takes in an event of the watch on Applications. */
  onApplication({ type, namespace, name, object }: WatchEvent<KubeObject>): void {
    const { source } = (object.spec ?? {}) as { source?: { repoURL?: string } };
    this.#index.set(`${namespace}/${name}`, type === 'Deleted' ? undefined : source?.repoURL);
  }

  async #push(provider: string, pushed: Pushed): Promise<Asked> {
    if (!this.#options.isListed()) return 'NotReady';
    const delivered = named(pushed, this.#options.aliases);
    const matched = this.#index.matching(delivered);
    if (matched.length === 0) {
      this.#tellUnmatched(provider, [...delivered.names, ...delivered.paths]);
      return 'Unmatched';
    }
    if (this.#options.isLeader()) this.#options.ask(this.#index.urlsOf(matched));
    else await this.#relay.tell(matched.map(PushRelay.relayKey));
    return 'Accepted';
  }

  /** What another replica received. */
  #takeOver(keys: ReadonlySet<string>): void {
    if (this.#options.isLeader()) this.#options.ask(this.#index.urlsOf(this.#index.namesOf(keys)));
  }

  /** With both forms, so that whoever reads it sees what differs: a host most often. */
  #tellUnmatched(provider: string, delivered: readonly string[]): void {
    const near = [...new Set(delivered.flatMap((name) => this.#index.endingLike(name)))];
    this.#options.log.info(
      {
        provider,
        delivered,
        applicationsHave: near.length > 0 ? near.slice(0, SHOWN) : this.#index.some(SHOWN),
      },
      'A push came of a repository that no Application has. Where only the host differs, name it in --webhook-host-aliases.',
    );
  }
}
