{{- /* Rules between values, which a JSON schema cannot state. Each message names the cure. */ -}}
{{- define "switchboard.checks" -}}
{{- $values := .Values -}}
{{- $redis := $values.redis -}}
{{- $sources := list -}}
{{- if $redis.url }}{{ $sources = append $sources "redis.url" }}{{ end -}}
{{- if $redis.sentinel.hosts }}{{ $sources = append $sources "redis.sentinel.hosts" }}{{ end -}}
{{- if gt (len $sources) 1 -}}
{{- fail "redis.url and redis.sentinel.hosts are both set. Keep the one that leads to your Redis, and empty the other." -}}
{{- end -}}
{{- if and (not $sources) (not $values.secrets.redis) -}}
{{- fail "Nothing says where Redis is. Set secrets.redis to the Secret with the key redis_url, or set redis.url or redis.sentinel if Redis has no password." -}}
{{- end -}}
{{- if and $redis.sentinel.hosts (not $redis.sentinel.master) -}}
{{- fail "redis.sentinel.hosts is set without redis.sentinel.master. Set it to the name by which the sentinels know the master, such as mymaster." -}}
{{- end -}}
{{- if and $redis.sentinel.master (not $redis.sentinel.hosts) -}}
{{- fail "redis.sentinel.master is set without redis.sentinel.hosts. List the sentinels there, such as sentinel-0.redis:26379." -}}
{{- end -}}
{{- if and $redis.sentinel.password (not $values.secrets.redis) -}}
{{- fail "redis.sentinel.password is true, but secrets.redis is empty. Set secrets.redis to the Secret with the key sentinel_password." -}}
{{- end -}}
{{- if and $redis.clientCertificate (not $redis.tlsSecret) -}}
{{- fail "redis.clientCertificate is true, but redis.tlsSecret is empty. Set redis.tlsSecret to the Secret with ca.crt, tls.crt and tls.key." -}}
{{- end -}}
{{- if and $redis.tlsSecret $redis.url (not (hasPrefix "rediss" $redis.url)) -}}
{{- fail "redis.tlsSecret is set, but redis.url does not use TLS. Write rediss:// instead of redis://." -}}
{{- end -}}
{{- if not $values.secrets.gateway -}}
{{- fail "secrets.gateway is empty. Create a Secret with the keys hmac_secret and api_keys (README.md has the command), and set secrets.gateway to its name." -}}
{{- end -}}
{{- with regexFind "(?m)^\\s*(hmac_secret|sentinel_password|secrets|key|api_keys)\\s*=|^\\s*\\[\\[api_keys" $values.gateway.settings -}}
{{- fail (printf "gateway.settings has a secret (%s). It would be in a ConfigMap. Put it into a Secret (secrets.*, gateway.extraSecretFiles), and name its file if the chart does not." (trim . | trimSuffix "=" | trim)) -}}
{{- end -}}
{{- if regexMatch "redis[a-z+]*://[^\\s\"']*@" $values.gateway.settings -}}
{{- fail "gateway.settings has a URL of Redis with a password. It would be in a ConfigMap. Put it into the Secret of secrets.redis, as redis_url." -}}
{{- end -}}
{{- if and $values.chatbot.enabled (not $values.secrets.chatbot) -}}
{{- fail "secrets.chatbot is empty. Set it to the Secret with the key chatbot_api_key, or set chatbot.enabled to false." -}}
{{- end -}}
{{- if and $values.notifier.enabled (not $values.secrets.notifier) -}}
{{- fail "secrets.notifier is empty. Set it to the Secret with the keys notifier_api_key and notifier_callers, or set notifier.enabled to false." -}}
{{- end -}}
{{- if gt (int $values.notifier.replicas) 1 -}}
{{- fail (printf "notifier.replicas is %d, but its outbox is a file that one pod may have open. Set it to 1, or to 0 to stop the notifier." (int $values.notifier.replicas)) -}}
{{- end -}}
{{- with $values.gateway.drain -}}
{{- if gt (int .windowSeconds) (int .deadlineSeconds) -}}
{{- fail (printf "gateway.drain.windowSeconds is %d, longer than gateway.drain.deadlineSeconds (%d): the last connections would be cut. Raise deadlineSeconds to %d or more, or lower windowSeconds." (int .windowSeconds) (int .deadlineSeconds) (add .windowSeconds 30)) -}}
{{- end -}}
{{- end -}}
{{- if $values.autoscaling.enabled -}}
{{- if gt (int $values.autoscaling.minReplicas) (int $values.autoscaling.maxReplicas) -}}
{{- fail (printf "autoscaling.minReplicas is %d, above autoscaling.maxReplicas (%d). Lower the first or raise the second." (int $values.autoscaling.minReplicas) (int $values.autoscaling.maxReplicas)) -}}
{{- end -}}
{{- if lt (int $values.autoscaling.scaleDown.periodSeconds) (int $values.gateway.drain.windowSeconds) -}}
{{- fail (printf "autoscaling.scaleDown.periodSeconds is %d, below gateway.drain.windowSeconds (%d): pods would end while the connections of the last one still move. Raise it to %d or more." (int $values.autoscaling.scaleDown.periodSeconds) (int $values.gateway.drain.windowSeconds) (int $values.gateway.drain.windowSeconds)) -}}
{{- end -}}
{{- end -}}
{{- if and $values.ingress.enabled (not $values.ingress.hosts) -}}
{{- fail "ingress.enabled is true, but ingress.hosts is empty. List the names at which browsers reach the gateway, such as ws.example.com." -}}
{{- end -}}
{{- if and $values.httpRoute.enabled (not $values.httpRoute.parentRefs) -}}
{{- fail "httpRoute.enabled is true, but httpRoute.parentRefs is empty. List the Gateways that lead here, such as { name: public, namespace: gateways }." -}}
{{- end -}}
{{- if and $values.ingress.enabled $values.httpRoute.enabled -}}
{{- fail "ingress.enabled and httpRoute.enabled are both true. Keep the one that your cluster uses." -}}
{{- end -}}
{{- end -}}
