// The pods of the chart really run: every container with exactly what is rendered, each with an address of its own, and a real Redis by name.
// The test asks as the kubelet, Prometheus and services do. Names of Services stand in /etc/hosts; a cluster has DNS.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { ROOT, until } from '../testing/processes.mjs';
import { HERE, render, valuesOf } from './testing/chart.mjs';
import { Cluster } from './testing/cluster.mjs';
import { secretsFor } from './testing/secrets.mjs';

const json = (body, key) => ({ method: 'POST', body: JSON.stringify(body), headers: { 'content-type': 'application/json', ...bearer(key).headers } });
const bearer = (key) => ({ headers: { authorization: `Bearer ${key}` } });

/** A Redis with a password, in a pod of its own. */
async function redis(cluster, password) {
  const pod = await cluster.pod('redis');
  const config = join(cluster.folder, 'redis.conf');
  writeFileSync(config, `requirepass ${password}\nbind ${pod.ip}\nsave ""\ndir ${cluster.folder}\n`);
  const program = execFileSync(join(ROOT, 'deploy/native/requirement'), ['redis'], { encoding: 'utf8' }).trim();
  const running = pod.start(program, [config]);
  await until('Redis', () => running.log.includes('Ready to accept connections'));
  return pod;
}

/** The addresses of all Services, as DNS would have them: each that of one pod which the Service selects. */
function hostsOf(objects, pods, redisPod) {
  const lines = objects.of('Service').map(({ metadata, spec }) => {
    const workloads = objects.selected(spec.selector);
    return `${pods.find(({ workload }) => workloads.includes(workload)).ip} ${metadata.name}\n`;
  });
  return [`127.0.0.1 localhost\n`, `${redisPod.ip} redis\n`, ...lines].join('');
}

/** Starts all pods of the workloads: `{ pods: [{ name, workload, ip, running, probe }], of(component) }`. */
async function startPods(t, set, { replicas = {}, withRedis = true, args = [] }) {
  const cluster = await Cluster.create(t);
  const { secrets, ...words } = secretsFor(set);
  const objects = await render(...valuesOf(set), ...args);
  const redisPod = withRedis ? await redis(cluster, words.password) : await cluster.pod('redis');
  const pods = [];
  for (const workload of objects.workloads) {
    const component = workload.spec.template.metadata.labels['app.kubernetes.io/component'];
    for (let number = 0; number < (replicas[component] ?? 1); number += 1) {
      pods.push(Object.assign(await cluster.pod(`${workload.metadata.name}-${number}`, set === 'ipv6' ? 6 : 4), { workload, component }));
    }
  }
  const hosts = hostsOf(objects, pods, redisPod);
  for (const pod of pods) {
    pod.running = cluster.container(pod, pod.workload, { objects, secrets, hosts });
    const { ports, ...container } = pod.running.container;
    pod.ports = Object.fromEntries(ports.map(({ name, containerPort }) => [name, containerPort]));
    /** Carries out a probe, such as "readinessProbe": the status, or 0. */
    pod.probe = async (name) => {
      const { httpGet } = container[name];
      return (await pod.request(pod.ports[httpGet.port], httpGet.path, { scheme: httpGet.scheme })).status;
    };
  }
  return { cluster, hosts, secrets, objects, pods, of: (component) => pods.filter((pod) => pod.component === component), ...words };
}

const ready = async (pod) => {
  try {
    await until(`readiness of ${pod.name}`, async () => (await pod.probe('readinessProbe')) === 200);
  } catch (error) {
    throw new Error(pod.running.log, { cause: error });
  }
};

test('all pods become ready and reach each other by their Services', async (t) => {
  const { objects, pods, of, words, operator: key, callers } = await startPods(t, 'default', { replicas: { gateway: 2 }, args: ['--set', 'api.enabled=true'] });
  for (const pod of pods) await ready(pod);
  for (const pod of pods) for (const name of ['startupProbe', 'livenessProbe']) assert.equal(await pod.probe(name), 200, `${name} of ${pod.name}`);

  const [api] = of('api');
  const nodes = [...of('gateway'), api];
  const known = JSON.parse((await api.request(8001, '/v1/nodes', bearer(key))).body).nodes;
  assert.deepEqual(known.map(({ name }) => name).sort(), nodes.map(({ name }) => name).sort(), 'the nodes have the names of their pods');
  assert.deepEqual(known.map(({ workers }) => workers).sort(), [0, 2, 2], 'gateway.workers, and none in the API-only pod');
  assert.equal((await api.request(8000, '/livez')).status, 0, 'an API-only pod has no public listener');

  for (const node of nodes) {
    const links = async () => JSON.parse((await node.request(8001, '/v1/services', bearer(key))).body).services[0].instances.length;
    await until(`the link of the chat bot to ${node.name}`, async () => (await links()) === 1);
  }

  const [notifier] = of('notifier');
  const notification = { user: 'alice', title: 'Hello', body: 'from a pod', level: 'info' };
  assert.equal((await notifier.request(8200, '/v1/notifications', json(notification, key))).status, 401, 'a key of the gateway is none of the notifier');
  const { status, body } = await notifier.request(8200, '/v1/notifications', json(notification, callers));
  assert.equal(status, 202, body);
  const delivery = `/v1/notifications/${JSON.parse(body).id}`;
  await until('the delivery', async () => JSON.parse((await notifier.request(8200, delivery, bearer(callers))).body).targets[0].state === 'delivered');

  for (const pod of pods) {
    for (const word of words) assert(!pod.running.log.includes(word), `${pod.name} logs a secret`);
    for (const file of ['cmdline', 'environ']) {
      const text = readFileSync(`/proc/${pod.running.child.pid}/${file}`, 'utf8');
      assert(text.length > 0);
      for (const word of words) assert(!text.includes(word), `${file} of ${pod.name} has a secret`);
    }
  }
  await checkMetrics(objects, of('gateway')[0]);
});

/** The gauge of the autoscaler is one that the gateway has, and the adapter serves it under this name. */
async function checkMetrics(objects, gateway) {
  const hpa = (await render(...valuesOf('ha'))).of('HorizontalPodAutoscaler')[0];
  const { name } = hpa.spec.metrics[0].pods.metric;
  const [{ path }] = (await render(...valuesOf('ha'))).of('ServiceMonitor')[0].spec.endpoints;
  const metrics = (await gateway.request(8001, path)).body;
  assert.match(metrics, new RegExp(`^# TYPE ${name} gauge$`, 'm'));
  const adapter = readFileSync(join(HERE, 'prometheus-adapter.yaml'), 'utf8');
  assert(adapter.includes(`as: ${name}\n`) && adapter.includes(`seriesQuery: ${name}{`), 'the adapter serves another metric');
}

test('TLS ends at the pods, services check it, and a new certificate needs no restart', async (t) => {
  const { objects, pods, of, secrets, operator } = await startPods(t, 'tls', {});
  for (const pod of pods) await ready(pod);
  const [gateway] = of('gateway');
  const ask = (port, path, options) => gateway.request(port, path, { scheme: 'HTTPS', ...options });
  assert.deepEqual([await gateway.request(8001, '/livez'), await gateway.request(8000, '/livez')].map(({ status }) => status), [0, 0], 'plain HTTP');
  for (const probe of ['startupProbe', 'livenessProbe']) assert.equal(await gateway.probe(probe), 200, probe);
  const links = async () => JSON.parse((await ask(8001, '/v1/services', bearer(operator))).body).services[0].instances.length;
  await until('the link of the chat bot', async () => (await links()) === 1);

  const site = { headers: { host: 'ws.example.com' } };
  assert.deepEqual(await ask(8000, '/livez', site).then(({ status, certificate }) => [status, certificate.names]), [200, 'DNS:ws.example.com']);
  assert.equal((await ask(8000, '/livez')).status, 421, 'a name that is not in gateway.hosts');
  assert.equal((await ask(8000, '/connection/websocket', { ...site, upgrade: true })).status, 101);

  const { tlsConfig, scheme } = objects.of('ServiceMonitor')[0].spec.endpoints.find(({ port }) => port === 'metrics-tls');
  assert.deepEqual([scheme, tlsConfig.serverName], ['https', (await ask(8001, '/livez')).certificate.names.replace('DNS:', '')]);
  assert(secrets[tlsConfig.ca.secret.name][tlsConfig.ca.secret.key]);

  const renewed = secretsFor('tls').secrets['ws-example-com'];
  for (const name of ['tls.crt', 'tls.key']) writeFileSync(join(gateway.running.root, 'run/secrets', `public_${name}`), renewed[name]);
  const { fingerprint256 } = new X509Certificate(renewed['tls.crt']);
  await until('the new certificate', async () => (await ask(8000, '/livez', site)).certificate.fingerprint === fingerprint256);
});

test('pods have IPv6 addresses', async (t) => {
  const { of } = await startPods(t, 'ipv6', { args: ['--set', 'chatbot.enabled=false,notifier.enabled=false'] });
  for (const pod of of('gateway')) await ready(pod);
});

test('a pod that waits for Redis is not ready, and is not restarted', async (t) => {
  const { pods } = await startPods(t, 'default', { withRedis: false });
  for (const pod of pods) {
    await until(`start of ${pod.name}`, async () => (await pod.probe('startupProbe')) === 200);
    assert.equal(await pod.probe('livenessProbe'), 200, pod.name);
  }
  for (const pod of pods.filter(({ component }) => component === 'gateway')) assert.equal(await pod.probe('readinessProbe'), 503, pod.name);
});

test('a pod with another history is ready when the pods that differ have ended', async (t) => {
  const drain = 'gateway.drain.delaySeconds=0,gateway.drain.windowSeconds=0,gateway.drain.deadlineSeconds=1';
  const { cluster, hosts, secrets, of } = await startPods(t, 'minimal', { args: ['--set', drain] });
  const [before] = of('gateway');
  await ready(before);
  const objects = await render(...valuesOf('minimal'), '--set', 'gateway.settings=[channel_defaults]\nhistory_size = 7\n');
  const after = Object.assign(await cluster.pod('switchboard-new'), { workload: objects.workloads[0] });
  cluster.container(after, after.workload, { objects, secrets, hosts });
  const readiness = () => after.request(8001, '/readyz');
  await until('the reason', async () => /channel_defaults.history/.test((await readiness()).body));
  assert.equal((await readiness()).status, 503);

  before.running.child.kill('SIGTERM');
  assert.equal(await before.running.ended, 0);
  await until('readiness', async () => (await readiness()).status === 200);
});

test('no load of the public listener fails a probe', async (t) => {
  const limit = 'gateway.extraEnv[0].name=GATEWAY__PUBLIC__HTTP_CONNECTIONS,gateway.extraEnv[0].value=8';
  const { cluster, of } = await startPods(t, 'minimal', { args: ['--set-string', limit] });
  const [gateway] = of('gateway');
  await ready(gateway);
  const client = await cluster.pod('client');
  client.start(process.execPath, [join(HERE, 'testing/hold-connections.mjs'), gateway.ip, '8000', '100']);
  const isFull = async () => (await gateway.request(8000, '/livez')).status === 0;
  await until('a full listener', isFull);
  for (let turn = 0; turn < 20; turn += 1) {
    for (const probe of ['readinessProbe', 'livenessProbe']) assert.equal(await gateway.probe(probe), 200);
  }
  assert(await isFull(), 'the load has ended');
});

test('the end: first not ready, then the wait, then the drain', async (t) => {
  const drain = 'gateway.drain.delaySeconds=5,gateway.drain.windowSeconds=1,gateway.drain.deadlineSeconds=3';
  const { of } = await startPods(t, 'minimal', { args: ['--set', drain] });
  const [gateway] = of('gateway');
  await ready(gateway);
  const upgrade = async () => (await gateway.request(8000, '/connection/websocket', { upgrade: true })).status;
  assert.equal(await upgrade(), 101);

  const begin = Date.now();
  gateway.running.child.kill('SIGTERM');
  await until('not ready', async () => (await gateway.probe('readinessProbe')) === 503);
  assert.equal(await upgrade(), 101, 'a client that the endpoint lists still send is served');
  assert.equal(await gateway.probe('livenessProbe'), 200, 'a pod that ends is alive');
  assert(Date.now() - begin < 5000, 'the machine is too slow for this test');

  const codes = [];
  await until('the drain', async () => codes[codes.push(await upgrade()) - 1] !== 101);
  assert(Date.now() - begin >= 5000, 'the drain begins after drain.delay');
  assert([503, 0].includes(codes.at(-1)), codes.join());
  assert.equal(await gateway.running.ended, 0);
  assert((Date.now() - begin) / 1000 < gateway.running.spec.terminationGracePeriodSeconds);
});
