// Renders the chart and validates what comes out.

import { execFile, spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { ROOT } from '../../testing/processes.mjs';

export const HERE = join(ROOT, 'deploy/kubernetes');
export const CHART = join(HERE, 'switchboard');
export const RELEASE = 'switchboard';
/** The sets of values that every test of the chart tries; "default" is without a file. */
export const SETS = ['default', ...readdirSync(join(HERE, 'values')).map((file) => file.replace('.yaml', ''))];

const KUBERNETES = '1.37.0';
/** Go modules with definitions of custom resources. */
const DEFINITIONS = {
  'github.com/prometheus-operator/prometheus-operator@v0.85.0': 'example/prometheus-operator-crd/monitoring.coreos.com_servicemonitors.yaml',
  'sigs.k8s.io/gateway-api@v1.4.0': 'config/crd/standard/gateway.networking.k8s.io_httproutes.yaml',
};
const run = promisify(execFile);

const output = async (program, args) => (await run(join(ROOT, program), args)).stdout.trim();
const once = (make) => {
  let made;
  return () => (made ??= make());
};
const helmPath = once(() => output('deploy/native/go-tool', ['helm', 'helm.sh/helm/v3/cmd/helm', '3.22.0', 'renders the chart; some minutes, once']));
const pythonPath = once(async () => join(await output('deploy/native/python-tool', ['kubernetes-validate', '1.37', 'validates objects']), 'python'));
const definitions = once(async () => {
  const go = await output('deploy/native/requirement', ['go']);
  const { stdout } = await run(go, ['mod', 'download', '-json', ...Object.keys(DEFINITIONS)]);
  const modules = stdout.split(/^(?={)/m).map((module) => JSON.parse(module));
  return modules.map(({ Path, Version, Dir }) => join(Dir, DEFINITIONS[`${Path}@${Version}`]));
});

/** Runs a program to its end. Resolves to `{ code, stdout, stderr }`. */
async function finish(program, args, input = '') {
  const child = spawn(program, args);
  const ended = new Promise((resolve, reject) => {
    child.once('exit', resolve);
    child.once('error', reject);
  });
  child.stdin.on('error', () => {}); // a program may end before it has read everything
  child.stdin.end(input);
  const [code, stdout, stderr] = await Promise.all([ended, text(child.stdout), text(child.stderr)]);
  return { code, stdout, stderr };
}

export const helm = async (...args) => finish(await helmPath(), args);

/** The arguments for helm that select a set of values. */
export const valuesOf = (set) => (set === 'default' ? [] : ['--values', join(HERE, 'values', `${set}.yaml`)]);

export const template = (...args) => helm('template', RELEASE, CHART, '--kube-version', KUBERNETES, ...args);
export const lint = (...args) => helm('lint', '--strict', '--kube-version', KUBERNETES, CHART, ...args);

/** The objects in a text of YAML, each validated. */
export async function objectsIn(yaml) {
  const { code, stdout, stderr } = await finish(await pythonPath(), [join(HERE, 'testing/objects.py'), ...(await definitions())], yaml);
  if (code !== 0) throw new Error(stderr);
  return new Objects(JSON.parse(stdout));
}

/** What the chart renders with these arguments. */
export async function render(...args) {
  const { code, stdout, stderr } = await template(...args);
  if (code !== 0) throw new Error(stderr);
  return objectsIn(stdout);
}

const isSubset = (labels, all) => Object.entries(labels).every(([key, value]) => all[key] === value);

export class Objects {
  constructor(all) {
    this.all = all;
  }

  of(kind) {
    return this.all.filter((object) => object.kind === kind);
  }

  get(kind, name) {
    return this.of(kind).find(({ metadata }) => metadata.name === name);
  }

  /** The Deployments and StatefulSets. */
  get workloads() {
    return this.all.filter(({ spec }) => spec?.template);
  }

  /** The workloads whose pods have these labels. */
  selected(labels) {
    return this.workloads.filter(({ spec }) => isSubset(labels, spec.template.metadata.labels));
  }
}

export { isSubset };
