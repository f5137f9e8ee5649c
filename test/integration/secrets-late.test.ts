import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { type TestContext, test } from 'node:test';
import { fastLease, newStage, type Stage } from '../harness/operator.ts';
import { eventually } from '../harness/wait.ts';
import { eventsOf, messageOf } from './steps.ts';

const chart = 'apiVersion: v2\nname: web\nversion: 1.0.0\n';
const object = (name: string, more = '') =>
  `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ${name}${more}}\ndata: {key: one, password: {{ .Values.password | quote }}}\n`;
const hook = (event: string) => `, annotations: {helm.sh/hook: ${event}}`;

/**
 * From now on the API server refuses every ConfigMap that the Application's ServiceAccount writes, and quotes what
 * is in it, as many admission policies do.
 */
async function refuseQuoting(t: TestContext, stage: Stage): Promise<void> {
  const name = `quoting-${stage.namespace}`;
  const kind = (kind: string, spec: object) =>
    stage.apply({ apiVersion: 'admissionregistration.k8s.io/v1', kind, metadata: { name }, spec });
  await kind('ValidatingAdmissionPolicy', {
    matchConstraints: {
      resourceRules: [
        { apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE', 'UPDATE'], resources: ['configmaps'] },
      ],
    },
    matchConditions: [
      { name: 'account', expression: 'request.userInfo.username.startsWith("system:serviceaccount:")' },
    ],
    validations: [{ expression: 'false', messageExpression: '"must not hold " + object.data.password' }],
  });
  await kind('ValidatingAdmissionPolicyBinding', {
    policyName: name,
    validationActions: ['Deny'],
    matchResources: {
      namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': stage.namespace } },
    },
  });
  t.after(async () => {
    await stage.kubectl('delete', 'validatingadmissionpolicybinding', name);
    await stage.kubectl('delete', 'validatingadmissionpolicy', name);
  });
  const account = `system:serviceaccount:${stage.namespace}:towpath`;
  const trial = ['create', 'configmap', 'trial', '--from-literal=password=x', '--dry-run=server'];
  await eventually(
    () =>
      stage.kubectl(...trial, `--as=${account}`).then(
        () => false,
        (error: Error) => error.message.includes('must not hold x'),
      ),
    { describe: 'the policy to be in force' },
  );
}

test('S5: what a dry-run, a repair, a hook and a deletion are refused with tells no value of a Secret', async (t) => {
  const password = `marked${randomBytes(8).toString('hex')}`;
  const stage = await newStage(t, {
    flags: fastLease,
    files: {
      'plain/Chart.yaml': chart,
      'plain/templates/a.yaml': object('plain'),
      'leaving/Chart.yaml': chart,
      'leaving/templates/a.yaml': object('leaving'),
      'leaving/templates/hook.yaml': object('farewell', hook('pre-delete')),
      'late/Chart.yaml': chart,
      'late/templates/a.yaml': object('late'),
      'late/templates/hook.yaml': object('greeting', hook('pre-upgrade')),
    },
  });
  await stage.apply({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'values' },
    stringData: { 'values.yaml': `password: ${password}\n` },
  });
  const of = (path: string) => ({
    source: { path },
    helm: { valuesFrom: [{ kind: 'Secret', name: 'values' }] },
  });
  for (const path of ['plain', 'leaving', 'late']) await stage.deployed(path, of(path));
  await refuseQuoting(t, stage);
  const refusals = /must not hold/;
  const until = (name: string) =>
    stage.until(name, (one) => refusals.test(messageOf(one)), `the refusal of ${name} to be told`);

  // A repair is refused.
  await stage.kubectl('patch', 'configmap', 'plain', '-p', '{"data":{"key":"mine"}}');
  await until('plain');
  // A commit is refused, and what runs before it has drift that is refused, too.
  await stage.kubectl('patch', 'configmap', 'late', '-p', '{"data":{"key":"mine"}}');
  await until('late');
  await stage.repository.commit({ 'late/templates/b.yaml': object('more') });
  await until('late');
  // A hook of a deletion is refused, by an operator that deployed it and by one that finds it so.
  await stage.kubectl('delete', 'applications.towpath.dev', 'leaving', '--wait=false');
  await until('leaving');
  const read = async () => ({
    status: await stage.kubectl('get', 'applications.towpath.dev', '-o', 'json'),
    events: await stage.kubectl('get', 'events.events.k8s.io', '-o', 'json'),
    log: readFileSync(stage.operator.logPath, 'utf8'),
    metrics: await stage.operator.metrics(),
  });
  const before = await read();
  await stage.restart();
  await eventually(() => /look at an Application failed/.test(readFileSync(stage.operator.logPath, 'utf8')), {
    describe: 'the new process to fail at it, too',
  });
  assert.notEqual((await eventsOf(stage, 'leaving', 'DeletionFailed')).length, 0);
  const after = await read();
  assert.match(after.log, refusals, 'the log does tell why');
  for (const [place, text] of [...Object.entries(before), ...Object.entries(after)])
    for (const form of [password, Buffer.from(password).toString('base64')]) {
      const at = text.indexOf(form);
      assert.equal(at, -1, `in ${place}: ${text.slice(Math.max(0, at - 300), at + 60)}`);
    }
});
