import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { buildEngine } from '../../hack/build-engine.ts';
import { MemoryTree } from '../../test/harness/memory-tree.ts';
import { scaled } from '../../test/harness/slowness.ts';
import { TowpathError } from '../api/errors.ts';
import { Renderer, type RenderRequest } from './renderer.ts';

const chart = { 'web/Chart.yaml': 'apiVersion: v2\nname: web\nversion: 1.2.3\n' };

function configMap(text: string): string {
  return `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata:\n  text: ${text}\n`;
}

const request: RenderRequest = {
  path: 'web',
  namespace: 'shop',
  releaseName: 'web',
  capabilities: { kubeVersion: 'v1.37.2', apiVersions: ['v1'] },
  scopes: { '/ConfigMap': true },
  labels: {},
  owner: 'shop/web/default',
};

/** A tree that is not kept anywhere yet, so that it is really rendered. */
function fresh(files: Record<string, string>): MemoryTree {
  return new MemoryTree({ ...chart, ...files, 'web/unique.txt': String(Math.random()) });
}

async function text(renderer: Renderer, template: string): Promise<string> {
  const rendered = await renderer.render(fresh({ 'web/templates/a.yaml': configMap(template) }), request);
  return JSON.parse(rendered.objects[0]?.text ?? '{}').data.text;
}

describe('S7: the engine sees nothing but what it was handed', () => {
  let renderer: Renderer;
  before(async () => {
    process.env.TOWPATH_TEST_MARK = 'visible';
    renderer = new Renderer({ enginePath: await buildEngine(), processes: 1 });
  });
  after(() => renderer?.stop());

  test('S7: no environment', async () => {
    for (const call of ['env "PATH"', 'expandenv "$TOWPATH_TEST_MARK"']) {
      const rendering = renderer.render(
        fresh({ 'web/templates/a.yaml': configMap(`{{ ${call} }}`) }),
        request,
      );
      await assert.rejects(rendering, (error: TowpathError) => {
        assert.equal(error.reason, 'ChartInvalid');
        assert.match(error.message, /function "(env|expandenv)" not defined/);
        return true;
      });
    }
  });

  test('S7: no name is resolved, and lookup finds nothing', async () => {
    assert.equal(await text(renderer, '{{ getHostByName "localhost" | quote }}'), '');
    assert.equal(await text(renderer, '{{ lookup "v1" "Secret" "kube-system" "" | toJson | quote }}'), '{}');
  });

  test('S7: no file of the machine', async () => {
    assert.equal(await text(renderer, '{{ .Files.Get "/etc/hostname" | quote }}'), '');
    const schema = { 'web/values.schema.json': '{"$ref": "file:///etc/passwd"}' };
    await assert.rejects(renderer.render(fresh(schema), request), (error: TowpathError) => {
      assert.equal(error.reason, 'ChartInvalid');
      assert.match(error.message, /file:\/\/\/etc\/passwd/);
      assert.doesNotMatch(error.message, /root:/);
      return true;
    });
  });

  test('S7: no network, neither from a schema nor from a kustomization', async () => {
    let requests = 0;
    const server = createServer((_, response) => {
      requests++;
      response.end('{}');
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/x`;
    try {
      const schema = { 'web/values.schema.json': JSON.stringify({ $ref: url }) };
      const { warnings } = await renderer.render(fresh(schema), request);
      assert.match(warnings[0] ?? '', /127\.0\.0\.1:\d+\/x, which is not fetched/);
      for (const text of [
        `resources: ["${url}"]`,
        `crds: ["${url}"]`,
        `configMapGenerator: [{name: a, files: ["${url}"]}]`,
      ]) {
        const tree = new MemoryTree({ 'web/kustomization.yaml': `${text}\n` });
        await assert.rejects(renderer.render(tree, request), TowpathError, text);
      }
      assert.equal(requests, 0);
    } finally {
      server.close();
    }
  });
});

describe('S8: a render that takes too much ends alone', () => {
  let renderer: Renderer;
  before(async () => {
    renderer = new Renderer({ enginePath: await buildEngine(), processes: 2, limits: { cpuMs: 4_000 } });
  });
  after(() => renderer?.stop());

  const aliasBomb = (levels: number) =>
    Array.from({ length: levels }, (_, level) =>
      level === 0
        ? 'l0: &l0 [x, x, x, x, x, x, x, x, x, x]\n'
        : `l${level}: &l${level} [${Array(10)
            .fill(`*l${level - 1}`)
            .join(', ')}]\n`,
    ).join('');

  const circle = (length: number) => ({
    'web/templates/_a.tpl': Array.from(
      { length },
      (_, i) => `{{ define "c${i}" }}{{ include "c${(i + 1) % length}" . }}{{ end }}`,
    ).join('\n'),
    'web/templates/a.yaml': '{{ include "c0" . }}',
  });
  const endlessTpl = {
    'web/values.yaml': 'x: "{{ tpl .Values.x . }}"\n',
    'web/templates/a.yaml': '{{ tpl .Values.x . }}',
  };
  const manyTemplates = Object.fromEntries(
    Array.from({ length: 300 }, (_, i) => [`web/templates/_${i}.tpl`, `{{ define "t${i}" }}{{ end }}`]),
  );

  const cases: { name: string; files: Record<string, string>; reasons: string[]; says?: RegExp }[] = [
    {
      name: 'an alias bomb in a template',
      files: { 'web/templates/a.yaml': `${configMap('x')}${aliasBomb(9)}` },
      reasons: ['ManifestInvalid', 'RenderOutOfMemory'],
    },
    {
      name: 'an alias bomb in values',
      files: { 'web/values.yaml': aliasBomb(9) },
      reasons: ['ChartInvalid', 'RenderOutOfMemory'],
    },
    {
      name: 'a template that includes itself without end',
      files: circle(1),
      reasons: ['RenderFailed'],
      says: /^web\/templates\/a\.yaml:1:\d+: templates include each other without end: c0 comes back to itself\. Correct/,
    },
    ...[2, 3, 5, 40].map((length) => ({
      name: `${length} templates that include each other without end`,
      files: circle(length),
      reasons: ['RenderFailed', 'RenderOutOfMemory'],
      says: /templates.* include each other.* without end/,
    })),
    {
      name: 'a template that calls itself without end',
      files: { 'web/templates/a.yaml': '{{ define "a" }}{{ template "a" . }}{{ end }}{{ template "a" . }}' },
      reasons: ['RenderFailed'],
    },
    {
      name: 'a tpl that calls itself without end',
      files: endlessTpl,
      reasons: ['RenderFailed', 'RenderOutOfMemory'],
      says: /call tpl,? without end/,
    },
    {
      name: 'a tpl that calls itself without end in a chart of many templates',
      files: { ...endlessTpl, ...manyTemplates },
      reasons: ['RenderFailed', 'RenderOutOfMemory', 'RenderTimeout'],
      says: /call tpl,? without end/,
    },
    {
      name: 'a 2 GB repeat',
      files: { 'web/templates/a.yaml': configMap('{{ repeat 2147483647 "x" }}') },
      reasons: ['RenderOutOfMemory', 'RenderTooLarge'],
    },
    {
      name: 'a loop that never ends',
      files: { 'web/templates/a.yaml': '{{ range until 100000 }}{{ range until 100000 }}{{ end }}{{ end }}' },
      reasons: ['RenderTimeout'],
      says: /^Rendering web took more than 4 s of processor time and was ended\. Look for templates that loop/,
    },
    {
      name: 'a list that grows for ever',
      files: {
        'web/templates/a.yaml': '{{ $l := list "x" }}{{ range until 40 }}{{ $l = concat $l $l }}{{ end }}',
      },
      reasons: ['RenderOutOfMemory', 'RenderTimeout'],
    },
  ];

  test('A3: renders that take long hold back no other, even where they take all processes', {
    timeout: scaled(30_000),
  }, async () => {
    const single = new Renderer({
      enginePath: await buildEngine(),
      processes: 1,
      limits: { cpuMs: 20_000 },
    });
    const loop = {
      'web/templates/a.yaml': '{{ range until 100000 }}{{ range until 100000 }}{{ end }}{{ end }}',
    };
    let ended = false;
    const bad = single.render(fresh(loop), request).finally(() => {
      ended = true;
    });
    bad.catch(() => {});
    assert.equal(await text(single, '{{ 1 | quote }}'), '1');
    assert.equal(ended, false);
    await single.stop();
    await assert.rejects(bad, (error: TowpathError) => error.reason === 'Stopping');
  });

  for (const { name, files, reasons, says } of cases) {
    // Limits are of processor time, of which a busy machine gives little.
    test(`S8: ${name}`, async () => {
      let ended = false;
      const bad = renderer.render(fresh(files), request).then(
        () => assert.fail('it was rendered'),
        (error: unknown) => {
          ended = true;
          return error;
        },
      );
      let others = 0;
      do {
        assert.equal(await text(renderer, '{{ 1 | quote }}'), '1');
        others++;
      } while (!ended && others < 10_000);
      const error = await bad;
      assert.ok(error instanceof TowpathError, String(error));
      assert.ok(reasons.includes(error.reason), `${error.reason}: ${error.message.slice(0, 500)}`);
      if (says !== undefined) assert.match(error.message, says);
      assert.match(error.message, /^.{1,500}$/);
    });
  }
});

test('an engine that cannot be started is told, and tried again', async () => {
  const renderer = new Renderer({ enginePath: '/nonexistent/engine' });
  for (let attempt = 0; attempt < 2; attempt++) {
    await assert.rejects(renderer.render(fresh({}), request), (error: TowpathError) => {
      assert.deepEqual([error.remedy, error.reason], ['Time', 'EngineUnavailable']);
      assert.match(error.message, /ENOENT/);
      return true;
    });
  }
  await renderer.stop();
});
