/** One measured metric of the performance goals, next to its baseline of the same run. */
export interface Figure {
  /** Its number in the list of goals; `1 (100)` is metric 1 with 100 Applications. */
  metric: string;
  name: string;
  /** The median. */
  value: number;
  unit: string;
  /** The median of what it is compared with; null where a goal is absolute. */
  baseline: number | null;
  ratio: number | null;
  /** Least and greatest of the values, and how many there were. */
  spread: { min: number; max: number; samples: number };
  goal: string;
  /** Whether the goal is met; null where the figure only informs. */
  met: boolean | null;
  /** What else the run showed: percentiles, counts. */
  more?: Record<string, number | string>;
}

export function median(values: readonly number[]): number {
  return percentile(values, 50);
}

/** The nearest-rank percentile. */
export function percentile(values: readonly number[], percent: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const index = Math.max(0, Math.ceil((percent / 100) * sorted.length) - 1);
  return sorted[index] ?? Number.NaN;
}

export interface Measured {
  metric: string;
  name: string;
  unit: string;
  values: readonly number[];
  baseline?: readonly number[];
  goal: string;
  met?: (figure: { value: number; ratio: number }) => boolean;
  more?: Record<string, number | string>;
}

export function figure({ metric, name, unit, values, baseline, goal, met, more }: Measured): Figure {
  const value = median(values);
  const against = baseline === undefined ? null : median(baseline);
  const ratio = against === null ? null : value / against;
  return {
    metric,
    name,
    value: round(value),
    unit,
    baseline: against === null ? null : round(against),
    ratio: ratio === null ? null : round(ratio),
    spread: { min: round(Math.min(...values)), max: round(Math.max(...values)), samples: values.length },
    goal,
    met: met === undefined ? null : met({ value, ratio: ratio ?? Number.NaN }),
    ...(more === undefined ? {} : { more }),
  };
}

/** Three significant digits, as a number. */
export function round(value: number): number {
  return Number.isFinite(value) ? Number(value.toPrecision(3)) : value;
}

/** The figures as a person reads them. */
export function table(figures: readonly Figure[]): string {
  const rows = [
    ['metric', 'what', 'value', 'baseline', 'ratio', 'min … max', 'goal', 'met'],
    ...figures.map((one) => [
      one.metric,
      one.name,
      `${one.value} ${one.unit}`,
      one.baseline === null ? '' : `${one.baseline} ${one.unit}`,
      one.ratio === null ? '' : `${one.ratio}`,
      `${one.spread.min} … ${one.spread.max} (${one.spread.samples})`,
      one.goal,
      one.met === null ? '' : one.met ? 'yes' : 'NO',
    ]),
  ];
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const line = (row: string[]) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd();
  return rows.map(line).join('\n');
}
