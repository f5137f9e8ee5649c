import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { type TestContext, test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { KubeClient } from '../../operator/kube/client.ts';
import { ListWatch } from '../../operator/kube/list-watch.ts';
import { newCertificates } from '../harness/certificates.ts';
import { eventually } from '../harness/wait.ts';

const COUNT = 500;
const KIB = 1024;

/** An API server without objects, whose watches stay open. */
const SERVER = `
  const [cert, key] = [process.env.CERT, process.env.KEY];
  const bookmark = { type: 'BOOKMARK', object: { kind: 'ConfigMap', apiVersion: 'v1', metadata: { resourceVersion: '9' } } };
  const list = { kind: 'ConfigMapList', apiVersion: 'v1', metadata: { resourceVersion: '9' }, items: [] };
  const server = require('node:https').createServer({ cert, key }, (request, response) => {
    if (request.url.includes('watch=true')) response.write(JSON.stringify(bookmark) + '\\n');
    else response.end(JSON.stringify(list));
  });
  server.listen(0, '127.0.0.1', () => console.log(server.address().port));`;

/** In a process of its own: what its ends of the connections take is not counted. */
async function newClient(t: TestContext): Promise<KubeClient> {
  const { ca, serverCert, serverKey } = await newCertificates(['127.0.0.1']);
  const env = { ...process.env, CERT: serverCert, KEY: serverKey };
  const child = spawn(process.execPath, ['-e', SERVER], { stdio: ['ignore', 'pipe', 'ignore'], env });
  t.after(async () => {
    child.kill('SIGKILL');
    await once(child, 'exit');
  });
  const [port] = await once(child.stdout.setEncoding('utf8'), 'data');
  const server = `https://127.0.0.1:${String(port).trim()}`;
  const kubeconfig = {
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'a',
    contexts: [{ name: 'a', context: { cluster: 'a', user: 'a' } }],
    clusters: [
      { name: 'a', cluster: { server, 'certificate-authority-data': Buffer.from(ca).toString('base64') } },
    ],
    users: [{ name: 'a', user: { token: 'a' } }],
  };
  return KubeClient.fromKubeConfig(JSON.stringify(kubeconfig, undefined, 1));
}

/** Descriptors of this process, which is where its connections are. */
const descriptors = () => readdirSync('/proc/self/fd').length;

/** What handshakes leave behind is given back by and by. */
async function residentBytes(): Promise<number> {
  setFlagsFromString('--expose-gc');
  const collect: () => void = runInNewContext('gc');
  for (let round = 0; round < 10; round += 1) {
    collect();
    await setImmediate();
  }
  return process.memoryUsage().rss;
}

test('B17: a watch takes the operator 140 KB with its connection while that is new, as docs/clusters.md says, and less than 240', async (t) => {
  const client = await newClient(t);
  const watches: { stop(): Promise<void> }[] = [];
  t.after(async () => {
    await Promise.all(watches.map((watch) => watch.stop()));
    await client.close();
  });
  const watchAll = async (prefix: string, count: number) => {
    const open = descriptors();
    const resource = { group: '', version: 'v1', plural: 'configmaps' };
    for (let index = 0; index < count; index += 1) {
      const namespace = `${prefix}-${index}`;
      const watch = new ListWatch({ client, resource, namespace, reduce: ({ metadata }) => metadata.uid });
      watches.push(watch);
      watch.start();
    }
    await eventually(() => descriptors() >= open + count, {
      describe: `${count} connections`,
      within: 60_000,
    });
    return residentBytes();
  };
  // What the first ones bring with them is not each one's.
  const before = await watchAll('warm', 50);
  const each = Math.round(((await watchAll('many', COUNT)) - before) / COUNT / KIB);
  t.diagnostic(`${each} KiB a watch`);
  assert.ok(each < 240, `${each} KiB`);
});
