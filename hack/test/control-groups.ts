import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';

/** Name of the control group that a node's Pods are in; set for each run in namespaces of its own. */
export const CONTROL_GROUP_VARIABLE = 'TOWPATH_TEST_CONTROL_GROUP';

const ROOT = '/sys/fs/cgroup';

/** Directories of a control group: in each hierarchy of version 1, or in the one of version 2. */
export function controlGroupsOf(name: string): string[] {
  const isOne = existsSync(join(ROOT, 'cgroup.controllers'));
  const hierarchies = isOne ? [ROOT] : readdirSync(ROOT).map((one) => join(ROOT, one));
  return hierarchies.map((hierarchy) => join(hierarchy, name));
}

/** With those below it, once no process is left in any. */
export function removeControlGroups(name: string): void {
  for (const group of controlGroupsOf(name)) {
    // Some hierarchies have two names.
    if (!existsSync(group)) continue;
    const found = execFileSync('find', [group, '-depth', '-type', 'd'], { encoding: 'utf8' });
    for (const one of found.split('\n').filter(Boolean)) rmdirSync(one);
  }
}
