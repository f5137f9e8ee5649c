import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { endsWith, hangingProgram } from '../test/harness/left-behind.ts';
import { isRunning } from '../test/harness/process.ts';
import { eventually } from '../test/harness/wait.ts';
import { diff } from './commands/diff.ts';
import { Kubectl } from './kubectl.ts';
import { terminalOf } from './text/terminal.ts';

test('kubectl ends with the process that asked it', async (t) => {
  const hanging = hangingProgram(t);
  const source = `
    import { Kubectl } from ${JSON.stringify(join(import.meta.dirname, 'kubectl.ts'))};
    await new Kubectl([], { TOWPATH_KUBECTL: ${JSON.stringify(hanging.path)} }).json(['get', 'pods']);
  `;
  await endsWith(t, source, hanging);
});

for (const [flags, what] of [
  [{ local: '.' }, 'with a clone'],
  [{}, 'without one'],
] as const) {
  test(`kubectl that diff asks for an Application ${what} ends with the signal`, async (t) => {
    const hanging = hangingProgram(t);
    const ending = new AbortController();
    const kubectl = new Kubectl([], { TOWPATH_KUBECTL: hanging.path });
    const terminal = terminalOf({ write: () => undefined }, {});
    const context = { kubectl, words: ['web'], flags, signal: ending.signal, now: () => new Date() };
    const asked = assert.rejects(diff.run({ ...context, out: terminal, err: terminal }));
    const pid = await hanging.pid();
    ending.abort();
    await asked;
    await eventually(() => !isRunning(pid), { within: 10_000, describe: 'the end of kubectl' });
  });
}

for (const [what, when] of [
  ['under way', 'Later'],
  ['that begins', 'Before'],
] as const) {
  test(`a watch ${what} ends when its signal says so`, { timeout: 20_000 }, async (t) => {
    const hanging = hangingProgram(t, `echo '{"type":"ADDED","object":{}}'`);
    const ending = new AbortController();
    if (when === 'Before') ending.abort();
    const kubectl = new Kubectl([], { TOWPATH_KUBECTL: hanging.path });
    const events: unknown[] = [];
    for await (const event of kubectl.watch(['get', 'pods'], ending.signal)) {
      events.push(event);
      ending.abort();
    }
    assert.deepEqual(events, when === 'Before' ? [] : [{ type: 'ADDED', object: {} }]);
  });
}
