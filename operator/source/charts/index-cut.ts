import { TowpathError } from '../../api/errors.ts';
import { size } from '../limits.ts';

/** Nothing that is looked at of a line stands behind so many bytes. */
const LOOKED_AT = 512;
/** Bytes of a line: icons stand in descriptions as data. */
const LONGEST_LINE = 2 ** 20;
/** Names of charts that are kept to tell of near ones. */
const MOST_NAMES = 5_000;

/** Names of charts, and outermost keys: each takes longer than another line. */
const MOST_KEYS = 200_000;

const [SPACE, DASH, HASH, RETURN, NEWLINE] = [0x20, 0x2d, 0x23, 0x0d, 0x0a];
const END_OF_LINE = Buffer.from('\n');

/** What an index has of one chart. */
export interface IndexCut {
  /** An index with that chart alone; undefined where it is not there. */
  text: Buffer | undefined;
  /** Of the charts that are there. */
  names: readonly string[];
}

/**
 * Cuts out of a Helm repository's index.yaml, chunk by chunk, what it has of one chart. An index may have tens of
 * megabytes, and is read in time that grows with them alone: of YAML only as much is known as says where the entry of a
 * chart begins and ends, which is the indentation. The engine parses what was cut out. An index in JSON form, whose
 * lines say nothing, is taken as a whole where it is no larger than one chart's entry may be.
 */
export class IndexCutter {
  readonly #name: string;
  readonly #repository: string;
  readonly #entryBytes: number;
  readonly #names: string[] = [];
  #kept: Buffer[] = [];
  #keptBytes = 0;
  /** The beginning of a line whose end has not come. */
  #line = Buffer.alloc(0);
  #keys = 0;
  #isWhole = false;
  #isBegun = false;
  #isInEntries = false;
  #isWanted = false;
  #isFound = false;
  /** Of the charts' names. */
  #indentation: number | undefined;

  constructor(options: { name: string; repository: string; entryBytes: number }) {
    this.#name = options.name;
    this.#repository = options.repository;
    this.#entryBytes = options.entryBytes;
  }

  /** @throws TowpathError ChartIndexInvalid. */
  add(chunk: Buffer): void {
    if (this.#isWhole) {
      this.#keep(chunk);
      return;
    }
    const text = this.#line.length === 0 ? chunk : Buffer.concat([this.#line, chunk]);
    const rest = this.#takeLines(text);
    if (this.#isWhole || (!this.#isBegun && isJson(rest))) {
      this.#isWhole = true;
      this.#keep(rest);
      return;
    }
    if (rest.length > LONGEST_LINE) throw this.#invalid(`has a line of more than ${size(LONGEST_LINE)}`);
    this.#line = Buffer.from(rest);
  }

  end(): IndexCut {
    if (!this.#isWhole && this.#line.length > 0) this.#takeLines(Buffer.concat([this.#line, END_OF_LINE]));
    const isThere = this.#isWhole || this.#isFound;
    return { text: isThere ? Buffer.concat(this.#kept) : undefined, names: this.#names };
  }

  /** Returns what is left behind the last whole line, or from where on all is taken. */
  #takeLines(text: Buffer): Buffer {
    let at = 0;
    let keptFrom = 0;
    for (let end = text.indexOf(NEWLINE); end >= 0; end = text.indexOf(NEWLINE, at)) {
      const wasWanted = this.#isWanted;
      this.#take(text, at, end);
      if (this.#isWhole) return text.subarray(at);
      if (wasWanted && !this.#isWanted) this.#keep(text.subarray(keptFrom, at));
      if (!wasWanted) keptFrom = at;
      at = end + 1;
    }
    if (this.#isWanted) this.#keep(text.subarray(keptFrom, at));
    return text.subarray(at);
  }

  /** There may be millions of lines, of which few are more than looked at. */
  #take(text: Buffer, start: number, end: number): void {
    let at = start;
    while (text[at] === SPACE) at += 1;
    const first = text[at];
    if (at >= end || first === RETURN || first === HASH) return;
    const indentation = at - start;
    if (indentation === 0)
      this.#takeOutermost(text.toString('utf8', at, Math.min(end, at + LOOKED_AT)).trimEnd());
    else if (this.#isInEntries) {
      this.#indentation ??= indentation;
      // A list may stand as far to the left as the name that it is of.
      if (indentation > this.#indentation || (indentation === this.#indentation && first === DASH)) return;
      this.#begin(keyOf(text.toString('utf8', at, Math.min(end, at + LOOKED_AT)).trimEnd()));
    }
    this.#isBegun = true;
  }

  #takeOutermost(text: string): void {
    if (!this.#isBegun && text.startsWith('{')) {
      this.#isWhole = true;
      return;
    }
    this.#count();
    this.#isWanted = false;
    this.#isInEntries = keyOf(text) === 'entries';
  }

  #begin(name: string | undefined): void {
    this.#count();
    this.#isWanted = name === this.#name;
    if (name !== undefined && this.#names.length < MOST_NAMES) this.#names.push(name);
    if (!this.#isWanted || this.#isFound) return;
    this.#isFound = true;
    this.#keep(Buffer.from('entries:\n'));
  }

  #count(): void {
    this.#keys += 1;
    if (this.#keys > MOST_KEYS) throw this.#invalid(`has more than ${MOST_KEYS} charts`);
  }

  #keep(bytes: Buffer): void {
    this.#keptBytes += bytes.length;
    if (this.#keptBytes > this.#entryBytes) {
      this.#kept = [];
      throw this.#invalid(
        this.#isWhole
          ? `is in JSON form and has more than ${size(this.#entryBytes)}`
          : `has more than ${size(this.#entryBytes)} of ${this.#name}`,
      );
    }
    // What it is a part of goes on to be read.
    this.#kept.push(Buffer.from(bytes));
  }

  #invalid(what: string): TowpathError {
    return new TowpathError(
      'Person',
      'ChartIndexInvalid',
      `index.yaml of ${this.#repository} ${what}, which is not read. Have who runs the repository remove old versions, or commit the chart to the folder charts.`,
    );
  }
}

function isJson(bytes: Buffer): boolean {
  return bytes.toString('utf8', 0, LOOKED_AT).trimStart().startsWith('{');
}

/** The key that a line of YAML begins with; undefined where it begins with none that names a chart. */
function keyOf(text: string): string | undefined {
  const quote = text[0];
  if (quote === '"' || quote === "'") {
    const end = text.indexOf(quote, 1);
    return end > 0 &&
      text
        .slice(end + 1)
        .trimStart()
        .startsWith(':')
      ? text.slice(1, end)
      : undefined;
  }
  const end = text.indexOf(':');
  const isKey = end > 0 && (end === text.length - 1 || text[end + 1] === ' ');
  return isKey ? text.slice(0, end).trimEnd() : undefined;
}
