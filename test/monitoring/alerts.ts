import { join } from 'node:path';
import { only, rendered } from '../harness/chart.ts';
import { runProgram } from '../harness/cluster.ts';

export interface Rule {
  alert: string;
  expr: string;
  for?: string;
  labels: Record<string, string>;
  annotations: Record<string, string>;
}

export interface RuleGroups {
  groups: { name: string; rules: Rule[] }[];
}

/** The alerts as the chart installs them, with values besides. */
export async function installedAlerts(values: object = {}): Promise<RuleGroups> {
  const objects = await rendered({ metrics: { prometheusRule: { enabled: true } }, ...values });
  return only(objects, 'PrometheusRule').spec as unknown as RuleGroups;
}

/** Runs promtool; @throws Error with all that it says, where it fails. */
export async function promtool(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await runProgram('promtool', args);
  if (code !== 0)
    throw new Error(`promtool ${args[0]} ${args[1]} ended with code ${code}: ${stderr}${stdout}`);
  return stdout;
}

export const DASHBOARD = join(import.meta.dirname, '../../charts/towpath/files/dashboard.json');
