import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Application, environmentOf } from '../../operator/api/v1alpha1/application.ts';
import { fastLease, newStage } from '../harness/operator.ts';
import { newLine } from '../harness/promotions.ts';
import { eventually } from '../harness/wait.ts';

const WEB = `apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: example.com/web}]}
`;
/** Times of objects, and of a status, have whole seconds. */
const SECOND_MS = 1_000;
const GAP_MS = 4 * SECOND_MS;

test('D7, A13: a time without an operator counts for a soak where nothing happened in it, and not where a Pod was made anew', async (t) => {
  const stage = await newStage(t, { files: { 'web.yaml': WEB }, flags: fastLease });
  const { staging, prod, environments } = await newLine(t, stage, { soak: '1h' });
  await stage.application('web', { environments });
  const endsAt = ({ status }: Application) => {
    const [gate] = environmentOf(status, prod.name)?.blockedBy ?? [];
    return gate?.reason === 'Soak' && gate.clearsAt !== undefined ? Date.parse(gate.clearsAt) : undefined;
  };
  const soaks = (holds: (of: Application) => boolean) =>
    stage
      .until('web', (of) => endsAt(of) !== undefined && holds(of), 'prod to wait for the soak')
      .then((of) => endsAt(of) ?? Number.NaN);
  const past = (time: number) =>
    eventually(() => Date.now() >= time, { describe: `the time to be ${new Date(time).toISOString()}` });
  /** When the soak ends, after a time without an operator. */
  const afterGap = async (what: () => Promise<unknown>) => {
    await stage.operator.stop('SIGKILL');
    const from = Date.now();
    await what();
    await past(from + GAP_MS);
    await stage.restart();
    const request = await stage.requestSync('web');
    return soaks(({ status }) => status?.handledSyncRequest === request);
  };
  const inStaging = (...args: string[]) => stage.kubectl('-n', staging.namespace, ...args);

  const first = await soaks(() => true);
  // What is of the same second may have come after the last renewal of the Lease.
  await past(Date.now() + 2 * SECOND_MS);
  const second = await afterGap(async () => undefined);
  assert.ok(Math.abs(second - first) <= SECOND_MS, `${second - first} ms later`);

  const third = await afterGap(async () => {
    await inStaging('delete', 'pods', '--selector=app=web');
    await inStaging('rollout', 'status', 'deployment/web', '--timeout=60s');
  });
  assert.ok(third - second >= GAP_MS - SECOND_MS, `${third - second} ms later`);
});
