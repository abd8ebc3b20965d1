// Wrong values are refused with a sentence that names the value and the cure.

import assert from 'node:assert/strict';
import { writeFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { template } from './testing/chart.mjs';

/** Values, and what helm says. */
const REFUSED = [
  // Rules of the schema.
  ['gateway: { replica: 3 }', /at '\/gateway': additional properties 'replica' not allowed/],
  ['gatewy: {}', /additional properties 'gatewy' not allowed/],
  ['gateway: { workers: "2" }', /at '\/gateway\/workers': got string, want integer/],
  ['gateway: { workers: 64 }', /at '\/gateway\/workers': maximum: got 64, want 63/],
  ['gateway: { drain: { delaySeconds: 10s } }', /at '\/gateway\/drain\/delaySeconds': got string, want integer/],
  ['gateway: { trustedProxies: [ingress] }', /at '\/gateway\/trustedProxies\/0': 'ingress' does not match pattern/],
  ['gateway: { allowedOrigins: [app.example.com] }', /at '\/gateway\/allowedOrigins\/0': 'app.example.com' does not match pattern '.*:\/\//],
  ['gateway: { hosts: ["https://app.example.com"] }', /at '\/gateway\/hosts\/0': 'https:\/\/app.example.com' does not match pattern/],
  ['gateway: { tls: { secret: a } }', /at '\/gateway\/tls': additional properties 'secret' not allowed/],
  ['redis: { url: "redis://user:word@redis" }', /at '\/redis\/url'/],
  ['service: { type: ExternalName }', /at '\/service\/type': value must be one of 'ClusterIP', 'LoadBalancer', 'NodePort'/],
  ['notifier: { storage: { size: big } }', /at '\/notifier\/storage\/size'/],
  ['secrets: { hmac_secret: abc }', /at '\/secrets': additional properties 'hmac_secret' not allowed/],
  // Rules between values.
  ['notifier: { replicas: 2 }', /notifier.replicas is 2, but its outbox is a file that one pod may have open. Set it to 1/],
  ['gateway: { terminationGracePeriodSeconds: 190 }', /is 190, but the end of a pod takes up to 190 s .* Set it to 210 or more, or to 0/],
  ['gateway: { preStopSleepSeconds: 60, terminationGracePeriodSeconds: 240 }', /takes up to 250 s .* Set it to 270 or more/],
  ['gateway: { drain: { windowSeconds: 200 } }', /windowSeconds is 200, longer than .* Raise deadlineSeconds to 230 or more, or lower windowSeconds/],
  ['secrets: { gateway: "" }', /secrets.gateway is empty. Create a Secret with the keys hmac_secret and api_keys/],
  ['secrets: { redis: "" }', /Nothing says where Redis is. Set secrets.redis/],
  ['secrets: { chatbot: "" }', /secrets.chatbot is empty. Set it to the Secret with the key chatbot_api_key, or set chatbot.enabled to false/],
  ['secrets: { notifier: "" }', /secrets.notifier is empty. Set it to the Secret with the keys notifier_api_key and notifier_callers/],
  ['redis: { sentinel: { hosts: [a:26379] } }', /redis.sentinel.hosts is set without redis.sentinel.master. Set it to the name/],
  ['redis: { sentinel: { master: mymaster } }', /redis.sentinel.master is set without redis.sentinel.hosts. List the sentinels/],
  ['redis: { url: "redis://redis", sentinel: { hosts: [a], master: m } }', /redis.url and redis.sentinel.hosts are both set. Keep the one/],
  ['{ secrets: { redis: "" }, redis: { url: "redis://a", sentinel: { password: true } } }', /Set secrets.redis to the Secret with the key sentinel_password/],
  ['redis: { clientCertificate: true }', /Set redis.tlsSecret to the Secret with ca.crt, tls.crt and tls.key/],
  ['redis: { url: "redis://redis", tlsSecret: redis-tls }', /redis.url does not use TLS. Write rediss:\/\/ instead of redis:\/\//],
  ['autoscaling: { enabled: true, minReplicas: 11 }', /minReplicas is 11, above autoscaling.maxReplicas \(10\). Lower the first or raise the second/],
  ['autoscaling: { enabled: true, scaleDown: { periodSeconds: 60 } }', /periodSeconds is 60, below .* Raise it to 120 or more/],
  ['ingress: { enabled: true }', /ingress.hosts is empty. List the names/],
  ['httpRoute: { enabled: true }', /httpRoute.parentRefs is empty. List the Gateways/],
  ['{ ingress: { enabled: true, hosts: [a.example] }, httpRoute: { enabled: true, parentRefs: [{ name: a }] } }', /both true. Keep the one/],
  ['gateway: { extraEnv: [{ name: GATEWAY__DRAIN__DEADLINE, value: 1h }] }', /gateway.extraEnv sets GATEWAY__DRAIN__DEADLINE, which the chart sets. Use the value/],
  ['notifier: { extraEnv: [{ name: NOTIFIER__OUTBOX__PATH, value: /tmp/a }] }', /notifier.extraEnv sets NOTIFIER__OUTBOX__PATH/],
  ['gateway: { extraEnv: [{ name: GATEWAY__TOKENS__HMAC_SECRET, value: abc }] }', /has a secret, GATEWAY__TOKENS__HMAC_SECRET. .* put it into a Secret/],
  ['chatbot: { extraEnv: [{ name: CHATBOT__GATEWAY__API_KEY, value: abc }] }', /chatbot.extraEnv has a secret, CHATBOT__GATEWAY__API_KEY/],
  [`gateway: { settings: "[tokens]\\nhmac_secret = 'abc'" }`, /gateway.settings has a secret \(hmac_secret\). It would be in a ConfigMap. Put it into a Secret/],
  [`gateway: { settings: "[redis]\\nurl = 'redis://:word@redis'" }`, /gateway.settings has a URL of Redis with a password. .* Put it into the Secret of secrets.redis/],
];

for (const [values, message] of REFUSED) {
  test(`refused: ${values}`, async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'switchboard-values-'));
    t.after(() => rmSync(folder, { recursive: true }));
    const file = join(folder, 'values.yaml');
    writeFileSync(file, values);
    const { code, stdout, stderr } = await template('--values', file);
    assert.equal(code, 1, stdout);
    assert.match(stderr, message);
  });
}
