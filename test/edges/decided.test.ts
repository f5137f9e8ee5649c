import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { newCertificates } from '../harness/certificates.ts';
import { eventually } from '../harness/wait.ts';
import { configMap, eventsOf, newSteps, type TestObject } from '../integration/steps.ts';

const RBAC = 'rbac.authorization.k8s.io/v1';

test('what the control plane decides is not fought over', async (t) => {
  const { stage, deploy, change, live, admin } = await newSteps(t);
  const serviceAccountName = await admin(t);
  // Outside namespaces: another run may have the same.
  const id = randomBytes(4).toString('hex');

  await t.test("an aggregated ClusterRole's rules, which Git gives as empty", async () => {
    const sum = `harbour-sum-${id}`;
    const label = { [`harbour.example.com/${id}`]: 'yes' };
    const part = (name: string, verb: string): TestObject => ({
      apiVersion: RBAC,
      kind: 'ClusterRole',
      metadata: { name: `harbour-${name}-${id}`, labels: label },
      rules: [{ apiGroups: [''], resources: ['pods'], verbs: [verb] }],
    });
    const whole = (more: object): TestObject => ({
      apiVersion: RBAC,
      kind: 'ClusterRole',
      metadata: { name: sum },
      aggregationRule: { clusterRoleSelectors: [{ matchLabels: label }] },
      ...more,
    });
    const verbs = () => stage.kubectl('get', 'clusterrole', sum, '-o', 'jsonpath={.rules[*].verbs[*]}');
    const seen = (expected: string) =>
      eventually(async () => (await verbs()) === expected, { describe: `the verbs ${expected}` });
    await deploy('harbour', [whole({ rules: [] }), part('part', 'get')], { serviceAccountName });
    await seen('get');
    const before = await live('clusterrole', sum);
    await change('harbour', [whole({ rules: [] }), part('part', 'get'), part('more', 'list')]);
    await eventually(async () => (await verbs()).split(' ').length === 2, { describe: 'both verbs' });
    await change('harbour', [whole({ rules: [] }), part('part', 'get')]);
    await seen('get');
    const request = await stage.requestSync('harbour');
    await stage.until('harbour', ({ status }) => status?.handledSyncRequest === request, 'another look');
    assert.deepEqual(await eventsOf(stage, 'harbour', 'DriftRepaired'), []);
    // The one who writes it is its controller: three changes of rules, and none of ours.
    const ours = (await live('clusterrole', sum))?.metadata.managedFields?.filter(({ manager }) =>
      manager.startsWith('towpath-'),
    );
    assert.deepEqual(
      ours?.map(({ fieldsV1 }) => 'f:rules' in fieldsV1),
      [false],
    );
    assert.equal((await live('clusterrole', sum))?.metadata.uid, before?.metadata.uid);
    await change('harbour', [whole({}), part('part', 'get')]);
    assert.equal(await verbs(), 'get', 'left out of Git: as it was');
  });

  await t.test(
    'a ClusterRole that becomes aggregated has no rights left that Git gave it, and gets them back',
    async () => {
      const name = `becomes-${id}`;
      const role = (more: object): TestObject => ({
        apiVersion: RBAC,
        kind: 'ClusterRole',
        metadata: { name },
        rules: [{ apiGroups: [''], resources: ['pods'], verbs: ['get'] }],
        ...more,
      });
      const verbs = () => stage.kubectl('get', 'clusterrole', name, '-o', 'jsonpath={.rules[*].verbs[*]}');
      await deploy('becomes', [role({})], { serviceAccountName });
      const selectors = [{ matchLabels: { [`nobody.example.com/${id}`]: 'yes' } }];
      await change('becomes', [role({ aggregationRule: { clusterRoleSelectors: selectors } })]);
      await eventually(async () => (await verbs()) === '', { describe: 'the control plane to decide' });
      await change('becomes', [role({}), configMap('becomes')]);
      await eventually(async () => (await verbs()) === 'get', { describe: "Git's rules again" });
    },
  );

  await t.test('a bundle of certificates that the object asks an injector for', async () => {
    const name = `gate-${id}`;
    const caBundle = (text: string) => Buffer.from(text).toString('base64');
    const gate = (path: string): TestObject => ({
      apiVersion: 'admissionregistration.k8s.io/v1',
      kind: 'ValidatingWebhookConfiguration',
      metadata: { name, annotations: { 'cert-manager.io/inject-ca-from': 'shop/gate' } },
      webhooks: [
        {
          name: 'gate.example.com',
          clientConfig: { service: { namespace: 'nowhere', name: 'gate', path }, caBundle: 'Cg==' },
          rules: [
            {
              apiGroups: ['gate.example.com'],
              apiVersions: ['v1'],
              operations: ['CREATE'],
              resources: ['gates'],
            },
          ],
          sideEffects: 'None',
          admissionReviewVersions: ['v1'],
        },
      ],
    });
    const bundle = () =>
      stage.kubectl(
        ...['get', 'validatingwebhookconfiguration', name, '-o'],
        'jsonpath={.webhooks[0].clientConfig.caBundle} {.webhooks[0].clientConfig.service.path}',
      );
    await deploy('gate', [gate('/one')], { serviceAccountName });
    const { ca: injected } = await newCertificates(['gate']);
    const value = JSON.stringify([
      { op: 'replace', path: '/webhooks/0/clientConfig/caBundle', value: caBundle(injected) },
    ]);
    await stage.kubectl(
      'patch',
      'validatingwebhookconfiguration',
      name,
      '--type=json',
      '-p',
      value,
      '--field-manager=cainjector',
    );
    await change('gate', [gate('/two')]);
    assert.equal(await bundle(), `${caBundle(injected)} /two`);
    assert.deepEqual(await eventsOf(stage, 'gate', 'DriftRepaired'), []);
  });
});
