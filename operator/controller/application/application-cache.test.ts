import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NO_ENVIRONMENTS, onlyTarget } from '../../../test/harness/target.ts';
import type { Application } from '../../api/v1alpha1/application.ts';
import { parseEnvironment } from '../../api/v1alpha1/environment.ts';
import type { KubeObject } from '../../kube/client.ts';
import { type Deployment, newRecord, type TargetRecord } from '../record/record.ts';
import { ApplicationCache } from './application-cache.ts';
import { Targets } from './targets.ts';

const options = {
  installation: 'towpath-system/towpath',
  impersonate: true,
  environments: NO_ENVIRONMENTS,
};
const targets = new Targets(options);

let version = 1;

function object(
  name: string,
  spec: object = {},
  more: { ready?: 'True' | 'False'; metadata?: object } = {},
): KubeObject {
  const source = { repoURL: 'https://git.example.com/shop.git' };
  const conditions = more.ready === undefined ? [] : [ready(more.ready)];
  return {
    apiVersion: 'towpath.dev/v1alpha1',
    kind: 'Application',
    metadata: {
      name,
      namespace: 'shop',
      uid: `uid-${name}`,
      resourceVersion: String(version++),
      generation: 1,
      ...more.metadata,
    },
    spec: { source, ...spec },
    status: { observedGeneration: 1, conditions },
  } as KubeObject;
}

function ready(status: 'True' | 'False') {
  return {
    type: 'Ready',
    status,
    reason: 'Test',
    message: '',
    lastTransitionTime: '2026-01-01T00:00:00Z',
  };
}

function known(of = targets) {
  const woken: string[] = [];
  const applications = new ApplicationCache({
    targets: of,
    recordsOf: () => [],
    onDependency: (dependent) => woken.push(dependent),
    onDropped: () => undefined,
  });
  return { applications, woken };
}

test('what is new asks for work, and the echo of a status does not', () => {
  const { applications } = known();
  const first = object('web');
  assert.equal(applications.take(first), true);
  const echo = object('web', {}, { ready: 'True' });
  assert.equal(applications.take(echo), false);
  assert.equal(applications.get('shop/web')?.object, echo);
  assert.equal(applications.take(object('web', {}, { metadata: { generation: 2 } })), true);
  const again = object('web', {}, { metadata: { uid: 'another' } });
  assert.equal(applications.take(again), true, 'one that was deleted and made again');
});

test('dependents are told when what they wait for becomes Ready, unreadable, or goes', () => {
  const { applications, woken } = known();
  applications.take(object('database'));
  applications.take(object('web', { dependsOn: [{ name: 'database' }] }));
  woken.length = 0;
  applications.take(object('database', {}, { ready: 'True' }));
  assert.deepEqual(woken.splice(0), ['shop/web']);
  applications.take(object('database', { source: 7 }, { ready: 'True' }));
  assert.equal(applications.get('shop/database')?.application, undefined);
  assert.deepEqual(woken.splice(0), ['shop/web']);
  applications.tellDependents('shop/database');
  assert.deepEqual(woken.splice(0), ['shop/web']);
  applications.forget('shop/database');
  assert.deepEqual(woken.splice(0), ['shop/web']);
  applications.take(object('web'));
  applications.take(object('database', {}, { ready: 'True' }));
  assert.deepEqual(woken, [], 'it depends on nothing any more');
});

test('a target is found by its id until its Application is gone', () => {
  const { applications } = known();
  applications.take(object('web'));
  const { id, name } = targets.named('shop/web');
  assert.deepEqual(
    [...applications.targetsAt(id)].map((target) => target.name),
    [name],
  );
  assert.deepEqual([...applications.targetNames()], [name]);
  // Also of one that cannot be read any more by then.
  applications.take(object('web', { source: 7 }));
  assert.equal(applications.get('shop/web')?.application, undefined);
  applications.forget('shop/web');
  assert.deepEqual([...applications.targetsAt(id)], []);
  assert.deepEqual([...applications.targetNames()], []);
});

test('whoever may be in a circle now is woken, over however many others it waits', () => {
  const { applications, woken } = known();
  const after = (name: string) => ({ dependsOn: [{ name }] });
  applications.take(object('a', after('b')));
  applications.take(object('b', after('c')));
  applications.take(object('c'));
  woken.length = 0;
  applications.take(object('c', after('a')));
  assert.deepEqual(woken.sort(), ['shop/a', 'shop/b']);
  woken.length = 0;
  applications.take(object('c', after('a'), { metadata: { annotations: { a: 'b' } } }));
  assert.deepEqual(woken, [], 'another change wakes nobody');
  applications.forget('shop/b');
  assert.deepEqual(woken.sort(), ['shop/a', 'shop/c'], 'its going may end a circle');
});

test('what is remembered of an Application goes with it, and its successor begins anew', () => {
  const { applications } = known();
  applications.take(object('web'));
  const memory = applications.get('shop/web')?.memory;
  assert.ok(memory !== undefined);
  memory.failures = 3;
  applications.take(object('web', {}, { metadata: { generation: 2 } }));
  assert.equal(applications.get('shop/web')?.memory, memory);
  applications.take(object('web', {}, { metadata: { uid: 'another' } }));
  assert.equal(applications.get('shop/web')?.memory.failures, 0);
  applications.forget('shop/web');
  assert.equal(applications.get('shop/web'), undefined);
});

test('after the history of the server went back, what it has counts, and the record is read anew', () => {
  const { applications } = known();
  const old = object('web', {}, { ready: 'False' });
  applications.take(object('web', {}, { ready: 'True' }));
  applications.takeAnew(old);
  assert.equal(applications.get('shop/web')?.object, old);
  const { name } = targets.named('shop/web');
  assert.equal(applications.memoryOf(name)?.isRecordInDoubt, true);
});

test('S18: where two targets have one id, what happens there is told to both, and one that goes leaves the other', () => {
  class OneAddress extends Targets {
    override of(application: Application) {
      return [{ ...onlyTarget(super.of(application)), id: 'faa5a81b2439ecaa6b3b' }];
    }
  }
  const oneAddress = new OneAddress(options);
  const applications = new ApplicationCache({
    targets: oneAddress,
    recordsOf: () => [],
    onDependency: () => undefined,
    onDropped: () => undefined,
  });
  applications.take(object('web'));
  applications.take(object('other'));
  const there = () => [...applications.targetsAt('faa5a81b2439ecaa6b3b')].map(({ name }) => name);
  assert.deepEqual(there(), ['shop/web/default', 'shop/other/default']);
  applications.forget('shop/other');
  assert.deepEqual(there(), ['shop/web/default']);
});

test('a target that its Application names no more is known as long as it is recorded, or its status tells of it', () => {
  const records: TargetRecord[] = [];
  const dropped: string[] = [];
  const applications = new ApplicationCache({
    targets,
    recordsOf: () => records,
    onDependency: () => undefined,
    onDropped: ({ name }) => dropped.push(name),
  });
  const known = () => applications.get('shop/web');
  const names = (all: readonly { environment: string }[] = []) => all.map(({ environment }) => environment);
  const inStaging = { environments: [{ name: 'staging' }] };
  applications.take(object('web'));
  records.push(newRecord(targets.named('shop/web')), newRecord(targets.named('shop/web', 'staging')));
  const status = { environments: [{ name: 'default', objects: 3 }] };
  applications.take({ ...object('web', inStaging), status });
  assert.deepEqual([names(known()?.specified), names(known()?.left)], [['staging'], ['default']]);
  assert.deepEqual([...applications.targetsAt(targets.named('shop/web').id)].length, 1);
  records.shift();
  applications.recordsChanged();
  assert.deepEqual(names(known()?.left), ['default'], 'its record may be lost');
  assert.ok(applications.memoryOf('shop/web/default'));
  applications.take(object('web', inStaging));
  assert.deepEqual(names(known()?.targets), ['staging']);
  assert.deepEqual(dropped, ['shop/web/default']);
  assert.equal(applications.memoryOf('shop/web/default'), undefined);
  assert.deepEqual([...applications.targetsAt(targets.named('shop/web').id)], []);
});

/** Applications in Environments with this metadata that land at one place, and what is recorded of them. */
function recorded(of: object = {}) {
  const records: TargetRecord[] = [];
  const environment = (name: string) => {
    const spec = { namespace: 'there', access: { serviceAccountName: 'deployer' }, allowedNamespaces: ['*'] };
    const metadata = { name, uid: name, resourceVersion: '1', ...of };
    const parsed = parseEnvironment({
      apiVersion: 'towpath.dev/v1alpha1',
      kind: 'Environment',
      metadata,
      spec,
    });
    assert.ok(parsed.ok);
    return { object: { metadata } as KubeObject, environment: parsed.environment, errors: [] };
  };
  const applications = new ApplicationCache({
    targets: new Targets({ ...options, environments: { ...NO_ENVIRONMENTS, get: environment } }),
    recordsOf: () => records,
    onDependency: () => undefined,
    onDropped: () => undefined,
  });
  const deploy = (name: string) => {
    const deployment = { id: 1 } as Deployment;
    records.push({ ...newRecord(targets.named('shop/web', name)), deployment });
  };
  const reasons = () => applications.get('shop/web')?.specified.map(({ refusal }) => refusal?.reason);
  return { applications, deploy, reasons };
}

test('B4: which of two at one place runs there is known when the records are', () => {
  const { applications, deploy, reasons } = recorded();
  applications.take(object('web', { environments: [{ name: 'canary' }, { name: 'prod' }] }));
  assert.deepEqual(reasons(), [undefined, 'SamePlace']);
  deploy('prod');
  applications.recordsChanged();
  assert.deepEqual(reasons(), ['SamePlace', undefined]);
});

test('what is in an Environment that is being deleted is known when the records are, and keeps it', () => {
  const { applications, deploy, reasons } = recorded({ deletionTimestamp: '2026-11-30T10:00:00Z' });
  applications.take(object('web', { environments: [{ name: 'old' }] }));
  assert.deepEqual([reasons(), applications.usesOf('old').applications], [['EnvironmentNotFound'], []]);
  deploy('old');
  assert.deepEqual(applications.usesOf('old').applications, ['shop/web']);
  applications.recordsChanged();
  assert.deepEqual([reasons(), applications.usesOf('old').applications], [[undefined], ['shop/web']]);
});

test('an Application that cannot be read has the targets that are recorded', () => {
  const records = ['staging', 'prod'].map((name) => newRecord(targets.named('shop/web', name)));
  const applications = new ApplicationCache({
    targets,
    recordsOf: () => records,
    onDependency: () => undefined,
    onDropped: () => undefined,
  });
  applications.take(object('web', { source: {} }));
  assert.deepEqual(
    applications.get('shop/web')?.targets.map(({ name }) => name),
    ['shop/web/staging', 'shop/web/prod'],
  );
});

test('A15: what an Environment says changes only the targets that land there, and nothing where they stay as they are', () => {
  let allowed = ['shop'];
  const environment = (name: string) => {
    const parsed = parseEnvironment({
      apiVersion: 'towpath.dev/v1alpha1',
      kind: 'Environment',
      metadata: { name },
      spec: { allowedNamespaces: name === 'prod' ? allowed : ['*'] },
    });
    assert.ok(parsed.ok);
    return { object: { metadata: { name } } as KubeObject, environment: parsed.environment, errors: [] };
  };
  const environments = { ...NO_ENVIRONMENTS, get: environment };
  const { applications } = known(new Targets({ ...options, environments }));
  applications.take(object('web', { environments: [{ name: 'staging' }, { name: 'prod' }] }));
  assert.deepEqual([...applications.namersOf('prod')], ['shop/web']);
  assert.deepEqual(applications.placeAnew('shop/web'), [], 'all is as it was');
  assert.deepEqual(applications.usesOf('prod').applications, ['shop/web']);
  allowed = [];
  assert.deepEqual(applications.placeAnew('shop/web'), ['shop/web/prod']);
  assert.deepEqual(applications.usesOf('prod').applications, [], 'who may not land there does not keep it');
  assert.deepEqual(applications.usesOf('staging').applications, ['shop/web']);
  const spec = { environments: [{ name: 'staging' }, { name: 'prod' }] };
  assert.equal(applications.take(object('web', spec)), false);
  allowed = ['shop'];
  assert.equal(
    applications.take(object('web', spec)),
    true,
    'A9: an echo that comes before anybody compared must not hide that a freeze, say, was lifted',
  );
});
