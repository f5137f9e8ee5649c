import { eventually } from '../harness/wait.ts';
import type { Kubectl } from './in-the-pod.ts';

/** Manifests of a web server that answers with a text, of the Service before it, and of what is in no namespace. */
export const webOf = (image: string, text: string) => `apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      securityContext: {runAsNonRoot: true, seccompProfile: {type: RuntimeDefault}}
      terminationGracePeriodSeconds: 1
      containers:
        - name: web
          image: docker.io/library/${image}
          imagePullPolicy: Never
          command: [/usr/local/bin/node, -e]
          args: ['require("http").createServer((_, response) => response.end("${text}")).listen(8080)']
          readinessProbe: {httpGet: {path: /, port: 8080}, periodSeconds: 1}
          securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80, targetPort: 8080}]}
---
apiVersion: scheduling.k8s.io/v1
kind: PriorityClass
metadata: {name: shop-web}
value: 7
`;

/** Lets the ServiceAccount of the shop write what of it stands in no namespace. */
export async function admitWeb(kubectl: Kubectl): Promise<void> {
  const classes = ['--verb=*', '--resource=priorityclasses.scheduling.k8s.io'];
  await kubectl('create', 'clusterrole', 'priorities', ...classes);
  const subject = '--serviceaccount=shop:towpath';
  await kubectl('create', 'clusterrolebinding', 'priorities', '--clusterrole=priorities', subject);
}

/** What somebody reads who opens the page. */
export async function webAnswer(kubectl: Kubectl): Promise<string> {
  const address = await kubectl('-n', 'shop', 'get', 'service', 'web', '-o', 'jsonpath={.spec.clusterIP}');
  return (await fetch(`http://${address}/`, { signal: AbortSignal.timeout(2_000) })).text();
}

export async function untilWebAnswers(kubectl: Kubectl, text: string): Promise<void> {
  const holds = async () => (await webAnswer(kubectl)) === text;
  await eventually(holds, { within: 60_000, describe: `the answer ${text}` });
}
