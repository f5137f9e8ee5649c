/**
 * A Helm chart with `objects` objects: a ServiceAccount, a Service, and ConfigMaps, of which the first changes
 * with `.Values.message`. All are healthy as soon as they exist, so that no controller's speed is measured.
 */
export function chartOf(objects: number, directory = 'chart'): Record<string, string> {
  const configMaps = Array.from({ length: objects - 2 }, (_, index) => configMap(index));
  return {
    [`${directory}/Chart.yaml`]: 'apiVersion: v2\nname: bench\nversion: 1.0.0\nappVersion: "1"\n',
    [`${directory}/values.yaml`]: valuesOf('first'),
    [`${directory}/templates/account.yaml`]: `apiVersion: v1\nkind: ServiceAccount\n${metadata('')}`,
    [`${directory}/templates/service.yaml`]: `apiVersion: v1\nkind: Service\n${metadata('')}spec:\n  selector:\n    app: {{ .Release.Name }}\n  ports:\n    - name: http\n      port: 80\n      targetPort: 8080\n`,
    [`${directory}/templates/config.yaml`]: configMaps.join('---\n'),
  };
}

/** The chart's values file; each message makes another first ConfigMap. */
export function valuesOf(message: string): string {
  return `message: ${message}\nport: 8080\n`;
}

function configMap(index: number): string {
  const text = index === 0 ? '{{ .Values.message | quote }}' : `"text ${index} of {{ .Release.Name }}"`;
  const lines = Array.from({ length: 10 }, (_, line) => `      setting-${line}=${index}-${line}\n`).join('');
  return `apiVersion: v1\nkind: ConfigMap\n${metadata(`-${index}`)}data:\n  message: ${text}\n  settings: |\n${lines}`;
}

function metadata(suffix: string): string {
  return `metadata:\n  name: {{ .Release.Name }}${suffix}\n  labels:\n    app.kubernetes.io/name: bench\n    app.kubernetes.io/instance: {{ .Release.Name }}\n`;
}
