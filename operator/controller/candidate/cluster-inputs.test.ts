import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ClusterInputs, type Served } from './cluster-inputs.ts';

function serving(...apiVersions: string[]): Served {
  return {
    kubeVersion: () => 'v1.37.0',
    apiVersions: () => apiVersions,
    scopes: () => ({}),
    serves: (name) => apiVersions.includes(name),
    unknown: () => [],
  };
}

function target(application: string) {
  const name = `${application}/default`;
  return { id: 'faa5a81b2439ecaa6b3b', name, application, environment: 'default', cluster: 'home' };
}

test('S18: what two targets read of their clusters stays apart where their ids are the same', () => {
  const [ours, another] = [target('shop/web'), target('market/web')];
  const clusters = new Map([
    [ours.name, serving('batch/v1')],
    [another.name, serving()],
  ]);
  const inputs = new ClusterInputs(({ name }) => clusters.get(name) ?? serving());
  const candidate = (letter: string) => ({ id: `sha256:${letter}`, digest: `sha256:${letter}` });
  inputs.note(ours, candidate('a'), { 'has batch/v1': 'true' });
  inputs.note(another, candidate('b'), { 'has batch/v1': 'false' });
  assert.deepEqual(inputs.changed(), []);
  clusters.set(ours.name, serving());
  assert.deepEqual(inputs.changed(), [ours.name], 'the one whose cluster answers otherwise now');
  inputs.forget(another.application);
  assert.deepEqual(inputs.changed(), [ours.name], 'the other one going takes nothing of it along');
});
