import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { parse } from 'yaml';
import { FLAGS } from '../../operator/flags.ts';
import { CHART, only, podsOf, rendered } from '../harness/chart.ts';

interface Ingress {
  kind: string;
  spec: { rules: [{ http: { paths: [IngressPath] } }] };
}

interface IngressPath {
  path: string;
  pathType: string;
  backend: { service: { name: string; port: { number: number } } };
}

const page = readFileSync(join(CHART, '../../docs/webhooks.md'), 'utf8');

test("the Ingress of docs/webhooks.md leads to the chart's Service, once the page's value is set", async () => {
  const [, value = ''] = /helm upgrade .* --set (webhooks\.[a-z]+=[a-z]+)$/m.exec(page) ?? [];
  const [, ingress = ''] = /```yaml\n(\s+apiVersion: networking\.k8s\.io[^`]+)```/.exec(page) ?? [];
  const { kind, spec } = parse(ingress) as Ingress;
  assert.equal(kind, 'Ingress');
  const [{ backend, path, pathType }] = spec.rules[0].http.paths;
  assert.deepEqual([path, pathType], ['/', 'Prefix'], 'the paths of the table arrive as they are');
  const services = async (values: object) =>
    (await rendered(values)).filter(({ metadata }) => metadata.name === backend.service.name);
  assert.deepEqual(await services({}), [], 'nothing listens before');
  assert.equal(value, 'webhooks.enabled=true');
  const [service] = await services({ webhooks: { enabled: true } });
  const ports = service?.spec?.['ports'] as { port: number }[];
  assert.deepEqual(
    ports.map(({ port }) => port),
    [backend.service.port.number],
  );
});

test('docs/webhooks.md names for each value the flag that it sets, with its default', async () => {
  const rows = [
    ...page.matchAll(/\| `webhooks\.(\w+)`.{0,60}? \| `--([\w-]+)`(?: \(default `([^`]+)`.*?\))? \|$/gm),
  ];
  assert.deepEqual(
    rows.map(([, value, flag]) => [value, flag]),
    [
      ['enabled', 'webhook-address'],
      ['secret', 'webhook-secret'],
      ['hostAliases', 'webhook-host-aliases'],
    ],
  );
  assert.equal(rows[0]?.[3], FLAGS['webhook-address'].default);
  const webhooks = { enabled: true, secret: 'signed', hostAliases: 'a=b' };
  const [pod] = podsOf([only(await rendered({ webhooks }), 'Deployment')]);
  const said = pod?.spec.containers.flatMap(({ args }) => args) ?? [];
  for (const [flag, what] of [
    ['webhook-address', ':8083'],
    ['webhook-secret', 'signed'],
    ['webhook-host-aliases', 'a=b'],
  ])
    assert.ok(said.includes(`--${flag}=${what}`), `${flag} in ${said}`);
});
