import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import type { ServerResponse } from 'node:http';
import { join } from 'node:path';
import { after, before, describe, type TestContext, test } from 'node:test';
import { newChartRepositories } from '../../../test/harness/chart-repositories.ts';
import { type ChartRepository, startChartRepository } from '../../../test/harness/chart-repository.ts';
import { longestTurn } from '../../../test/harness/event-loop.ts';
import { type OciRegistry, startOciRegistry } from '../../../test/harness/oci-registry.ts';
import { TestRenderer } from '../../../test/harness/render.ts';
import { newSigningKey } from '../../../test/harness/signing-key.ts';
import { scaled } from '../../../test/harness/slowness.ts';
import type { ChartRepositories, ChartRepositoriesOptions } from './chart-repositories.ts';

const engine = new TestRenderer();
const never = new AbortController().signal;
const CHART = { name: 'redis', version: '1.0.0' };
let repository: ChartRepository;
let registry: OciRegistry;

before(async () => {
  [repository, registry] = await Promise.all([startChartRepository(), startOciRegistry()]);
  const key = await newSigningKey('Publisher');
  const files = { 'Chart.yaml': 'apiVersion: v2\nname: redis\nversion: 1.0.0\n' };
  await repository.publish(files, key);
  await registry.publish(files, registry.url, key);
});
after(() => Promise.all([repository.stop(), registry.stop()]));

const open = (t: TestContext, options: Partial<ChartRepositoriesOptions> = {}) =>
  newChartRepositories(t, engine, options);

/** From whom, believed by what. */
interface Asked {
  charts: ChartRepositories;
  url: string;
  credential: { caCert: string };
  /** Of the archive. */
  digest: string;
}

/** What is asked for, and the part of a request's path that fails. */
interface Step {
  at: string;
  ask(asked: Asked): Promise<unknown>;
}

const fetched: Step['ask'] = ({ charts, url, credential }) =>
  charts.fetch({ ...CHART, repository: url }, never, credential);
const resolved: Step['ask'] = ({ charts, url, credential }) =>
  charts.resolve({ ...CHART, version: '^1.0.0', repository: url }, never, credential);
const signed: Step['ask'] = async ({ charts, url, credential, digest }) => {
  const provenance = await charts.provenance({ ...CHART, repository: url, digest }, never, credential);
  assert.match(String(Buffer.from(provenance?.text ?? '')), /BEGIN PGP SIGNATURE/);
};

const TOTAL_MS = scaled(1_500);
const FAULTS: readonly [what: string, reason: string, answer: (response: ServerResponse) => void][] = [
  ['answers 503', 'ServerError', (response) => response.writeHead(503).end()],
  ['says nothing', 'Timeout', () => undefined],
  [
    'breaks off',
    'ConnectionLost',
    (response) => {
      response.writeHead(200, { 'content-length': 1_000 });
      response.write('{', () => response.destroy());
    },
  ],
  [
    'sends a byte now and then',
    'Timeout',
    (response) => {
      response.writeHead(200);
      const timer = setInterval(() => response.write(' '), TOTAL_MS / 50);
      response.on('close', () => clearInterval(timer));
    },
  ],
];

/** Each step with each fault, all at once: each asks below a path of its own, by which the server knows what fails. */
async function judged(
  t: TestContext,
  server: Pick<ChartRepository | OciRegistry, 'url' | 'caFile' | 'intercept'>,
  steps: readonly Step[],
): Promise<void> {
  const { url } = server;
  const credential = { caCert: await readFile(server.caFile, 'utf8') };
  const { digest } = await open(t).fetch({ ...CHART, repository: url }, never, credential);
  const failing = new Map<string, { at: string; answer(response: ServerResponse): void }>();
  server.intercept = (request, response) => {
    const [at = '', name = ''] = /\/(fault-\d+-\d+)/.exec(request.url ?? '') ?? [];
    request.url = request.url?.replace(at, '');
    const fault = failing.get(name);
    if (fault === undefined || request.url?.includes(fault.at) !== true) return false;
    fault.answer(response);
    return true;
  };
  const timeouts = { totalMs: TOTAL_MS, idleMs: 2 * TOTAL_MS, busyMs: 0 };
  const judge = async (step: Step, name: string, [what, reason, answer]: (typeof FAULTS)[number]) => {
    const charts = open(t, { recentMs: 0, timeouts });
    const asked = { charts, url: `${url}/${name}`, credential, digest };
    failing.set(name, { at: step.at, answer });
    await assert.rejects(step.ask(asked), { reason, remedy: 'Time' }, `${step.at} ${what}`);
    failing.delete(name);
    await step.ask(asked);
  };
  await Promise.all(
    steps.flatMap((step, row) => FAULTS.map((fault, column) => judge(step, `fault-${row}-${column}`, fault))),
  );
}

describe('A4: charts whose server fails at any step say so, and come once it is well', () => {
  test('from a Helm repository', (t) =>
    judged(t, repository, [
      { at: '/index.yaml', ask: fetched },
      { at: '.tgz', ask: fetched },
      { at: '/index.yaml', ask: resolved },
      { at: '.tgz.prov', ask: signed },
    ]));

  test('from an OCI registry', (t) =>
    judged(t, registry, [
      { at: '/manifests/', ask: fetched },
      { at: '/blobs/', ask: fetched },
      { at: '/tags/list', ask: resolved },
      { at: '/blobs/', ask: signed },
    ]));
});

test('A15: an index of tens of megabytes holds up nobody', async (t) => {
  const large = await startChartRepository(repository.certificate);
  t.after(() => large.stop());
  const entry = (name: string, version: string) =>
    `  - name: ${name}\n    version: ${version}\n    digest: ${'ab'.repeat(32)}\n    urls: [${name}-${version}.tgz]\n`;
  // Short lines take longest.
  const keywords = `    keywords:\n${'    - x\n'.repeat(1_100)}`;
  const others = Array.from(
    { length: 4_000 },
    (_, at) => `  chart-${at}:\n${entry(`chart-${at}`, '1.0.0')}${keywords}`,
  );
  const versions = Array.from({ length: 500 }, (_, at) => entry('redis', `1.0.${at}`));
  const index = `apiVersion: v1\nentries:\n${others.join('')}  redis:\n${versions.join('')}`;
  assert.ok(index.length > 2 ** 25, `${index.length} bytes`);
  await writeFile(join(large.directory, 'index.yaml'), index);
  const charts = open(t);
  const credential = { caCert: await readFile(large.caFile, 'utf8') };
  const longest = await longestTurn(t, async () => {
    const { url } = large;
    assert.equal(await resolved({ charts, url, credential, digest: '' }), '1.0.499');
    const lacking = { name: 'chart-4000', version: '1.0.0', repository: url };
    await assert.rejects(charts.fetch(lacking, never, credential), {
      reason: 'ChartNotFound',
      message: /It has chart-/,
    });
  });
  assert.ok(longest < scaled(100), `${longest} ms`);
});
