import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  chart,
  configMap,
  data,
  failure,
  ofHelm,
  showValues,
  TestRenderer,
} from '../../test/harness/render.ts';
import type { TowpathError } from '../api/errors.ts';

const engine = new TestRenderer();

describe('values', () => {
  test('later sources win: chart, files in order, valuesFrom, values, the environment', async () => {
    const files = {
      'web/one.yaml': 'color: one\none: 1\n',
      'shared/two.yaml': 'color: two\ntwo: 2\nnested: {a: 2}\n',
    };
    const helm = { valuesFiles: ['one.yaml', '/shared/two.yaml'] };
    assert.deepEqual(await engine.values(files, helm), {
      color: 'two',
      nested: { a: 2, b: 2 },
      one: 1,
      two: 2,
    });
    const from = {
      ...helm,
      valuesFrom: [{ name: 'ConfigMap c key k', text: 'color: from\nnested: {b: null}\n' }],
    };
    assert.deepEqual(await engine.values(files, from), { color: 'from', nested: { a: 2 }, one: 1, two: 2 });
    const all = { ...from, values: '{"color":"inline","big":9007199254740993,"small":1000000}' };
    const merged = await engine.render({ ...chart, ...showValues, ...files }, ofHelm(all));
    assert.match(data(merged, 'values').values ?? '', /"big":9007199254740993.*"color":"inline"/);
  });

  test('null removes a default', async () => {
    assert.deepEqual(await engine.values({}, { values: '{"nested":null}' }), { color: 'red' });
  });

  test('what is not a map is refused with file and line', async () => {
    const list = await failure(
      engine.values({ 'web/v.yaml': '- a\n- b\n' }, { valuesFiles: ['v.yaml'] }),
      'ValuesInvalid',
    );
    assert.match(list.message, /web\/v\.yaml/);
    const broken = await failure(
      engine.values({ 'web/v.yaml': 'a: 1\nb: [\n' }, { valuesFiles: ['v.yaml'] }),
      'ValuesInvalid',
    );
    assert.equal(broken.details[0]?.file, 'web/v.yaml');
    assert.ok((broken.details[0]?.line ?? 0) >= 2);
  });

  test('a file that is not there, too large, or an LFS pointer is refused', async () => {
    const one = { valuesFiles: ['v.yaml'] };
    assert.match(
      (await failure(engine.values({}, one), 'ValuesFileNotFound')).message,
      /In web there is: Chart\.yaml, templates/,
    );
    await failure(engine.values({ 'web/v.yaml': `a: ${'x'.repeat(2 ** 20)}` }, one), 'ValuesFileTooLarge');
    const pointer = 'version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12\n';
    await failure(engine.values({ 'web/v.yaml': pointer }, one), 'ValuesFileIsLFSPointer');
    await failure(engine.values({ 'web/values.yaml': pointer }, {}), 'ValuesFileIsLFSPointer');
  });

  test('every violation of the schema is listed, those of subcharts too', async () => {
    const schema = (names: string) =>
      `{"type":"object","required":${names},"properties":{"color":{"enum":["red","blue"]},"count":{"type":"integer","minimum":1}}}`;
    const error = await failure(
      engine.render(
        {
          ...chart,
          'web/values.schema.json': schema('["must"]'),
          'web/charts/db/Chart.yaml': 'apiVersion: v2\nname: db\nversion: 1.0.0\n',
          'web/charts/db/values.schema.json': schema('[]'),
        },
        ofHelm({ values: '{"color":"green","count":0,"db":{"count":"many"}}' }),
      ),
      'ValuesInvalid',
    );
    const messages = error.details.map((detail) => detail.message).sort();
    assert.equal(messages.length, 4);
    assert.match(messages.join('\n'), /color: .*'red', 'blue'/);
    assert.match(messages.join('\n'), /count: .*minimum/i);
    assert.match(messages.join('\n'), /must/);
    assert.match(messages.join('\n'), /db: count: .*integer/);
  });

  test('S6: values files never leave the repository', async () => {
    for (const path of [
      '../../v.yaml',
      '/../v.yaml',
      'a\\..\\..\\v.yaml',
      'v.yaml\0',
      '../../../etc/passwd',
    ]) {
      const error = await failure(
        engine.values({ 'web/v.yaml': '' }, { valuesFiles: [path] }),
        'PathNotFound',
      );
      assert.match(error.message, /not a path inside the repository/);
    }
    for (const path of ['..', '/..', 'a/../../b', '../web']) {
      await failure(engine.render({ ...chart }, {}, path), 'PathNotFound');
    }
  });

  test('S6: .Files has the chart only', async () => {
    const rendered = await engine.render({
      ...chart,
      'web/inside.txt': 'inside',
      'outside.txt': 'outside',
      'web/templates/f.yaml': configMap(
        'f',
        '{{ list (.Files.Get "inside.txt") (.Files.Get "../outside.txt") (.Files.Get "/etc/passwd") (.Files.Get "templates/f.yaml") (len (.Files.Glob "../**")) | toJson | quote }}',
      ),
    });
    assert.deepEqual(JSON.parse(data(rendered, 'f').text ?? ''), ['inside', '', '', '', 0]);
  });

  test('S5: no value from a Secret is in a message, however the template prints it', async () => {
    const secret = 'password: "hunter2-very-secret"\nlines: |\n  first line\n  second line\npin: 98765432\n';
    const from = { valuesFrom: [{ name: 'Secret s key values.yaml', text: secret, secret: true }] };
    for (const template of [
      '{{ fail .Values.password }}',
      '{{ fail (printf "%q and %v" .Values.lines .Values) }}',
      '{{ fail (b64enc .Values.password) }}',
      '{{ required .Values.password nil }}',
      '{{ .Values.password | toDate "x" | mustToDate .Values.password .Values.password }}',
      '{{ tpl (printf "{{ %s" .Values.password) . }}',
      'a: {{ .Values.password }}: {{ .Values.pin }}: [',
      '{{ fail (toString .Values.pin) }}',
      '{{ include .Values.password . }}',
    ]) {
      const error = await engine.render({ ...chart, 'web/templates/a.yaml': template }, ofHelm(from)).then(
        () => assert.fail(template),
        (caught: TowpathError) => caught,
      );
      const said = JSON.stringify([error.message, error.details, String(error.cause)]);
      assert.doesNotMatch(said, /hunter2|aHVudGVy|second line|98765432|9\.8765432e/, template);
    }
    const broken = { valuesFrom: [{ name: 'Secret s key k', text: 'hunter2-very-secret: [', secret: true }] };
    assert.doesNotMatch((await failure(engine.values({}, broken), 'ValuesInvalid')).message, /hunter2/);
    const schema = { 'web/values.schema.json': '{"properties":{"password":{"pattern":"^x"}}}' };
    const refused = await failure(engine.render({ ...chart, ...schema }, ofHelm(from)), 'ValuesInvalid');
    assert.doesNotMatch(JSON.stringify([refused.message, refused.details]), /hunter2/);
  });
});
