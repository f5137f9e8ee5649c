import { createSocket } from 'node:dgram';
import type { Cluster } from './cluster.ts';

/** A cluster's DNS as Pods need it. */
export interface ClusterDns {
  stop(): Promise<void>;
}

export const CLUSTER_DOMAIN = 'cluster.local';

const HEADER_BYTES = 12;
const TYPE_A = 1;
const NOT_FOUND = 3;
const FAILED = 2;

/**
 * Answers at port 53 of the address, asking the API server each time (RFC 1035; Kubernetes' DNS specification).
 * `others`: names that are not the cluster's, and their IPv4 addresses.
 */
export async function startClusterDns(
  cluster: Cluster,
  address: string,
  others: ReadonlyMap<string, string>,
): Promise<ClusterDns> {
  const socket = createSocket('udp4');
  socket.on('message', async (query, { address: from, port }) => {
    const { name, type, end } = questionOf(query);
    const other = others.get(name);
    const found = other === undefined ? addressesOf(cluster, name) : Promise.resolve([other]);
    const answer = await found.then(
      (addresses) => ({ addresses: addresses ?? [], code: addresses === undefined ? NOT_FOUND : 0 }),
      () => ({ addresses: [], code: FAILED }),
    );
    const addresses = type === TYPE_A ? answer.addresses : [];
    socket.send(response(query.subarray(0, end), addresses, answer.code), port, from, () => undefined);
  });
  await new Promise<void>((resolve, reject) => {
    socket.once('error', reject).bind(53, address, resolve);
  });
  return { stop: () => new Promise((resolve) => socket.close(() => resolve())) };
}

/** The first question of a query, and where it ends. */
function questionOf(query: Buffer): { name: string; type: number; end: number } {
  const labels: string[] = [];
  let at = HEADER_BYTES;
  for (let length = query[at] ?? 0; length > 0; length = query[at] ?? 0) {
    labels.push(query.toString('latin1', at + 1, at + 1 + length));
    at += 1 + length;
  }
  return { name: labels.join('.').toLowerCase(), type: query.readUInt16BE(at + 1), end: at + 5 };
}

function response(query: Buffer, addresses: readonly string[], code: number): Buffer {
  const head = Buffer.from(query);
  // An answer, with authority, with recursion; one question, so many answers and nothing else.
  head.writeUInt16BE(0x8580 | code, 2);
  head.writeUInt16BE(1, 4);
  head.writeUInt16BE(addresses.length, 6);
  head.writeUInt32BE(0, 8);
  const records = addresses.map((address) =>
    // The question's name, type A, class IN, for one second, four bytes.
    Buffer.from([0xc0, HEADER_BYTES, 0, TYPE_A, 0, 1, 0, 0, 0, 1, 0, 4, ...address.split('.').map(Number)]),
  );
  return Buffer.concat([head, ...records]);
}

interface Service {
  spec: { clusterIP?: string };
}

interface EndpointSlices {
  items: { endpoints?: { addresses: string[]; conditions?: { ready?: boolean } }[] | null }[];
}

/** Undefined where there is no such Service. One without an address of its own has those of its Pods. */
async function addressesOf(cluster: Cluster, name: string): Promise<string[] | undefined> {
  const [service = '', namespace = '', ...rest] = name.split('.');
  if (rest.join('.') !== `svc.${CLUSTER_DOMAIN}`) return undefined;
  const path = `/api/v1/namespaces/${encodeURIComponent(namespace)}`;
  const found = await cluster.request('GET', `${path}/services/${encodeURIComponent(service)}`);
  if (found.status !== 200) return undefined;
  const { clusterIP = 'None' } = (JSON.parse(found.body) as Service).spec;
  if (clusterIP !== 'None') return [clusterIP];
  const slices = await cluster.request(
    'GET',
    `/apis/discovery.k8s.io/v1/namespaces/${encodeURIComponent(namespace)}/endpointslices?labelSelector=${encodeURIComponent(`kubernetes.io/service-name=${service}`)}`,
  );
  if (slices.status !== 200) return [];
  const endpoints = (JSON.parse(slices.body) as EndpointSlices).items.flatMap((one) => one.endpoints ?? []);
  return endpoints.flatMap(({ addresses, conditions }) => (conditions?.ready === false ? [] : addresses));
}
