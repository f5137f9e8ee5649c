import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Archive } from '../../operator/controller/promotion/archive.ts';
import { LedgerKeeper } from '../../operator/controller/promotion/keeper.ts';
import { Ledger, PROMOTIONS } from '../../operator/controller/promotion/ledger.ts';
import type { Recorded } from '../../operator/controller/promotion/promotion-of.ts';
import { KubeClient } from '../../operator/kube/client.ts';
import type { RequestRecord } from '../../operator/kube/connection.ts';
import { Slices } from '../../operator/observe/event-loop-slices.ts';
import { newLogger } from '../../operator/observe/log.ts';
import { startControlPlane } from '../harness/control-plane.ts';
import { installCRDs } from '../harness/operator.ts';
import { type Figure, figure } from './figures.ts';
import type { Ground } from './stage.ts';

/**
 * 1,000 Applications in three environments each, five deployments a day to each of these, in 100 namespaces. What is
 * kept of one namespace has nothing to do with another one's, so that one is a hundredth of all.
 */
const APPLICATIONS = 10;
const ENVIRONMENTS = ['dev', 'staging', 'prod'];
const A_DAY = 5;
const NAMESPACES = 100;
const DAY_MS = 86_400_000;
const MIB = 2 ** 20;

const OWN = 'towpath-system';
const SHOP = 'shop';
const CONFIG_MAPS = { group: '', version: 'v1', plural: 'configmaps' };

/** What a month of deployments leaves in etcd, and writes to it, by the code that keeps the ledger. */
export async function ledgerOfAMonth({ options }: Ground): Promise<Figure[]> {
  const days = options.quick ? 6 : 30;
  const cluster = await startControlPlane({ controllers: false });
  const sent = new Sent();
  const client = KubeClient.fromKubeConfig(cluster.kubeConfigText, { onRequest: (one) => sent.note(one) });
  try {
    await installCRDs(cluster);
    for (const name of [OWN, SHOP]) await cluster.kubectl(['create', 'namespace', name]);
    const etcd = new EtcdOf(cluster.directory);
    const before = await etcd.compacted();
    const count = await deployAll(client, days, sent);
    const requests = sent.count;
    const after = await etcd.compacted();
    const promotions = (await client.list({ resource: PROMOTIONS, namespace: SHOP })).items.length;
    const chunks = (await client.list({ resource: CONFIG_MAPS, namespace: OWN })).items;
    const archives = chunks.filter(({ metadata }) => metadata.name.startsWith('towpath-ledger.')).length;
    const inUse = (after.inUse - before.inUse) / MIB;
    const written = (after.written - before.written) / MIB / days;
    const one = (name: string, unit: string, value: number, more: Record<string, number> = {}) =>
      figure({ metric: `ledger (${days} days)`, name, unit, values: [value], goal: '', more });
    return [
      one('Promotions', 'objects', promotions * NAMESPACES, { deployments: count * NAMESPACES }),
      one('ConfigMaps of the archive', 'objects', archives * NAMESPACES),
      one('in use in etcd, compacted', 'MiB', inUse * NAMESPACES),
      one('written to etcd a day', 'MiB', written * NAMESPACES),
      one('requests for each deployment', 'requests', requests / count, {
        putsToEtcd: (after.puts - before.puts) / count,
      }),
    ];
  } finally {
    await client.close();
    await cluster.stop();
  }
}

/** What was sent, and when the archive was written to. */
class Sent {
  count = 0;
  #onArchived: () => void = () => undefined;

  note({ verb, plural, code }: RequestRecord): void {
    this.count += 1;
    if (plural === 'configmaps' && (verb === 'create' || verb === 'patch') && code < 300) this.#onArchived();
  }

  archived(): Promise<void> {
    return new Promise((resolve) => {
      this.#onArchived = resolve;
    });
  }
}

/** Each is archived before the next one ends, as hardly two in a namespace end in one minute. Answers how many there were. */
async function deployAll(client: KubeClient, days: number, sent: Sent): Promise<number> {
  let now = new Date();
  const { ledger, keeper } = newLedger(client, () => now);
  keeper.lead();
  const targets = Array.from({ length: APPLICATIONS }, (_, index) => `app-${index}`).flatMap((application) =>
    ENVIRONMENTS.map((environment) => `${SHOP}/${application}/${environment}`),
  );
  const count = days * A_DAY * targets.length;
  const began = Date.now() - days * DAY_MS;
  for (let index = 0; index < count; index += 1) {
    const startedAt = began + (index / count) * days * DAY_MS;
    now = new Date(startedAt + 20_000);
    const archived = sent.archived();
    const target = targets[index % targets.length] ?? '';
    ledger.record(deploymentOf(target, 1 + Math.floor(index / targets.length), startedAt));
    await archived;
  }
  await keeper.follow();
  return count;
}

function newLedger(client: KubeClient, now: () => Date): { ledger: Ledger; keeper: LedgerKeeper } {
  const log = newLogger('error', 'json');
  const keeper: LedgerKeeper = new LedgerKeeper({
    client,
    archive: new Archive({ client, namespace: OWN, most: 40 }),
    log,
    slices: new Slices(),
    namespace: '',
    intervalMs: 1,
    keep: 10,
    gone: { promotions: 100, chunks: 400, retentionMs: 365 * 24 * 60 * 60_000 },
    ledger: {
      record: () => undefined,
      isUnderWay: () => false,
      found: () => undefined,
      left: () => undefined,
    },
    applicationOf: () => undefined,
    recordsOf: () => [],
    keys: () => [],
  });
  const ledger = new Ledger({
    client,
    log,
    onGone: (namespace, records) => keeper.gone(namespace, records),
    onEnded: (promotion) => keeper.ended(promotion),
    onWritable: () => keeper.sweepSoon(),
    now,
    random: Math.random,
  });
  return { ledger, keeper };
}

function deploymentOf(target: string, id: number, startedAt: number): Recorded {
  const hash = (text: string) => createHash('sha256').update(text).digest('hex');
  const digest = (of: number) => `sha256:${hash(`${target} ${of}`)}`;
  const revision = (of: number) => hash(`commit of ${target} ${of}`).slice(0, 40);
  const at = (seconds: number) => new Date(startedAt + seconds * 1_000).toISOString();
  return {
    target,
    applicationUID: '0d7a1b52-1f2e-4c64-9d0e-5f0f5f3c8a11',
    id,
    candidate: {
      id: `sha256:${hash(`candidate of ${target} ${id}`)}`,
      digest: digest(id),
      revision: revision(id),
      ref: 'refs/heads/main',
      chart: 'podinfo-6.7.1',
      appVersion: '6.7.1',
    },
    trigger: target.endsWith('/dev') ? 'Commit' : 'Promotion',
    startedAt: at(0),
    previous: { digest: digest(id - 1), revision: revision(id - 1) },
    phase: 'Succeeded',
    deployedAt: at(15),
    finishedAt: at(15),
  };
}

/** What etcd says of itself. */
interface EtcdFigures {
  /** Bytes of the database, without what is free in it. */
  inUse: number;
  /** Bytes to its write-ahead log. */
  written: number;
  puts: number;
}

class EtcdOf {
  readonly #url: string;

  constructor(directory: string) {
    const layout = JSON.parse(readFileSync(join(directory, 'layout.json'), 'utf8')) as { etcdPort: number };
    this.#url = `http://127.0.0.1:${layout.etcdPort}`;
  }

  /** After all but the last revision of everything went, which an API server has done every five minutes. */
  async compacted(): Promise<EtcdFigures> {
    const { header } = (await this.#post('/v3/kv/range', { key: 'AA==' })) as {
      header: { revision: string };
    };
    await this.#post('/v3/kv/compaction', { revision: header.revision, physical: true });
    const text = await (await fetch(`${this.#url}/metrics`)).text();
    const of = (name: string) => Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1] ?? Number.NaN);
    return {
      inUse: of('etcd_mvcc_db_total_size_in_use_in_bytes'),
      written: of('etcd_disk_wal_write_bytes_total') || of('etcd_disk_wal_write_bytes_gauge'),
      puts: of('etcd_mvcc_put_total'),
    };
  }

  async #post(path: string, body: object): Promise<unknown> {
    const answer = await fetch(`${this.#url}${path}`, { method: 'POST', body: JSON.stringify(body) });
    if (!answer.ok) throw new Error(`POST ${path}: ${answer.status} ${await answer.text()}`);
    return answer.json();
  }
}
