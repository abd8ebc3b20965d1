{{- /* What all pods have in common: placement, and nothing that a container does not need. `own` are the values of the workload. */ -}}
{{- define "switchboard.pod" -}}
serviceAccountName: {{ include "switchboard.name" .root }}
automountServiceAccountToken: false
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile:
    type: RuntimeDefault
{{- with .root.Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- with .own.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .own.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .own.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .own.affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- /* Labels and annotations of pods. Those of the chart win, because selectors need them. */ -}}
{{- define "switchboard.podMetadata" -}}
labels: {{- merge (include "switchboard.labels" . | fromYaml) (.labels | default dict) .own.podLabels | toYaml | nindent 2 }}
{{- with merge (dict) (.annotations | default dict) .own.podAnnotations }}
annotations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "switchboard.container" -}}
image: {{ include "switchboard.image" (dict "root" .root "image" .image) }}
imagePullPolicy: {{ .root.Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities:
    drop: [ALL]
resources: {{- toYaml .own.resources | nindent 2 }}
{{- end -}}

{{- /*
Probes. Restarting cures a process that hangs, not one that waits for Redis, so only /livez can end a container. It answers at once, needs
nothing else, and has a minute before it counts.
*/ -}}
{{- define "switchboard.probes" -}}
startupProbe:
  httpGet: { path: /livez, port: {{ . }} }
  periodSeconds: 1
  timeoutSeconds: 5
  failureThreshold: 60
readinessProbe:
  httpGet: { path: /readyz, port: {{ . }} }
  periodSeconds: 5
  timeoutSeconds: 5
  failureThreshold: 2
livenessProbe:
  httpGet: { path: /livez, port: {{ . }} }
  periodSeconds: 10
  timeoutSeconds: 10
  failureThreshold: 6
{{- end -}}

{{- /* A volume of files from Secrets: a list of { secret, key, file }. */ -}}
{{- define "switchboard.secretFiles" -}}
projected:
  defaultMode: 0440
  sources:
    {{- range . }}
    - secret:
        name: {{ .secret }}
        items:
          - { key: {{ .key }}, path: {{ .file }} }
    {{- end }}
{{- end -}}
