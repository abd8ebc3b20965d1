{{- define "switchboard.monitoring" -}}
{{- with .Values.networkPolicy.monitoringNamespace -}}
- namespaceSelector: { matchLabels: { kubernetes.io/metadata.name: {{ . }} } }
{{- end -}}
{{- end -}}

{{- /* Pods with the label, here and in the listed namespaces; and monitoring. */ -}}
{{- define "switchboard.callers" -}}
- podSelector: { matchLabels: { {{ .label }}: "true" } }
{{- range .root.Values.networkPolicy.serviceNamespaces }}
- namespaceSelector: { matchLabels: { kubernetes.io/metadata.name: {{ . }} } }
  podSelector: { matchLabels: { {{ $.label }}: "true" } }
{{- end }}
{{- with include "switchboard.monitoring" .root }}
{{ . }}
{{- end }}
{{- end -}}
