// Renders while no file descriptor is left, and again when there are some: what the place of a render is worth
// must not get lost. Started by operator/render/engine-child.test.ts with a low limit; prints what each render ended with.
import { closeSync, openSync } from 'node:fs';
import { TowpathError } from '../../operator/api/errors.ts';
import { Renderer } from '../../operator/render/renderer.ts';
import { MemoryTree } from './memory-tree.ts';
import { chart, request } from './render.ts';

const renderer = new Renderer({ enginePath: process.argv[2] ?? '', processes: 1 });
const tree = new MemoryTree(chart);

async function render(): Promise<string> {
  try {
    await renderer.render(tree, request('web'), AbortSignal.timeout(10_000));
    return 'rendered';
  } catch (error) {
    return error instanceof TowpathError ? `${error.remedy} ${error.reason}` : String(error);
  }
}

const taken: number[] = [];
try {
  for (;;) taken.push(openSync('/dev/null', 'r'));
} catch {
  // There are none left.
}
const without = [await render(), await render()];
for (const descriptor of taken) closeSync(descriptor);
process.stdout.write(JSON.stringify([...without, await render()]));
await renderer.stop();
