import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually } from '../harness/wait.ts';
import { configMap, newSteps, type TestObject } from './steps.ts';

const service = (name: string, spec: object): TestObject => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name },
  spec: { ports: [{ name: 'web', port: 80 }], ...spec },
});

test('what a controller made with labels of an object of ours is no leftover', async (t) => {
  const { stage, deploy, change, live, admin } = await newSteps(t);
  const serviceAccountName = await admin(t);
  const objects: TestObject[] = [
    service('quay', { selector: { app: 'quay' } }),
    service('outside', {}),
    {
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: { name: 'outside-1', labels: { 'kubernetes.io/service-name': 'outside' } },
      addressType: 'IPv4',
      ports: [{ name: 'web', port: 8080, protocol: 'TCP' }],
      endpoints: [{ addresses: ['192.0.2.10'] }],
    },
    service('older', {}),
    {
      apiVersion: 'v1',
      kind: 'Endpoints',
      metadata: { name: 'older' },
      subsets: [{ addresses: [{ ip: '192.0.2.11' }], ports: [{ name: 'web', port: 8080 }] }],
    },
  ];
  const target = async () =>
    (await live('configmap', 'first'))?.metadata.labels?.['towpath.dev/target'] ?? '';
  const labelled = async () =>
    (
      await stage.kubectl(
        ...['get', 'endpoints,endpointslices,secrets', '-l', `towpath.dev/target=${await target()}`],
        ...['-o', 'jsonpath={.items[*].metadata.name}'],
      )
    ).split(' ');

  await t.test('endpoints of Services, and a Secret as a controller of certificates makes it', async () => {
    await deploy('copied', [configMap('first'), ...objects], {
      serviceAccountName,
      sync: { pruneBudget: '100%' },
    });
    const secret = {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'issued', labels: { 'towpath.dev/target': await target() } },
    };
    const args = [
      '-n',
      stage.namespace,
      'apply',
      '-f',
      '-',
      '--server-side',
      '--field-manager=cert-manager-issuing',
    ];
    const made = await stage.cluster.kubectl(args, { input: JSON.stringify(secret) });
    assert.equal(made.code, 0, made.stderr);
    await eventually(
      async () => {
        const names = await labelled();
        const copies = names.filter((name) => /^quay/.test(name));
        return copies.length === 2 && names.includes('issued');
      },
      { describe: 'the controllers to copy the label' },
    );
    const after = await change('copied', [configMap('first'), ...objects, configMap('more')]);
    assert.equal(after.status?.kept, undefined);
  });

  await t.test('they go with what they were made for, and hold nothing up', async () => {
    const after = await change('copied', [configMap('first')]);
    assert.equal(after.status?.kept, undefined);
    await eventually(async () => (await labelled()).join() === 'issued', { describe: 'the rest to go' });
    await stage.kubectl('delete', 'applications.towpath.dev', 'copied', '--timeout=20s');
    assert.notEqual(await live('secret', 'issued'), undefined);
  });

  await t.test('one that a person copied is told', async () => {
    await deploy('person', [configMap('original')]);
    const labels = (await live('configmap', 'original'))?.metadata.labels ?? {};
    await stage.apply({ ...configMap('copy'), metadata: { name: 'copy', labels } });
    const after = await change('person', [configMap('original'), configMap('another')]);
    assert.deepEqual(
      after.status?.kept?.map(({ object }) => object.name),
      ['copy'],
    );
  });
});
