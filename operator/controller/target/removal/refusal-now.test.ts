import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TowpathError } from '../../../api/errors.ts';
import type { Target } from '../../record/target.ts';
import type { Parts } from '../run.ts';
import { refusalNow } from './refusal-now.ts';

test('S16, D11: the end of a target asks for the label of its namespace, and for all of its access where that is in doubt', async () => {
  const unlisted = new TowpathError('Person', 'ClusterRoleNotListed', 'It may not be bound any more.');
  const ofOthers = new TowpathError('Person', 'NamespaceNotManaged', 'It is for others.');
  const ask = (given: { isInDoubt?: true; isOfOthers?: true; refusal?: TowpathError }) => {
    const access = {
      isInDoubt: () => given.isInDoubt === true,
      ready: () => Promise.reject(unlisted),
      labelled: () => (given.isOfOthers ? Promise.reject(ofOthers) : Promise.resolve()),
    } as unknown as Parts['access'];
    const target = { refusal: given.refusal } as unknown as Target;
    return refusalNow({ access }, target, new AbortController().signal);
  };
  assert.equal(await ask({}), undefined, 'its account has what was bound for it');
  assert.equal(await ask({ isOfOthers: true }), ofOthers);
  await assert.rejects(ask({ isInDoubt: true }), unlisted);
  const refusal = new TowpathError('Person', 'EnvironmentNotFound', 'There is none.');
  assert.equal(await ask({ refusal, isOfOthers: true }), refusal);
});
