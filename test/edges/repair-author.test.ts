import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RecordedRequest } from '../harness/recorded-request.ts';
import { newProxiedSteps, type TestObject, toldOf } from '../integration/steps.ts';

test('who put a list item in place of one of Git is told, also where the object changes while it is put back', async (t) => {
  const { proxy, stage, deploy } = await newProxiedSteps(t);
  const service = (port: number): TestObject => ({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'till' },
    spec: { selector: { app: 'till' }, ports: [{ name: 'web', port }] },
  });
  /** Of all that is written to an object, nothing else is so harmless. */
  const write = (note: string) => stage.kubectl('annotate', '--overwrite', 'service', 'till', `note=${note}`);
  await deploy('till', [service(80)]);
  const written = { path: /\/services\/till/, where: ({ dryRun }: RecordedRequest) => !dryRun };
  const first = proxy.hold({ ...written, verb: 'apply' });
  // What the ports beside Git's are made ours by, since the API server takes no two of one name.
  const taken = proxy.hold({ ...written, verb: 'patch', at: 'response' });
  const ports = JSON.stringify([{ op: 'replace', path: '/spec/ports', value: [{ name: 'web', port: 81 }] }]);
  await stage.kubectl(
    ...['patch', 'service', 'till', '--type=json', '-p', ports],
    '--field-manager=night-shift',
  );
  await first.seen;
  await write('before the first write');
  first.release();
  await taken.seen;
  await write('before the last one');
  taken.release();
  const told = await toldOf(stage, 'till', 'DriftRepaired');
  assert.deepEqual(told, [
    `Service ${stage.namespace}/till was put back to what Git says after a change by night-shift.`,
  ]);
  assert.equal(await stage.kubectl('get', 'service', 'till', '-o', 'jsonpath={.spec.ports[*].port}'), '80');
});
