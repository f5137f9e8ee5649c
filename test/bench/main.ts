import { parseArgs } from 'node:util';
import { publishedCharts } from './charts.ts';
import { commitToSynced } from './commit.ts';
import { drift } from './drift.ts';
import { fetchCommit } from './fetch.ts';
import { type Figure, table } from './figures.ts';
import { fleet, fleetInEnvironments } from './fleet.ts';
import { ledgerOfAMonth } from './ledger.ts';
import { commitInMonorepo } from './monorepo.ts';
import { printProfiles } from './profile.ts';
import { promotions } from './promotions.ts';
import { pushToSynced } from './push.ts';
import { rendering } from './render.ts';
import { requests } from './requests.ts';
import { type BenchOptions, type Ground, newGround } from './stage.ts';

/** What can be measured by name, with the metrics that each gives. */
const MEASUREMENTS: Record<string, (ground: Ground) => Promise<Figure[]>> = {
  commit: commitToSynced,
  push: pushToSynced,
  charts: publishedCharts,
  monorepo: commitInMonorepo,
  requests,
  drift,
  fetch: fetchCommit,
  render: () => rendering(),
  fleet,
  environments: fleetInEnvironments,
  promotions,
  ledger: ledgerOfAMonth,
};

const USAGE = `Usage: make bench ARGS='[names …] [--quick] [--profile=directory]'
  names      ${Object.keys(MEASUREMENTS).join(', ')}; default: all
  --quick    100 Applications instead of 1,000, fewer samples
  --profile  writes CPU profiles of the operator there and prints where the time went`;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    quick: { type: 'boolean', default: false },
    profile: { type: 'string' },
    help: { type: 'boolean' },
  },
});
const unknown = positionals.filter((name) => !(name in MEASUREMENTS));
if (values.help || unknown.length > 0) {
  process.stderr.write(`${unknown.length > 0 ? `Unknown: ${unknown.join(', ')}\n` : ''}${USAGE}\n`);
  process.exit(unknown.length > 0 ? 2 : 0);
}
const startedAt = performance.now();
const options: BenchOptions = {
  quick: values.quick,
  profileDirectory: values.profile,
  say: (text) =>
    process.stderr.write(`[${((performance.now() - startedAt) / 1000).toFixed(0).padStart(4)} s] ${text}\n`),
};
const figures: Figure[] = [];
const failures: string[] = [];
const ground = await newGround(options);
for (const [name, measure] of Object.entries(MEASUREMENTS)) {
  if (positionals.length > 0 && !positionals.includes(name)) continue;
  options.say(`measuring ${name} …`);
  try {
    for (const one of await measure(ground)) {
      figures.push(one);
      process.stdout.write(`${JSON.stringify(one)}\n`);
    }
  } catch (error) {
    failures.push(name);
    options.say(`${name} could not be measured: ${error instanceof Error ? error.stack : String(error)}`);
  }
}
await ground.stop();
process.stdout.write(`\n${table(figures)}\n`);
if (values.profile !== undefined) await printProfiles(values.profile);
// A goal that is missed is a figure, not a failure; what could not be measured is one.
process.exit(failures.length > 0 ? 1 : 0);
