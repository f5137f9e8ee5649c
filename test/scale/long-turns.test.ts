import { test } from 'node:test';
import { looks, newStage, type Stage } from '../harness/operator.ts';
import { eventually } from '../harness/wait.ts';
import { deployMany } from './many.ts';

/** That the operator was held up by none of this, each test's end judges (A15). */

const MIB = 1 << 20;

async function untilLookedAt(stage: Stage, applications: number): Promise<void> {
  await eventually(async () => (await looks(stage)) >= applications, {
    within: 120_000,
    describe: `${applications} Applications to be looked at`,
  });
}

test('A15: objects of a MiB each are rendered, judged, applied and put back', async (t) => {
  // As large as the API server takes them; of other kinds than text, what is long is the parsing.
  const text = (name: string, index: number) => `${name} ${index} `.repeat(MIB / 2 / 16);
  const configMaps = Array.from(
    { length: 12 },
    (_, index) =>
      `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: large-${index}}\ndata: {text: "${text('config', index)}"}\n`,
  );
  const secrets = Array.from({ length: 4 }, (_, index) => {
    const keys = Array.from({ length: 12_000 }, (_, key) => `key-${key}: "value ${key}"`).join(', ');
    return `apiVersion: v1\nkind: Secret\nmetadata: {name: secret-${index}}\nstringData: {${keys}}\n`;
  });
  const stage = await newStage(t, {
    files: { 'large/objects.yaml': [...configMaps, ...secrets].join('---\n') },
  });
  const ignore = [3, 1].flatMap((index) => [
    { kind: 'ConfigMap', name: `large-${index}`, paths: ['/data/other'] },
    { kind: 'Secret', name: `secret-${index}`, paths: ['/data/other'] },
  ]);
  await stage.application('large', { source: { path: 'large' }, sync: { ignore } });
  const first = await stage.repository.revParse('main');
  await stage.untilReadyAt('large', first, 120_000);
  await stage.kubectl('patch', 'configmap', 'large-3', '-p', '{"data":{"text":"by hand"}}');
  await stage.kubectl('patch', 'secret', 'secret-1', '-p', '{"stringData":{"key-7":"by hand"}}');
  await eventually(
    async () =>
      (await stage.kubectl('get', 'configmap', 'large-3', '-o', 'jsonpath={.data.text}')).length > MIB / 4,
    { describe: 'it to be put back' },
  );
  await stage.restart('SIGTERM');
  await untilLookedAt(stage, 1);
});

test('A15: an operator that starts with 5,000 objects of one Application holds up nobody', async (t) => {
  const { stage } = await deployMany(t, { spec: { deletionPolicy: 'Orphan' } });
  await stage.restart('SIGTERM');
  await untilLookedAt(stage, 1);
});

test('A15: an operator that starts with 1,000 Applications of one chart holds up nobody', async (t) => {
  const stage = await newStage(t, {
    files: { 'one/config.yaml': 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: one}\n' },
  });
  // Most of them are refused, because an object is another's: that is a look each, and a status.
  const names = Array.from({ length: 1_000 }, (_, index) => `app-${index}`);
  for (let at = 0; at < names.length; at += 50)
    await Promise.all(
      names
        .slice(at, at + 50)
        .map((name) => stage.application(name, { source: { path: 'one', interval: '1h' } })),
    );
  await untilLookedAt(stage, 1_000);
  await stage.restart('SIGTERM');
  await untilLookedAt(stage, 1_000);
});
