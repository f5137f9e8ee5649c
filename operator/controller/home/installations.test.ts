import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import { eventually } from '../../../test/harness/wait.ts';
import { KubeClient } from '../../kube/client.ts';
import { GivenAccess } from '../../kube/credentials.ts';
import { newLogger } from '../../observe/log.ts';
import { Installations } from './installations.ts';

interface Role {
  name: string;
  id: string;
  namespace?: string;
  watches?: string;
  release?: string;
  /** Seconds after 10:00. */
  since: number;
}

interface Own {
  id: string;
  clusterRole?: string;
  namespace?: string;
  watchNamespace?: string;
}

function clusterRole({ name, id, namespace = 'sys', watches = '', release = name, since }: Role): object {
  const second = String(since).padStart(2, '0');
  return {
    metadata: {
      name,
      uid: `uid-of-${name}`,
      resourceVersion: '1',
      creationTimestamp: `2026-12-01T10:00:${second}Z`,
      labels: {
        'app.kubernetes.io/name': 'towpath',
        'app.kubernetes.io/instance': release,
        'towpath.dev/installed-in': namespace,
        'towpath.dev/watches': watches,
      },
      annotations: { 'towpath.dev/installed-in': namespace, 'towpath.dev/installation': id },
    },
  };
}

interface Given {
  /** Whether the API server ends each watch with a fault. */
  isFailing?: () => boolean;
  onChange?: (installations: Installations) => void;
}

/** What one of the installations knows of all, at an API server that has these ClusterRoles. */
async function among(
  t: TestContext,
  roles: readonly Role[],
  own: Own,
  { isFailing = () => false, onChange = () => undefined }: Given = {},
): Promise<Installations> {
  const server = createServer(({ url = '' }, response) => {
    response.setHeader('content-type', 'application/json');
    if (url.includes('watch=') && isFailing()) response.writeHead(503).end('{}');
    // A watch that says nothing.
    else if (url.includes('watch=')) response.flushHeaders();
    else response.end(JSON.stringify({ metadata: { resourceVersion: '7' }, items: roles.map(clusterRole) }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const access = { server: `http://127.0.0.1:${port}`, proxyUrl: undefined, tls: {}, headers: [] };
  const client = new KubeClient(new GivenAccess(access));
  const installations = new Installations({
    client,
    ...{ namespace: 'sys', clusterRole: '', watchNamespace: '', ...own },
    log: newLogger('silent', 'json'),
    giveWay: () => assert.fail('it was never alone'),
    onChange: () => onChange(installations),
  });
  const ending = new AbortController();
  t.after(async () => {
    ending.abort();
    await installations.stop();
    await client.close();
    server.closeAllConnections();
    server.close();
  });
  void installations.whenAlone(ending.signal).catch(() => undefined);
  await eventually(() => installations.known !== undefined, { describe: 'the installations to be known' });
  return installations;
}

const ID = 'sys/towpath';
const HAS_ITS_ID =
  /in namespace sys \(ClusterRole sys:old\) .*has the id of this one \(sys\/towpath\) and was/;

/** Of two with one id the younger one, whichever name sorts first, and whatever they watch. */
const SAME_ID: Readonly<Record<string, { older: Role; younger: Role; says: RegExp }>> = {
  'in one namespace, each with a namespace to watch': {
    older: { name: 'sys:old', id: ID, watches: 'a', since: 1 },
    younger: { name: 'sys:young', id: ID, watches: 'b', since: 2 },
    says: HAS_ITS_ID,
  },
  'in one namespace, where the name of the younger one sorts first': {
    older: { name: 'sys:old', id: ID, since: 1 },
    younger: { name: 'sys:a', id: ID, since: 2 },
    says: /give each a namespace of its own \(watchNamespace\) and this one an id of its own \(installation\)/,
  },
  'in one namespace, for the same Applications': {
    older: { name: 'sys:old', id: ID, since: 1 },
    younger: { name: 'sys:young', id: ID, since: 1 },
    says: HAS_ITS_ID,
  },
  'in two namespaces, each with a namespace to watch': {
    older: { name: 'sys:old', id: ID, watches: 'a', since: 1 },
    younger: { name: 'apps:young', id: ID, namespace: 'apps', watches: 'b', since: 2 },
    says: /does nothing: uninstall one of them, or give this one an id of its own \(installation\)\. If that one is gone/,
  },
};

for (const [where, { older, younger, says }] of Object.entries(SAME_ID))
  test(`of two installations with one id ${where}, the younger one does nothing and says why`, async (t) => {
    const own = ({ id, name, namespace = 'sys', watches = '' }: Role) => ({
      ...{ id, namespace },
      ...{ clusterRole: name, watchNamespace: watches },
    });
    for (const roles of [
      [older, younger],
      [younger, older],
    ]) {
      assert.match((await among(t, roles, own(younger))).problem ?? '', says);
      assert.equal((await among(t, roles, own(older))).problem, undefined);
    }
  });

test('an upgrade that changes the names of a release, and keeps its id, waits for nobody', async (t) => {
  const roles = [
    { name: 'sys:before', id: ID, release: 'towpath', since: 1 },
    { name: 'sys:after', id: ID, release: 'towpath', since: 2 },
  ];
  for (const name of ['sys:before', 'sys:after'])
    assert.equal((await among(t, roles, { id: ID, clusterRole: name })).problem, undefined, name);
});

test('one whose ClusterRole got another name from who installed it is known by its namespace and id', async (t) => {
  const renamed = { name: 'prefix-sys:towpath', id: ID, since: 1 };
  const own = { id: ID, clusterRole: 'sys:towpath' };
  assert.equal((await among(t, [renamed], own)).problem, undefined);
  // So is a replica of before it was upgraded, or from source.
  assert.equal((await among(t, [renamed], { id: ID })).problem, undefined);
});

test('a replica with the id of before an upgrade gives way to the one that its release has by now', async (t) => {
  const upgraded = { name: 'sys:towpath', id: 'sys/other', since: 1 };
  const { problem } = await among(t, [upgraded], { id: ID, clusterRole: 'sys:towpath' });
  assert.match(problem ?? '', /looks after the Applications of all namespaces/);
});

test('only one that looks after all Applications by its ClusterRole knows that none works beside it', async (t) => {
  const all = { name: 'sys:towpath', id: ID, since: 1 };
  const waits = { name: 'apps:towpath', id: 'apps/towpath', namespace: 'apps', watches: 'a', since: 2 };
  const own = { id: ID, clusterRole: all.name };
  const ids = new Set([ID, 'apps/towpath']);
  assert.deepEqual((await among(t, [all, waits], own)).known, { ids, isOnly: true });
  // One from source, for other namespaces, may be at work beside this one, and has no ClusterRole.
  const watches = { ...all, watches: 'shop' };
  const one = { ...own, watchNamespace: 'shop' };
  assert.deepEqual((await among(t, [watches, waits], one)).known, { ids, isOnly: false });
  // Nor does one from source know of others.
  const other = { ids: new Set([ID]), isOnly: false };
  assert.deepEqual((await among(t, [], { id: ID })).known, other);
});

test('who waits to know that an installation is gone is told when all of them can be seen again', async (t) => {
  const all = { name: 'sys:towpath', id: ID, since: 1 };
  let isFailing = true;
  const known: (boolean | undefined)[] = [];
  const onChange = (installations: Installations) => known.push(installations.known?.isOnly);
  const given = { isFailing: () => isFailing, onChange };
  const installations = await among(t, [all], { id: ID, clusterRole: all.name }, given);
  await eventually(() => installations.known?.isOnly === false, { describe: 'the watch to fail' });
  known.length = 0;
  isFailing = false;
  await eventually(() => known.includes(true), { describe: 'that to be told' });
});
