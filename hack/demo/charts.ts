import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { check, limit } from './check.ts';
import type { Setting } from './setting.ts';
import { heading, say } from './terminal.ts';

/** The part in which a chart that others publish is deployed, and followed. */
export async function deployPublishedChart(setting: Setting): Promise<void> {
  const { shell, applications, charts } = setting;
  heading('16. A chart that others publish');
  say('Somebody has a Helm repository with version 1.0.0 of a chart. Ten lines, and nothing in Git:');
  charts.publish('1.0.0');
  writeFileSync(join(shell.directory, 'greeter.yaml'), applicationText(charts.url));
  await shell.type('cat greeter.yaml');
  await shell.type('kubectl apply -f greeter.yaml');
  await shell.type(`kubectl wait --for=condition=Ready ${applications}/greeter ${limit}`);
  await says(setting, 'Good day from greeter 1.0.0');
  say('1.1.0 is published, and 2.0.0, which the range leaves out.');
  charts.publish('1.1.0');
  charts.publish('2.0.0');
  await shell.type(
    `kubectl annotate --overwrite ${applications} greeter towpath.dev/sync-requested="$(date +%s)"`,
  );
  await shell.type(
    `kubectl wait --for=jsonpath='{.status.environments[0].revision}'=1.1.0 ${applications}/greeter ${limit}`,
  );
  await shell.type(`kubectl get ${applications}`);
  await says(setting, 'Good day from greeter 1.1.0');
  say('The digest of its archive is in the record: the same version with other bytes would be refused.');
  await shell.type(
    `kubectl get ${applications} greeter -o jsonpath='{.status.source.chart.version} {.status.source.chart.digest}'`,
  );
}

function applicationText(repoURL: string): string {
  return `apiVersion: towpath.dev/v1alpha1
kind: Application
metadata:
  name: greeter
spec:
  helm:
    chart: {repoURL: '${repoURL}', name: greeter, version: 1.x}
    values: {greeting: Good day}
`;
}

async function says({ shell }: Setting, expected: string): Promise<void> {
  const told = await shell.type(`kubectl get configmap greeter -o jsonpath='{.data.says}'`);
  check({ [`the chart says "${expected}"`]: told === expected });
}
