{{- define "switchboard.chatbotEnv" -}}
- { name: CHATBOT__HTTP__ADDRESS, value: "{{ ternary "[::]" "0.0.0.0" .Values.ipv6 }}:8100" }
- { name: CHATBOT__GATEWAY__URLS, value: {{ include "switchboard.internalUrl" . | quote }} }
- { name: CHATBOT__GATEWAY__API_KEY_FILE, value: /run/secrets/chatbot_api_key }
{{- if .Values.gateway.tls.internalSecret }}
- { name: CHATBOT__GATEWAY__CA_FILE, value: /run/secrets/gateway_ca.crt }
- { name: CHATBOT__GATEWAY__SERVER_NAME, value: {{ include "switchboard.internalName" . }} }
{{- end }}
- { name: CHATBOT__SHUTDOWN__DRAIN_S, value: {{ int .Values.chatbot.drainSeconds | quote }} }
- { name: CHATBOT__TELEMETRY__LOG_FORMAT, value: {{ .Values.telemetry.logFormat }} }
{{- with .Values.telemetry.otlpEndpoint }}
- { name: CHATBOT__TELEMETRY__OTLP_ENDPOINT, value: {{ . | quote }} }
{{- end }}
{{- end -}}

{{- define "switchboard.notifierEnv" -}}
- { name: NOTIFIER__HTTP__ADDRESS, value: "{{ ternary "[::]" "0.0.0.0" .Values.ipv6 }}:8200" }
- { name: NOTIFIER__HTTP__API_KEYS_FILE, value: /run/secrets/notifier_callers }
- { name: NOTIFIER__GATEWAY__URLS, value: {{ include "switchboard.internalUrl" . | quote }} }
- { name: NOTIFIER__GATEWAY__API_KEY_FILE, value: /run/secrets/notifier_api_key }
{{- if .Values.gateway.tls.internalSecret }}
- { name: NOTIFIER__GATEWAY__CA_FILE, value: /run/secrets/gateway_ca.crt }
- { name: NOTIFIER__GATEWAY__SERVER_NAME, value: {{ include "switchboard.internalName" . }} }
{{- end }}
- { name: NOTIFIER__OUTBOX__PATH, value: /var/lib/switchboard/notifier.sqlite }
- { name: NOTIFIER__SHUTDOWN__DRAIN_S, value: {{ int .Values.notifier.drainSeconds | quote }} }
- { name: NOTIFIER__TELEMETRY__LOG_FORMAT, value: {{ .Values.telemetry.logFormat }} }
{{- with .Values.telemetry.otlpEndpoint }}
- { name: NOTIFIER__TELEMETRY__OTLP_ENDPOINT, value: {{ . | quote }} }
{{- end }}
{{- end -}}

{{- /* Files of a service from Secrets, as a JSON list: its own `keys` of `secret`, and the authorities of the gateways. */ -}}
{{- define "switchboard.serviceFiles" -}}
{{- $files := list -}}
{{- $secret := .secret -}}
{{- range .keys }}{{ $files = append $files (dict "secret" $secret "key" . "file" .) }}{{ end -}}
{{- with .root.Values.gateway.tls.internalSecret }}{{ $files = append $files (dict "secret" . "key" "ca.crt" "file" "gateway_ca.crt") }}{{ end -}}
{{- toJson $files -}}
{{- end -}}
