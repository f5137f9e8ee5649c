import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { environmentOf } from '../../operator/api/v1alpha1/application.ts';
import { installPolicies } from '../harness/approvals.ts';
import { newEnvironment } from '../harness/environments.ts';
import { fastLease, newStage } from '../harness/operator.ts';
import { newPluginShell } from '../harness/plugin.ts';

/** No node takes its Pods. */
const NEVER_UP = `apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {nodeSelector: {no: such-node}, containers: [{name: web, image: example.com/web}]}
`;
const UP = 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\n';

test('A2: what waits for approval behind a deployment that failed is told, and approved without naming its commit', async (t) => {
  const policy = `approvals-${randomBytes(5).toString('hex')}`;
  const flags = [...fastLease, `--approval-policy=${policy}`];
  const stage = await newStage(t, { files: { 'web.yaml': NEVER_UP }, flags });
  const { cluster, namespace } = stage;
  await installPolicies(t, cluster, 'Validating', { name: policy, namespaces: [namespace] });
  const prod = await newEnvironment(t, stage, 'prod', { gates: { approvals: { required: 1 } } });
  const { towpath } = await newPluginShell(t, cluster, { namespace });
  const approve = async () => {
    const said = await towpath('approve', 'web', prod.name, '--as=anna', '--as-group=system:masters');
    assert.equal(said.code, 0, said.stderr);
    return said;
  };
  const first = await stage.repository.revParse('main');
  const spec = { environments: [{ name: prod.name }], sync: { timeout: '2s', retries: { limit: 0 } } };
  await stage.application('web', spec);
  const waits = (revision: string) =>
    stage.until(
      'web',
      ({ status }) => {
        const { desiredRevision, desiredDigest, blockedBy } = environmentOf(status, prod.name) ?? {};
        const isAwaited = blockedBy?.some(({ reason }) => reason === 'AwaitingApproval');
        return desiredRevision === revision && desiredDigest !== undefined && isAwaited;
      },
      `${revision} to wait for a person`,
    );
  await waits(first);
  await approve();
  await stage.until(
    'web',
    ({ status }) => environmentOf(status, prod.name)?.sync === 'Failed',
    'its failure',
  );

  const second = await stage.repository.commit({ 'web.yaml': UP });
  const { status } = await waits(second);
  const entry = environmentOf(status, prod.name);
  assert.equal(entry?.sync, 'Failed', 'that it failed is still what comes first');
  assert.match(entry?.message ?? '', /did not become healthy within 2s/);
  assert.deepEqual([entry?.changes?.added, entry?.changes?.pruned], [1, 1]);
  const why = await towpath('why', 'web', prod.name);
  assert.match(why.stdout, /TimedOut.*AwaitingApproval/s);
  const { stderr, stdout } = await approve();
  assert.match(stderr, /Changes: 0 changed, 1 added, 1 deleted\./);
  assert.match(stdout.replaceAll(/\s+/g, ' '), new RegExp(`revision ${second.slice(0, 7)}`));
  await stage.untilReadyAt('web', second);
});
