// Whether a replica is ready and leads, over the Service: tried for a while, for DNS, Pods that start and an election.
import { lookup } from 'node:dns/promises';
const { SERVICE, PROBES_PORT, METRICS_PORT, WITHIN_SECONDS } = process.env;
const until = Date.now() + Number(WITHIN_SECONDS) * 1_000;
const ask = async (address, port, path) => {
  const host = address.includes(':') ? `[${address}]` : address;
  const response = await fetch(`http://${host}:${port}${path}`, { signal: AbortSignal.timeout(5_000) });
  return { isOk: response.ok, text: await response.text() };
};
// Undefined: it is ready and leads.
const problemOf = async (address) => {
  try {
    const ready = await ask(address, PROBES_PORT, '/readyz');
    if (!ready.isOk) return `is not ready: ${ready.text.trim()}`;
    const { text } = await ask(address, METRICS_PORT, '/metrics');
    return /^leader_election_master_status\{[^}]*\} 1$/m.test(text) ? undefined : 'is ready and does not lead.';
  } catch (error) {
    return error.cause?.message ?? error.message;
  }
};
for (;;) {
  const said = [];
  let leader;
  try {
    for (const { address } of await lookup(SERVICE, { all: true })) {
      const problem = await problemOf(address);
      if (problem === undefined) leader = address;
      else said.push(`${address} ${problem}`);
    }
  } catch (error) {
    said.push(error.message);
  }
  if (leader !== undefined) {
    console.log(`${leader} of ${SERVICE} is ready and leads.`);
    break;
  }
  if (Date.now() > until) {
    console.error(`No replica of ${SERVICE} is ready and leads. ${said.join(' ')} Look at the Pods and their logs.`);
    process.exit(1);
  }
  await new Promise((resolve) => setTimeout(resolve, 1_000));
}
