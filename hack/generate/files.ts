import { GROUP } from '../../operator/api/v1alpha1/names.ts';
import { annotationsPage } from './annotations-page.ts';
import { chartAddresses } from './chart-addresses.ts';
import { chartDashboard } from './chart-dashboard.ts';
import { chartReadme, chartValuesSchema, chartValuesYaml } from './chart-files.ts';
import { chartRules } from './chart-rules.ts';
import { crdYaml, definitionsJson } from './crd.ts';
import { flagsPage } from './flags-page.ts';
import { logsPage } from './logs-page.ts';
import { metricsPage } from './metrics-page.ts';
import { reasonsPage } from './reasons-page.ts';
import { resourcePage } from './resource-page.ts';
import { RESOURCES } from './resources.ts';
import { statusPage } from './status-page.ts';

/** Every generated file: its path from the repository's root, and its text. */
export function generatedFiles(): Map<string, string> {
  const files = new Map<string, string>();
  for (const resource of RESOURCES) {
    const definition = `crds/${GROUP}_${resource.names.plural}.yaml`;
    files.set(definition, crdYaml(resource));
    files.set(`charts/towpath/${definition}`, crdYaml(resource));
    files.set(`docs/reference/${resource.names.singular}.md`, resourcePage(resource));
  }
  files.set('operator/api/v1alpha1/definitions.json', definitionsJson(RESOURCES));
  files.set('charts/towpath/templates/_addresses.tpl', chartAddresses());
  files.set('charts/towpath/templates/_rules.tpl', chartRules());
  files.set('charts/towpath/values.yaml', chartValuesYaml());
  files.set('charts/towpath/values.schema.json', chartValuesSchema());
  files.set('charts/towpath/README.md', chartReadme());
  files.set('charts/towpath/files/dashboard.json', chartDashboard());
  files.set('docs/reference/annotations.md', annotationsPage());
  files.set('docs/reference/flags.md', flagsPage());
  files.set('docs/reference/logs.md', logsPage());
  files.set('docs/reference/metrics.md', metricsPage());
  files.set('docs/reference/reasons.md', reasonsPage());
  files.set('docs/reference/status.md', statusPage());
  return files;
}
