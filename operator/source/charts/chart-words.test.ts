import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { TowpathError } from '../../api/errors.ts';
import { asChartOfSpec, toldOfKustomization, toldOfSpec } from './chart-words.ts';

/** Texts in quotes, of which messages are made. */
const QUOTED = /'[^'\n]*'|`(?:[^`\\\n]|\\.)*`/g;

test('no message about a chart that a spec or a kustomization names sends its reader to Chart.yaml or the folder charts', () => {
  const directory = import.meta.dirname;
  const candidate = '../../controller/candidate/chart-dependencies.ts';
  const files = readdirSync(directory)
    .filter((name) => name.endsWith('.ts') && !/\.test\.ts$|^chart-words/.test(name))
    .concat(candidate);
  const texts = files
    .flatMap((name) => readFileSync(join(directory, name), 'utf8').match(QUOTED) ?? [])
    .map((text) => text.replaceAll('\\`', '`'))
    .filter((text) => /Chart\.yaml|folder charts|dependencies/.test(text))
    // Of a dependency alone.
    .filter((text) => !/Chart\.lock|^'.*\.ts'$/.test(text));
  assert.ok(texts.length > 5, `${texts.length}`);
  for (const told of [toldOfSpec, toldOfKustomization])
    for (const text of texts)
      assert.doesNotMatch(told(text), /Chart\.yaml|folder charts|helm dependency|dependencies/, text);
});

test('who has a chart in helmCharts is told how one that is committed counts: where the entry has no repo', () => {
  assert.equal(
    toldOfKustomization('Use another version, or commit the archive that you trust to the folder charts.'),
    'Use another version, or commit the chart that you trust, unpacked, to the chartHome of the kustomization and take its repo out of helmCharts.',
  );
});

test('the Secret is named where the spec names it', () => {
  const error = new TowpathError(
    'Person',
    'AuthenticationFailed',
    'It wants a credential. Name a Secret with one in spec.helm.registries.',
  );
  const told = asChartOfSpec(error, 'spec.helm.chart.secretRef');
  assert.ok(told instanceof TowpathError);
  assert.equal(told.message, 'It wants a credential. Name a Secret with one in spec.helm.chart.secretRef.');
  assert.equal(told.reason, 'AuthenticationFailed');
});
