import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { conditionOf, newStage } from '../harness/operator.ts';
import { newProxiedStage } from '../harness/proxied-stage.ts';
import { eventually } from '../harness/wait.ts';
import { type BadInput, filesOf, judgeAll } from '../integration/bad-input.ts';
import { eventsOf, messageOf, reasonOf } from '../integration/steps.ts';

const chart = {
  'Chart.yaml': 'apiVersion: v2\nname: web\nversion: 1.0.0\n',
  'templates/web.yaml':
    'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: "{{ .Release.Name }}"}\ndata: {key: "{{ .Values.key }}"}\n',
};

/** `{"a":{"a":…}}`, and lists in every other place. */
const nested = (depth: number) => {
  const half = Math.floor(depth / 2);
  return `${'{"a":['.repeat(half)}1${']}'.repeat(half)}`;
};

const invalid = { sync: 'Quarantined', condition: 'Stalled', reason: 'ValuesInvalid' } as const;
const tooDeep = 'nested more than 200 deep';

const CASES: BadInput[] = [
  {
    what: 'spec.helm.values nested 3,900 deep',
    files: chart,
    spec: { helm: { values: JSON.parse(nested(3_900)) } },
    ...invalid,
    message: ['spec.helm.values is', tooDeep, 'Flatten it'],
  },
  {
    what: 'spec.helm.values nested so deep, with a number that is read again from its text',
    files: chart,
    spec: { helm: { values: { id: 2 ** 60, deep: JSON.parse(nested(3_800)) } } },
    ...invalid,
    message: ['spec.helm.values is', tooDeep, 'Flatten it'],
  },
  {
    what: 'a values file nested 3,900 deep',
    files: { ...chart, 'deep.yaml': nested(3_900) },
    spec: { helm: { valuesFiles: ['deep.yaml'] } },
    ...invalid,
    message: ['from case-2/deep.yaml', tooDeep, 'Flatten them there'],
  },
  {
    what: 'values of a ConfigMap nested 3,900 deep',
    files: chart,
    spec: { helm: { valuesFrom: [{ kind: 'ConfigMap', name: 'deep' }] } },
    ...invalid,
    message: ['from ConfigMap deep key values.yaml', tooDeep, 'Flatten them there'],
  },
  {
    what: 'a manifest nested 3,900 deep',
    files: {
      'a.yaml': `apiVersion: example.com/v1\nkind: Deep\nmetadata: {name: deep}\nspec: ${nested(3_900)}\n`,
    },
    sync: 'Quarantined',
    condition: 'Stalled',
    reason: 'ManifestInvalid',
    message: ['case-4/a.yaml', tooDeep],
  },
  {
    what: 'a template that makes one nested 3,900 deep',
    files: {
      'Chart.yaml': chart['Chart.yaml'],
      'templates/a.yaml': `apiVersion: example.com/v1\nkind: Deep\nmetadata: {name: deep}\nspec: {{ repeat 3900 "[" }}{{ repeat 3900 "]" }}\n`,
    },
    sync: 'Quarantined',
    condition: 'Stalled',
    reason: 'ManifestInvalid',
    message: ['case-5/templates/a.yaml', tooDeep],
  },
];

test('what is nested too deep is told at once, wherever it comes from', async (t) => {
  const stage = await newStage(t, {
    files: {
      ...filesOf(CASES),
      ...Object.fromEntries(Object.entries(chart).map(([path, text]) => [`web/${path}`, text])),
    },
  });
  await stage.apply({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'deep' },
    data: { 'values.yaml': nested(3_900) },
  });
  await judgeAll(t, stage, CASES);

  await t.test('what ran before is looked after', async () => {
    await stage.deployed('web', { source: { path: 'web' }, helm: { values: { key: 'one' } } });
    await stage.application('web', {
      source: { path: 'web' },
      helm: { values: { key: 'two', deep: JSON.parse(nested(3_900)) } },
    });
    await stage.until('web', ({ status }) => status?.sync === 'Quarantined', 'Quarantined');
    await stage.kubectl('patch', 'configmap', 'web', '-p', '{"data":{"key":"mine"}}');
    await eventually(
      async () => (await stage.kubectl('get', 'configmap', 'web', '-o', 'jsonpath={.data.key}')) === 'one',
      { describe: 'the change to be taken back' },
    );
  });
});

test('A12: a look that fails again and again for what nobody foresaw is told, with its next try, and ever rarer', async (t) => {
  const { proxy, stage } = await newProxiedStage(t, { files: chart });
  const revision = await stage.repository.revParse('main');
  // Numbers that JavaScript cannot hold are read again, from the text: here it is none.
  const isText = { verb: 'get' as const, path: /\/applications\/web$/ };
  const rule = proxy.fail({ ...isText, fault: 'malformed' });
  const values = { key: 'x', id: 2 ** 60 };
  await stage.application('web', { helm: { values } });
  const told = await stage.until('web', (one) => reasonOf(one) === 'InternalError', 'InternalError');
  assert.ok(rule.met >= 3, 'not for one that had bad luck');
  assert.match(
    messageOf(told),
    // With the cause, as far as there is room for it.
    /^A defect of Towpath: (?=.*\w{4}.*\w{4}).{20,}\. It is tried again, ever more rarely\. Send this message and the Application, without what is secret in it, to who runs Towpath/,
  );
  assert.deepEqual([told.status?.sync, conditionOf(told, 'Stalled')?.reason], ['Blocked', 'InternalError']);
  assert.ok(told.status?.retry?.nextAt !== undefined && told.status.retry.attempts >= 3);
  const later = await stage.until(
    'web',
    ({ status }) => (status?.retry?.attempts ?? 0) > (told.status?.retry?.attempts ?? 0),
    'the next try to be told',
  );
  const pauseOf = ({ status }: typeof told) => Date.parse(status?.retry?.nextAt ?? '') - Date.now();
  assert.ok(pauseOf(later) > 4_000, `the pauses grow: ${pauseOf(later)}`);
  assert.equal((await eventsOf(stage, 'web', 'InternalError')).length, 1, 'one event');

  await t.test('and it goes on by itself when the Application changes', async () => {
    rule.remove();
    await stage.application('web', { helm: { values: { ...values, key: 'y' } } });
    const ready = await stage.untilReadyAt('web', revision, 5_000);
    assert.equal(ready.status?.retry, undefined);
    assert.equal(conditionOf(ready, 'Stalled'), undefined);
  });
});

test('A12: a conflict without end is told, and the deployment goes on when it is over', async (t) => {
  const { proxy, stage } = await newProxiedStage(t, { files: chart });
  await stage.deployed('web', { helm: { values: { key: 'x' } } });
  const rule = proxy.fail({ verb: ['create', 'update', 'patch'], path: /\/secrets/, fault: { status: 409 } });
  await stage.application('web', { helm: { values: { key: 'y' } } });
  const told = await stage.until('web', (one) => reasonOf(one) === 'Conflict', 'the conflict');
  assert.match(messageOf(told), /work on Application \S+web: .*It is tried again/);
  assert.equal(told.status?.sync, 'Blocked');
  assert.ok((told.status?.retry?.attempts ?? 0) > 3, 'few are no news');
  rule.remove();
  const ready = await stage.until('web', ({ status }) => status?.sync === 'Synced', 'the end of it');
  assert.equal(ready.status?.retry, undefined);
  assert.match(await stage.kubectl('get', 'configmap', 'web', '-o', 'jsonpath={.data.key}'), /^y$/);
});

test('S5: what nobody foresaw quotes no value of a Secret, also one with more blanks than a sentence has', async (t) => {
  const { proxy, stage } = await newProxiedStage(t, { files: chart });
  const key = 'marked  67f1';
  await stage.apply({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'values' },
    stringData: { 'values.yaml': `key: ${key}\n` },
  });
  const helm = { valuesFrom: [{ kind: 'Secret', name: 'values' }] };
  await stage.deployed('web', { helm });
  // Read again for its large number, and quoted by the error of the parser, as it is so short.
  const isText = { verb: 'get' as const, path: /\/applications\/web$/ };
  proxy.fail({ ...isText, fault: { line: key } });
  await stage.application('web', { helm: { ...helm, values: { id: 2 ** 60 } } });
  const told = await stage.until('web', (one) => reasonOf(one) === 'InternalError', 'InternalError');
  assert.match(messageOf(told), /^A defect of Towpath: .*\*\*\*/);
  const read = [
    JSON.stringify(told.status),
    (await eventsOf(stage, 'web', 'InternalError')).join(),
    readFileSync(stage.operator.logPath, 'utf8'),
  ];
  for (const text of read) assert.doesNotMatch(text, /marked\s+67f1/);
});
