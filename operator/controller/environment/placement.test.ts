import assert from 'node:assert/strict';
import { test } from 'node:test';
import { processorMs } from '../../../test/harness/processor-time.ts';
import { type Remedy, TowpathError } from '../../api/errors.ts';
import { applicationSchema } from '../../api/v1alpha1/application.ts';
import { type Environment, environmentSchema } from '../../api/v1alpha1/environment.ts';
import { FREE, type Governance } from '../../promote/governance.ts';
import { HOME } from '../record/target.ts';
import type { EnvironmentsView } from './environments.ts';
import type { KnownLabels } from './namespace-labels.ts';
import { PlacementPending, placementOf } from './placement.ts';

const metadata = (name: string, namespace?: string) => ({
  name,
  ...(namespace === undefined ? {} : { namespace }),
  uid: 'u',
  resourceVersion: '1',
  generation: 1,
});

function environment(spec: object, name = 'staging'): Environment {
  return environmentSchema.parse({
    apiVersion: 'towpath.dev/v1alpha1',
    kind: 'Environment',
    metadata: metadata(name),
    spec: 'namespaceSelector' in spec ? spec : { allowedNamespaces: ['*'], ...spec },
  });
}

function application(namespace = 'shop', repoURL = 'https://git.example.com/shop/web.git') {
  return applicationSchema.parse({
    apiVersion: 'towpath.dev/v1alpha1',
    kind: 'Application',
    metadata: metadata('web', namespace),
    spec: { source: { repoURL }, environments: [{ name: 'staging' }] },
  });
}

const managedFor = (tenant: string): KnownLabels => ({ labels: { 'towpath.dev/managed-for': tenant } });

function knowing(
  one: Environment | undefined,
  labels: KnownLabels = { labels: {} },
  whereabouts: EnvironmentsView['whereabouts'] = () => ({ is: 'Known', cluster: HOME }),
): EnvironmentsView {
  const known = one && {
    object: { metadata: { name: 'staging', uid: 'u', resourceVersion: '1' } },
    environment: one,
    errors: [],
  };
  return {
    problem: undefined,
    ownNamespace: 'towpath-system',
    get: (name) => (name === one?.metadata.name ? known : undefined),
    doubt: () => undefined,
    labelsOf: () => labels,
    whereabouts,
  };
}

const STAGING = { name: 'staging', governance: FREE };

const placed = (spec: object, of = application(), labels?: KnownLabels) =>
  placementOf(of, STAGING, knowing(environment(spec), labels));

test('it lands where the Environment says, with the account that it names, or with one that Towpath makes', () => {
  const managed = placed({});
  assert.equal(managed.namespace, 'shop-staging');
  assert.deepEqual([managed.serviceAccountName, managed.managedRole], ['towpath', 'edit']);
  assert.equal(managed.bounds.isManaged, true);
  assert.equal(managed.refusal, undefined);
  const named = placed(
    {
      namespace: '{name}-in-{environment}',
      access: {
        serviceAccountName: 'deployer',
        clusterScoped: [{ group: 'storage.k8s.io', kind: 'StorageClass' }],
      },
    },
    application(),
    managedFor('shop'),
  );
  assert.equal(named.refusal, undefined);
  assert.equal(named.namespace, 'web-in-staging');
  assert.deepEqual([named.serviceAccountName, named.managedRole], ['deployer', undefined]);
  assert.deepEqual([...named.bounds.clusterScoped], ['storage.k8s.io/StorageClass']);
  assert.equal(placed({ access: { clusterRole: 'view' } }).managedRole, 'view');
});

test('S2: it is refused where the Environment does not take its namespace or its repository, and known where it would be', () => {
  const selector = {
    namespaceSelector: { matchLabels: { team: 'shop', tier: 'a' } },
  };
  const table: [spec: object, reason: string | undefined, words: RegExp, labels?: KnownLabels][] = [
    [{ allowedNamespaces: ['shop'] }, undefined, /^$/],
    [{ allowedNamespaces: ['sh*p', 'other'] }, undefined, /^$/],
    [{ allowedNamespaces: [] }, 'NamespaceNotAllowed', /allowedNamespaces/],
    [{ allowedNamespaces: ['shop-*'] }, 'NamespaceNotAllowed', /namespace shop:/],
    [{ allowedNamespaces: ['shopping'] }, 'NamespaceNotAllowed', /namespace shop:/],
    [selector, undefined, /^$/, { labels: { team: 'shop', tier: 'a', more: 'b' } }],
    [
      selector,
      'NamespaceNotAllowed',
      /kubectl label namespace shop tier=a$/,
      { labels: { team: 'shop', tier: 'b' } },
    ],
    [selector, 'EnvironmentsUnknown', /not listed/, { problem: 'not listed' }],
    [{ namespaceSelector: {} }, undefined, /^$/, { labels: {} }],
    [{ allowedRepositories: ['https://git.example.com/shop/*'] }, undefined, /^$/],
    [
      { allowedRepositories: ['https://git.example.com/other/*'] },
      'RepositoryNotAllowed',
      /allowedRepositories/,
    ],
    [{ allowedRepositories: [] }, 'RepositoryNotAllowed', /what runs stays/],
  ];
  for (const [spec, reason, words, labels] of table) {
    const { refusal, namespace } = placed(spec, application(), labels);
    assert.equal(refusal?.reason, reason, JSON.stringify(spec));
    assert.match(refusal?.message ?? '', words);
    assert.equal(namespace, 'shop-staging');
  }
});

test('S2: the repository of a published chart has to be allowed, and that of its values files too', () => {
  const chart = { repoURL: 'oci://ghcr.io/acme', name: 'web', version: '1.0.0' };
  const { spec, ...rest } = application();
  const both = applicationSchema.parse({ ...rest, spec: { ...spec, helm: { chart } } });
  const { source: _, ...others } = both.spec;
  const alone = applicationSchema.parse({ ...rest, spec: others });
  const git = 'https://git.example.com/**';
  for (const [one, allowedRepositories, words] of [
    [both, [git, 'oci://ghcr.io/acme/*'], /^$/],
    [both, [git], /repository in spec\.helm\.chart\.repoURL/],
    [both, ['oci://ghcr.io/acme/web'], /repository in spec\.source\.repoURL/],
    [alone, ['oci://ghcr.io/acme/web'], /^$/],
    [alone, [git, 'oci://ghcr.io/acme/other'], /repository in spec\.helm\.chart\.repoURL/],
  ] as const)
    assert.match(placed({ allowedRepositories }, one).refusal?.message ?? '', words);
});

test('S16: nobody acts as the account of others by the name of a namespace', () => {
  const named = { access: { serviceAccountName: 'towpath' } };
  const elsewhere = { cluster: { kubeConfig: { secretRef: { name: 'eu' } } } };
  const table: [spec: object, reason: string | undefined, words: RegExp, labels?: KnownLabels][] = [
    // The names of Kubernetes and of the operator, however the account is had.
    [{ namespace: 'kube-system' }, 'NamespaceNotManaged', /of Kubernetes itself/, managedFor('shop')],
    [{ ...named, namespace: 'kube-system' }, 'NamespaceNotManaged', /of Kubernetes itself/],
    [{ ...named, ...elsewhere, namespace: 'kube-{name}' }, 'NamespaceNotManaged', /kube-web is/],
    [{ namespace: 'towpath-system' }, 'NamespaceNotManaged', /the operator's own/],
    [{ ...named, namespace: 'towpath-system' }, 'NamespaceNotManaged', /the operator's own/],
    [{ ...named, ...elsewhere, namespace: 'towpath-system' }, undefined, /^$/],
    // Where the names of tenants decide, the label says whose it is.
    [named, 'NamespaceNotManaged', /kubectl label namespace shop-staging towpath.dev\/managed-for=shop$/],
    [{ ...named, namespace: '{name}' }, 'NamespaceNotManaged', /namespace web is for .* of shop, /],
    [
      named,
      'NamespaceNotManaged',
      /for the Applications of other .*not for those of shop/,
      managedFor('other'),
    ],
    [named, 'NamespaceNotManaged', /of nobody/, managedFor('')],
    [named, 'EnvironmentsUnknown', /not listed/, { problem: 'not listed' }],
    [named, undefined, /^$/, managedFor('shop')],
    // Its own one, and what the platform named, need none.
    [{ ...named, namespace: '{namespace}' }, undefined, /^$/],
    [{ ...named, namespace: 'all-{environment}' }, undefined, /^$/, managedFor('other')],
    [{ ...named, ...elsewhere }, undefined, /^$/, managedFor('other')],
    // Managed access looks at it itself.
    [{}, undefined, /^$/, managedFor('other')],
  ];
  for (const [spec, reason, words, labels] of table) {
    const { refusal } = placed(spec, application(), labels);
    assert.equal(refusal?.reason, reason, JSON.stringify(spec));
    assert.match(refusal?.message ?? '', words);
  }
});

test('it is not known where it is without its Environment, or where no namespace can be called so', () => {
  assert.throws(
    () => placementOf(application(), STAGING, knowing(undefined)),
    (error) => error instanceof TowpathError && error.reason === 'EnvironmentNotFound',
  );
  for (const spec of [{ namespace: `{namespace}-${'x'.repeat(51)}` }])
    assert.throws(
      () => placed(spec, application('s'.repeat(40))),
      (error) => error instanceof TowpathError && error.reason === 'NamespaceInvalid',
    );
});

test('S2: a pattern is compared in time that grows with the name alone', () => {
  const took = processorMs(() => {
    const { refusal } = placed(
      { namespace: '{namespace}', allowedNamespaces: [`${'*a'.repeat(31)}b`] },
      application('a'.repeat(63)),
    );
    assert.equal(refusal?.reason, 'NamespaceNotAllowed');
  });
  assert.ok(took < 100, `${took} ms`);
});

test('where it is not known in which cluster, or that is out of reach, it lands nowhere; who may not land there is told that', () => {
  const landing = (whereabouts: ReturnType<EnvironmentsView['whereabouts']>, spec: object = {}) =>
    placementOf(
      application(),
      STAGING,
      knowing(environment(spec), { labels: {} }, () => whereabouts),
    );
  assert.equal(landing({ is: 'Known', cluster: 'uid' }).cluster, 'uid');
  assert.throws(() => landing({ is: 'Pending' }), PlacementPending);
  assert.throws(() => landing({ is: 'Found', uid: 'uid' }), PlacementPending);
  const error = new TowpathError('Time', 'ClusterUnreachable', 'No answer.');
  assert.throws(() => landing({ is: 'Lost', error }), error);
  const notAllowed = { reason: 'NamespaceNotAllowed' };
  assert.throws(() => landing({ is: 'Lost', error }, { allowedNamespaces: [] }), notAllowed);
});

test('S14: where a policy is required, only what one policy has in a stage is let in; what keeps all else out says what goes on, and refuses nothing that was begun', () => {
  const lackingFor = (governance: Governance) => {
    const views = knowing(environment({ requirePolicy: true }));
    const { refusal, lacksPolicy } = placementOf(application(), { name: 'staging', governance }, views);
    assert.equal(refusal, undefined);
    return lacksPolicy;
  };
  assert.equal(lackingFor({ is: 'InStage', policy: 'p', stage: 'staging', isFollowed: false }), undefined);
  const table: [Governance, string, Remedy, RegExp][] = [
    [FREE, 'NoPolicy', 'Resource', /none of its namespace selects/],
    [{ is: 'InNoStage', policy: 'standard' }, 'NoPolicy', 'Resource', /standard has it in no stage/],
    [{ is: 'Contested', policies: ['a', 'b'] }, 'PolicyContested', 'Person', /a and b all select/],
    [{ is: 'Unknown', problem: 'no answer' }, 'PoliciesUnknown', 'Time', /no answer/],
    [{ is: 'Unknown', problem: 'no '.repeat(200) }, 'PoliciesUnknown', 'Time', /these are not known/],
  ];
  for (const [governance, reason, remedy, words] of table) {
    const gate = lackingFor(governance);
    assert.deepEqual([gate?.reason, gate?.remedy, gate?.standing], [reason, remedy, 'Blocked']);
    assert.match(gate?.message ?? '', words);
    assert.match(gate?.message ?? '', /: nothing new enters, and what has its first write goes on\.$/);
  }
  assert.equal(placed({}).lacksPolicy, undefined, 'nobody asks for one');
  const leaves = placementOf(
    application(),
    { name: 'staging' },
    knowing(environment({ requirePolicy: true })),
  );
  assert.equal(leaves.lacksPolicy, undefined, 'what goes needs none');
});

test('S2: where it may not land at all, that is told, whichever policy it lacks', () => {
  const { refusal } = placed({ requirePolicy: true, allowedRepositories: [] });
  assert.equal(refusal?.reason, 'RepositoryNotAllowed');
});
