import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { parseAllDocuments } from 'yaml';
import { buildHelm } from '../../hack/build-helm.ts';
import { newStage } from '../harness/operator.ts';
import { temporaryDirectory } from '../harness/process.ts';

const subchart = (name: string) => ({
  [`charts/${name}/Chart.yaml`]: `apiVersion: v2\nname: ${name}\nversion: 0.1.0\n`,
  [`charts/${name}/values.yaml`]: 'securityContext: {runAsUser: 472, runAsGroup: 3}\nunset: null\n',
  [`charts/${name}/templates/cm.yaml`]: `apiVersion: v1
kind: ConfigMap
metadata: {name: "{{ .Release.Name }}-${name}"}
data:
  context: {{ toJson .Values.securityContext | quote }}
  unset: {{ printf "%s" (.Values.unset | default "dflt") | quote }}
`,
});

/** A parent that sets null where its subcharts have a default: one is always there, one is behind a condition. */
const files = {
  'Chart.yaml': `apiVersion: v2
name: street
version: 0.1.0
dependencies:
  - {name: lamp, version: 0.1.0}
  - {name: gated, version: 0.1.0, condition: gated.enabled}
`,
  'values.yaml': `lamp:
  securityContext: {runAsUser: null, fsGroup: 7}
gated:
  enabled: true
  securityContext: {runAsUser: null, fsGroup: 7}
`,
  ...subchart('lamp'),
  ...subchart('gated'),
};

/** What the user sets, by Application. */
const VALUES: Record<string, Record<string, unknown>> = {
  parent: {},
  user: { lamp: { securityContext: { runAsGroup: null } }, gated: { securityContext: { runAsGroup: null } } },
};

test("a parent's null for a subchart comes to what Helm itself makes of it", async (t) => {
  const helm = await buildHelm();
  const directory = temporaryDirectory('street');
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(directory, path)), { recursive: true });
    writeFileSync(join(directory, path), text);
  }
  const stage = await newStage(t, { files });
  for (const [name, values] of Object.entries(VALUES)) {
    writeFileSync(join(directory, 'set.yaml'), JSON.stringify(values));
    const rendered = execFileSync(helm, [
      'template',
      name,
      directory,
      '-f',
      join(directory, 'set.yaml'),
    ]).toString();
    const byHelm = Object.fromEntries(
      parseAllDocuments(rendered).map((document) => {
        const { metadata, data } = document.toJS() as { metadata: { name: string }; data: object };
        return [metadata.name, data];
      }),
    );
    assert.deepEqual(Object.keys(byHelm).sort(), [`${name}-gated`, `${name}-lamp`]);
    await stage.deployed(name, { helm: { values } });
    for (const [object, data] of Object.entries(byHelm)) {
      const live = await stage.kubectl('get', 'configmap', object, '-o', 'jsonpath={.data}');
      assert.deepEqual(JSON.parse(live), data, `${object} of ${name}`);
    }
  }
});
