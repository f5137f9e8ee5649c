import assert from 'node:assert/strict';
import { test } from 'node:test';
import { configMap, messageOf, newSteps, reasonOf } from './steps.ts';

test('a kind whose APIService is not available: it is named, with its condition', async (t) => {
  const { stage, push, ready, admin } = await newSteps(t);
  const serviceAccountName = await admin(t);
  const group = `${stage.namespace}.example.com`;
  const name = `v1beta1.${group}`;
  await stage.apply({
    apiVersion: 'apiregistration.k8s.io/v1',
    kind: 'APIService',
    metadata: { name },
    spec: {
      group,
      version: 'v1beta1',
      groupPriorityMinimum: 100,
      versionPriority: 100,
      insecureSkipTLSVerify: true,
      service: { namespace: stage.namespace, name: 'no-such-server' },
    },
  });
  t.after(() => stage.kubectl('delete', 'apiservice', name));
  const gauge = { apiVersion: `${group}/v1beta1`, kind: 'Gauge', metadata: { name: 'tide' } };
  await push('gauge', [configMap('gauge'), gauge]);
  await stage.application('gauge', { source: { path: 'gauge' }, serviceAccountName });
  const told = await stage.until(
    'gauge',
    (now) => now.status?.sync === 'Blocked' && messageOf(now).includes('APIService'),
    'the APIService',
  );
  assert.equal(reasonOf(told), 'KindMissing');
  assert.match(
    messageOf(told),
    /^Gauge \S+tide needs APIService v1beta1\.\S+, which is not available: \w+: .+/,
  );
  assert.match(messageOf(told), /Look at the Service that it names, and its Pods; it is tried again\.$/);
  // Nothing of it without an APIService that is down.
  const unknown = { apiVersion: `other.${group}/v1`, kind: 'Gauge', metadata: { name: 'tide' } };
  await push('gauge', [configMap('gauge'), unknown]);
  await stage.until(
    'gauge',
    (now) => messageOf(now).includes('install its CustomResourceDefinition'),
    'as ever',
  );
  await ready('gauge', await push('gauge', [configMap('gauge')]));
});
