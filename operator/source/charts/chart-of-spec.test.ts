import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { TowpathError } from '../../api/errors.ts';
import { asChartOfSpec, toldOfSpec } from './chart-of-spec.ts';

/** Texts in quotes, of which messages are made. */
const QUOTED = /'[^'\n]*'|`(?:[^`\\\n]|\\.)*`/g;

test('no message about a chart that a spec names sends its reader to Chart.yaml or the folder charts', () => {
  const directory = import.meta.dirname;
  const files = readdirSync(directory).filter(
    (name) => name.endsWith('.ts') && !/\.test\.ts$|^chart-of-spec/.test(name),
  );
  const texts = files
    .flatMap((name) => readFileSync(join(directory, name), 'utf8').match(QUOTED) ?? [])
    .map((text) => text.replaceAll('\\`', '`'))
    .filter((text) => /Chart\.yaml|folder charts/.test(text));
  assert.ok(texts.length > 5, `${texts.length}`);
  for (const text of texts)
    assert.doesNotMatch(toldOfSpec(text), /Chart\.yaml|folder charts|helm dependency/, text);
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
