/**
 * A replica as a process of its own, for tests that stop it. Arguments: kubeconfig path, namespace, Lease name,
 * identity. Writes a line to stdout for each event; for each line on stdin it tries a write and tells how it ended.
 */
import { createInterface } from 'node:readline';
import { KubeClient } from '../client.ts';
import { LeaderElection } from '../lease.ts';
import { WriteGate } from '../write-gate.ts';

const [kubeconfig = '', namespace = '', name = '', identity = ''] = process.argv.slice(2);
const say = (line: string) => process.stdout.write(`${line}\n`);
const client = KubeClient.fromKubeConfig(kubeconfig, {
  gate: new WriteGate(() => election.isLeader()),
});
const election: LeaderElection = new LeaderElection({
  client,
  namespace,
  name,
  identity,
  leaseDurationMs: 3000,
  renewDeadlineMs: 2000,
  retryPeriodMs: 500,
  onStartedLeading: () => say('started'),
  onStoppedLeading: () => say('stopped'),
});
election.start();
say('ready');
for await (const value of createInterface(process.stdin)) {
  if (value === 'exit') break;
  const object = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'written' }, data: { value } };
  const path = { resource: { group: '', version: 'v1', plural: 'configmaps' }, namespace, name: 'written' };
  await client.apply(path, JSON.stringify(object), { fieldManager: identity, force: true }).then(
    () => say(`wrote ${value}`),
    (error: unknown) => say(`refused ${error instanceof Error ? error.name : ''}`),
  );
}
await election.stop();
await client.close();
