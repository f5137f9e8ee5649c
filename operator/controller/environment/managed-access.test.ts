import assert from 'node:assert/strict';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import { eventually } from '../../../test/harness/wait.ts';
import { KubeClient } from '../../kube/client.ts';
import { GivenAccess } from '../../kube/credentials.ts';
import type { Target } from '../record/target.ts';
import { ManagedAccess } from './managed-access.ts';

const NAMESPACE = '/api/v1/namespaces/shop-prod';
const MANAGED = { application: 'shop/web', environment: 'prod', namespace: 'shop-prod', managedRole: 'edit' };
const { managedRole: _, ...place } = MANAGED;
const NAMED = { ...place, landsByLabel: true, account: { namespace: 'shop-prod', name: 'deployer' } };

/** A server with one namespace, whose answers about that wait until they are let go: each says what was so when it was asked. */
async function staged(t: TestContext) {
  const there: { tenant: string | undefined } = { tenant: undefined };
  const asked: string[] = [];
  const made = new Set<string>();
  const held: (() => void)[] = [];
  let isHolding = true;
  const found = (response: ServerResponse, tenant: string | undefined) => {
    if (tenant === undefined) {
      response.statusCode = 404;
      response.end(JSON.stringify({ kind: 'Status', code: 404, reason: 'NotFound', message: 'not found' }));
      return;
    }
    const labels = { 'towpath.dev/managed-for': tenant };
    response.end(
      JSON.stringify({ metadata: { name: 'x', uid: 'u', resourceVersion: '1', labels }, subjects: [] }),
    );
  };
  const server = createServer(({ method = '', url = '' }, response) => {
    const { pathname } = new URL(url, 'http://there');
    asked.push(`${method} ${pathname}`);
    const { tenant } = there;
    if (method === 'POST') there.tenant = 'shop';
    if (method !== 'GET') made.add(pathname);
    if (method !== 'GET') found(response, 'shop');
    else if (pathname !== NAMESPACE) found(response, made.has(pathname) ? 'shop' : undefined);
    else if (isHolding) held.push(() => found(response, tenant));
    else found(response, tenant);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const client = new KubeClient(
    new GivenAccess({ server: `http://127.0.0.1:${port}`, proxyUrl: undefined, tls: {}, headers: [] }),
  );
  const access = new ManagedAccess({
    home: client,
    ownNamespace: 'towpath',
    clusterRoles: ['edit'],
    podSecurity: '',
    clientOf: () => client,
    onChange: () => undefined,
  });
  t.after(async () => {
    await access.stop();
    await client.close();
    server.closeAllConnections();
    server.close();
  });
  const { signal } = new AbortController();
  return {
    there,
    asked,
    ready: (target: object, ifMissing: 'Make' | 'Leave', since = performance.now()) =>
      access.ready({ id: 'web', ...target } as unknown as Target, { since, ifMissing }, signal),
    labelled: (target: object, since = performance.now()) =>
      access.labelled({ id: 'web', ...target } as unknown as Target, since, signal),
    doubt: (target: object) => access.doubt(target as unknown as Target),
    looks: () => asked.filter((one) => one === `GET ${NAMESPACE}`).length,
    untilLooks: (count: number) =>
      eventually(() => asked.filter((one) => one === `GET ${NAMESPACE}`).length === count, {
        describe: `look ${count} at the namespace`,
      }),
    letGo: () => {
      isHolding = false;
      for (const answer of held.splice(0)) answer();
    },
  };
}

const A_MINUTE_AGO = () => performance.now() - 60_000;

test('S16: what is deployed while a removal looks for the namespace has it made', async (t) => {
  const { asked, ready, untilLooks, letGo } = await staged(t);
  const removal = ready(MANAGED, 'Leave');
  await untilLooks(1);
  const deployment = ready(MANAGED, 'Make', A_MINUTE_AGO());
  letGo();
  await Promise.all([removal, deployment]);
  assert.ok(asked.includes('POST /api/v1/namespaces'), asked.join(', '));
});

test('S16: what is deployed while a removal looks for the namespace of a named account is told that there is none', async (t) => {
  const { ready, untilLooks, letGo } = await staged(t);
  const removal = ready(NAMED, 'Leave');
  await untilLooks(1);
  const deployment = assert.rejects(ready(NAMED, 'Make', A_MINUTE_AGO()), { reason: 'NamespaceMissing' });
  letGo();
  await Promise.all([removal, deployment]);
});

test('S16: a removal makes no demand of a deployment that looks for the namespace', async (t) => {
  const { ready, untilLooks, letGo } = await staged(t);
  const deployment = assert.rejects(ready(NAMED, 'Make'), { reason: 'NamespaceMissing' });
  await untilLooks(1);
  const removal = ready(NAMED, 'Leave', A_MINUTE_AGO());
  letGo();
  await Promise.all([removal, deployment]);
});

test('S16: a namespace that is labelled for others while somebody looks at it is looked at again by whoever comes then', async (t) => {
  const { there, ready, looks, untilLooks, letGo } = await staged(t);
  there.tenant = 'shop';
  const before = ready(MANAGED, 'Make');
  await untilLooks(1);
  there.tenant = 'victim';
  const refusal = { reason: 'NamespaceNotManaged', message: /for the Applications of victim/ };
  const after = assert.rejects(ready(MANAGED, 'Make'), refusal);
  const another = assert.rejects(ready(MANAGED, 'Make'), refusal);
  letGo();
  await Promise.all([before, after, another]);
  assert.equal(looks(), 2, 'who comes meanwhile shares the second look');
});

test('S16: what the API server refused meanwhile is looked at again, however old a look may be', async (t) => {
  const { there, ready, doubt, looks, untilLooks, letGo } = await staged(t);
  there.tenant = 'shop';
  const before = ready(MANAGED, 'Make');
  await untilLooks(1);
  const same = ready(MANAGED, 'Make', A_MINUTE_AGO());
  doubt(MANAGED);
  const after = ready(MANAGED, 'Make', A_MINUTE_AGO());
  letGo();
  await Promise.all([before, same, after]);
  assert.equal(looks(), 2);
});

test('S16: whom the label of a namespace is for is known without the rest of its access, of which nothing is made', async (t) => {
  const { there, asked, labelled, letGo } = await staged(t);
  letGo();
  const unlisted = { ...MANAGED, managedRole: 'admin' };
  await labelled(unlisted);
  there.tenant = 'shop';
  await labelled(unlisted);
  await labelled(unlisted, A_MINUTE_AGO());
  const looks = [`GET ${NAMESPACE}`, `GET ${NAMESPACE}`];
  assert.deepEqual(asked, looks, 'and what was read a moment ago counts');
  there.tenant = 'victim';
  for (const target of [unlisted, NAMED])
    await assert.rejects(labelled(target), { reason: 'NamespaceNotManaged', message: /of victim/ });
  assert.deepEqual(
    asked.filter((one) => one !== `GET ${NAMESPACE}` && !one.startsWith('GET /api/v1/namespaces')),
    [],
  );
});
