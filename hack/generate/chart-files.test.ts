import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chartReadme } from './chart-files.ts';
import { CHART_VALUES, type ChartGroup } from './chart-values.ts';

const readme = chartReadme();

/** Paths of all groups with what each says. */
function groups(values: ChartGroup['values'], before = ''): [string, string][] {
  return Object.entries(values).flatMap(([key, value]): [string, string][] =>
    'values' in value
      ? [[`${before}${key}`, value.description], ...groups(value.values, `${before}${key}.`)]
      : [],
  );
}

test("the chart's README says what each group says, above its first value", () => {
  const all = groups(CHART_VALUES);
  assert.ok(all.length > 15);
  for (const [path, description] of all) {
    const at = readme.indexOf(`| \`${path}\` |  | ${description} |`);
    assert.ok(at !== -1, path);
    assert.ok(at < readme.indexOf(`| \`${path}.`), path);
  }
});

test("the chart's README shows what stands in angle brackets, which Markdown takes for HTML outside of code", () => {
  const [, tableOfValues = ''] = readme.split('\n## Values\n');
  assert.doesNotMatch(tableOfValues.replaceAll(/`[^`\n]*`/g, ''), /<[a-z]/);
});
