import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { LiveObject } from '../../../manifest/live.ts';
import { newRecord, type TargetRecord } from '../../record/record.ts';
import type { Target } from '../../record/target.ts';
import { accessOf, type Parts } from '../run.ts';
import { handoverOf, type Left, leaveTarget } from './leaving.ts';

const identity = (environment: string) => ({
  id: environment,
  name: `shop/web/${environment}`,
  application: 'shop/web',
  environment,
});
const GREEN = { ...identity('green'), cluster: 'home', settings: {} } as unknown as Target;

/** With the marks of the target in that environment. */
const live = (name: string, environment = 'blue') =>
  ({
    group: '',
    kind: 'ConfigMap',
    namespace: 'shop',
    name,
    target: environment,
    owner: `shop/web/${environment} /ConfigMap/shop/${name}`,
    entry: { hash: 'h', time: '2026-11-30T10:00:00Z' },
    madeFor: [],
    annotations: {},
    health: { state: 'Degraded' },
  }) as unknown as LiveObject;

interface Given {
  readonly records?: Record<string, Partial<TargetRecord>>;
  readonly objects?: readonly LiveObject[];
  readonly isForbidden?: true;
  readonly application?: object;
}

function partsOf({ records = {}, objects = [], isForbidden, application }: Given): Parts {
  const all = new Map(
    Object.entries(records).map(([name, record]) => [name, { ...newRecord(identity(name)), ...record }]),
  );
  const store = {
    get: ({ id }: { id: string }) => all.get(id),
    find: (id: string) => all.get(id),
  };
  const ensure = async () => {
    if (isForbidden) throw new Error('forbidden');
  };
  const inventory = {
    watches: { ensure },
    of: () => new Map(objects.map((object) => [object.name, object])),
  };
  return {
    store,
    clusterOf: () => ({ inventory, client: {}, discovery: {} }),
    lookup: () => application,
    identityOf: (_application: string, environment: string) => identity(environment),
    specifiedTargets: () => [GREEN],
  } as unknown as Parts;
}

const applied = { deployment: { applied: true } as TargetRecord['deployment'] } as Partial<TargetRecord>;
const howFar = async (given: Given) => {
  const { signal } = new AbortController();
  const is = await handoverOf(partsOf(given), identity('blue'), [GREEN], signal);
  return typeof is === 'object' ? is.reason : is;
};

test('B4: a target that nothing may be done in ends when who takes its place has all; what nobody has is told as before', async () => {
  const records = { blue: {}, green: applied };
  assert.equal(await howFar({ records }), 'TakenOver');
  assert.equal(await howFar({ records: { blue: {}, green: {} } }), 'HandingOver', 'it has not deployed yet');
  const objects = [live('web')];
  assert.equal(await howFar({ records, objects }), undefined, 'something is left');
  const has = new Map([['/ConfigMap/shop/web', {}]]) as unknown as TargetRecord['applied'];
  const taking = { blue: {}, green: { ...applied, applied: has } };
  assert.equal(await howFar({ records: taking, objects }), 'HandingOver', 'and is on its way');
  assert.equal(await howFar({ records, isForbidden: true }), undefined);
  assert.equal(await howFar({ records: { green: applied } }), undefined, 'what is not recorded');
});

test('D12: what a target deployed before the one had the place that goes by now is no take-over', async () => {
  const back = { blue: { took: { green: 1 } }, green: applied };
  assert.equal(await howFar({ records: back }), 'HandingOver');
  assert.equal(
    await howFar({ records: { ...back, green: { ...applied, took: { blue: 2 } } } }),
    'TakenOver',
    'it has taken the place back, and all there',
  );
});

test('A3: what waits on its way out, and can be seen, is told with its health, whatever was told before', async () => {
  const told: object[] = [];
  const speaker = { tell: async (update: object) => void told.push(update), warn: () => undefined };
  const { signal } = new AbortController();
  const leave = async (settings: object, given: Given) => {
    const target = { ...identity('blue'), cluster: 'home', settings } as unknown as Target;
    const left = { application: {}, target, successors: [GREEN], memory: {} } as unknown as Left;
    return leaveTarget(partsOf(given), left, speaker, signal);
  };
  const given = { records: { blue: {}, green: {} }, objects: [live('web')] };
  assert.equal(await leave({ suspended: 'It is suspended.' }, given), 'Held');
  assert.equal(await leave({}, given), 'Held');
  assert.equal(await leave({}, { ...given, isForbidden: true }), 'Held');
  assert.deepEqual(
    told.map((update) => ['reason', 'health'].map((field) => Reflect.get(update, field))),
    [
      ['Suspended', 'Degraded'],
      ['HandingOver', 'Degraded'],
      ['HandingOver', undefined],
    ],
  );
  const unplaced = await handoverOf(partsOf(given), identity('blue'), [GREEN], signal);
  assert.equal(typeof unplaced === 'object' && unplaced.health, 'Degraded');
});

const holderOf = (given: Given, object: LiveObject) =>
  accessOf(partsOf(given), GREEN, new AbortController().signal).holderOf(object);

test('D11: what keeps the marks of an environment that its Application neither names nor tells of was let go of; of others nobody knows', () => {
  const holder = (given: Given, environment: string) => holderOf(given, live('web', environment));
  const application = { status: { environments: [{ name: 'red' }] } };
  assert.equal(holder({ application }, 'blue'), 'Left');
  assert.equal(holder({ application }, 'red'), 'Unknown', 'its record may be lost');
  assert.equal(holder({ application }, 'green'), 'Unknown');
  assert.equal(holder({}, 'blue'), 'Unknown', 'an Application that is not here');
  assert.equal(holder({ application, records: { blue: {} } }, 'blue'), 'Holds', 'it is about to deploy');
  assert.equal(holder({ application, records: { blue: applied } }, 'blue'), 'Left', 'no more in Git');
});

test("D11: what an installation at another home applied for an Application of the same name is that one's, whatever it names here", () => {
  const application = { status: { environments: [{ name: 'red' }] } };
  const ofOther = { ...live('web', 'blue'), target: 'of another installation' };
  assert.equal(holderOf({ application }, ofOther), 'Unknown');
});
