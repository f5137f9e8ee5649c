import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { freePort, startProcess, temporaryDirectory } from '../harness/process.ts';
import { eventually } from '../harness/wait.ts';

export interface Prometheus {
  /** Scrapes this address from now on, each second. */
  scrape(hostAndPort: string, labels: Record<string, string>): void;
  /** How many samples an expression has, in so many seconds from now. @throws Error where it does not parse */
  count(expression: string, inSeconds?: number): Promise<number>;
}

/**
 * A real Prometheus, on loopback, that scrapes nothing yet. What was scraped last counts for an hour, so that the
 * future can be asked about.
 */
export async function startPrometheus(t: TestContext): Promise<Prometheus> {
  const directory = temporaryDirectory('prometheus');
  const targets = join(directory, 'targets.json');
  const configuration = {
    global: { scrape_interval: '1s' },
    scrape_configs: [
      { job_name: 'towpath', file_sd_configs: [{ files: [targets], refresh_interval: '1s' }] },
    ],
  };
  writeFileSync(join(directory, 'prometheus.yml'), JSON.stringify(configuration));
  writeFileSync(targets, '[]');
  const url = `http://127.0.0.1:${await freePort()}`;
  const server = startProcess({
    name: 'prometheus',
    command: 'prometheus',
    args: [
      `--config.file=${join(directory, 'prometheus.yml')}`,
      `--storage.tsdb.path=${join(directory, 'data')}`,
      `--web.listen-address=${new URL(url).host}`,
      '--query.lookback-delta=1h',
    ],
    logPath: join(directory, 'prometheus.log'),
  });
  t.after(() => server.stop());
  await eventually(async () => (await fetch(`${url}/-/ready`)).ok, {
    describe: `Prometheus to be ready: ${server.logTail(5)}`,
  });
  return {
    scrape: (target, labels) => writeFileSync(targets, JSON.stringify([{ targets: [target], labels }])),
    async count(expression, inSeconds = 0) {
      const time = String(Date.now() / 1_000 + inSeconds);
      const body = new URLSearchParams({ query: expression, time });
      const answer = await fetch(`${url}/api/v1/query`, { method: 'POST', body });
      const said = (await answer.json()) as { error?: string; data?: { result: unknown[] } };
      if (said.data === undefined) throw new Error(`${expression}: ${said.error}`);
      return said.data.result.length;
    },
  };
}
