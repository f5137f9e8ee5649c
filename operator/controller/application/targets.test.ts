import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NO_ENVIRONMENTS, onlyTarget } from '../../../test/harness/target.ts';
import { TowpathError } from '../../api/errors.ts';
import { type Application, parseApplication } from '../../api/v1alpha1/application.ts';
import { parseEnvironment } from '../../api/v1alpha1/environment.ts';
import { type Deployment, newRecord, type TargetRecord } from '../record/record.ts';
import { HOME, refusedUnbegun } from '../record/target.ts';
import { isPlaced, Targets } from './targets.ts';

function application(spec: object = {}, annotations: Record<string, string> = {}) {
  const parsed = parseApplication({
    apiVersion: 'towpath.dev/v1alpha1',
    kind: 'Application',
    metadata: { name: 'web', namespace: 'shop', annotations },
    spec: { source: { repoURL: 'https://git.example.com/shop.git' }, ...spec },
  });
  assert.ok(parsed.ok);
  return parsed.application;
}

const environments = NO_ENVIRONMENTS;
const targets = new Targets({ installation: 'towpath-system/towpath', impersonate: true, environments });

test('an Application that names no environment has one target: this cluster, its own namespace, its own account', () => {
  const target = onlyTarget(targets.of(application()));
  assert.equal(target.name, 'shop/web/default');
  assert.equal(target.application, 'shop/web');
  assert.equal(target.environment, 'default');
  assert.equal(target.namespace, 'shop');
  assert.deepEqual(target.account, { namespace: 'shop', name: 'towpath' });
  assert.deepEqual([target.overlay.path, target.overlay.ref], ['.', {}]);
  const named = onlyTarget(targets.of(application({ serviceAccountName: 'deployer' })));
  assert.deepEqual(named.account, { namespace: 'shop', name: 'deployer' });
});

test('objects of earlier versions stay owned: the id of a target never changes', () => {
  assert.equal(onlyTarget(targets.of(application())).id, 'faa5a81b2439ecaa6b3b');
});

test('a target is the same one whether its Application can be read or not', () => {
  const { id, name, application: key, environment, cluster } = onlyTarget(targets.of(application()));
  assert.deepEqual(targets.named('shop/web'), { id, name, application: key, environment });
  assert.equal(cluster, HOME);
});

test('another installation, namespace or name has other ids', () => {
  const other = new Targets({ installation: 'elsewhere/towpath', impersonate: true, environments });
  const ids = [
    targets.named('shop/web'),
    other.named('shop/web'),
    targets.named('stock/web'),
    targets.named('shop/web-2'),
  ];
  assert.equal(new Set(ids.map(({ id }) => id)).size, ids.length);
});

test('without impersonation a target has no account', () => {
  const asItself = new Targets({
    installation: 'towpath-system/towpath',
    impersonate: false,
    environments,
  });
  assert.equal(onlyTarget(asItself.of(application())).account, undefined);
});

test('what annotations ask for is read for the environment of the target', () => {
  const asked = {
    'towpath.dev/sync-requested': 'staging=1,default=2',
    'towpath.dev/prune-consent': 'default=sha256:a,staging=sha256:b',
    'towpath.dev/abandon': 'staging, default=2 ,prod',
    'towpath.dev/adopt': 'true',
  };
  const { settings } = onlyTarget(targets.of(application({}, asked)));
  const { request, consent, abandoned, adopt } = settings;
  assert.deepEqual(
    { request, consent, abandoned, adopt },
    { request: '2', consent: 'sha256:a', abandoned: 'default=2', adopt: true },
  );
  const others = { 'towpath.dev/sync-requested': 'staging=1', 'towpath.dev/abandon': 'staging' };
  const { settings: without } = onlyTarget(targets.of(application({}, others)));
  assert.equal(without.request, undefined);
  assert.equal(without.abandoned, undefined);
});

test('a target is frozen', () => {
  const target = onlyTarget(targets.of(application({ helm: { valuesFiles: ['values.yaml'] } })));
  for (const part of [target, target.overlay, target.settings]) assert.ok(Object.isFrozen(part));
});

/** Environments of these names and namespaces, open to all. */
function environmentsAt(namespaces: Record<string, string>, more: object = {}, of: object = {}) {
  return {
    ...NO_ENVIRONMENTS,
    get: (name: string) => {
      const namespace = namespaces[name];
      if (namespace === undefined) return undefined;
      const object = {
        apiVersion: 'towpath.dev/v1alpha1',
        kind: 'Environment',
        metadata: { name, uid: name, resourceVersion: '1', ...of },
        spec: { namespace, access: { serviceAccountName: 'deployer' }, allowedNamespaces: ['*'], ...more },
      };
      const parsed = parseEnvironment(JSON.parse(JSON.stringify(object)));
      assert.ok(parsed.ok);
      return { object, environment: parsed.environment, errors: [] };
    },
  };
}

const inEnvironments = (...names: string[]) => ({ environments: names.map((name) => ({ name })) });
const recordOf = (environment: string, account?: string) => ({
  ...newRecord(targets.named('shop/web', environment)),
  ...(account === undefined ? {} : { account }),
});

const deployed = (environment: string): TargetRecord => {
  const deployment = { id: 1 } as Deployment;
  return { ...recordOf(environment), deployment };
};

test('of environments that land at one place the first one has it, and the next ones are refused, naming it', () => {
  const at = new Targets({
    installation: 'towpath-system/towpath',
    impersonate: true,
    environments: environmentsAt({ blue: '{namespace}', green: '{namespace}', other: 'elsewhere' }),
  });
  const all = at.of(application(inEnvironments('blue', 'green', 'other')));
  assert.deepEqual(
    all.map(({ refusal }) => refusal?.reason),
    [undefined, 'SamePlace', undefined],
  );
  assert.match(all[1]?.refusal?.message ?? '', /^Environment green lands where environment blue does/);
});

test('one that its Environment refuses leaves the place to the next, but where that is only not known yet, or it runs there', () => {
  const open = environmentsAt({ blue: '{namespace}', green: '{namespace}' });
  const closed = environmentsAt({ blue: '{namespace}' }, { allowedNamespaces: [] });
  const unknown = environmentsAt(
    { blue: '{namespace}' },
    { allowedNamespaces: undefined, namespaceSelector: {} },
  );
  const reasons = (blue: typeof open, ...records: TargetRecord[]) =>
    new Targets({
      installation: 'towpath-system/towpath',
      impersonate: true,
      environments: {
        ...open,
        labelsOf: () => ({ problem: 'forbidden' }),
        get: (name: string) => (name === 'blue' ? blue : open).get(name),
      },
    })
      .of(application(inEnvironments('blue', 'green')), records)
      .map(({ refusal }) => refusal?.reason);
  assert.deepEqual(reasons(closed), ['NamespaceNotAllowed', undefined]);
  assert.deepEqual(reasons(unknown), ['EnvironmentsUnknown', 'SamePlace']);
  assert.deepEqual(reasons(closed, deployed('blue')), ['NamespaceNotAllowed', 'SamePlace']);
});

test('an Environment that is being deleted takes nothing that is not there already, as a record or the status tells, and lets go what is', () => {
  const going = { deletionTimestamp: '2026-11-30T10:00:00Z' };
  const at = new Targets({
    installation: 'towpath-system/towpath',
    impersonate: true,
    environments: environmentsAt({ old: 'old' }, {}, going),
  });
  const web = application(inEnvironments('old'));
  const refusalOf = (of: Application, ...records: TargetRecord[]) => at.of(of, records)[0]?.refusal;
  for (const refusal of [refusalOf(web), refusalOf(web, recordOf('old'))]) {
    assert.equal(refusal?.reason, 'EnvironmentNotFound');
    assert.match(
      refusal?.message ?? '',
      /^Environment old is being deleted, and takes nothing new: name another/,
    );
  }
  assert.equal(refusalOf(web, deployed('old')), undefined);
  const status = { environments: [{ name: 'old', revision: '77e9902' }] };
  assert.equal(refusalOf({ ...web, status } as Application), undefined, 'its record may be lost');
  assert.equal(refusalOf({ ...web, metadata: { ...web.metadata, ...going } }), undefined);
  const { left } = at.withLeft(application(), [deployed('old')]);
  assert.deepEqual(
    left.map(({ refusal }) => refusal),
    [undefined],
  );
});

test('B4: who runs at a place keeps it where an entry for the same one comes before it, by its record or its status', () => {
  const at = new Targets({
    installation: 'towpath-system/towpath',
    impersonate: true,
    environments: environmentsAt({ blue: '{namespace}', green: '{namespace}', red: '{namespace}' }),
  });
  const all = inEnvironments('red', 'blue', 'green');
  const holders = (of: Application, ...records: TargetRecord[]) =>
    at
      .withLeft(of, records)
      .specified.filter(({ refusal }) => refusal?.reason !== 'SamePlace')
      .map(({ environment }) => environment);
  const seen = recordOf('red');
  assert.deepEqual(holders(application(all), seen), ['red'], 'nothing runs there');
  assert.deepEqual(holders(application(all), seen, deployed('green')), ['green']);
  assert.deepEqual(holders(application(all), deployed('green'), deployed('blue')), ['blue']);
  const since = { ...deployed('green'), took: { blue: 1 } };
  assert.deepEqual(holders(application(all), deployed('blue'), since), ['green'], 'blue has leftovers');
  const back = { ...recordOf('blue'), took: { green: 2 } };
  assert.deepEqual(holders(application(all), back, since), ['green'], 'nothing of blue runs yet');
  const again = { ...deployed('blue'), took: { green: 2 } };
  assert.deepEqual(holders(application(all), again, since), ['blue']);
  const status = { environments: [{ name: 'green', revision: '77e9902' }] } as NonNullable<
    Application['status']
  >;
  assert.deepEqual(holders({ ...application(all), status }), ['green'], 'its record may be lost');
  assert.match(
    at.of(application(all), [deployed('green')])[0]?.refusal?.message ?? '',
    /^Environment red lands where environment green does/,
  );
});

test('B4: who lands where a target was that is named no more takes over its objects, and nobody else does', () => {
  const at = new Targets({
    installation: 'towpath-system/towpath',
    impersonate: true,
    environments: environmentsAt({ home: '{namespace}', also: '{namespace}', away: 'away' }),
  });
  const withLeft = (spec: object, ...records: ReturnType<typeof recordOf>[]) => {
    const { specified, left } = at.withLeft(application(spec), records);
    const takers = specified.flatMap((target) =>
      isPlaced(target) && target.takesOver !== undefined
        ? [[target.environment, ...target.takesOver.map(({ environment }) => environment)]]
        : [],
    );
    return { takers, left };
  };
  const first = withLeft(inEnvironments('away', 'home', 'also'), recordOf('default', 'deployer'));
  assert.deepEqual(first.takers, [['home', 'default']]);
  const [former] = first.left.filter(isPlaced);
  assert.deepEqual(former?.account, { namespace: 'shop', name: 'deployer' }, 'as which it was deployed');
  assert.equal(former?.namespace, 'shop');

  const renamed = withLeft(inEnvironments('also'), recordOf('home'), recordOf('also'), recordOf('away'));
  assert.deepEqual(renamed.takers, [['also', 'home']]);
  assert.deepEqual(
    renamed.left.map(({ environment }) => environment),
    ['home', 'away'],
  );
  assert.deepEqual(withLeft({}, recordOf('home')).takers, [['default', 'home']]);
  const kinds = [{ group: '', kind: 'ConfigMap', namespace: 'shop' }];
  const lost = { ...recordOf('gone'), kinds };
  assert.deepEqual(withLeft(inEnvironments('home'), lost).takers, [['home', 'gone']], 'as its record has it');
  assert.deepEqual(withLeft(inEnvironments('away'), lost).takers, []);
  assert.deepEqual(withLeft(inEnvironments('home'), { ...lost, cluster: 'another' }).takers, []);
  const elsewhere = { ...deployed('home'), cluster: 'another' };
  assert.deepEqual(withLeft(inEnvironments('also'), elsewhere).takers, [], 'its cluster was replaced');
  const unknown = withLeft(inEnvironments('home'), recordOf('gone'));
  assert.deepEqual([unknown.takers, unknown.left[0]?.refusal?.reason], [[], 'EnvironmentNotFound']);
});

test('S14: no policy is asked for where an entry is removed or renamed, or its Application deleted: that lets nothing in', () => {
  const at = new Targets({
    installation: 'towpath-system/towpath',
    impersonate: true,
    environments: environmentsAt({ blue: '{namespace}', green: '{namespace}' }, { requirePolicy: true }),
    policies: {
      doubt: () => undefined,
      governanceOf: ({ spec }, environment) =>
        spec.environments?.some(({ name }) => name === environment) === true && environment === 'green'
          ? { is: 'InStage', policy: 'standard', stage: 'prod', isFollowed: false }
          : { is: 'InNoStage', policy: 'standard' },
    },
  });
  const reasons = (targets: readonly { refusal: { reason: string } | undefined }[]) =>
    targets.map(({ refusal }) => refusal?.reason);
  const [blue] = at.of(application(inEnvironments('blue'))).filter(isPlaced);
  assert.equal(blue?.lacksPolicy?.reason, 'NoPolicy');
  const { specified, left } = at.withLeft(application(inEnvironments('green')), [recordOf('blue')]);
  assert.deepEqual([reasons(specified), reasons(left)], [[undefined], [undefined]]);
  const [green] = specified.filter(isPlaced);
  assert.deepEqual(
    green?.takesOver?.map(({ environment }) => environment),
    ['blue'],
  );
  const named = application(inEnvironments('blue'));
  const metadata = { ...named.metadata, deletionTimestamp: '2026-11-30T10:00:00Z' };
  const going = at.of({ ...named, metadata });
  assert.deepEqual(reasons(going), [undefined]);
  assert.ok([...going, ...left, ...specified].every((target) => !('lacksPolicy' in target)));
});

test('S14: without the policy that is required nothing is begun, also where a record is lost or an entry renamed; what was begun is not refused', () => {
  const lacksPolicy = {
    reason: 'NoPolicy',
    message: 'None has it: nothing new enters, and what has its first write goes on.',
    remedy: 'Resource',
    standing: 'Blocked',
  } as const;
  const [target] = targets.of(application()).filter(isPlaced);
  assert.ok(target !== undefined);
  const lacking = { ...target, lacksPolicy };
  for (const record of [undefined, {}]) {
    const { refusal } = refusedUnbegun(lacking, record);
    assert.deepEqual(
      [refusal?.reason, refusal?.message, refusal?.remedy],
      ['NoPolicy', 'None has it: nothing new enters.', 'Resource'],
    );
    assert.equal(refusedUnbegun(target, record), target, 'nobody asks for one');
  }
  assert.equal(refusedUnbegun(lacking, { deployment: {} }), lacking);
  const elsewhere = new TowpathError('Resource', 'RepositoryNotAllowed', 'No.');
  for (const record of [undefined, { deployment: {} }])
    assert.equal(refusedUnbegun({ ...lacking, refusal: elsewhere }, record).refusal, elsewhere);
});
