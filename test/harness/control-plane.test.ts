import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { kubernetesMinor } from '../../hack/programs.ts';
import { startControlPlane } from './control-plane.ts';
import { isRunning } from './process.ts';
import { namespaceFor, useControlPlane } from './use-control-plane.ts';
import { eventually } from './wait.ts';

test('the shared control plane is a Kubernetes with controllers, and its nodes run pods', async (t) => {
  const cluster = await useControlPlane();
  const namespace = await namespaceFor(t);
  const version = await cluster.kubectl(['version', '-o', 'json']);
  assert.match(JSON.parse(version.stdout).serverVersion.gitVersion, /^v1\./);
  const created = await cluster.kubectl([
    'create',
    'deployment',
    'web',
    `--namespace=${namespace}`,
    '--image=example.invalid/web',
    '--replicas=2',
  ]);
  assert.equal(created.code, 0, created.stderr);
  const waited = await cluster.kubectl([
    'wait',
    '--for=condition=Available',
    `--namespace=${namespace}`,
    'deployment/web',
    '--timeout=30s',
  ]);
  assert.equal(waited.code, 0, waited.stderr);
});

test('kubectl reads its input and its failures are results', async (t) => {
  const cluster = await useControlPlane();
  const namespace = await namespaceFor(t);
  const input = `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: ${namespace}}\n`;
  const applied = await cluster.kubectl(['apply', '--server-side', '-f', '-'], { input });
  assert.equal(applied.code, 0, applied.stderr);
  const missing = await cluster.kubectl(['get', 'configmap', 'b', `--namespace=${namespace}`]);
  assert.equal(missing.code, 1);
  assert.match(missing.stderr, /NotFound/);
});

test('RBAC holds: a ServiceAccount without rights is refused', async (t) => {
  const { kubectl, request } = await useControlPlane();
  const namespace = await namespaceFor(t);
  const token = await eventually(async () => {
    const result = await kubectl(['create', 'token', 'default', `--namespace=${namespace}`]);
    return result.code === 0 && result.stdout.trim();
  });
  const path = `/api/v1/namespaces/${namespace}/secrets`;
  assert.equal((await request('GET', path)).status, 200);
  assert.equal((await request('GET', path, { token })).status, 403);
});

test('a control plane is of the minor that is asked for, keeps its objects when its API server restarts, and goes without a trace', async () => {
  const controlPlane = await startControlPlane({ controllers: false });
  const version = await controlPlane.kubectl(['version', '-o', 'json']);
  const { serverVersion } = JSON.parse(version.stdout) as { serverVersion: { gitVersion: string } };
  assert.ok(serverVersion.gitVersion.startsWith(`v${kubernetesMinor()}.`), serverVersion.gitVersion);
  const path = '/api/v1/namespaces/default/configmaps/a';
  const body = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a' } };
  assert.equal(
    (await controlPlane.request('POST', '/api/v1/namespaces/default/configmaps', { body })).status,
    201,
  );
  await controlPlane.stopApiServer();
  await assert.rejects(controlPlane.request('GET', path), /ECONNREFUSED/);
  await controlPlane.startApiServer();
  assert.equal((await controlPlane.request('GET', path)).status, 200);
  const { etcd, apiServer } = controlPlane.processes;
  await controlPlane.stop();
  assert.deepEqual([etcd.running, apiServer.running], [false, false]);
  assert.equal(existsSync(controlPlane.directory), false);
});

test('nothing survives a kill -9 of the process that started a control plane', async (t) => {
  const script = `
    import { startControlPlane } from ${JSON.stringify(join(import.meta.dirname, 'control-plane.ts'))};
    const { processes, directory } = await startControlPlane({ nodes: 1 });
    const pids = Object.values(processes).map((process) => process.pid);
    console.log(JSON.stringify({ pids, directory }));
    setInterval(() => {}, 1000);`;
  const parent = spawn(process.execPath, ['--input-type=module', '--eval', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.after(() => parent.kill('SIGKILL'));
  const [line] = await parent.stdout.take(1).toArray();
  const { pids, directory } = JSON.parse(String(line)) as { pids: number[]; directory: string };
  assert.equal(pids.length, 5);
  assert.deepEqual(
    pids.map(isRunning),
    pids.map(() => true),
  );
  parent.kill('SIGKILL');
  await eventually(() => !pids.some(isRunning), { describe: 'all components to be gone' });

  const next = await startControlPlane({ controllers: false });
  assert.equal(existsSync(directory), false, 'the next start removes what the killed one left');
  await next.stop();
});
