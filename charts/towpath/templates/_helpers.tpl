{{/* Cut to what a name may have, with an ending that it may have. */}}
{{- define "towpath.cut" -}}
{{- trunc 53 . | regexFind "^.*[a-z0-9]" -}}
{{- end -}}

{{- define "towpath.name" -}}
{{- default .Chart.Name .Values.nameOverride | include "towpath.cut" -}}
{{- end -}}

{{- define "towpath.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- include "towpath.cut" .Values.fullnameOverride -}}
{{- else if contains (include "towpath.name" .) .Release.Name -}}
{{- include "towpath.cut" .Release.Name -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "towpath.name" .) | include "towpath.cut" -}}
{{- end -}}
{{- end -}}

{{/* A Service's name has no dot and begins with a letter, where a release's need not. */}}
{{- define "towpath.serviceName" -}}
{{- $name := include "towpath.fullname" . | replace "." "-" -}}
{{- if not (regexMatch "^[a-z]" $name) -}}
{{- $name = printf "%s-%s" .Chart.Name $name -}}
{{- end -}}
{{- include "towpath.cut" $name -}}
{{- end -}}

{{/* Cluster-scoped objects of two installations must not meet: no namespace and no release has a colon in its name. */}}
{{- define "towpath.clusterName" -}}
{{- printf "%s:%s" .Release.Namespace (include "towpath.fullname" .) -}}
{{- end -}}

{{/* Names of policies have no colon, and no namespace has a dot. */}}
{{- define "towpath.approvalPolicy" -}}
{{- printf "%s.approvals" (include "towpath.clusterName" . | replace ":" ".") -}}
{{- end -}}

{{- define "towpath.promotionPolicy" -}}
{{- printf "%s.promotions" (include "towpath.clusterName" . | replace ":" ".") -}}
{{- end -}}

{{/* Which namespaces an admission policy is about: those of others are another installation's. */}}
{{- define "towpath.watchedNamespaces" -}}
{{- with .Values.watchNamespace -}}
namespaceSelector:
  matchLabels:
    kubernetes.io/metadata.name: {{ . | quote }}
{{- end -}}
{{- end -}}

{{- define "towpath.operatorAccount" -}}
{{- printf "system:serviceaccount:%s:%s" .Release.Namespace (include "towpath.serviceAccountName" .) -}}
{{- end -}}

{{/*
In CEL: whether an operator asks, this one or that of another installation, which goes on beside this one. Those have a
verb by name, in all namespaces; who has it by a wildcard is an administrator, and no operator.
*/}}
{{- define "towpath.isOperator" -}}
{{- $promotions := "authorizer.group('towpath.dev').resource('promotions')" -}}
(request.userInfo.username == '{{ include "towpath.operatorAccount" . }}' || (request.userInfo.username.startsWith('system:serviceaccount:') && {{ $promotions }}.check('record').allowed() && !{{ $promotions }}.check('*').allowed()))
{{- end -}}

{{- define "towpath.installation" -}}
{{- .Values.installation | default (printf "%s/%s" .Release.Namespace (include "towpath.fullname" .)) -}}
{{- end -}}

{{/* Never changes in the life of a release: a Deployment's selector is immutable. */}}
{{- define "towpath.selectorLabels" -}}
app.kubernetes.io/name: {{ include "towpath.name" . | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end -}}

{{/* By which a ServiceMonitor finds the Service: no label that a tool that applies the chart writes over. */}}
{{- define "towpath.scrapeLabels" -}}
towpath.dev/scrape: {{ include "towpath.fullname" . | quote }}
{{- end -}}

{{/* Not the operator's own, or its Service and its NetworkPolicy would take the test's Pod for a replica. */}}
{{- define "towpath.testLabels" -}}
app.kubernetes.io/name: "{{ include "towpath.name" . }}-test"
{{- end -}}

{{/* Of what stands in no namespace: releases of one name in two namespaces are told apart. */}}
{{- define "towpath.clusterLabels" -}}
{{- merge (dict "towpath.dev/installed-in" .Release.Namespace) (include "towpath.labels" . | fromYaml) | toYaml -}}
{{- end -}}

{{- define "towpath.labels" -}}
{{- include "towpath.labelsWith" (list . dict) -}}
{{- end -}}

{{/* With those of one kind of object, which are meant before those of all: the last one that is set counts. */}}
{{- define "towpath.labelsWith" -}}
{{- with first . -}}
{{- $own := include "towpath.selectorLabels" . | fromYaml -}}
{{- $own = merge $own (dict "app.kubernetes.io/managed-by" .Release.Service "app.kubernetes.io/version" .Chart.AppVersion "helm.sh/chart" (printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_")) -}}
{{- $labels := dict -}}
{{- range list .Values.labels (last $) $own -}}
{{- range $name, $value := . }}{{ $_ := set $labels $name $value }}{{ end -}}
{{- end -}}
{{- toYaml $labels -}}
{{- end -}}
{{- end -}}

{{/* What the operator may do where the Applications are. */}}
{{- define "towpath.rulesOfApplications" -}}
{{ include "towpath.rules.watched" . }}
{{- with .Values.impersonate }}
# Whose rights the Applications' objects are written with: ServiceAccounts of these names alone.
- apiGroups: [""]
  resources: [serviceaccounts]
  resourceNames: {{ toJson . }}
  verbs: [impersonate]
{{- end }}
{{- end -}}

{{/* Not empty where it may make managed access: that is used as the ServiceAccount towpath. */}}
{{- define "towpath.managesAccess" -}}
{{- if and .Values.managedAccess.clusterRoles (not .Values.watchNamespace) (has "towpath" .Values.impersonate) }}true{{ end -}}
{{- end -}}

{{/* Not one of those that Applications may name: one in this namespace would have the operator's own rights. */}}
{{- define "towpath.serviceAccountName" -}}
{{- $name := .Values.serviceAccount.name -}}
{{- if .Values.serviceAccount.create -}}
{{- $name = default (printf "%s-operator" (include "towpath.fullname" .)) $name -}}
{{- end -}}
{{- $name = required "serviceAccount.name must name one that exists where serviceAccount.create is false." $name -}}
{{- if has $name .Values.impersonate -}}
{{- fail (printf "impersonate lists %s, the operator's own ServiceAccount: an Application in namespace %s could write with the operator's rights. Give serviceAccount.name another name." $name .Release.Namespace) -}}
{{- end -}}
{{- $name -}}
{{- end -}}

{{- define "towpath.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}{{ .repository }}@{{ .digest }}{{- else -}}{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}{{- end -}}
{{- end -}}
{{- end -}}

{{/* One endpoint of a ServiceMonitor or a PodMonitor. */}}
{{- define "towpath.endpoint" -}}
- port: metrics
  path: /metrics
  {{- with .interval }}
  interval: {{ . | quote }}
  {{- end }}
  {{- with .relabelings }}
  relabelings: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .metricRelabelings }}
  metricRelabelings: {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end -}}

{{/* Labels by which Prometheus tells this installation's series; the job is the one of the chart's own monitor. */}}
{{- define "towpath.scraped" -}}
namespace="{{ .Release.Namespace }}"
{{- if .Values.metrics.serviceMonitor.enabled }},job="{{ include "towpath.serviceName" . }}-metrics"
{{- else if .Values.metrics.podMonitor.enabled }},job="{{ .Release.Namespace }}/{{ include "towpath.fullname" . }}"
{{- end }}
{{- end -}}

{{/* A rule of egress: ports of addresses, by default of all but those where clouds serve credentials. */}}
{{- define "towpath.reaches" -}}
- ports:
    {{- range .ports }}
    - {port: {{ int . }}, protocol: TCP}
    {{- end }}
  {{- if or .cidrs (not .anywhere) }}
  to:
    {{- range .cidrs }}
    - ipBlock: {cidr: {{ . | quote }}}
    {{- else }}
    {{- include "towpath.anyButMetadata" . | nindent 4 }}
    {{- end }}
  {{- end }}
{{- end -}}

{{/* The ports of the proxies, as JSON; those that are no port of a URL are its scheme's. */}}
{{- define "towpath.proxyPorts" -}}
{{- $ports := list -}}
{{- range compact (list .Values.proxy.http .Values.proxy.https) -}}
{{- $url := urlParse . -}}
{{- $standard := ternary "443" "80" (eq $url.scheme "https") -}}
{{- $ports = append $ports (regexFind ":[0-9]+$" $url.host | trimPrefix ":" | default $standard | int) -}}
{{- end -}}
{{- $ports | uniq | toJson -}}
{{- end -}}

{{/* Where a Pod of the chart runs and where its image comes from; the same for each. */}}
{{- define "towpath.podPlace" -}}
{{- with .Values.imagePullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . | quote }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/*
Of the replicas. Where nothing is said of how they are spread, they keep out of each other's zone where there are such;
those of an upgrade do so among themselves, as those before them are about to go.
*/}}
{{- define "towpath.affinity" -}}
{{- $affinity := default dict .Values.affinity -}}
{{- if not (or .Values.topologySpreadConstraints (hasKey $affinity "podAntiAffinity")) -}}
{{- $affinity = merge (include "towpath.otherZone" . | fromYaml) $affinity -}}
{{- end -}}
{{- toYaml $affinity -}}
{{- end -}}

{{- define "towpath.otherZone" -}}
podAntiAffinity:
  preferredDuringSchedulingIgnoredDuringExecution:
    - weight: 100
      podAffinityTerm:
        topologyKey: topology.kubernetes.io/zone
        labelSelector:
          matchLabels: {{- include "towpath.selectorLabels" . | nindent 12 }}
        matchLabelKeys: [pod-template-hash]
{{- end -}}

{{- define "towpath.podSecurity" -}}
runAsNonRoot: true
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- define "towpath.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}

{{- define "towpath.proxyEnv" -}}
{{- $extra := list }}
{{- range .extraEnv }}
{{- if has .name $extra }}
{{- fail (printf "%s is in extraEnv twice: keep one of them, since a container has a name once." .name) }}
{{- end }}
{{- $extra = append $extra .name }}
{{- end }}
{{- with .proxy }}
{{- range $key, $url := pick . "http" "https" }}
{{- if contains "@" (default "" $url) }}
{{- fail (printf "proxy.%s has a user in it, which would stand in the Deployment with the password: keep the URL in a Secret, and take it from there by extraEnv, as the README of the chart shows." $key) }}
{{- end }}
{{- end }}
{{- range $name, $value := dict "HTTP_PROXY" .http "HTTPS_PROXY" .https "NO_PROXY" .bypass }}
{{- if $value }}
{{- range $extra }}
{{- if eq (upper .) $name }}
{{- fail (printf "%s is in extraEnv and in proxy: keep one of them, since the operator reads that name in either case, and follows one of them alone." .) }}
{{- end }}
{{- end }}
- name: {{ $name }}
  value: {{ $value | quote }}
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{/* The volume with the private authorities; nothing where there are none. */}}
{{- define "towpath.authorities" -}}
{{- with .Values.certificateAuthorities -}}
{{- if and .configMap .secret -}}
{{- fail "certificateAuthorities.configMap and certificateAuthorities.secret are both given: keep one." -}}
{{- else if .configMap -}}
configMap:
  name: {{ .configMap | quote }}
{{- else if .secret -}}
secret:
  secretName: {{ .secret | quote }}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* The container's limit of memory in bytes, as PromQL calculates it; empty where there is none. */}}
{{- define "towpath.memoryLimit" -}}
{{- with dig "limits" "memory" "" .Values.resources | toString -}}
{{- $units := dict "m" "/ 1000" "k" "* 1000" "M" "* 1000^2" "G" "* 1000^3" "T" "* 1000^4" "P" "* 1000^5" "E" "* 1000^6" "Ki" "* 1024" "Mi" "* 1024^2" "Gi" "* 1024^3" "Ti" "* 1024^4" "Pi" "* 1024^5" "Ei" "* 1024^6" -}}
{{- $unit := regexFind "(m|k|[MGTPE]|[KMGTPE]i)$" . -}}
{{- trimSuffix $unit . }}{{ with $unit }} {{ get $units . }}{{ end -}}
{{- end -}}
{{- end -}}

{{/* The alerts that need no limit of memory. */}}
{{- define "towpath.rulesWithoutLimit" -}}
{{- $rules := list -}}
{{- range .rules }}{{ if not (contains "MEMORY_LIMIT" .expr) }}{{ $rules = append $rules . }}{{ end }}{{ end -}}
{{- toYaml $rules -}}
{{- end -}}
