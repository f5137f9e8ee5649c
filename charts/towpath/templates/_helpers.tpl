{{- define "towpath.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 53 | trimSuffix "-" -}}
{{- end -}}

{{- define "towpath.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 53 | trimSuffix "-" -}}
{{- else if contains (include "towpath.name" .) .Release.Name -}}
{{- .Release.Name | trunc 53 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "towpath.name" .) | trunc 53 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* Cluster-scoped objects of two installations must not meet. */}}
{{- define "towpath.clusterName" -}}
{{- printf "%s-%s" .Release.Namespace (include "towpath.fullname" .) -}}
{{- end -}}

{{/* Never changes in the life of a release: a Deployment's selector is immutable. */}}
{{- define "towpath.selectorLabels" -}}
app.kubernetes.io/name: {{ include "towpath.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "towpath.labels" -}}
{{- $own := include "towpath.selectorLabels" . | fromYaml -}}
{{- $own = merge $own (dict "app.kubernetes.io/managed-by" .Release.Service "app.kubernetes.io/version" .Chart.AppVersion "helm.sh/chart" (printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_")) -}}
{{- merge $own .Values.labels | toYaml -}}
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
