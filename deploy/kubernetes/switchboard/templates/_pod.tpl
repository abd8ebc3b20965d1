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
nothing else, and has a minute before it counts. `tls`: the listener has TLS; the kubelet believes every certificate.
*/ -}}
{{- define "switchboard.probes" -}}
{{- $scheme := ternary ", scheme: HTTPS" "" (not (empty .tls)) -}}
startupProbe:
  httpGet: { path: /livez, port: {{ .port }}{{ $scheme }} }
  periodSeconds: 1
  timeoutSeconds: 5
  failureThreshold: 60
readinessProbe:
  httpGet: { path: /readyz, port: {{ .port }}{{ $scheme }} }
  periodSeconds: 5
  timeoutSeconds: 5
  failureThreshold: 2
livenessProbe:
  httpGet: { path: /livez, port: {{ .port }}{{ $scheme }} }
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

{{- /*
The variables of a container: those of the chart, and further ones. A variable that is set twice would silently win over a value of the chart,
and a secret in a variable would be in the release.
*/ -}}
{{- define "switchboard.env" -}}
{{- $own := list -}}
{{- range .chart | fromYamlArray }}{{ $own = append $own .name }}{{ end -}}
{{- range .extra -}}
{{- if has .name $own -}}
{{- fail (printf "%s sets %s, which the chart sets. Use the value that stands for it; values.yaml describes all." $.values .name) -}}
{{- end -}}
{{- if and .value (regexMatch "(HMAC_SECRET|API_KEYS?|SENTINEL_PASSWORD|REDIS__URL|__SECRETS|__HEADERS__.*)$" .name) -}}
{{- fail (printf "%s has a secret, %s. Values are no place for secrets: put it into a Secret (secrets.*, gateway.extraSecretFiles) and name its file with %s_FILE." $.values .name .name) -}}
{{- end -}}
{{- $own = append $own .name -}}
{{- end -}}
{{ .chart }}
{{- with .extra }}
{{ toYaml . }}
{{- end }}
{{- end -}}
