import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { CHART, only, podsOf, rendered } from '../harness/chart.ts';

const page = readFileSync(join(CHART, '../../docs/installation.md'), 'utf8');
const [, section = ''] = page.split('## The id of an installation\n');

/** Rows of the section's table: release, values as a list of code, id. */
const rows = [...section.matchAll(/^\| `([a-z]+)` \| (.{0,200}?) ?\| `([a-z/-]+)` \|$/gm)].map(
  ([, release = '', values = '', id = '']) => ({
    release,
    values: [...values.matchAll(/`([^`]+)`/g)].map(([, value]) => value).join('\n'),
    id,
  }),
);

test('the table of ids in docs/installation.md has the release that is not named after the chart', () => {
  assert.equal(rows.length, section.split('\n\n## ')[0]?.match(/^\| `/gm)?.length);
  const plain = rows.filter(({ values }) => values === '');
  assert.deepEqual(
    plain.map(({ release, id }) => [release, id]),
    [
      ['towpath', 'sys/towpath'],
      ['gitops', 'sys/gitops-towpath'],
    ],
  );
});

for (const { release, values, id } of rows) {
  test(`the id of release ${release} with ${JSON.stringify(values)} is ${id}, as docs/installation.md says`, async () => {
    const objects = await rendered(values || '{}', release, CHART, 'sys');
    const deployed = podsOf([only(objects, 'Deployment')]).flatMap(({ spec }) => spec.containers);
    assert.ok(deployed.some(({ args }) => args.includes(`--installation=${id}`)));
    // Where the page's command reads it.
    const [standsForIt, ...others] = objects.filter(
      ({ metadata }) => metadata.labels?.['towpath.dev/watches'] !== undefined,
    );
    assert.equal(others.length, 0);
    assert.equal(standsForIt?.kind, 'ClusterRole');
    assert.equal(standsForIt.metadata.annotations?.['towpath.dev/installation'], id);
  });
}
