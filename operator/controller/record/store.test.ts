import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { startFaultProxy } from '../../../test/harness/fault-proxy.ts';
import { NO_ENVIRONMENTS } from '../../../test/harness/target.ts';
import { namespaceFor, useControlPlane } from '../../../test/harness/use-control-plane.ts';
import { KubeClient } from '../../kube/client.ts';
import { isConflict } from '../../kube/errors.ts';
import { sha256 } from '../../manifest/digest.ts';
import { Slices } from '../../observe/event-loop-slices.ts';
import { Targets } from '../application/targets.ts';
import { candidateId, candidateKey, manifestsDigest, newRecord, type TargetRecord } from './record.ts';
import { applicationSecret, targetSecret } from './secrets.ts';
import { RecordStore } from './store.ts';
import type { TargetIdentity } from './target.ts';

const INSTALLATION = 'records/towpath';

/** Two operators' stores of the same records; `one` talks through the proxy. */
async function newStores(t: TestContext) {
  const cluster = await useControlPlane();
  const namespace = await namespaceFor(t, cluster);
  const proxy = await startFaultProxy(cluster);
  const near = KubeClient.fromKubeConfig(proxy.kubeconfigPath);
  const far = KubeClient.fromKubeConfig(cluster.kubeconfigPath);
  t.after(async () => {
    await Promise.all([near.close(), far.close()]);
    await proxy.stop();
  });
  const options = { installation: INSTALLATION, impersonate: true, environments: NO_ENVIRONMENTS };
  const target = new Targets(options).named(`${namespace}/web`);
  const { id } = target;
  const untrusted: string[] = [];
  const newStore = (client: KubeClient) =>
    new RecordStore(client, {
      namespace,
      installation: INSTALLATION,
      slices: new Slices(),
      onUntrusted: (secret, why) => untrusted.push(`${secret}: ${why}`),
    });
  const [one, other] = [newStore(near), newStore(far)];
  const load = () => other.load(AbortSignal.timeout(10_000));
  const read = async () => {
    await load();
    return other.get(target);
  };
  return { cluster, namespace, proxy, one, other, target, id, load, read, untrusted };
}

function recordOf(store: RecordStore, id: string): TargetRecord {
  const record = store.find(id);
  assert.ok(record !== undefined);
  return record;
}

/** Another target of the same Application. */
function inProd<Identity extends TargetIdentity>(target: Identity): Identity {
  const { id, application } = target;
  const last = id.endsWith('0') ? '1' : '0';
  return { ...target, environment: 'prod', id: `${id.slice(0, -1)}${last}`, name: `${application}/prod` };
}

/** A candidate that renders to one object there. */
function newAcceptance(environment: string, version = '1') {
  const text = JSON.stringify({ kind: 'ConfigMap', metadata: { name: 'web' }, data: { version } });
  const identity = { group: '', kind: 'ConfigMap', namespace: 'shop', name: 'web', apiVersion: 'v1' };
  const manifests = { objects: [{ ...identity, text, digest: sha256(text), annotations: {} }], hooks: [] };
  const [inputs, request] = [sha256(`inputs ${version}`), sha256('request')];
  const candidate = {
    id: candidateId(inputs, request),
    inputs,
    request,
    revision: 'a'.repeat(40),
    ref: 'main',
  };
  return { candidate, renderings: { [environment]: { digest: manifestsDigest(manifests), manifests } } };
}

test('a record from before it was read anew cannot be saved: what others wrote stays', async (t) => {
  const { one, other, target, id, load, read } = await newStores(t);
  await one.save(newRecord(target));
  const held = recordOf(one, id);
  await load();
  const theirs = recordOf(other, id);
  theirs.settings = 'theirs';
  await other.save(theirs);
  await one.reload(target);
  held.settings = 'from before';
  await assert.rejects(one.save(held), isConflict);
  assert.equal((await read())?.settings, 'theirs');
  const now = recordOf(one, id);
  now.kinds = [{ group: '', kind: 'Secret', namespace: 'shop' }];
  await one.save(now);
  const saved = await read();
  assert.equal(saved?.settings, 'theirs');
  assert.equal(saved?.kinds.length, 1);
});

test('one that was made while another leader made it too is read first', async (t) => {
  const { one, other, target, id, read } = await newStores(t);
  const theirs = newRecord(target);
  theirs.settings = 'theirs';
  await other.save(theirs);
  const mine = newRecord(target);
  await assert.rejects(one.save(mine));
  await assert.rejects(one.save(mine), isConflict);
  assert.equal((await read())?.settings, 'theirs');
  await one.save(recordOf(one, id));
});

test('what was read before a write of our own ended does not replace what it wrote', async (t) => {
  const { proxy, one, target, id, read } = await newStores(t);
  await one.save(newRecord(target));
  const held = proxy.hold({ verb: 'get', path: /secrets\/towpath-application-/, at: 'response' });
  const reloaded = one.reload(target);
  await held.seen;
  const record = recordOf(one, id);
  record.settings = 'written';
  await one.save(record);
  held.release();
  await reloaded;
  assert.equal(recordOf(one, id), record);
  record.settings = 'written again';
  await one.save(record);
  assert.equal((await read())?.settings, 'written again');
});

test('a record that cannot be read anew is remembered as it was, until it can', async (t) => {
  const { proxy, one, other, target, id, load } = await newStores(t);
  await one.save(newRecord(target));
  await load();
  const theirs = recordOf(other, id);
  theirs.settings = 'theirs';
  await other.save(theirs);
  const before = recordOf(one, id);
  const rule = proxy.fail({ verb: 'get', path: /secrets\/towpath-application-/, fault: { status: 403 } });
  await assert.rejects(one.readAnew(target));
  assert.equal(recordOf(one, id), before);
  rule.remove();
  await one.readAnew(target);
  assert.equal(recordOf(one, id).settings, 'theirs');
});

test('D7: where somebody deletes the Secret of an Application, what one environment writes next does not lose the record of the other', async (t) => {
  const { cluster, namespace, one, target, id, load, other } = await newStores(t);
  const staging = { ...newRecord(target), settings: 'first' };
  await one.save(staging);
  const prod = inProd(target);
  await one.save(newRecord(prod));
  const name = applicationSecret(INSTALLATION, target.application);
  await cluster.request('DELETE', `/api/v1/namespaces/${namespace}/secrets/${name}`);
  const { candidate, renderings } = newAcceptance('prod');
  await one.accept(target.application, candidate, renderings);
  assert.equal(recordOf(one, id).settings, 'first');
  await load();
  assert.equal(recordOf(other, id).settings, 'first');
  assert.equal(other.get(prod)?.target.environment, 'prod');
});

test('D6, D9: what an environment may go back to stays while its record cannot be read, whatever others accept', async (t) => {
  const { cluster, namespace, one, other, target, id, load } = await newStores(t);
  await one.save(newRecord(target));
  const prod = inProd(target);
  const acceptedIn = (environment: string, version: string) => {
    const { candidate, renderings } = newAcceptance(environment, version);
    const { digest = '', manifests = { objects: [], hooks: [] } } = renderings[environment] ?? {};
    return { candidate: { ...candidate, digest }, manifests };
  };
  const good = acceptedIn('prod', 'good');
  const record = newRecord(prod);
  record.succeeded = candidateKey(good.candidate);
  await one.save(record, { accepted: good });
  const path = `/api/v1/namespaces/${namespace}/secrets/${targetSecret(INSTALLATION, prod)}`;
  const damaged = { data: { 'target.prod': Buffer.from('damaged').toString('base64') } };
  const contentType = 'application/merge-patch+json';
  assert.equal((await cluster.request('PATCH', path, { body: damaged, contentType })).status, 200);
  await load();
  assert.equal(other.get(prod), undefined);
  for (const version of ['2', '3']) {
    const accepted = acceptedIn(target.environment, version);
    const staging = recordOf(other, id);
    staging.succeeded = candidateKey(accepted.candidate);
    await other.save(staging, { accepted });
  }
  assert.deepEqual(await other.manifests(newRecord(prod), good.candidate), good.manifests);
});

test('D8: the removal of a record that lands late leaves the one that came since', async (t) => {
  const { proxy, one, other, target, load, read } = await newStores(t);
  await one.save(newRecord(target));
  await load();
  const held = proxy.hold({ verb: 'delete', path: /secrets\/towpath-application-/ });
  const removed = one.remove(newRecord(target));
  await held.seen;
  await other.remove(newRecord(target));
  const successor = newRecord(target);
  successor.settings = 'successor';
  await other.save(successor);
  held.release();
  await removed;
  assert.equal((await read())?.settings, 'successor');
});

test("S18: a record that stands under the name of another Application's is not trusted, and that is told once", async (t) => {
  const { cluster, namespace, one, other, target, id, load, untrusted } = await newStores(t);
  await one.save(newRecord(target));
  const name = applicationSecret(INSTALLATION, target.application);
  assert.match(name, /^towpath-application-[0-9a-v]{52}$/, 'all 256 bits');
  const path = `/api/v1/namespaces/${namespace}/secrets`;
  const { body } = await cluster.request('GET', `${path}/${name}`);
  const { metadata, ...secret } = JSON.parse(body) as { metadata: { labels: object } };
  const theirs = {
    ...target,
    id: 'f'.repeat(20),
    application: `${namespace}/other`,
    name: `${namespace}/other/default`,
  };
  const taken = applicationSecret(INSTALLATION, theirs.application);
  const copy = { ...secret, metadata: { name: taken, labels: metadata.labels } };
  await cluster.request('POST', path, { body: copy });
  await load();
  await load();
  assert.deepEqual(untrusted, [`${namespace}/${taken}: it is another Application's`]);
  assert.deepEqual(other.get(target)?.target, recordOf(one, id).target);
  assert.equal(other.get(theirs), undefined);
  assert.deepEqual(other.candidatesOf(theirs), []);
  // It is replaced, and what it was copied of stays.
  await other.save(newRecord(theirs));
  await load();
  assert.equal(other.get(theirs)?.target.name, theirs.name);
  assert.deepEqual(other.get(target)?.target, recordOf(one, id).target);
});

test('S18: a target whose id another one has already neither reads, writes nor removes its record', async (t) => {
  const { one, target, id, read } = await newStores(t);
  const theirs = newRecord(target);
  theirs.settings = 'theirs';
  await one.save(theirs);
  const colliding = { ...target, name: `${target.name}-2` };
  assert.equal(one.get(colliding), undefined);
  const mine = newRecord(colliding);
  await assert.rejects(one.save(mine), isConflict);
  await one.remove(mine);
  await one.reload(colliding);
  assert.equal(one.get(colliding), undefined);
  assert.equal(recordOf(one, id).settings, 'theirs');
  assert.equal((await read())?.settings, 'theirs');
});
