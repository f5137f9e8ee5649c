import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Application } from '../../operator/api/v1alpha1/application.ts';
import { check, limit } from './check.ts';
import { environmentNames, namespace, operatorNamespace } from './names.ts';
import type { Setting } from './setting.ts';
import { heading, say } from './terminal.ts';

const { staging, prod } = environmentNames;

/** The part in which one Application goes to two environments, of which one is another cluster where there is one. */
export async function deployToEnvironments(setting: Setting): Promise<void> {
  const { shell, applications } = setting;
  heading('10. One Application, two environments');
  await offerPlaces(setting);
  say('A team names them, and what is different in one of them.');
  writeFileSync(join(shell.directory, 'shop.yaml'), applicationText(setting));
  await shell.type('cat shop.yaml');
  await shell.type('kubectl apply -f shop.yaml');
  await shell.type(`kubectl wait --for=condition=Ready ${applications}/shop ${limit}`);
  await shell.type(`kubectl get ${applications}`);
  // One that looks after a namespace alone does not count.
  if (setting.prodKubeconfigPath !== undefined)
    await shell.ask(`kubectl wait --for=jsonpath='{.status.applications}'=1 environment/${prod} ${limit}`);
  await shell.type(`kubectl get ${setting.environments}`);
  const names = (await environmentsOf(setting)).map(({ name, sync, health }) => `${name} ${sync} ${health}`);
  check({
    'both environments are Synced and Healthy':
      names.join() === `${staging} Synced Healthy,${prod} Synced Healthy`,
  });
  await showWhatRuns(setting);
}

async function offerPlaces(setting: Setting): Promise<void> {
  const { shell, prodKubeconfigPath } = setting;
  say('The platform offers places: whose Applications may land there, and which values all of them get.');
  if (prodKubeconfigPath !== undefined) {
    say('prod is another cluster, which a kubeconfig in a Secret of the operator reaches.');
    await shell.type(
      `kubectl -n ${operatorNamespace} create secret generic prod --from-file=kubeconfig=prod.kubeconfig`,
    );
  }
  writeFileSync(join(shell.directory, 'environments.yaml'), environmentsText(setting));
  await shell.type('cat environments.yaml');
  await shell.type('kubectl apply -f environments.yaml');
}

function environmentsText({ prodKubeconfigPath }: Setting): string {
  const elsewhere =
    prodKubeconfigPath === undefined ? '' : '  cluster: {kubeConfig: {secretRef: {name: prod}}}\n';
  const environment = (name: string, cluster: string, values: string) => `apiVersion: towpath.dev/v1alpha1
kind: Environment
metadata:
  name: ${name}
spec:
${cluster}  namespace: towpath-{environment}
  allowedNamespaces: [${namespace}]
  values: ${values}
`;
  return [
    environment(staging, '', '{greeting: Hello from staging, replicaCount: 1}'),
    environment(prod, elsewhere, '{greeting: Hello from prod, pool: fast}'),
  ].join('---\n');
}

function applicationText({ repoURL }: Setting): string {
  return `apiVersion: towpath.dev/v1alpha1
kind: Application
metadata:
  name: shop
  labels: {tier: web}
spec:
  source: {repoURL: '${repoURL}', path: charts/podinfo, interval: 10s}
  sync: {timeout: 15s}
  environments:
    - name: ${staging}
    - name: ${prod}
      values: {replicaCount: 3}
`;
}

async function showWhatRuns({ shell, kubectlOfProd }: Setting): Promise<void> {
  for (const [kubectl, name, greeting] of [
    ['kubectl', staging, 'Hello from staging'],
    [kubectlOfProd, prod, 'Hello from prod'],
  ] as const) {
    await shell.type(`${kubectl} -n towpath-${name} get deployments`);
    const told = await shell.type(
      `${kubectl} -n towpath-${name} get configmap shop -o jsonpath='{.data.greeting}'`,
    );
    check({ [`${name} has its own greeting`]: told === greeting });
  }
}

export async function environmentsOf({ shell, applications }: Setting) {
  const text = await shell.ask(`kubectl get ${applications} shop -o json`);
  return (JSON.parse(text) as Application).status?.environments ?? [];
}

/** In all environments, side by side. */
export async function deleteShop({ shell, applications, kubectlOfProd }: Setting): Promise<void> {
  await shell.type(`kubectl delete ${applications} shop ${limit}`);
  const left = await shell.type(
    `${kubectlOfProd} -n towpath-${prod} get deployments,services,configmaps -l towpath.dev/target`,
  );
  check({ 'nothing is left in prod': left.startsWith('No resources found') });
}
