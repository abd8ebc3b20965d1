// The chart with each set of values: valid objects that fit each other.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { ROOT } from '../testing/processes.mjs';
import { CHART, HERE, SETS, isSubset, lint, objectsIn, render, valuesOf } from './testing/chart.mjs';
import { reaches } from './testing/network.mjs';

const HOME = 'switchboard';
const read = (...path) => readFileSync(join(...path), 'utf8');
const portsOf = (workload) => workload.spec.template.spec.containers.flatMap(({ ports }) => ports);
const componentOf = (workload) => workload.spec.template.metadata.labels['app.kubernetes.io/component'];

function checkServices(objects) {
  const nodes = objects.workloads.map(componentOf).filter((component) => ['gateway', 'api'].includes(component));
  const serves = {
    switchboard: ['gateway'],
    'switchboard-internal': [nodes.includes('api') ? 'api' : 'gateway'],
    'switchboard-nodes': nodes,
    'switchboard-chatbot': ['chatbot'],
    'switchboard-notifier': ['notifier'],
  };
  for (const { metadata, spec } of objects.of('Service')) {
    const selected = objects.selected(spec.selector);
    assert.deepEqual(selected.map(componentOf).sort(), [...serves[metadata.name]].sort(), metadata.name);
    for (const workload of selected) {
      for (const { targetPort } of spec.ports) assert(portsOf(workload).some(({ name }) => name === targetPort), `${metadata.name} leads to no port ${targetPort}`);
    }
  }
}

function checkReferences(objects) {
  for (const { spec } of objects.of('HorizontalPodAutoscaler')) {
    const target = objects.get(spec.scaleTargetRef.kind, spec.scaleTargetRef.name);
    assert.equal(target.spec.replicas, undefined, 'the chart would set the number of pods back at each upgrade');
  }
  for (const { spec } of objects.of('Ingress')) {
    const { name, port } = spec.rules[0].http.paths[0].backend.service;
    assert(objects.get('Service', name).spec.ports.some((each) => each.name === port.name));
  }
  for (const { spec } of objects.of('HTTPRoute')) {
    const { name, port } = spec.rules[0].backendRefs[0];
    assert(objects.get('Service', name).spec.ports.some((each) => each.port === port));
  }
  for (const { metadata, spec } of objects.of('ServiceMonitor')) {
    const services = objects.of('Service').filter((service) => isSubset(spec.selector.matchLabels, service.metadata.labels));
    const watched = services.flatMap((service) => objects.selected(service.spec.selector)).map(componentOf);
    assert.deepEqual(watched.sort(), objects.workloads.map(componentOf).sort(), `${metadata.name} watches each pod once`);
    const read = spec.endpoints.map(({ port }) => port);
    for (const service of services) assert.equal(service.spec.ports.filter(({ name }) => read.includes(name)).length, 1, service.metadata.name);
  }
  for (const { spec } of objects.of('PodDisruptionBudget')) assert.equal(objects.selected(spec.selector.matchLabels).length, 1);
  for (const { spec, kind } of objects.workloads) {
    assert(isSubset(spec.selector.matchLabels, spec.template.metadata.labels));
    if (kind === 'StatefulSet') assert(objects.get('Service', spec.serviceName));
    assert(objects.get('ServiceAccount', spec.template.spec.serviceAccountName));
  }
}

function checkPods(objects) {
  for (const workload of objects.workloads) {
    const { spec } = workload.spec.template;
    assert.equal(spec.automountServiceAccountToken, false);
    assert.equal(spec.securityContext.runAsNonRoot, true);
    assert.equal(spec.securityContext.runAsUser, 10001);
    assert.deepEqual(spec.securityContext.seccompProfile, { type: 'RuntimeDefault' });
    for (const { securityContext, resources } of spec.containers) {
      assert.deepEqual(securityContext, { allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: { drop: ['ALL'] } });
      assert(resources.requests.cpu && resources.limits.memory);
    }
    if (!['gateway', 'api'].includes(componentOf(workload))) continue;
    assert.deepEqual(workload.spec.strategy.rollingUpdate, { maxSurge: 1, maxUnavailable: 0 });
    assert.deepEqual(spec.topologySpreadConstraints.map(({ topologyKey }) => topologyKey), ['topology.kubernetes.io/zone', 'kubernetes.io/hostname']);
    for (const { labelSelector } of spec.topologySpreadConstraints) assert.deepEqual(objects.selected(labelSelector.matchLabels), [workload]);
    assert((workload.spec.progressDeadlineSeconds ?? 600) > (workload.spec.minReadySeconds ?? 0), 'the API server refuses this');
  }
}

for (const set of SETS) {
  test(`values of ${set}`, async () => {
    const linted = await lint(...valuesOf(set));
    assert.equal(linted.code, 0, linted.stdout + linted.stderr);
    const objects = await render(...valuesOf(set));
    checkServices(objects);
    checkReferences(objects);
    checkPods(objects);
    assert.deepEqual(objects.of('Secret'), [], 'the chart has no secrets');
  });
}

test('an unknown kind, an unknown field and a repeated key are found', async () => {
  const map = 'apiVersion: v1\nkind: ConfigMap\nmetadata: { name: a }\n';
  await objectsIn(map);
  await assert.rejects(objectsIn(`${map}date: {}\n`), /'date' was unexpected/);
  await assert.rejects(objectsIn(`${map}kind: ConfigMap\n`), /repeated keys/);
  await assert.rejects(objectsIn(map.replace('ConfigMap', 'ConfigMop')), /Couldn't find schema for kind ConfigMop/);
  const monitor = (spec) => `apiVersion: monitoring.coreos.com/v1\nkind: ServiceMonitor\nmetadata: { name: a }\nspec: ${spec}\n`;
  await objectsIn(monitor('{ selector: {}, endpoints: [{ port: a }] }'));
  await assert.rejects(objectsIn(monitor('{ selector: {}, endpoints: [{ prt: a }] }')), /'prt' was unexpected/);
  const route = (spec) => `apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: { name: a }\nspec: ${spec}\n`;
  await objectsIn(route('{ parentRefs: [{ name: a }] }'));
  await assert.rejects(objectsIn(route('{ parentRefs: [{ nam: a }] }')), /'name' is a required property|'nam' was unexpected/);
  await assert.rejects(objectsIn(monitor('{ endpoints: [] }')), /'selector' is a required property/);
});

test('the network lets only services and monitoring to the internal listener', async () => {
  const objects = await render(...valuesOf('ha'), '--set', 'notifier.enabled=true,chatbot.enabled=true');
  const policies = objects.of('NetworkPolicy');
  const pod = (component) => objects.workloads.find((workload) => componentOf(workload) === component);
  const may = (namespace, labels, component, port) => {
    const target = { labels: pod(component).spec.template.metadata.labels, port: portsOf(pod(component)).find(({ name }) => name === port) };
    return reaches(policies, HOME, { namespace, labels }, target);
  };
  const service = { 'switchboard/internal': 'true' };
  for (const component of ['gateway', 'api']) {
    const cases = [
      [HOME, service, true],
      ['orders', service, true],
      ['monitoring', {}, true],
      [HOME, pod('chatbot').spec.template.metadata.labels, true],
      [HOME, pod('notifier').spec.template.metadata.labels, true],
      [HOME, {}, false],
      ['orders', {}, false],
      ['others', service, false],
      ['ingress-nginx', {}, false],
      [HOME, { 'switchboard/notifier': 'true' }, false],
    ];
    for (const [namespace, labels, expected] of cases) {
      assert.equal(may(namespace, labels, component, 'internal'), expected, `${namespace} ${JSON.stringify(labels)} to ${component}`);
    }
  }
  assert(may('ingress-nginx', {}, 'gateway', 'public'));
  assert(!may('others', {}, 'gateway', 'public'));
  assert(may(HOME, { 'switchboard/notifier': 'true' }, 'notifier', 'http'));
  assert(!may(HOME, service, 'notifier', 'http'));
  assert(may('monitoring', {}, 'chatbot', 'http'));
  assert(!may(HOME, service, 'chatbot', 'http'));
});

test('without a list, everybody reaches the public listener and nobody else the internal one', async () => {
  const objects = await render();
  const [gateway] = objects.selected({ 'app.kubernetes.io/component': 'gateway' });
  const may = (port) => reaches(objects.of('NetworkPolicy'), HOME, { namespace: 'others', labels: {} }, { labels: gateway.spec.template.metadata.labels, port });
  assert.deepEqual(portsOf(gateway).map((port) => [port.name, may(port)]), [['public', true], ['internal', false]]);
});

test('the chart has the settings of production and the version of the workspace', async () => {
  const objects = await render();
  assert.equal(objects.get('ConfigMap', 'switchboard-settings').data['gateway.toml'].trimEnd(), read(ROOT, 'deploy/gateway.toml').trimEnd());
  const version = /^version = "(.+)"/m.exec(read(ROOT, 'Cargo.toml'))[1];
  assert.match(read(CHART, 'Chart.yaml'), new RegExp(`^version: ${version}\nappVersion: "${version}"$`, 'm'));
  for (const { spec } of objects.workloads) assert.match(spec.template.spec.containers[0].image, new RegExp(`:${version}$`));
});

test('README.md makes all keys of the Secret', async () => {
  const objects = await render();
  const sources = objects.workloads.flatMap(({ spec }) => spec.template.spec.volumes.flatMap(({ projected }) => projected?.sources ?? []));
  const keys = new Set(sources.flatMap(({ secret }) => secret.items.map(({ key }) => key)));
  const made = [...read(HERE, 'README.md').matchAll(/--from-file=(\w+)/g)].map(([, key]) => key);
  assert.deepEqual([...keys].sort(), made.sort());
});

test('other settings restart the pods', async () => {
  const sums = [];
  for (const settings of ['a = 1', 'a = 2']) {
    const objects = await render('--set', 'api.enabled=true', '--set', `gateway.settings=${settings}`);
    sums.push(objects.selected({ 'switchboard/node': 'true' }).map(({ spec }) => spec.template.metadata.annotations['checksum/settings']));
  }
  assert.equal(sums[0][0], sums[0][1]);
  assert.notEqual(sums[0][0], sums[1][0]);
});

test('pods end before new ones start, if nodes must agree', async () => {
  const objects = await render('--set', 'gateway.recreate=true,api.enabled=true');
  assert.deepEqual(objects.selected({ 'switchboard/node': 'true' }).map(({ spec }) => spec.strategy), [{ type: 'Recreate' }, { type: 'Recreate' }]);
});

test('the schema knows all keys', () => {
  const schema = JSON.parse(read(CHART, 'values.schema.json'));
  const open = [];
  const walk = (part, path) => {
    if (part.type === 'object' && part.properties && part.additionalProperties !== false) open.push(path);
    for (const [key, child] of Object.entries(part.properties ?? {})) walk(child, `${path}.${key}`);
  };
  walk(schema, '');
  assert.deepEqual(open, []);
});

test('the folder rendered/ is what the chart renders; kustomize reads it', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'switchboard-rendered-'));
  t.after(() => rmSync(folder, { recursive: true }));
  execFileSync(join(HERE, 'render'), [join(folder, 'new')]);
  const files = (path) => Object.fromEntries(readdirSync(path).map((file) => [file, read(path, file)]));
  assert.deepEqual(files(join(HERE, 'rendered')), files(join(folder, 'new')), 'run deploy/kubernetes/render');
  const tool = ['kustomize', 'sigs.k8s.io/kustomize/kustomize/v5', '5.8.1', 'reads the rendered objects; a minute, once'];
  const kustomize = execFileSync(join(ROOT, 'deploy/native/go-tool'), tool, { encoding: 'utf8' }).trim();
  const built = await objectsIn(execFileSync(kustomize, ['build', join(HERE, 'rendered')], { encoding: 'utf8' }));
  const names = ({ all }) => all.map(({ kind, metadata }) => `${kind}/${metadata.name}`).sort();
  assert.deepEqual(names(built), names(await render()));
});
