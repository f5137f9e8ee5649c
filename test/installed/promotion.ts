import assert from 'node:assert/strict';
import { eventually } from '../harness/wait.ts';
import type { Site } from './site.ts';

/** Where the Application stands, and whoever lands: Towpath makes the namespaces, each with an account of its own. */
const HOME = 'store';
const STAGING = `${HOME}-staging`;
const PROD = `${HOME}-prod`;
/** A second person, whom the chart's role for approvers is bound to by her group. */
const OLGA = ['--as=olga', '--as-group=release-managers', '--as-group=system:authenticated'];

/**
 * Manifests of a web server that answers with a text, and of its Service.
 *
 * @param breaks in prod it ends soon after it was healthy, again and again: what no stage before can see
 */
export function storeOf(image: string, text: string, breaks: 'never' | 'in prod' = 'never'): string {
  const end =
    breaks === 'never' ? '' : `if (process.env.WHERE === "${PROD}") setTimeout(() => process.exit(1), 4000);`;
  const program = `require("http").createServer((_, response) => response.end("${text}")).listen(8080); ${end}`;
  return `apiVersion: apps/v1
kind: Deployment
metadata: {name: store}
spec:
  replicas: 1
  selector: {matchLabels: {app: store}}
  template:
    metadata: {labels: {app: store}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
        - name: store
          image: docker.io/library/${image}
          imagePullPolicy: Never
          command: [/usr/local/bin/node, -e]
          args: ['${program}']
          env: [{name: WHERE, valueFrom: {fieldRef: {fieldPath: metadata.namespace}}}]
          readinessProbe: {httpGet: {path: /, port: 8080}, periodSeconds: 1}
---
apiVersion: v1
kind: Service
metadata: {name: store}
spec: {selector: {app: store}, ports: [{port: 80, targetPort: 8080}]}
`;
}

/** What a platform and a release manager set up, once. */
export async function setUpPromotion({ kubectl, controlPlane }: Site): Promise<void> {
  const apply = async (object: object) => {
    const applied = await controlPlane.kubectl(['apply', '-f', '-'], { input: JSON.stringify(object) });
    assert.equal(applied.code, 0, applied.stderr);
  };
  const apiVersion = 'towpath.dev/v1alpha1';
  await kubectl('create', 'namespace', HOME);
  for (const name of ['staging', 'prod'])
    await apply({
      apiVersion,
      kind: 'Environment',
      metadata: { name },
      spec: { allowedNamespaces: [HOME], namespace: '{namespace}-{environment}' },
    });
  await apply({
    apiVersion,
    kind: 'PromotionPolicy',
    metadata: { name: 'standard', namespace: HOME },
    spec: {
      selector: {},
      stages: [
        { name: 'staging', environments: ['staging'] },
        {
          name: 'prod',
          after: ['staging'],
          environments: ['prod'],
          gates: { approvals: { required: 1, groups: ['release-managers'] } },
          verify: { for: '12s', onFailure: 'Rollback' },
        },
      ],
    },
  });
  const role = ['--clusterrole=towpath-system:towpath:approver', '--group=release-managers'];
  await kubectl('-n', HOME, 'create', 'rolebinding', 'approvers', ...role);
}

/** Of prod, as the status tells it. */
export async function prodOf({ kubectl }: Site, path: string): Promise<string> {
  const where = `jsonpath={.status.environments[?(@.name=="prod")]${path}}`;
  return kubectl('-n', HOME, 'get', 'applications.towpath.dev', 'store', '-o', where);
}

export async function untilStoreAnswers(
  { kubectl }: Site,
  where: 'staging' | 'prod',
  text: string,
): Promise<void> {
  const namespace = where === 'prod' ? PROD : STAGING;
  const answer = async () => {
    const path = 'jsonpath={.spec.clusterIP}';
    const address = await kubectl(
      '-n',
      namespace,
      'get',
      'service',
      'store',
      '--ignore-not-found',
      '-o',
      path,
    );
    if (address === '') return '';
    return (await fetch(`http://${address}/`, { signal: AbortSignal.timeout(2_000) })).text();
  };
  await eventually(async () => (await answer()) === text, {
    within: 60_000,
    describe: `${where} to answer ${text}`,
  });
}

export async function untilApprovalIsAwaited(site: Site): Promise<void> {
  const waits = async () => (await prodOf(site, '.blockedBy[*].reason')).includes('AwaitingApproval');
  await eventually(waits, { within: 60_000, describe: 'prod to wait for an approval' });
}

/** Waits until something new asks for a yes before prod, and has the second person give it. */
export async function approve(site: Site): Promise<void> {
  await untilApprovalIsAwaited(site);
  const digest = await prodOf(site, '.desiredDigest');
  const approval = {
    apiVersion: 'towpath.dev/v1alpha1',
    kind: 'Approval',
    metadata: { generateName: 'store-', namespace: HOME },
    spec: {
      ...{ application: 'store', environment: 'prod', digest, decision: 'Approve' },
      ...{ by: 'olga', groups: ['release-managers'] },
    },
  };
  const input = JSON.stringify(approval);
  const create = ['create', '-f', '-'];
  const stranger = await site.controlPlane.kubectl([...create, '--as=mallory'], { input });
  assert.notEqual(stranger.code, 0, 'who has no right to it approves nothing');
  const { code, stderr } = await site.controlPlane.kubectl([...create, ...OLGA], { input });
  assert.equal(code, 0, stderr);
}

/** The phases of the Promotions to prod, in the order in which they were made. */
export async function promotionsToProd({ kubectl }: Site): Promise<string> {
  const list = ['get', 'promotions', '--selector=towpath.dev/environment=prod'];
  const order = ['--sort-by=.metadata.creationTimestamp', '-o', 'jsonpath={.items[*].status.phase}'];
  return kubectl('-n', HOME, ...list, ...order);
}
