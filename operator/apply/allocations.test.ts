import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Manifest } from '../manifest/manifest.ts';
import { givenUp, type Holder, withoutHeld } from './allocations.ts';

const HEALTH = 'TCP 32001';
const IP = '10.96.0.7';
const WEB = 'TCP 30001';
const DNS = 'UDP 30002';
const LIVE: Holder = {
  spec: {
    type: 'LoadBalancer',
    clusterIP: IP,
    clusterIPs: [IP],
    externalTrafficPolicy: 'Local',
    healthCheckNodePort: 32001,
    ports: [
      { name: 'web', port: 80, protocol: 'TCP', nodePort: 30001 },
      { name: 'dns', port: 53, protocol: 'UDP', nodePort: 30002 },
    ],
  },
};

function manifestOf(content: Holder, annotations: Record<string, string> = {}, kind = 'Service'): Manifest {
  const group = kind === 'Service' ? '' : 'scheduling.k8s.io';
  return {
    group,
    kind,
    apiVersion: 'v1',
    namespace: 'shop',
    name: 'web',
    digest: '',
    annotations,
    text: JSON.stringify(content),
  };
}

const web = (nodePort?: number) => ({ name: 'web', port: 80, ...(nodePort ? { nodePort } : {}) });
const dns = { name: 'dns', port: 53, protocol: 'UDP' };
const local = { type: 'LoadBalancer', externalTrafficPolicy: 'Local' };
const replace = { 'towpath.dev/replace': 'true' };

/** What Git has of the Service now, and what it gives up by that. */
const CASES: [string, Holder['spec'], Record<string, string>, string[]][] = [
  ['nothing is said of ports', { ...local, ports: [web(), dns] }, {}, []],
  ['another port is asked for', { ...local, ports: [web(30009), dns] }, {}, [WEB]],
  [
    'a port moves to another one of its own',
    { ...local, ports: [web(30009), { ...web(30001), name: 'x' }] },
    {},
    [DNS],
  ],
  ['a port of the same name keeps what it has', { ...local, ports: [{ ...web(), port: 81 }, dns] }, {}, []],
  ['a port of the same number keeps it, too', { ...local, ports: [{ ...web(), name: 'x' }, dns] }, {}, []],
  ['a port is gone', { ...local, ports: [web()] }, {}, [DNS]],
  ['no load balancer any more', { type: 'NodePort', ports: [web(), dns] }, {}, [HEALTH]],
  ['traffic may go to any node', { type: 'LoadBalancer', ports: [web(), dns] }, {}, [HEALTH]],
  ['no port of a node any more', { ports: [web(), dns] }, {}, [WEB, DNS, HEALTH]],
  ['no address any more', { type: 'ExternalName' }, {}, [IP, WEB, DNS, HEALTH]],
  ['another address, which is refused', { ...local, clusterIP: '10.96.0.8', ports: [web(), dns] }, {}, []],
  [
    'another address, and it is made anew',
    { ...local, clusterIP: '10.96.0.8', ports: [web(30001), dns] },
    replace,
    [IP, DNS, HEALTH],
  ],
  ['it would be made anew, if it had to', { ...local, ports: [web(), dns] }, replace, []],
];

for (const [what, spec = {}, annotations, expected] of CASES) {
  test(`what a Service gives up that stays: ${what}`, () => {
    const planned = { manifest: manifestOf({ spec }, annotations), reason: 'Update' as const, ignore: [] };
    assert.deepEqual([...givenUp(planned, LIVE)], expected);
  });
}

test('what is left to others is not given up', () => {
  const manifest = manifestOf({ spec: { ...local, ports: [web(30009), dns] } });
  const ignore = ['/spec/ports/0/nodePort'];
  assert.deepEqual([...givenUp({ manifest, reason: 'Update', ignore }, LIVE)], []);
  const priority = manifestOf({}, {}, 'PriorityClass');
  const held = { globalDefault: true };
  assert.equal(givenUp({ manifest: priority, reason: 'Update', ignore: [] }, held).size, 1);
  assert.equal(givenUp({ manifest: priority, reason: 'Update', ignore: ['/globalDefault'] }, held).size, 0);
});

test('a manifest without what others have keeps what they have not', () => {
  const spec = { clusterIP: 'None', healthCheckNodePort: 32001, ports: [web(30001), web(30003)] };
  assert.deepEqual(JSON.parse(withoutHeld(manifestOf({ spec }), new Set([WEB, HEALTH]))), {
    spec: { clusterIP: 'None', ports: [web(), web(30003)] },
  });
});
