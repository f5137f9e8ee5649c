import type { TestContext } from 'node:test';
import type { Application } from '../../operator/api/v1alpha1/application.ts';
import { newStage, type Stage } from '../harness/operator.ts';

export const MANY = 5_000;

/** The Application `many` of so many ConfigMaps, `many-<index>`, which carry their index. */
export interface Many {
  stage: Stage;
  /** Their manifests, to be changed and pushed. */
  objects: string[];
  synced: Application;
  /** From the Application's creation to Ready. */
  readyMs: number;
  /** Commits the objects as they are; returns the revision. */
  push(): Promise<string>;
}

export async function deployMany(
  t: TestContext,
  { waves = 1, spec }: { waves?: number; spec?: Record<string, unknown> } = {},
): Promise<Many> {
  const objects = Array.from({ length: MANY }, (_, index) => many(index, `"${index}"`, waves));
  const files = () => ({ 'many/objects.yaml': objects.join('---\n') });
  const stage = await newStage(t, { files: files() });
  const began = performance.now();
  await stage.application('many', { source: { path: 'many' }, sync: { timeout: '10m' }, ...spec });
  const synced = await stage.untilReadyAt('many', await stage.repository.revParse('main'), 300_000);
  return {
    stage,
    objects,
    synced,
    readyMs: Math.round(performance.now() - began),
    push: () => stage.repository.commit(files()),
  };
}

/** The manifest of one of them, in its wave. */
export function many(index: number, value: string, waves = 1): string {
  const annotations = `{towpath.dev/wave: "${index % waves}"}`;
  return `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: many-${index}, annotations: ${annotations}}\ndata: {index: ${value}}\n`;
}
