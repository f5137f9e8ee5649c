import assert from 'node:assert/strict';
import { test } from 'node:test';
import { placedEnvironments } from './environment-rules.ts';

test('no environment is taken by its place in the list', () => {
  const refused = [
    'status?.environments?.[0]?.history;',
    'status.environments[0].history;',
    'environments?.[0];',
    'environments![0];',
    '(status.environments ?? [])[0];',
    '(status as Status).environments[1];',
    'status.environments?.at(0);',
    'environments.at(-1);',
    'const [first] = status?.environments ?? [];',
    'let first; [first] = environments;',
    'const { environments: [first] } = status;',
    'const { environments: [first] = [] } = status;',
    'function of({ environments: [first] }: Status) {}',
    "status.environments['0'];",
    "status['environments'][0];",
    'status[`environments`]?.[0];',
    'const { 0: first } = status.environments;',
    "let first; ({ '0': first } = status.environments ?? []);",
    'const { environments: { 0: first } } = status;',
    '[...environments][0];',
    '[...(status.environments ?? [])].at(0);',
    'environments.slice(0, 1);',
    'environments.slice(-1);',
    'environments.slice()[0];',
    'environments.find(() => true);',
    'environments.find((_environment) => true);',
    'environments.findLast(Boolean);',
    'environments.filter(isReady)[0];',
    'status?.environments?.filter<Environment>(isReady)?.at(0);',
    'environments.map(({ name }) => name)[0];',
    'const [first] = environments.map(({ name }) => name);',
    'environments.toReversed()[0];',
    'environments.shift();',
    'environments.pop();',
    'environments.values().next();',
    'environments?.entries().next().value;',
    'Object.values(environments)[0];',
    'Array.from(environments)[0];',
    'environments[environments.length - 1];',
    'const list = status.environments; list[0];',
    'const list = status?.environments ?? []; list.at(0);',
    'const list = [...environments]; const [first] = list;',
    'const { environments: list = [] } = status; list.shift();',
    'function of({ environments: list }: Status) { return list[0]; }',
  ];
  for (const code of refused)
    assert.deepEqual(
      placedEnvironments('operator/a.ts', `const a = 1;\n${code}\n`).map((said) => said.slice(0, 16)),
      ['operator/a.ts:2:'],
      code,
    );
  const accepted = [
    'environmentOf(status, name)?.history;',
    'status.environments.find(({ name }) => name === wanted);',
    'for (const environment of status.environments) environment.history?.[0];',
    'environments.length;',
    'const status = { environments: [first] };',
    "'{.status.environments[0].drift}';",
    '// status.environments[0]',
    'historyOf(environments)[0];',
    'const all = { environments: [] };',
    'const [...all] = environments;',
    'for (const [key, value] of Object.entries(environments)) key;',
    'for (let at = 0; at < environments.length; at += 1) environments[at];',
    'environments.slice(0, MOST);',
    'environments.toSorted(byUrgency)[0];',
    'environments.find(isReady);',
    'environments.map(({ history }) => history[0]);',
    'const ready = environments.filter(isReady); ready.at(0);',
    'const of = () => { const list = status.environments; };\nconst is = (list) => list[0];',
    'const list = { environments: other }; other[0];',
    'environments.keys.next();',
  ];
  for (const code of accepted)
    assert.deepEqual(placedEnvironments('operator/a.ts', `const a = 1;\n${code}\n`), [], code);
});

test('nor is a target in the operator; tests know how many they have', () => {
  const refused = [
    'const [target] = targets.of(application);',
    'class A { #o; a() { const [target] = this.#o.targets.named(key); } }',
    'targets.of(application)[0].name;',
    'cached.targets[0];',
    'cached?.specified.at(0);',
    'function of({ targets: [first] }: Cached) {}',
  ];
  for (const code of refused) {
    assert.equal(placedEnvironments('operator/a.ts', code).length, 1, code);
    assert.deepEqual(placedEnvironments('operator/a.test.ts', code), [], code);
  }
  for (const code of ['for (const { name } of targets.of(application)) name;', 'targets.find(isIt);'])
    assert.deepEqual(placedEnvironments('operator/a.ts', code), [], code);
});
