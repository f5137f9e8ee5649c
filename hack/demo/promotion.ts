import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { EnvironmentStatus } from '../../operator/api/v1alpha1/application.ts';
import { check, limit } from './check.ts';
import { environmentsOf } from './environments.ts';
import { edit, head } from './git.ts';
import { environmentNames, operatorNamespace } from './names.ts';
import type { Setting } from './setting.ts';
import { heading, say, timed } from './terminal.ts';

const { staging, prod } = environmentNames;
/** Persons, whom the demo's administrator stands in for. */
const olga = '--as=olga --as-group=release-managers';
const otto = '--as=otto';
const whereItIs = `--operator-namespace=${operatorNamespace}`;
const policy = `apiVersion: towpath.dev/v1alpha1
kind: PromotionPolicy
metadata:
  name: web
spec:
  selector: {matchLabels: {tier: web}}
  stages:
    - {name: staging, environments: [${staging}]}
    - name: prod
      after: [staging]
      environments: [${prod}]
      gates:
        soak: 10s
        approvals: {required: 1, groups: [release-managers]}
      verify: {for: 3s, onFailure: Rollback}
`;

/** The parts in which the Application of two environments is promoted from one to the other. */
export async function promote(setting: Setting): Promise<void> {
  await waitForGates(setting);
  await approve(setting);
  await failInProd(setting);
  await rollBackWithoutGit(setting);
  await askTheLedger(setting);
}

async function waitForGates(setting: Setting): Promise<void> {
  const { shell } = setting;
  heading('11. Staging first');
  say('A policy: prod gets what was healthy in staging for 10 s and what a release manager has said yes to,');
  say('and keeps it if it stays healthy there for 3 s.');
  writeFileSync(join(shell.directory, 'policy.yaml'), policy);
  await shell.type('cat policy.yaml');
  await shell.type('kubectl apply -f policy.yaml');
  await grantToPeople(setting);
  say('A commit: log more.');
  await push(setting, ['logLevel: info', 'logLevel: debug'], 'Log more');
  await awaitShop(setting, staging, '.revision', await head(setting));
  await shell.type(`kubectl towpath why shop ${prod} ${whereItIs}`);
  const waits = blockedBy(await entryOf(setting, prod));
  check({ 'prod waits for an approval': waits.includes('AwaitingApproval') });
  const where = `{.status.environments[?(@.name=="${prod}")].blockedBy[*].reason}`;
  const reasons = `kubectl get ${setting.applications} shop -o jsonpath='${where}'`;
  await timed(
    'The soak ends by itself',
    shell.until(reasons, (answer) => !answer.includes('Soak')),
  );
  say('Then it waits for somebody, which is no fault: what runs is Ready.');
  await shell.type(`kubectl towpath why shop ${prod} ${whereItIs}`);
  await shell.type(`kubectl get ${setting.applications} shop`);
  check({
    'it waits for the approval alone': blockedBy(await entryOf(setting, prod)).join() === 'AwaitingApproval',
  });
}

async function grantToPeople({ shell }: Setting): Promise<void> {
  say('Who may decide, by roles of the chart that are bound to nobody by themselves:');
  const role = (name: string) => `--clusterrole=${operatorNamespace}:towpath:${name}`;
  await shell.type(`kubectl create rolebinding approvers ${role('approver')} --group=release-managers`);
  await shell.type(`kubectl create rolebinding on-call ${role('on-call')} --user=otto`);
}

async function approve(setting: Setting): Promise<void> {
  const { shell } = setting;
  heading('12. The yes of a second person');
  say('Olga is a release manager. Her yes is for exactly these manifests, by their digest.');
  await shell.type(`kubectl towpath approve shop ${prod} ${olga} ${whereItIs}`);
  await awaitShop(setting, prod, '.revision', await head(setting));
  await shell.type(`kubectl towpath wait --promotion shop-${prod}-2 --for verified --timeout=60s`);
  await shell.type('kubectl get approvals');
  await checkLogLevel(setting, 'debug');
}

async function failInProd(setting: Setting): Promise<void> {
  const { shell } = setting;
  heading('13. What fails in prod alone goes back by itself');
  say('A commit that nobody finds fault with in staging: the platform names a pool of nodes for prod');
  say('(pool: fast, in environments.yaml), and no node is in it.');
  await push(setting, ['byPool: false', 'byPool: true'], 'Run where the platform says');
  await awaitShop(setting, prod, '.desiredRevision', await head(setting));
  await shell.type(`kubectl towpath approve shop ${prod} ${olga} ${whereItIs}`);
  await shell.type(
    `kubectl wait --for=jsonpath='{.status.phase}'=RolledBack promotions.towpath.dev/shop-${prod}-3 ${limit}`,
  );
  await shell.type(
    `kubectl wait --for=jsonpath='{.status.phase}'=Succeeded promotions.towpath.dev/shop-${prod}-4 ${limit}`,
  );
  await shell.type(`kubectl towpath why shop ${prod} ${whereItIs}`);
  const entry = await entryOf(setting, prod);
  check({
    'prod runs the commit before': entry?.revision !== (await head(setting)),
    'what failed is rejected there': blockedBy(entry).includes('Rejected'),
  });
}

async function rollBackWithoutGit(setting: Setting): Promise<void> {
  const { shell } = setting;
  heading('14. Back by hand, without Git');
  say('The Git server is down. What ran before is kept in the cluster, byte for byte.');
  await setting.stopGit();
  await shell.type('git -C podinfo fetch 2>&1 | tail -n 1');
  say('Otto is on call.');
  await shell.type(`kubectl towpath rollback shop ${prod} --reason 'it logs too much' ${otto} ${whereItIs}`);
  await awaitShop(setting, prod, '.history[0].trigger', 'Rollback');
  await checkLogLevel(setting, 'info');
  await shell.type(`kubectl get ${setting.applications} shop`);
  say('Held: nothing new enters prod until somebody promotes it, or lets go with kubectl towpath resume.');
  check({ 'prod is held': (await entryOf(setting, prod))?.sync === 'Held' });
  await setting.startGit();
}

async function askTheLedger(setting: Setting): Promise<void> {
  const { shell } = setting;
  heading('15. Who did what, and when');
  await shell.type('kubectl get promotions --sort-by=.metadata.creationTimestamp');
  await shell.type(`kubectl towpath at --time 20s shop ${prod} ${whereItIs}`);
  await shell.type(`kubectl towpath history shop ${prod} ${whereItIs}`);
}

/** Commits and pushes one edit, and asks for a look at once. */
async function push(setting: Setting, change: readonly [string, string], message: string): Promise<void> {
  const { shell, applications } = setting;
  edit(setting, [change]);
  await shell.type(`git -C podinfo commit --quiet --all --message="${message}"`);
  await shell.type('git -C podinfo push --quiet');
  await shell.ask(
    `kubectl annotate --overwrite ${applications} shop towpath.dev/sync-requested="$(date +%s%N)"`,
  );
}

async function awaitShop(
  { shell, applications }: Setting,
  environment: string,
  path: string,
  value: string,
): Promise<void> {
  const where = `{.status.environments[?(@.name=="${environment}")]${path}}`;
  await shell.type(`kubectl wait --for=jsonpath='${where}'=${value} ${applications}/shop ${limit}`);
}

async function checkLogLevel({ shell, kubectlOfProd }: Setting, expected: string): Promise<void> {
  const level = await shell.type(
    `${kubectlOfProd} -n towpath-${prod} get configmap shop -o jsonpath='{.data.logLevel}'`,
  );
  check({ [`prod logs at level ${expected}`]: level === expected });
}

async function entryOf(setting: Setting, name: string): Promise<EnvironmentStatus | undefined> {
  return (await environmentsOf(setting)).find((entry) => entry.name === name);
}

function blockedBy(entry: EnvironmentStatus | undefined): string[] {
  return (entry?.blockedBy ?? []).map(({ reason }) => reason);
}
