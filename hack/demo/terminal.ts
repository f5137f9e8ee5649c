const isColoured = process.stdout.isTTY === true && !process.env.NO_COLOR;
const tellEveryMs = 15_000;

function paint(code: number, text: string): string {
  return isColoured ? `\u001b[${code}m${text}\u001b[0m` : text;
}

function write(text: string): void {
  process.stdout.write(text);
}

/** The title of a part of the demo. */
export function heading(text: string): void {
  write(`\n${paint(1, text)}\n`);
}

/** What the reader should know; wrapped by whoever wrote it. */
export function say(text: string): void {
  write(`${text}\n`);
}

/** A command as the reader would type it. */
export function command(text: string): void {
  write(`  ${paint(36, '$')} ${paint(36, text.replaceAll('\n', '\n  '))}\n`);
}

/** What the command answered. */
export function answer(text: string): void {
  if (text === '') return;
  write(`${text.replace(/^/gm, '  ').replace(/[ \t]+$/gm, '')}\n`);
}

export function problem(text: string): void {
  process.stderr.write(`${paint(31, text)}\n`);
}

/** Says what is done, how long it has taken every 15 s, and how long it took in the end. */
export async function timed<T>(what: string, work: Promise<T>): Promise<T> {
  const started = performance.now();
  const seconds = () => `${((performance.now() - started) / 1000).toFixed(1)} s`;
  write(`${what} ... `);
  const telling = setInterval(() => write(`${seconds()} ... `), tellEveryMs);
  try {
    const result = await work;
    write(`${seconds()}\n`);
    return result;
  } catch (error) {
    write('\n');
    throw error;
  } finally {
    clearInterval(telling);
  }
}
