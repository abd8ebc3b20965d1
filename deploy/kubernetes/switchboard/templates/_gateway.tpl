{{- define "switchboard.graceSeconds" -}}
{{- $gateway := .Values.gateway -}}
{{- $least := add $gateway.preStopSleepSeconds $gateway.drain.delaySeconds $gateway.drain.deadlineSeconds -}}
{{- if eq (int $gateway.terminationGracePeriodSeconds) 0 -}}
{{ add $least 20 }}
{{- else if le (int64 $gateway.terminationGracePeriodSeconds) (int64 $least) -}}
{{- fail (printf "gateway.terminationGracePeriodSeconds is %d, but the end of a pod takes up to %d s (preStopSleepSeconds + drain.delaySeconds + drain.deadlineSeconds). Set it to %d or more, or to 0, which computes it." (int $gateway.terminationGracePeriodSeconds) $least (add $least 20)) -}}
{{- else -}}
{{ int $gateway.terminationGracePeriodSeconds }}
{{- end -}}
{{- end -}}

{{- define "switchboard.minReadySeconds" -}}
{{- if lt (int .Values.gateway.minReadySeconds) 0 }}{{ int .Values.gateway.drain.windowSeconds }}{{ else }}{{ int .Values.gateway.minReadySeconds }}{{ end -}}
{{- end -}}

{{- define "switchboard.strategy" -}}
{{- if .Values.gateway.recreate -}}
type: Recreate
{{- else -}}
type: RollingUpdate
rollingUpdate:
  maxSurge: 1
  maxUnavailable: 0
{{- end -}}
{{- end -}}

{{- /* Files of a gateway with this `role` from Secrets, as a JSON list of { secret, key, file, env }. */ -}}
{{- define "switchboard.gatewayFiles" -}}
{{- $files := list -}}
{{- $values := .root.Values -}}
{{- if $values.gateway.hmacSecret -}}
{{- $files = append $files (dict "secret" $values.secrets.gateway "key" "hmac_secret" "file" "hmac_secret" "env" "GATEWAY__TOKENS__HMAC_SECRET_FILE") -}}
{{- end -}}
{{- $files = append $files (dict "secret" $values.secrets.gateway "key" "api_keys" "file" "api_keys" "env" "GATEWAY__API_KEYS_FILE") -}}
{{- if not (or $values.redis.url $values.redis.sentinel.hosts) -}}
{{- $files = append $files (dict "secret" $values.secrets.redis "key" "redis_url" "file" "redis_url" "env" "GATEWAY__REDIS__URL_FILE") -}}
{{- end -}}
{{- if $values.redis.sentinel.password -}}
{{- $files = append $files (dict "secret" $values.secrets.redis "key" "sentinel_password" "file" "sentinel_password" "env" "GATEWAY__REDIS__SENTINEL_PASSWORD_FILE") -}}
{{- end -}}
{{- with $values.redis.tlsSecret -}}
{{- $files = append $files (dict "secret" . "key" "ca.crt" "file" "redis_ca.crt" "env" "GATEWAY__REDIS__CA_FILE") -}}
{{- if $values.redis.clientCertificate -}}
{{- $files = append $files (dict "secret" . "key" "tls.crt" "file" "redis_tls.crt" "env" "GATEWAY__REDIS__CERT_FILE") -}}
{{- $files = append $files (dict "secret" . "key" "tls.key" "file" "redis_tls.key" "env" "GATEWAY__REDIS__KEY_FILE") -}}
{{- end -}}
{{- end -}}
{{- range $listener, $secret := include "switchboard.tlsSecrets" . | fromJson -}}
{{- range list "tls.crt" "tls.key" -}}
{{- $files = append $files (dict "secret" $secret "key" . "file" (printf "%s_%s" $listener .)) -}}
{{- end -}}
{{- end -}}
{{- range $values.gateway.extraSecretFiles -}}
{{- $files = append $files . -}}
{{- end -}}
{{- toJson $files -}}
{{- end -}}

{{- /* The Secret of each listener of this `role` that has TLS, as JSON: { listener: secret }. */ -}}
{{- define "switchboard.tlsSecrets" -}}
{{- $secrets := dict -}}
{{- with .root.Values.gateway.tls.internalSecret }}{{ $_ := set $secrets "internal" . }}{{ end -}}
{{- if eq .role "full" -}}
{{- with .root.Values.gateway.tls.publicSecret }}{{ $_ := set $secrets "public" . }}{{ end -}}
{{- end -}}
{{- toJson $secrets -}}
{{- end -}}

{{- define "switchboard.gatewayEnv" -}}
{{- $root := .root -}}
{{- $values := .root.Values -}}
{{- $tls := $values.gateway.tls -}}
{{- $any := ternary "[::]" "0.0.0.0" $values.ipv6 -}}
{{- $own := ternary "[$(POD_IP)]" "$(POD_IP)" $values.ipv6 -}}
- name: POD_IP
  valueFrom: { fieldRef: { fieldPath: status.podIP } }
- name: GATEWAY__NODE__NAME
  valueFrom: { fieldRef: { fieldPath: metadata.name } }
- { name: GATEWAY__NODE__ROLE, value: {{ .role }} }
- { name: GATEWAY__INTERNAL__ADDRESS, value: "{{ $any }}:8001" }
- { name: GATEWAY__CLUSTER__LINK_URL, value: "{{ ternary "wss" "ws" (ne $tls.internalSecret "") }}://{{ $own }}:8001" }
{{- if eq .role "full" }}
- { name: GATEWAY__PUBLIC__ADDRESS, value: "{{ $any }}:8000" }
- { name: GATEWAY__CLUSTER__PUBLIC_URL, value: {{ $values.gateway.publicUrl | default (printf "%s://%s:8000" (ternary "https" "http" (ne $tls.publicSecret "")) $own) | quote }} }
- { name: GATEWAY__WORKERS, value: {{ $values.gateway.workers | quote }} }
{{- with $values.gateway.allowedOrigins }}
- { name: GATEWAY__PUBLIC__ALLOWED_ORIGINS, value: {{ join "," . | quote }} }
{{- end }}
{{- with $values.gateway.hosts }}
- { name: GATEWAY__PUBLIC__HOSTS, value: {{ join "," . | quote }} }
{{- end }}
{{- with $values.gateway.trustedProxies }}
- { name: GATEWAY__PUBLIC__TRUSTED_PROXIES, value: {{ join "," . | quote }} }
{{- end }}
{{- with $values.gateway.proxyIdleTimeout }}
- { name: GATEWAY__PUBLIC__PROXY_IDLE_TIMEOUT, value: {{ . | quote }} }
{{- end }}
{{- end }}
- { name: GATEWAY__BROKER__KIND, value: redis }
{{- with $values.redis.url }}
- { name: GATEWAY__REDIS__URL, value: {{ . | quote }} }
{{- end }}
{{- with $values.redis.sentinel }}
{{- if .hosts }}
- { name: GATEWAY__REDIS__URL, value: "redis{{ if $values.redis.tlsSecret }}s{{ end }}+sentinel://{{ join "," .hosts }}/{{ .master }}" }
{{- end }}
{{- if .user }}
- { name: GATEWAY__REDIS__SENTINEL_USER, value: {{ .user | quote }} }
{{- end }}
{{- end }}
{{- range $listener, $_ := include "switchboard.tlsSecrets" . | fromJson }}
- { name: GATEWAY__{{ upper $listener }}__TLS__PAIRS, value: "/run/secrets/{{ $listener }}_tls.crt=/run/secrets/{{ $listener }}_tls.key" }
{{- end }}
{{- range include "switchboard.gatewayFiles" . | fromJsonArray }}
{{- if .env }}
- { name: {{ .env }}, value: /run/secrets/{{ .file }} }
{{- end }}
{{- end }}
{{- with $values.gateway.drain }}
- { name: GATEWAY__DRAIN__DELAY, value: {{ int .delaySeconds }}s }
- { name: GATEWAY__DRAIN__WINDOW, value: {{ int .windowSeconds }}s }
- { name: GATEWAY__DRAIN__DEADLINE, value: {{ int .deadlineSeconds }}s }
{{- end }}
- { name: GATEWAY__TELEMETRY__LOG_FORMAT, value: {{ $values.telemetry.logFormat }} }
{{- with $values.telemetry.otlpEndpoint }}
- { name: GATEWAY__TELEMETRY__OTLP_ENDPOINT, value: {{ . | quote }} }
{{- end }}
{{- end -}}

{{- /* The pods of a Deployment of gateways: `role` is node.role, `component` names the workload, `own` has its values. */ -}}
{{- define "switchboard.gatewayPod" -}}
{{- $root := .root -}}
metadata:
  {{- $annotations := dict "checksum/settings" (sha256sum $root.Values.gateway.settings) }}
  {{- include "switchboard.podMetadata" (dict "root" $root "component" .component "own" .own "annotations" $annotations "labels" (dict "switchboard/node" "true")) | nindent 2 }}
spec:
  {{- include "switchboard.pod" (dict "root" $root "own" .own) | nindent 2 }}
  terminationGracePeriodSeconds: {{ include "switchboard.graceSeconds" $root }}
  topologySpreadConstraints:
    {{- $selector := include "switchboard.selector" (dict "root" $root "component" .component) }}
    {{- range list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
    - topologyKey: {{ . }}
      maxSkew: 1
      # Fewer zones or machines than pods must not keep a pod from starting.
      whenUnsatisfiable: ScheduleAnyway
      matchLabelKeys: [pod-template-hash]
      labelSelector:
        matchLabels: {{- $selector | nindent 10 }}
    {{- end }}
  containers:
    - name: gateway
      {{- include "switchboard.container" (dict "root" $root "own" .own "image" $root.Values.gateway.image) | nindent 6 }}
      args: [--config, /etc/switchboard/gateway.toml]
      env: {{- include "switchboard.env" (dict "chart" (include "switchboard.gatewayEnv" (dict "root" $root "role" .role)) "extra" $root.Values.gateway.extraEnv "values" "gateway.extraEnv") | nindent 8 }}
      ports:
        {{- if eq .role "full" }}
        - { name: public, containerPort: 8000 }
        {{- end }}
        - { name: internal, containerPort: 8001 }
      {{- include "switchboard.probes" (dict "port" "internal" "tls" $root.Values.gateway.tls.internalSecret) | nindent 6 }}
      {{- with $root.Values.gateway.preStopSleepSeconds }}
      lifecycle:
        preStop:
          sleep: { seconds: {{ int . }} }
      {{- end }}
      volumeMounts:
        - { name: settings, mountPath: /etc/switchboard, readOnly: true }
        - { name: secrets, mountPath: /run/secrets, readOnly: true }
  volumes:
    - name: settings
      configMap:
        name: {{ include "switchboard.name" $root }}-settings
    - name: secrets
      {{- include "switchboard.secretFiles" (include "switchboard.gatewayFiles" . | fromJsonArray) | nindent 6 }}
{{- end -}}
