{{- /* Names and labels. part is edge, loader or setup: call with (dict "root" $ "part" "edge"). */ -}}
{{- define "millrace.name" -}}
{{- printf "%s-%s" (trunc 50 .root.Release.Name | trimSuffix "-") .part -}}
{{- end -}}

{{- define "millrace.selector" -}}
app.kubernetes.io/name: millrace
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .part }}
{{- end -}}

{{- define "millrace.labels" -}}
{{ include "millrace.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- end -}}

{{- /* Settings become variables: max-body-bytes is MILLRACE_MAX_BODY_BYTES. Helm passes numbers as floats. */ -}}
{{- define "millrace.settings" -}}
{{- range $name, $value := . }}
- name: MILLRACE_{{ $name | upper | replace "-" "_" }}
  value: {{ if kindIs "float64" $value }}{{ $value | int64 | quote }}{{ else }}{{ $value | quote }}{{ end }}
{{- end }}
{{- end -}}

{{- define "millrace.secret" -}}
- name: {{ .variable }}
  valueFrom:
    secretKeyRef:
      name: {{ .secret.name }}
      key: {{ .secret.key }}
{{- end -}}

{{- define "millrace.kafka" -}}
- name: MILLRACE_BROKERS
  value: {{ join "," .Values.kafka.brokers | quote }}
- name: MILLRACE_REPLICATION
  value: {{ .Values.kafka.replication | quote }}
{{- end -}}

{{- define "millrace.clickhouse" -}}
{{- with .Values.clickhouse -}}
- name: MILLRACE_CLICKHOUSE
  value: {{ .address | quote }}
- name: MILLRACE_DATABASE
  value: {{ .database | quote }}
{{- with .cluster }}
- name: MILLRACE_CLICKHOUSE_CLUSTER
  value: {{ . | quote }}
{{- end }}
{{- if .replicated }}
- name: MILLRACE_CLICKHOUSE_REPLICATED
  value: "true"
{{- end }}
- name: MILLRACE_CLICKHOUSE_USER
  value: {{ .user | quote }}
- name: MILLRACE_CLICKHOUSE_TLS
  value: {{ .tls | quote }}
{{- if .passwordSecret.name }}
{{ include "millrace.secret" (dict "variable" "MILLRACE_CLICKHOUSE_PASSWORD" "secret" .passwordSecret) }}
{{- end }}
{{- end -}}
{{- end -}}

{{- /* The operator's entries come last and take precedence. */ -}}
{{- define "millrace.more" -}}
{{- include "millrace.settings" .root.Values.settings }}
{{- include "millrace.settings" .values.settings }}
{{- with .root.Values.env }}
{{ toYaml . }}
{{- end }}
{{- with .values.env }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "millrace.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{- define "millrace.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end -}}

{{- define "millrace.image" -}}
{{ printf "%s:%s" .repository (default .root.Chart.AppVersion .root.Values.image.tag) | quote }}
{{- end -}}

{{- /* Probes use the admin address. A live program may wait for its brokers for any time: only
     its readiness depends on them. */ -}}
{{- define "millrace.probes" -}}
startupProbe:
  httpGet: {path: /healthz, port: admin}
  periodSeconds: 2
  failureThreshold: 30
livenessProbe:
  httpGet: {path: /healthz, port: admin}
  periodSeconds: 10
  failureThreshold: 6
readinessProbe:
  httpGet: {path: /readyz, port: admin}
  periodSeconds: 2
  failureThreshold: 2
{{- end -}}

{{- define "millrace.spread" -}}
- maxSkew: 1
  topologyKey: {{ .key }}
  whenUnsatisfiable: ScheduleAnyway
  labelSelector:
    matchLabels:
      {{- include "millrace.selector" . | nindent 6 }}
{{- end -}}
