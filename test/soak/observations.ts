import { percentile, round } from '../bench/figures.ts';
import type { BenchOperator } from '../bench/operator-process.ts';

const EVERY_MS = 2_000;
const MIB = 2 ** 20;
/** Of one life, the share that fills caches. */
const WARM_UP = 0.25;
/** By so much the last quarter of a life may be above the first one after that. */
const MAY_GROW = 1.1;

/** What a soak measures: memory and processor time of the operator and its engines, and how fast it catches up. */
export class Observations {
  readonly #operator: () => BenchOperator;
  readonly #timer: NodeJS.Timeout;
  readonly #caughtUp: { name: string; seconds: number }[] = [];
  /** Resident bytes, since the last life began. */
  #memory: number[] = [];
  #lifeBegan: { at: number; cpuSeconds: number } | undefined;
  #mostMemory = 0;

  constructor(operator: () => BenchOperator) {
    this.#operator = operator;
    this.#timer = setInterval(() => this.#sample(), EVERY_MS).unref();
  }

  /** From now on the operator is not restarted any more. */
  oneLife(): void {
    this.#memory = [];
    this.#lifeBegan = { at: performance.now(), cpuSeconds: this.#operator().cpuSeconds() };
  }

  /** Measures how long it takes from the end of what was wrong until all is well. */
  async caughtUp(name: string, work: () => Promise<void>): Promise<void> {
    const began = performance.now();
    await work();
    this.#caughtUp.push({ name, seconds: (performance.now() - began) / 1000 });
  }

  inWords(): string {
    const last = this.#memory.at(-1) ?? 0;
    return `${this.#caughtUp.length} turns, ${round(last / MIB)} MiB`;
  }

  failures(): string[] {
    clearInterval(this.#timer);
    const { early, late } = this.#quarters();
    return late > early * MAY_GROW
      ? [`memory grew from ${round(early / MIB)} to ${round(late / MIB)} MiB in one life`]
      : [];
  }

  /** Markdown, for docs/performance.md. */
  report({ minutes, applications }: { minutes: number; applications: number }): string {
    const { early, late } = this.#quarters();
    const life = this.#lifeBegan;
    const wall = life === undefined ? Number.NaN : (performance.now() - life.at) / 1000;
    const cpu = life === undefined ? Number.NaN : this.#operator().cpuSeconds() - life.cpuSeconds;
    const seconds = this.#caughtUp.map((one) => one.seconds);
    const slowest = this.#caughtUp.toSorted((a, b) => b.seconds - a.seconds)[0];
    const rows = [
      ['Applications, minutes, turns', `${applications}, ${minutes}, ${seconds.length}`],
      [
        'resident memory of operator and engines, second quarter of one life → last quarter (median)',
        `${round(early / MIB)} → ${round(late / MIB)} MiB`,
      ],
      [
        'the same, 95th percentile and greatest',
        `${round(percentile(this.#memory, 95) / MIB)}, ${round(this.#mostMemory / MIB)} MiB`,
      ],
      ['processor time', `${round(cpu / wall)} cores over ${Math.round(wall / 60)} minutes`],
      [
        'all as in Git after the end of what was wrong, median, 95th percentile, longest',
        `${round(percentile(seconds, 50))}, ${round(percentile(seconds, 95))}, ${round(slowest?.seconds ?? 0)} s (${slowest?.name})`,
      ],
    ];
    return ['| what | figure |', '| --- | --- |', ...rows.map((row) => `| ${row.join(' | ')} |`)].join('\n');
  }

  #sample(): void {
    const bytes = this.#operator().memory();
    // Of a process that is just ending there is nothing to read.
    if (bytes === 0) return;
    this.#memory.push(bytes);
    this.#mostMemory = Math.max(this.#mostMemory, bytes);
  }

  #quarters(): { early: number; late: number } {
    const from = Math.floor(this.#memory.length * WARM_UP);
    const quarter = Math.max(1, from);
    return {
      early: percentile(this.#memory.slice(from, from + quarter), 50),
      late: percentile(this.#memory.slice(-quarter), 50),
    };
  }
}
