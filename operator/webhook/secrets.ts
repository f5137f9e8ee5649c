import { membersOf } from '../api/foreign-object.ts';
import type { KubeClient, KubeObject } from '../kube/client.ts';
import { ListWatch } from '../kube/list-watch.ts';
import type { Logger } from '../observe/log.ts';
import { PROVIDERS } from './providers.ts';

const SECRETS = { group: '', version: 'v1', plural: 'secrets' };
const SHORTEST = 16;
/** While one takes the place of another, both are valid. */
const MOST = 4;

/** What deliveries are signed with: a Secret with a key for each provider, and one secret on each line of it. */
export class WebhookSecrets {
  readonly #watch: ListWatch<ReadonlyMap<string, readonly string[]>>;
  #secrets: ReadonlyMap<string, readonly string[]> = new Map();

  constructor(options: { client: KubeClient; namespace: string; name: string; log: Logger }) {
    const { client, namespace, name, log } = options;
    this.#watch = new ListWatch({
      client,
      resource: SECRETS,
      namespace,
      fieldSelector: `metadata.name=${name}`,
      reduce: secretsIn,
      onEvent: ({ type, object }) => {
        this.#secrets = type === 'Deleted' ? new Map() : object;
        for (const [provider, secrets] of this.#secrets)
          if (secrets.length === 0)
            log.warn(
              { secret: `${namespace}/${name}`, key: provider },
              `The webhook secret is not used: a line of it has fewer than ${SHORTEST} characters, or it has more than ${MOST} lines. Put a longer one there, and the same at the Git server.`,
            );
      },
    });
  }

  /** Undefined while the Secret has not been looked for. */
  of(provider: string): readonly string[] | undefined {
    if (!this.#watch.synced) return undefined;
    return this.#secrets.get(provider) ?? [];
  }

  start(): void {
    this.#watch.start();
  }

  stop(): Promise<void> {
    return this.#watch.stop();
  }
}

function secretsIn({ data }: KubeObject): ReadonlyMap<string, readonly string[]> {
  const known = Object.entries(membersOf(data)).filter(([key]) => PROVIDERS.has(key));
  return new Map(known.map(([key, value]) => [key, linesOf(String(value))]));
}

function linesOf(base64: string): string[] {
  const lines = Buffer.from(base64, 'base64')
    .toString('utf8')
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
  return lines.length > MOST || lines.some((line) => line.length < SHORTEST) ? [] : lines;
}
