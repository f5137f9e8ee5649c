import assert from 'node:assert/strict';

export interface Sample {
  name: string;
  labels: Readonly<Record<string, string>>;
  value: number;
}

/** A metric with its samples; a histogram's have the metric's name and `_bucket`, `_sum` or `_count`. */
export interface Family {
  type: string;
  help: string;
  samples: Sample[];
}

const NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;
const SUFFIXES: Readonly<Record<string, readonly string[]>> = {
  counter: [''],
  gauge: [''],
  histogram: ['_bucket', '_sum', '_count'],
};

/**
 * Reads the text format of Prometheus, version 0.0.4, as strictly as its specification is: each metric stands
 * together, after its HELP and TYPE, and no series twice. @throws AssertionError with the line
 */
export function parseExposition(text: string): Map<string, Family> {
  assert.ok(text.endsWith('\n'), 'the last line has no end');
  const families = new Map<string, Family>();
  const seen = new Set<string>();
  let current = '';
  let help = '';
  for (const line of text.split('\n')) {
    if (line === '') continue;
    const [mark, word, name = '', ...rest] = line.split(' ');
    if (mark === '#' && word === 'HELP') {
      assert.match(name, NAME, line);
      assert.ok(!families.has(name), `twice: ${line}`);
      current = name;
      help = rest.join(' ');
      continue;
    }
    if (mark === '#') {
      assert.equal(word, 'TYPE', line);
      assert.equal(name, current, `HELP and TYPE belong together: ${line}`);
      assert.ok((rest[0] ?? '') in SUFFIXES, line);
      families.set(name, { type: rest[0] ?? '', help, samples: [] });
      continue;
    }
    const family = families.get(current);
    assert.ok(family !== undefined, `before any TYPE: ${line}`);
    const sample = readSample(line);
    const names = SUFFIXES[family.type]?.map((suffix) => `${current}${suffix}`) ?? [];
    assert.ok(names.includes(sample.name), `not of ${current}: ${line}`);
    const series = JSON.stringify([sample.name, Object.entries(sample.labels).sort()]);
    assert.ok(!seen.has(series), `twice: ${line}`);
    seen.add(series);
    family.samples.push(sample);
  }
  for (const [name, family] of families) if (family.type === 'histogram') assertBuckets(name, family.samples);
  return families;
}

function readSample(line: string): Sample {
  const [, name = '', inner = '', value = ''] = /^([^{ ]{1,200})(?:\{(.*)\})? (\S{1,40})$/.exec(line) ?? [];
  assert.match(name, NAME, line);
  assert.ok(/^([+-]?Inf|NaN|-?[0-9.]+(e[+-]?[0-9]+)?)$/.test(value), `no number: ${line}`);
  return { name, labels: readLabels(inner, line), value: numberOf(value) };
}

function numberOf(text: string): number {
  return /Inf$/.test(text) ? Number(text.replace('Inf', 'Infinity')) : Number(text);
}

function readLabels(inner: string, line: string): Record<string, string> {
  const labels: Record<string, string> = {};
  const pair = /([a-zA-Z_][a-zA-Z0-9_]{0,200})="((?:[^"\\]|\\[\\"n]){0,1000})"(,|$)/y;
  while (pair.lastIndex < inner.length) {
    const [, label = '', value = ''] = pair.exec(inner) ?? [];
    assert.ok(label !== '' && !(label in labels), line);
    labels[label] = value.replaceAll(/\\(.)/g, (_, escaped) => (escaped === 'n' ? '\n' : escaped));
  }
  return labels;
}

/** Each bucket holds what the one before it holds, and the last one everything. */
function assertBuckets(name: string, samples: readonly Sample[]): void {
  const bySeries = Map.groupBy(samples, ({ labels: { le: _, ...labels } }) => JSON.stringify(labels));
  for (const [series, each] of bySeries) {
    const buckets = each
      .filter((sample) => sample.name === `${name}_bucket`)
      .map(({ labels, value }) => ({ le: numberOf((labels['le'] ?? '').replace('+', '')), value }));
    const sorted = buckets.every(({ le, value }, index) => {
      const before = buckets[index - 1];
      return before === undefined || (before.le < le && before.value <= value);
    });
    assert.ok(sorted, `the buckets of ${name}${series}`);
    const count = each.find((sample) => sample.name === `${name}_count`)?.value;
    assert.deepEqual(buckets.at(-1), { le: Number.POSITIVE_INFINITY, value: count }, `${name}${series}`);
    assert.ok(
      each.some((sample) => sample.name === `${name}_sum`),
      name,
    );
  }
}

/** The sum of a metric's samples that have all these labels. */
export function sumOf(
  families: ReadonlyMap<string, Family>,
  name: string,
  labels: Record<string, string> = {},
): number {
  const wanted = Object.entries(labels);
  return (families.get(name)?.samples ?? [])
    .filter((sample) => wanted.every(([label, value]) => sample.labels[label] === value))
    .reduce((sum, { value }) => sum + value, 0);
}
