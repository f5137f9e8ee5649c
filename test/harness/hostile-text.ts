import assert from 'node:assert/strict';

/** Beginnings of everything that a reader of foreign text looks for, without the end that it hopes for. */
const PARTS = [
  'a',
  'A',
  '0',
  ' ',
  '\n',
  '\t',
  '\u0001',
  '=',
  '/',
  '.',
  ',',
  '|',
  '"',
  "'",
  '\\"',
  '{',
  '[',
  '…',
  'é',
  '\ud800',
  'update to ',
  'updates to are ',
  'is immutable after ',
  ': . ',
  ': .a',
  '\n  .a: ',
  '\n \n',
  'namespace "',
  'Invalid value: {',
  'Invalid value: "',
  '&{',
  '&value.valueUnstructured{Value:',
  ' (e.g. ',
  " (regex used for validation is '",
  "regex used for validation is '",
  'admission webhook "',
  'failed calling webhook "',
  "ValidatingAdmissionPolicy 'a' with binding '",
  'exceeded quota: ',
  'failed to create typed patch object (',
  'errors:\n  .a',
  'strict decoding error: ',
  'x" is forbidden: ',
  'x "y" is invalid: ',
  'Back-off pulling image "',
  'object 0',
  'author ',
  'committer a 1 +',
  '1.2.3-a.',
  'v1.x - ',
  '>=1, ',
  '|1|YQ==|',
  '*a',
  'refs/heads/a\0',
  'no matching host key ',
  'not our ref',
];

/** As much as a tenant gets an API server, a Git server or the engine to say. */
export const HOSTILE_LENGTH = 2 ** 20;

/** The texts that make a careless expression slow, each of so many characters. */
export function* hostileTexts(length = HOSTILE_LENGTH): Generator<[name: string, text: string]> {
  for (const part of PARTS) {
    const text = part.repeat(Math.ceil(length / part.length)).slice(0, length);
    yield [JSON.stringify(part), text];
    yield [`${JSON.stringify(part)} and an end`, `${text.slice(0, -1)}!`];
  }
}

/** What one reading may take of a core: half of what may hold up the event loop (A15). */
const LIMIT_MS = 20;
/** What a pass over such a text takes on a machine that is not slow. */
const PASS_MS = 4;

/** Fails where reading one of the hostile texts takes more than 20 ms of CPU time. */
export function assertReadsInLinearTime(read: (text: string) => unknown): void {
  assertReadsFramedInLinearTime(read, (text) => text);
}

/**
 * The same of texts that stand in something else: `frame` makes it, which is not measured. On a slow machine the
 * limit is as many times longer as a plain pass over a text takes longer than usual.
 */
export function assertReadsFramedInLinearTime<Framed>(
  read: (framed: Framed) => unknown,
  frame: (text: string) => Framed,
): void {
  const plain = 'a'.repeat(HOSTILE_LENGTH);
  const passMs = () => leastCpuMs(() => JSON.parse(JSON.stringify(plain)), PASS_MS);
  // Shorter ones first: what is not linear then fails before it takes hours.
  for (const length of [HOSTILE_LENGTH / 64, HOSTILE_LENGTH]) {
    for (const [name, text] of hostileTexts(length)) {
      const framed = frame(text);
      const took = leastCpuMs(() => read(framed), LIMIT_MS);
      // Measured beside it: a machine that others use is as slow as it is now.
      const limit = took <= LIMIT_MS ? LIMIT_MS : LIMIT_MS * Math.max(1, passMs() / PASS_MS);
      assert.ok(took <= limit, `${length} characters of ${name} took ${took} ms, of ${limit}`);
    }
  }
}

/** The least of up to seven tries: collections of garbage and other work of this process are nobody's fault. */
function leastCpuMs(work: () => unknown, enough: number): number {
  let least = Number.POSITIVE_INFINITY;
  for (let tries = 0; tries < 7 && least > enough; tries += 1) {
    const before = process.cpuUsage();
    try {
      work();
    } catch {
      // A refusal is an answer, too; only the time counts here.
    }
    const { user, system } = process.cpuUsage(before);
    least = Math.min(least, (user + system) / 1000);
  }
  return least;
}
