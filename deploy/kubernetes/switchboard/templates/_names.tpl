{{- define "switchboard.name" -}}
{{- if .Values.fullnameOverride -}}
{{ .Values.fullnameOverride }}
{{- else if contains "switchboard" .Release.Name -}}
{{ .Release.Name | trunc 40 | trimSuffix "-" }}
{{- else -}}
{{ printf "%s-switchboard" (.Release.Name | trunc 28) }}
{{- end -}}
{{- end -}}

{{- define "switchboard.selector" -}}
app.kubernetes.io/name: switchboard
app.kubernetes.io/instance: {{ .root.Release.Name }}
{{- with .component }}
app.kubernetes.io/component: {{ . }}
{{- end }}
{{- end -}}

{{- define "switchboard.labels" -}}
{{ include "switchboard.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
{{- end -}}

{{- define "switchboard.image" -}}
{{- with .root.Values.image.registry }}{{ . }}/{{ end }}{{ .image }}:{{ .root.Values.image.tag | default .root.Chart.AppVersion }}
{{- end -}}

{{- /* The name in the certificate of the internal listener. */ -}}
{{- define "switchboard.internalName" -}}
{{ .Values.gateway.tls.internalName | default (printf "%s-internal" (include "switchboard.name" .)) }}
{{- end -}}

{{- /* The port of the public Service. Some proxies choose TLS to the pods by its name. */ -}}
{{- define "switchboard.publicPort" -}}
{{ ternary "https" "http" (ne .Values.gateway.tls.publicSecret "") }}
{{- end -}}

{{- /* Where services reach the REST interface: at the API-only pods, if there are any. */ -}}
{{- define "switchboard.internalUrl" -}}
{{ ternary "https" "http" (ne .Values.gateway.tls.internalSecret "") }}://{{ include "switchboard.name" . }}-internal:8001
{{- end -}}
