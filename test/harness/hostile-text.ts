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
/** What `plainPass` takes on a machine that is not slow. */
const PASS_MS = 5;
/** Collections of garbage and what else this process does are nobody's fault. */
const TRIES = 20;

/** Fails where reading one of the hostile texts takes more than 20 ms of CPU time. */
export function assertReadsInLinearTime(read: (text: string) => unknown): void {
  assertReadsFramedInLinearTime(read, (text) => text);
}

/**
 * The same of texts that stand in something else: `frame` makes it, which is not measured. On a slow machine the
 * limit is as many times longer as a plain pass over a text takes longer than usual at that moment.
 */
export function assertReadsFramedInLinearTime<Framed>(
  read: (framed: Framed) => unknown,
  frame: (text: string) => Framed,
): void {
  // Shorter ones first: what is not linear then fails before it takes hours.
  for (const length of [HOSTILE_LENGTH / 64, HOSTILE_LENGTH]) {
    for (const [name, text] of hostileTexts(length)) {
      const framed = frame(text);
      assertQuick(() => read(framed), `${length} characters of ${name}`);
    }
  }
}

function assertQuick(work: () => unknown, what: string): void {
  const said: string[] = [];
  for (let tries = 0; tries < TRIES; tries += 1) {
    const took = cpuMs(work);
    if (took <= LIMIT_MS) return;
    // Measured right beside it: how slow a machine is that others use changes from one second to the next.
    const limit = LIMIT_MS * Math.max(1, cpuMs(plainPass) / PASS_MS);
    if (took <= limit) return;
    said.push(`${took.toFixed(1)} ms of ${limit.toFixed(1)}`);
    // No machine is that slow.
    if (took > 10 * limit) break;
  }
  assert.fail(`${what} took ${said.join(', ')}`);
}

const plain = 'a'.repeat(HOSTILE_LENGTH);

/** What any reader of a text does: it copies it, and looks at each character, twice. */
function plainPass(): number {
  const copy = JSON.parse(JSON.stringify(plain)) as string;
  let sum = 0;
  for (let at = 0; at < copy.length; at += 1) sum += copy.charCodeAt(at);
  for (let at = 0; at < copy.length; at += 1) sum ^= copy.charCodeAt(at);
  return sum;
}

function cpuMs(work: () => unknown): number {
  const before = process.cpuUsage();
  try {
    work();
  } catch {
    // A refusal is an answer, too; only the time counts here.
  }
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}
