import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isController } from './field-managers.ts';

for (const [manager, subresource, expected] of [
  ['kubectl-patch', '', false],
  ['kubectl', 'scale', false],
  ['helm', '', false],
  ['kustomize-controller', '', false],
  ['argocd-controller', '', false],
  ['night-shift', '', false],
  ['kube-controller-manager', '', true],
  ['kube-controller-manager', 'scale', true],
  ['keda', 'scale', true],
  ['cert-manager-cainjector', '', true],
  ['acme-operator', '', true],
  ['kubectl', 'status', true],
] as const) {
  const through = subresource === '' ? '' : ` through ${subresource}`;
  test(`${manager}${through} is ${expected ? 'a controller' : "somebody's hand or tool"}`, () => {
    assert.equal(isController(manager, subresource), expected);
  });
}
