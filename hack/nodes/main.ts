/**
 * Plays the nodes of a cluster that have none: of Nodes that are marked as simulated, and of the Pods on them.
 * It goes on whatever becomes of the API server, until it is killed.
 *
 *   node hack/nodes/main.ts KUBECONFIG     a kubeconfig in JSON with one cluster and a token
 */
import { readFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { Agent, request } from 'node:https';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { simulatedNode } from './node.ts';
import { nextStep, type Pod } from './pod.ts';

interface Config {
  clusters: [{ cluster: { server: string; 'certificate-authority-data': string } }];
  users: [{ user: { token: string } }];
}

interface Node {
  metadata: { name: string; annotations?: Record<string, string> };
  status?: { conditions?: { type: string; status: string }[] };
}

const config = JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8')) as Config;
const { server, 'certificate-authority-data': authority } = config.clusters[0].cluster;
const { token } = config.users[0].user;
const agent = new Agent({ ca: Buffer.from(authority, 'base64'), keepAlive: true, maxSockets: 16 });

const nodes = new Set<string>();
let addresses = 0;

/** An answer, whatever its status. */
function send(method: string, path: string, body?: object): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const isPatch = method === 'PATCH';
    const text = body === undefined ? '' : JSON.stringify(body);
    const headers = {
      authorization: `Bearer ${token}`,
      // Node leaves it out for a DELETE, whose body nobody reads then.
      'content-length': Buffer.byteLength(text),
      'content-type': isPatch ? 'application/strategic-merge-patch+json' : 'application/json',
    };
    // A watch has a connection of its own.
    const connection = path.includes('watch=') ? { ca: Buffer.from(authority, 'base64') } : { agent };
    const sent = request(new URL(path, server), { method, headers, ...connection }, resolve);
    sent.on('error', reject);
    sent.setTimeout(path.includes('watch=') ? 120_000 : 30_000, () => sent.destroy(new Error('no answer')));
    sent.end(text);
  });
}

async function textOf(answer: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of answer) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}

/** Writes; what somebody else was faster with is no failure: the watch tells what is there. */
async function write(method: string, path: string, body: object): Promise<void> {
  const answer = await send(method, path, body);
  const text = await textOf(answer);
  const { statusCode = 0 } = answer;
  if (statusCode >= 300 && ![404, 409, 422].includes(statusCode))
    throw new Error(`${method} ${path}: ${statusCode} ${text.slice(0, 200)}`);
}

/** Calls `take` for each object of a collection, as it is and whenever it changes. */
async function follow<T>(collection: string, take: (object: T) => Promise<void>): Promise<never> {
  for (;;) {
    try {
      await followOnce(collection, take);
    } catch (error) {
      console.error(`${collection}: ${error instanceof Error ? error.message : String(error)}`);
    }
    await sleep(200);
  }
}

async function followOnce<T>(collection: string, take: (object: T) => Promise<void>): Promise<void> {
  const listed = await send('GET', collection);
  const text = await textOf(listed);
  if (listed.statusCode !== 200) throw new Error(`GET: ${listed.statusCode}`);
  const list = JSON.parse(text) as { items: T[]; metadata: { resourceVersion: string } };
  const broken = Promise.withResolvers<never>();
  broken.promise.catch(() => undefined);
  // One that fails is taken again with the next list.
  const taken = (object: T) => void take(object).catch(broken.reject);
  for (const object of list.items) taken(object);
  const query = `watch=true&allowWatchBookmarks=true&resourceVersion=${list.metadata.resourceVersion}`;
  const watch = await send('GET', `${collection}?${query}`);
  try {
    await Promise.race([broken.promise, readEvents(watch, taken)]);
  } finally {
    watch.destroy();
  }
}

async function readEvents<T>(watch: IncomingMessage, taken: (object: T) => void): Promise<void> {
  for await (const line of createInterface({ input: watch })) {
    const { type, object } = JSON.parse(line) as { type: string; object: T };
    if (type === 'ERROR') throw new Error(line.slice(0, 200));
    if (type === 'ADDED' || type === 'MODIFIED') taken(object);
  }
}

async function takeNode({ metadata: { name, annotations }, status }: Node): Promise<void> {
  if (annotations?.[simulatedNode.annotation] !== simulatedNode.value) return;
  const isNew = !nodes.has(name);
  nodes.add(name);
  const isReady = status?.conditions?.some(
    (condition) => condition.type === 'Ready' && condition.status === 'True',
  );
  if (isReady !== true) await write('PATCH', `/api/v1/nodes/${name}/status`, { status: nodeStatus(name) });
  if (isNew) for (const pod of early.splice(0)) await takePod(pod);
}

/** Pods that were told before the Nodes. */
const early: Pod[] = [];

async function takePod(pod: Pod): Promise<void> {
  const { nodeName } = pod.spec;
  if (nodeName === undefined) return;
  if (!nodes.has(nodeName)) {
    if (nodes.size === 0) early.push(pod);
    return;
  }
  const { namespace, name, uid } = pod.metadata;
  const path = `/api/v1/namespaces/${namespace}/pods/${name}`;
  const step = nextStep(pod, new Date(), () => {
    addresses += 1;
    return `10.244.${Math.floor(addresses / 250) % 250}.${(addresses % 250) + 1}`;
  });
  if (step === undefined) return;
  if ('remove' in step) await write('DELETE', path, { gracePeriodSeconds: 0, preconditions: { uid } });
  else await write('PATCH', `${path}/status`, { metadata: { uid }, status: step.status });
}

function nodeStatus(name: string): object {
  const at = new Date().toISOString();
  const resources = { cpu: '1k', memory: '1Ti', pods: '1M' };
  const condition = (type: string, status: string) => ({
    type,
    status,
    reason: 'Simulated',
    lastHeartbeatTime: at,
    lastTransitionTime: at,
  });
  const pressures = ['MemoryPressure', 'DiskPressure', 'PIDPressure', 'NetworkUnavailable'];
  return {
    conditions: [condition('Ready', 'True'), ...pressures.map((type) => condition(type, 'False'))],
    addresses: [
      { type: 'InternalIP', address: '10.0.0.1' },
      { type: 'Hostname', address: name },
    ],
    allocatable: resources,
    capacity: resources,
  };
}

await Promise.all([follow('/api/v1/nodes', takeNode), follow('/api/v1/pods', takePod)]);
