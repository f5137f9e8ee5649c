import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { helm } from '../harness/helm.ts';
import { fastLease } from '../harness/operator.ts';
import { temporaryDirectory } from '../harness/process.ts';
import { messageOf, newSteps, reasonOf } from './steps.ts';

/** A chart whose values decide fields of a ConfigMap and of a Deployment; `isWhole` false leaves some out. */
function chart({ isWhole }: { isWhole: boolean }): Record<string, string> {
  const whole = (text: string) => (isWhole ? text : '');
  return {
    'Chart.yaml': 'apiVersion: v2\nname: web\nversion: 1.0.0\n',
    'templates/config.yaml': `apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .Release.Name }}
  labels: {app: web${whole(', tier: front')}}
data: {kept: one${whole(', removed: one')}}
`,
    'templates/deployment.yaml': `apiVersion: apps/v1
kind: Deployment
metadata: {name: {{ .Release.Name }}}
spec:
  selector: {matchLabels: {app: {{ .Release.Name }}}}
  template:
    metadata: {labels: {app: {{ .Release.Name }}}}
    spec:
      containers:
        - name: main
          image: example.com/main:1
          env: [{name: KEPT, value: one}${whole(', {name: REMOVED, value: one}')}]
${whole('        - {name: side, image: example.com/side:1}\n')}`,
  };
}

function write(directory: string, files: Record<string, string>): void {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(directory, path)), { recursive: true });
    writeFileSync(join(directory, path), text);
  }
}

test('D13: what a real Helm release applied is adopted with its fields, so that one removed from the chart goes', async (t) => {
  const { stage, live } = await newSteps(t, { flags: fastLease });
  const directory = temporaryDirectory('chart');
  write(directory, chart({ isWhole: true }));
  for (const [name, how] of [
    ['client-side', '--server-side=false'],
    ['server-side', '--server-side=true'],
  ] as const) {
    await t.test(`D13: installed with ${how}`, async () => {
      const installed = await helm(
        ...['install', name, directory, how, '--namespace', stage.namespace],
        ...['--kubeconfig', stage.cluster.kubeconfigPath],
      );
      assert.equal(installed.code, 0, installed.stderr);
      const before = await live('configmap', name);
      assert.equal(before?.metadata.labels?.['app.kubernetes.io/managed-by'], 'Helm');

      const at = (files: Record<string, string>) =>
        Object.fromEntries(Object.entries(files).map(([path, text]) => [`${name}/${path}`, text]));
      const whole = await stage.repository.commit(at(chart({ isWhole: true })));
      await stage.application(name, { source: { path: name } });
      const refused = await stage.until(name, (one) => reasonOf(one) === 'NotOwned', 'the refusal');
      assert.match(messageOf(refused), /towpath\.dev\/adopt/);
      await stage.application(name, { source: { path: name } }, { 'towpath.dev/adopt': 'true' });
      await stage.untilReadyAt(name, whole);
      assert.equal((await live('configmap', name))?.metadata.uid, before?.metadata.uid, 'not made anew');

      const less = await stage.repository.commit(at(chart({ isWhole: false })));
      await stage.untilReadyAt(name, less);
      const config = await live('configmap', name);
      assert.deepEqual(config?.data, { kept: 'one' });
      const { 'towpath.dev/target': _, ...labels } = config?.metadata.labels ?? {};
      assert.deepEqual(labels, { app: 'web' }, "Helm's own label is no longer true");
      const containers = await stage.kubectl(
        ...['get', 'deployment', name, '-o'],
        'jsonpath={range .spec.template.spec.containers[*]}{.name}:{.env[*].name} {end}',
      );
      assert.equal(containers.trim(), 'main:KEPT');
    });
  }
});
