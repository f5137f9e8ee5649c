import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { definition } from '../harness/definition.ts';
import { fastLease } from '../harness/operator.ts';
import { configMap, messageOf, newSteps, reasonOf } from './steps.ts';

test('A10: a definition that somebody else installs, removes and installs again is followed', async (t) => {
  const { stage, push, live, admin } = await newSteps(t, { flags: fastLease });
  const serviceAccountName = await admin(t);
  const group = `f${randomBytes(3).toString('hex')}.example.com`;
  const crd = definition('things', group, 'Thing');
  t.after(() => stage.cluster.kubectl(['delete', 'crd', crd.metadata.name, '--ignore-not-found']));
  const thing = { apiVersion: `${group}/v1`, kind: 'Thing', metadata: { name: 'one' }, spec: { a: 'x' } };
  const commit = await push('things', [configMap('things'), thing]);
  await stage.application('things', { source: { path: 'things', interval: '1h' }, serviceAccountName });

  const waiting = await stage.until('things', (one) => reasonOf(one) === 'KindMissing', 'the missing kind');
  assert.match(messageOf(waiting), /does not serve kind Thing .*install its CustomResourceDefinition/);
  // Nobody asks for a sync, and Git has nothing new.
  await stage.apply(crd);
  await stage.untilReadyAt('things', commit, 15_000);
  assert.deepEqual((await live(`things.${group}`, 'one'))?.spec, { a: 'x' });

  await stage.kubectl('delete', 'crd', crd.metadata.name, '--timeout=30s');
  const gone = await stage.until(
    'things',
    (one) => reasonOf(one) === 'KindMissing',
    'the kind that went',
    15_000,
  );
  assert.match(messageOf(gone), /Thing/);
  assert.ok(await live('configmap', 'things'), 'the rest stays');

  await stage.apply(crd);
  await stage.untilReadyAt('things', commit, 15_000);
  assert.deepEqual((await live(`things.${group}`, 'one'))?.spec, { a: 'x' });
});
