import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { check } from './check.ts';
import type { Setting } from './setting.ts';

/** In the clone's values.yaml. @param changes texts, and what stands in their place afterwards */
export function edit({ shell }: Setting, changes: readonly (readonly [string, string])[]): void {
  const path = join(shell.directory, 'podinfo/charts/podinfo/values.yaml');
  let text = readFileSync(path, 'utf8');
  for (const [before, after] of changes) {
    check({ [`values.yaml has "${before}"`]: text.includes(before) });
    text = text.replace(before, after);
  }
  writeFileSync(path, text);
}

/** The newest commit of the clone. */
export function head({ shell }: Setting): Promise<string> {
  return shell.ask('git -C podinfo rev-parse HEAD');
}
