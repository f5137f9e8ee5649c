import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { eventually } from '../../../test/harness/wait.ts';
import { KubeClient, type KubeObject } from '../../kube/client.ts';
import { GivenAccess } from '../../kube/credentials.ts';
import { EnvironmentStatusWriter } from './status-writer.ts';

const BEFORE = {
  conditions: [
    {
      type: 'Ready',
      status: 'True',
      reason: 'Available',
      message: 'Applications can be deployed here.',
      observedGeneration: 1,
      lastTransitionTime: '2026-11-01T00:00:00Z',
    },
  ],
  cluster: { reachable: true },
};

test('A6: an Environment that is stored and cannot be read says so on itself, in place of what it said before', async (t) => {
  const patches: { path: string; body: { status: { conditions: object[] } } }[] = [];
  const server = createServer((request, response) => {
    let text = '';
    request.on('data', (part) => {
      text += part;
    });
    request.on('end', () => {
      patches.push({ path: request.url ?? '', body: JSON.parse(text) });
      response.end(JSON.stringify(object));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const access = { server: `http://127.0.0.1:${port}`, proxyUrl: undefined, tls: {}, headers: [] };
  const client = new KubeClient(new GivenAccess(access));
  t.after(async () => {
    await client.close();
    server.close();
  });
  const metadata = { name: 'eu', uid: 'u', resourceVersion: '7', generation: 2 };
  const object: KubeObject & { status: object } = {
    apiVersion: 'towpath.dev/v1alpha1',
    kind: 'Environment',
    metadata,
    status: BEFORE,
  };
  const errors = ['spec.freezes[0].from: must be a time', 'spec.access: must name one'];
  const writer = new EnvironmentStatusWriter({
    client,
    get: () => ({ object, environment: undefined, errors }),
    names: () => ['eu'],
    isUsed: () => false,
    isOurs: () => true,
    finalizer: 'towpath.dev/test',
    factsOf: () => assert.fail('nothing of it is known'),
    onWritten: () => undefined,
    onHeld: () => undefined,
    onFault: (_, error) => assert.fail(String(error)),
    random: Math.random,
  });
  t.after(() => writer.follow());
  writer.lead();
  await eventually(async () => patches.length === 1, { describe: 'the status to be written' });
  const [{ path, body } = assert.fail()] = patches;
  assert.match(path, /\/environments\/eu\/status/);
  const why = {
    reason: 'EnvironmentInvalid',
    message: `Environment eu cannot be read, and nothing is written there; correct it: ${errors.join('; ')}`,
  };
  assert.deepEqual(
    body.status.conditions.map((condition) => {
      const {
        observedGeneration: _,
        lastTransitionTime: __,
        ...told
      } = { ...BEFORE.conditions[0], ...condition };
      return told;
    }),
    [
      { type: 'Ready', status: 'False', ...why },
      { type: 'Stalled', status: 'True', ...why },
    ],
  );
});
