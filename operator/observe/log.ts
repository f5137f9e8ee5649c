import { type Logger, pino } from 'pino';

export type { Logger } from 'pino';

/**
 * Lines on standard output: JSON, or `text` for people. Levels: trace, debug, info, warn, error.
 */
export function newLogger(level: string, format: string, write: (line: string) => void = toStdout): Logger {
  const options = {
    level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
  };
  if (format === 'json' && write === toStdout) return pino(options);
  return pino(options, { write: (line) => write(format === 'text' ? textLine(line) : line) });
}

function toStdout(line: string): void {
  process.stdout.write(line);
}

/** `2026-11-28T10:00:00.000Z WARN A sentence. application="shop/web"`: on one line whatever it holds. */
function textLine(line: string): string {
  const { time, level, msg, ...rest } = JSON.parse(line) as Record<string, unknown>;
  const fields = Object.entries(rest).map(([name, value]) => ` ${name}=${JSON.stringify(value)}`);
  const sentence = String(msg).replaceAll(/[\r\n]/g, ' ');
  return `${time} ${String(level).toUpperCase()} ${sentence}${fields.join('')}\n`;
}
