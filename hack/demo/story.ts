import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Application, ApplicationStatus } from '../../operator/api/v1alpha1/application.ts';
import { environmentOf } from '../../test/harness/target.ts';
import { deployPublishedChart } from './charts.ts';
import { check, limit } from './check.ts';
import { deleteShop, deployToEnvironments } from './environments.ts';
import { edit, head } from './git.ts';
import { namespace, operatorNamespace } from './names.ts';
import { promote } from './promotion.ts';
import type { Setting } from './setting.ts';
import { heading, say } from './terminal.ts';

const root = join(import.meta.dirname, '../..');
const exampleURL = 'https://git.example.com/shop/podinfo.git';

/** Plays the demo: each part types commands, shows their answers, and checks that they are the right ones. */
export async function tell(setting: Setting, options: { keep: boolean }): Promise<void> {
  await install(setting);
  await showRepository(setting);
  await grantRights(setting);
  await syncFromNothing(setting);
  await pushChange(setting);
  await repairDrift(setting);
  await holdBackBrokenCommit(setting);
  await fix(setting);
  await showHistory(setting);
  await deployToEnvironments(setting);
  await promote(setting);
  await deployPublishedChart(setting);
  if (!options.keep) await deleteApplication(setting);
}

async function install(setting: Setting): Promise<void> {
  const { shell } = setting;
  heading('1. Towpath is installed');
  if (setting.hasDefinition) {
    say('Your cluster knows Applications and Environments already; their definitions are used as they are.');
  } else {
    say('The cluster learns what an Application and an Environment are.');
    await shell.type('kubectl apply -f crds/', { directory: root });
    // Not --for=condition: of a definition so new that it has no conditions at all that fails.
    const established = `--for=jsonpath='{.status.conditions[?(@.type=="Established")].status}'=True`;
    const kinds = ['applications', 'approvals', 'environments', 'promotionpolicies', 'promotions'];
    const definitions = kinds.map((kind) => `crd/${kind}.towpath.dev`).join(' ');
    await shell.type(`kubectl wait ${established} ${definitions} ${limit}`);
  }
  say(
    'The operator gets a namespace for its records, and of its chart all but the Pod: its account with its',
  );
  say(
    'rights, roles for people, and policies by which the API server proves who decides. It runs from source.',
  );
  await shell.type(`kubectl create namespace ${operatorNamespace}`);
  await shell.type(`kubectl apply -f ${setting.installation.file}`);
  await setting.startOperator();
}

async function showRepository({ shell, repoURL }: Setting): Promise<void> {
  heading('2. A Git repository holds a Helm chart');
  await shell.type(`git clone --quiet ${repoURL}`);
  await shell.type('git -C podinfo ls-files');
  await shell.type('cat podinfo/charts/podinfo/values.yaml');
}

async function grantRights({ shell }: Setting): Promise<void> {
  heading('3. Rights');
  say('Towpath writes with the rights of a ServiceAccount that you make, never with its own.');
  await shell.type(`kubectl create namespace ${namespace}`);
  await shell.type(`kubectl config set-context --current --namespace=${namespace}`);
  await shell.type('kubectl create serviceaccount towpath');
  await shell.type(
    `kubectl create rolebinding towpath --clusterrole=edit --serviceaccount=${namespace}:towpath`,
  );
}

async function syncFromNothing(setting: Setting): Promise<void> {
  const { shell, applications } = setting;
  heading('4. From nothing to synced');
  writeApplication(setting);
  await shell.type('cat application.yaml');
  await shell.type('kubectl apply -f application.yaml');
  await shell.type(`kubectl wait --for=condition=Ready ${applications}/podinfo ${limit}`);
  await shell.type(`kubectl get ${applications}`);
  await shell.type('kubectl get deployments,services,configmaps -l towpath.dev/target');
  const status = await statusOf(setting);
  const { sync, health } = status;
  check({ 'the Application is Synced and Healthy': sync === 'Synced' && health === 'Healthy' });
  check({ 'it runs the newest commit': environmentOf(status)?.revision === (await head(setting)) });
}

/** The example of the documentation, with the address of the demo's Git server. */
function writeApplication({ shell, repoURL }: Setting): void {
  const example = readFileSync(join(root, 'docs/examples/application.yaml'), 'utf8');
  check({ 'docs/examples/application.yaml names the example repository': example.includes(exampleURL) });
  writeFileSync(join(shell.directory, 'application.yaml'), example.replace(exampleURL, repoURL));
}

async function pushChange(setting: Setting): Promise<void> {
  const { shell, applications } = setting;
  heading('5. A pushed change');
  say('Another greeting and a third replica, in values.yaml:');
  edit(setting, [
    ['greeting: Hello', 'greeting: Good morning'],
    ['replicaCount: 2', 'replicaCount: 3'],
  ]);
  await shell.type('git -C podinfo diff --unified=0 --no-prefix | tail -n +5');
  await shell.type('git -C podinfo commit --quiet --all --message="Greet friendlier, with three replicas"');
  await shell.type('git -C podinfo push --quiet');
  say('The remote is asked every 10 s (spec.source.interval); with an annotation it is asked now.');
  await shell.type(
    `kubectl annotate --overwrite ${applications} podinfo towpath.dev/sync-requested="$(date +%s)"`,
  );
  await awaitRevision(setting);
  await shell.type(`kubectl get ${applications}`);
  await shell.type('kubectl get deployment podinfo');
  const greeting = await shell.type(`kubectl get configmap podinfo -o jsonpath='{.data.greeting}'`);
  check({ 'the greeting is the pushed one': greeting === 'Good morning' });
}

async function repairDrift(setting: Setting): Promise<void> {
  const { shell, applications } = setting;
  heading('6. Drift is repaired');
  say('Somebody scales by hand, and somebody deletes the Service.');
  await shell.type('kubectl scale deployment podinfo --replicas=7');
  await shell.type('kubectl delete service podinfo');
  await shell.type(`kubectl wait --for=jsonpath='{.spec.replicas}'=3 deployment/podinfo ${limit}`);
  await shell.type(`kubectl wait --for=create service/podinfo ${limit}`);
  say('A program that calls itself night-shift changes the greeting.');
  await shell.type(
    `kubectl patch configmap podinfo --field-manager=night-shift -p '{"data":{"greeting":"Good night"}}'`,
  );
  await shell.type(
    `kubectl wait --for=jsonpath='{.data.greeting}'='Good morning' configmap/podinfo ${limit}`,
  );
  say('The status names the last such change, and who made it where Kubernetes knows; events tell of each.');
  await shell.type(
    `kubectl wait --for=jsonpath='{.status.environments[0].drift.lastBy}'=night-shift ${applications}/podinfo ${limit}`,
  );
  await shell.type(`kubectl get ${applications} podinfo -o jsonpath='{.status.environments[0].drift}'`);
  await shell.ask(`kubectl wait --for=condition=Ready ${applications}/podinfo ${limit}`);
  await shell.type(
    'kubectl get events --field-selector reason=DriftRepaired -o custom-columns=MESSAGE:.message',
  );
  check({ 'no drift is left': environmentOf(await statusOf(setting))?.drift?.count === 0 });
}

async function holdBackBrokenCommit(setting: Setting): Promise<void> {
  const { shell, applications } = setting;
  heading('7. A broken commit is held back');
  say('Two mistakes in one commit:');
  edit(setting, [
    ['replicaCount: 3', 'replicaCount: four'],
    ['port: 9898', 'port: 98980'],
  ]);
  await shell.type('git -C podinfo diff --unified=0 --no-prefix | tail -n +5');
  await shell.type('git -C podinfo commit --quiet --all --message="Scale up"');
  await shell.type('git -C podinfo push --quiet');
  await shell.type(
    `kubectl annotate --overwrite ${applications} podinfo towpath.dev/sync-requested="$(date +%s)"`,
  );
  await shell.type(
    `kubectl wait --for=jsonpath='{.status.sync}'=Quarantined ${applications}/podinfo ${limit}`,
  );
  await shell.type(`kubectl get ${applications}`);
  say('Nothing of it was applied: what ran before runs on. The status lists every error:');
  await shell.type(
    `kubectl get ${applications} podinfo -o jsonpath='{range .status.quarantine.errors[*]}{.object.kind} {.object.name}: {.message}{"\\n"}{end}'`,
  );
  await shell.type('kubectl get deployment podinfo');
  await shell.type(`kubectl describe ${applications} podinfo | sed -n '/^Events:/,$p'`);
  const status = await statusOf(setting);
  const { quarantine } = status;
  const revision = await head(setting);
  check({ 'the broken commit is quarantined': quarantine?.revision === revision });
  check({ 'both errors are listed': (quarantine?.total ?? 0) >= 2 });
  check({ 'the commit before still runs': environmentOf(status)?.revision !== revision });
}

async function fix(setting: Setting): Promise<void> {
  const { shell, applications } = setting;
  heading('8. The fix');
  edit(setting, [
    ['replicaCount: four', 'replicaCount: 4'],
    ['port: 98980', 'port: 9898'],
  ]);
  await shell.type('git -C podinfo commit --quiet --all --message="Scale up to 4"');
  await shell.type('git -C podinfo push --quiet');
  say('This time nobody asks: within 10 s Towpath looks by itself.');
  await awaitRevision(setting);
  await shell.type(`kubectl get ${applications}`);
  await shell.type('kubectl get deployment podinfo');
  const { sync, quarantine } = await statusOf(setting);
  check({ 'the quarantine is over': sync === 'Synced' && quarantine === undefined });
}

async function showHistory(setting: Setting): Promise<void> {
  const { shell, applications } = setting;
  heading('9. History');
  say('Every deployment, the newest first: what ran, what asked for it, how it ended.');
  const rows =
    '{{range (index .status.environments 0).history}}{{printf "%-3v %.7s  %-7s %-10s %s\\n" .id .revision .trigger .outcome .finishedAt}}{{end}}';
  await shell.type(`kubectl get ${applications} podinfo -o go-template='${rows}'`);
  const history = environmentOf(await statusOf(setting))?.history ?? [];
  check({ 'three deployments succeeded': history.filter((one) => one.outcome === 'Succeeded').length === 3 });
}

async function deleteApplication(setting: Setting): Promise<void> {
  const { shell, applications } = setting;
  heading('17. Deleting it');
  say('Its objects go with it (spec.deletionPolicy: Prune).');
  await shell.type(`kubectl delete ${applications} podinfo greeter ${limit}`);
  await shell.type(`kubectl wait --for=delete deployment/podinfo service/podinfo configmap/podinfo ${limit}`);
  const left = await shell.type('kubectl get deployments,services,configmaps -l towpath.dev/target');
  check({ 'nothing of it is left': left.startsWith('No resources found') });
  say('That in two environments goes in both at once.');
  await deleteShop(setting);
}

async function awaitRevision({ shell, applications }: Setting): Promise<void> {
  await shell.type(
    `kubectl wait --for=jsonpath='{.status.environments[0].revision}'="$(git -C podinfo rev-parse HEAD)" ${applications}/podinfo ${limit}`,
  );
  await shell.type(`kubectl wait --for=condition=Ready ${applications}/podinfo ${limit}`);
}

async function statusOf({ shell, applications }: Setting): Promise<ApplicationStatus> {
  const text = await shell.ask(`kubectl get ${applications} podinfo -o json`);
  return (JSON.parse(text) as Application).status ?? {};
}
