/** Examples of values; they stand in the chart's README, and a test renders each as it stands there. */
export const CHART_EXAMPLES: readonly { title: string; says: string; values: string }[] = [
  {
    title: 'An image by digest, from a registry with credentials',
    says: 'The Secret stands in the namespace of the release.',
    values: `
image:
  repository: registry.example.com/platform/towpath
  digest: sha256:4f2c81a04f2c81a04f2c81a04f2c81a04f2c81a04f2c81a04f2c81a04f2c81a0
imagePullSecrets:
  - name: registry
`,
  },
  {
    title: 'Monitoring with the Prometheus Operator and Grafana',
    says: 'The label is the one by which your Prometheus selects.',
    values: `
metrics:
  serviceMonitor:
    enabled: true
    labels: {release: kube-prometheus-stack}
  prometheusRule:
    enabled: true
    labels: {release: kube-prometheus-stack}
  dashboard:
    enabled: true
`,
  },
  {
    title: 'Shut in by a NetworkPolicy',
    says: 'Git is one server here, and only the namespace monitoring may scrape.',
    values: `
networkPolicy:
  enabled: true
  git:
    ports: [22, 443]
    cidrs: [192.0.2.10/32]
  metricsFrom:
    - namespaceSelector:
        matchLabels: {kubernetes.io/metadata.name: monitoring}
`,
  },
  {
    title: 'Behind a proxy',
    says: 'For Git over HTTP. The API server and names that end with .svc are always reached without it.',
    values: `
proxy:
  https: http://proxy.example.com:3128
  bypass: git.internal.example.com,192.0.2.0/24
`,
  },
  {
    title: 'Behind a proxy that wants a password',
    says: 'What `proxy` says stands in the Deployment, where many may read it. So the address comes from a Secret (`kubectl create secret generic proxy --from-literal=url=http://user:password@proxy.example.com:3128`); a NetworkPolicy opens the port by `extraEgress`.',
    values: `
extraEnv:
  - name: HTTPS_PROXY
    valueFrom:
      secretKeyRef: {name: proxy, key: url}
proxy:
  bypass: git.internal.example.com
`,
  },
  {
    title: 'A private authority',
    says: 'Trusted for all repositories, beside the public ones: `kubectl create configmap authorities --from-file=ca.crt=…` in the namespace of the release makes it.',
    values: `
certificateAuthorities:
  configMap: authorities
`,
  },
  {
    title: 'One namespace only',
    says: 'Several installations with a namespace each go together in one cluster.',
    values: `
watchNamespace: shop
impersonate: [towpath, deployer]
`,
  },
  {
    title: 'On nodes of the platform, before others',
    says: 'With three replicas and a ServiceAccount that there is already.',
    values: `
replicaCount: 3
priorityClassName: system-cluster-critical
nodeSelector: {node-role.kubernetes.io/infra: ""}
tolerations:
  - key: node-role.kubernetes.io/infra
    operator: Exists
serviceAccount:
  create: false
  name: gitops
labels: {team: platform}
podAnnotations: {example.com/cost-center: "4711"}
`,
  },
];
