// A network of pods on this machine: namespaces of Linux, a bridge, and an address for each pod. No process outside sees it.

import { execFile, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { ROOT, start } from '../../testing/processes.mjs';
import { HERE } from './chart.mjs';
import { prepare } from './pod.mjs';

export const BINARIES = process.env.SWITCHBOARD_BIN_DIR ?? join(ROOT, 'target/debug');
const REQUEST = join(HERE, 'testing/request.mjs');
const run = promisify(execFile);

/** Starts a process that keeps namespaces alive, and waits until it has them. */
async function hold(command, args) {
  const child = spawn(command, [...args, 'sh', '-c', 'echo ready; exec sleep infinity'], { stdio: ['ignore', 'pipe', 'pipe'] });
  let problem = '';
  child.stderr.on('data', (text) => (problem += text));
  await new Promise((resolve, reject) => {
    child.stdout.once('data', resolve);
    child.once('exit', (code) => reject(new Error(`no namespaces (exit code ${code}): ${problem}`)));
  });
  return child;
}

const enter = (child) => ['--target', String(child.pid), '--user', '--preserve-credentials', '--net', '--'];

export class Cluster {
  #pods = 0;
  #children = [];

  /** An empty network; it ends with the test. */
  static async create(t) {
    await run(join(ROOT, 'deploy/native/requirement'), ['namespaces']);
    const cluster = new Cluster();
    cluster.folder = mkdtempSync(join(tmpdir(), 'switchboard-pods-'));
    cluster.holder = await hold('unshare', ['--user', '--map-root-user', '--net']);
    t.after(() => cluster.#end());
    await cluster.#inside(cluster.holder, 'ip link set lo up; ip link add pods type bridge; ip link set pods up');
    await cluster.#inside(cluster.holder, 'ip addr add 10.244.0.1/16 dev pods; ip addr add fd00::1/64 dev pods nodad');
    return cluster;
  }

  async #inside(child, commands) {
    await run('nsenter', [...enter(child), 'sh', '-ec', commands]);
  }

  async #end() {
    for (const child of [...this.#children, this.holder]) {
      const ended = new Promise((resolve) => child.once('exit', resolve));
      if (child.exitCode === null && child.kill('SIGKILL')) await ended;
    }
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** A pod without a container, with an address of its own in the network: `{ name, namespace, ip, start, request }`. */
  async pod(name, family = 4) {
    const number = ++this.#pods;
    const [ip, ip6] = [`10.244.1.${number}`, `fd00::1:${number}`];
    const pod = { name, namespace: 'switchboard', ip: family === 6 ? ip6 : ip };
    const host = family === 6 ? `[${ip6}]` : ip;
    const sandbox = await hold('nsenter', [...enter(this.holder), 'unshare', '--net']);
    this.#children.push(sandbox);
    await this.#inside(this.holder, `ip link add pod${number} type veth peer name eth0 netns ${sandbox.pid}; ip link set pod${number} master pods up`);
    await this.#inside(sandbox, `ip link set lo up; ip link set eth0 up; ip addr add ${ip}/16 dev eth0; ip addr add ${ip6}/64 dev eth0 nodad`);
    pod.start = (program, args) => {
      const running = start('nsenter', [...enter(sandbox), program, ...args], { SWITCHBOARD_BIN_DIR: BINARIES });
      this.#children.push(running.child);
      return running;
    };
    /** Asks as the kubelet does, from outside of the pod: `{ status, body, certificate }`; status 0 without an answer. */
    pod.request = async (port, path, { scheme = 'HTTP', ...options } = {}) => {
      const url = `${scheme.toLowerCase()}://${host}:${port}${path}`;
      const { stdout } = await run('nsenter', [...enter(this.holder), process.execPath, REQUEST, url, JSON.stringify(options)]);
      return JSON.parse(stdout);
    };
    return pod;
  }

  /** Starts the container of a workload in this pod, with these arguments more than its own. */
  container(pod, workload, { args = [], ...options }) {
    const prepared = prepare(workload, { ...options, pod, folder: this.folder });
    return Object.assign(pod.start(join(HERE, 'testing/container'), [prepared.root, prepared.program, ...prepared.args, ...args]), prepared);
  }
}
