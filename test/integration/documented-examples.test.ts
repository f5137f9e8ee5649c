import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { parseAllDocuments } from 'yaml';
import { newStage } from '../harness/operator.ts';

const root = join(import.meta.dirname, '../..');

interface Example {
  /** `docs/environments.md:12` */
  place: string;
  text: string;
}

/** Each block of YAML of the pages that people write. */
function examples(): Example[] {
  const pages = ['README.md', ...globSync('docs/*.md', { cwd: root })].sort();
  return pages.flatMap((page) => {
    const text = readFileSync(join(root, page), 'utf8');
    return [...text.matchAll(/^```yaml\n([^`]{1,6000})^```$/gm)].map(({ 1: block = '', index }) => ({
      place: `${page}:${text.slice(0, index).split('\n').length}`,
      text: block,
    }));
  });
}

interface Shown {
  apiVersion?: string;
  kind?: string;
  metadata?: { name?: string; namespace?: string };
  spec?: { source?: object };
}

/** As somebody would apply it: what shows a part of an Application is put into a whole one. */
function wholeOf(shown: Shown, namespace: string): Shown {
  const { metadata, spec } = shown;
  if (shown.kind !== undefined)
    return metadata?.namespace === undefined ? shown : { ...shown, metadata: { ...metadata, namespace } };
  return {
    apiVersion: 'towpath.dev/v1alpha1',
    kind: 'Application',
    metadata: { name: 'podinfo', ...metadata },
    spec: { ...spec, source: { repoURL: 'https://git.example.com/shop/podinfo.git', ...spec?.source } },
  };
}

test('each example of YAML in the docs is accepted by the API server, without an unknown field', async (t) => {
  const { cluster, namespace } = await newStage(t, { startOperator: false });
  const all = examples();
  assert.ok(all.length > 10, `${all.length} examples`);
  for (const { place, text } of all)
    await t.test(place, async () => {
      const documents = parseAllDocuments(text).map((document) => document.toJS() as Shown);
      assert.ok(
        documents.every((document) => !Array.isArray(document)),
        `a part of a list, which says nothing by itself:\n${text}`,
      );
      const items = documents.map((document) => wholeOf(document, namespace));
      const input = items.map((item) => JSON.stringify(item)).join('\n---\n');
      const flags = ['--server-side', '--force-conflicts', '--dry-run=server', '--validate=strict'];
      const { code, stderr } = await cluster.kubectl(['-n', namespace, 'apply', ...flags, '-f', '-'], {
        input,
      });
      assert.equal(code, 0, `${stderr}\n${text}`);
    });
});
