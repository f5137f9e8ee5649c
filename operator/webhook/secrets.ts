import { membersOf } from '../api/foreign-object.ts';
import type { KubeClient, KubeObject } from '../kube/client.ts';
import { ListWatch } from '../kube/list-watch.ts';
import type { Logger } from '../observe/log.ts';
import { PROVIDERS } from './providers.ts';

const SECRETS = { group: '', version: 'v1', plural: 'secrets' };
const SHORTEST = 16;
/** While one takes the place of another, both are valid. */
const MOST = 4;

/** The lines of a key: what is used, and how many are not. */
interface Lines {
  readonly used: readonly string[];
  readonly short: number;
  readonly surplus: number;
}

/** What deliveries are signed with: a Secret with a key for each provider, and one secret on each line of it. */
export class WebhookSecrets {
  readonly #watch: ListWatch<ReadonlyMap<string, Lines>>;
  #secrets: ReadonlyMap<string, Lines> = new Map();

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
        for (const [key, lines] of this.#secrets)
          for (const problem of problemsOf(lines)) log.warn({ secret: `${namespace}/${name}`, key }, problem);
      },
    });
  }

  /** Undefined while the Secret has not been looked for. */
  of(provider: string): readonly string[] | undefined {
    if (!this.#watch.synced) return undefined;
    return this.#secrets.get(provider)?.used ?? [];
  }

  start(): void {
    this.#watch.start();
  }

  stop(): Promise<void> {
    return this.#watch.stop();
  }
}

function secretsIn({ data }: KubeObject): ReadonlyMap<string, Lines> {
  const ofProviders = Object.entries(membersOf(data)).filter(([key]) => PROVIDERS.has(key));
  return new Map(ofProviders.map(([key, value]) => [key, linesOf(String(value))]));
}

/** One that cannot be used takes nothing from the others: it may be the one that is being replaced. */
function linesOf(base64: string): Lines {
  const lines = Buffer.from(base64, 'base64')
    .toString('utf8')
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
  const long = lines.filter((line) => line.length >= SHORTEST);
  const used = long.slice(0, MOST);
  return { used, short: lines.length - long.length, surplus: long.length - used.length };
}

function problemsOf({ used, short, surplus }: Lines): string[] {
  const problems: string[] = [];
  if (short > 0)
    problems.push(
      `The webhook secret has fewer than ${SHORTEST} characters in ${linesIn(short)}, which is not used. Put a longer one there, and the same at the Git server.`,
    );
  if (surplus > 0)
    problems.push(
      `The webhook secret has more than ${MOST} lines: what comes after the fourth is not used. Take out those that no Git server signs with any more.`,
    );
  if (used.length === 0 && short === 0)
    problems.push('The webhook secret is empty: nothing that comes for it is accepted. Put one there.');
  return problems;
}

function linesIn(count: number): string {
  return count === 1 ? '1 line' : `${count} lines`;
}
