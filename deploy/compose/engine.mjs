// Podman in namespaces of its own: networks, processes and mounts of the stack end with the test and touch nothing of this machine.
//
// A test file calls `inside` first. Outside, it runs the same file again in new namespaces, as root. Inside, it makes Podman's settings and the
// images, all in a temporary folder.

import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync, realpathSync, rmdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { ROOT, start, until } from '../testing/processes.mjs';
import { BIN, CLEAN, collector } from './testing.mjs';

/** Names the folder of the engine in the namespaces. */
const MARK = 'SWITCHBOARD_TEST_ENGINE';

/** Whether this process is in the namespaces. If not, it adds a test that runs the file there. There is no network inside, so `install` runs before. */
export function inside(file, install) {
  if (process.env[MARK]) return true;
  test('in namespaces of its own', () => {
    assert.equal(process.getuid(), 0, 'Podman needs new networks here: run this test as root');
    install();
    const namespaces = ['--net', '--mount', '--pid', '--fork', '--kill-child', '--mount-proc', '--propagation', 'private'];
    const { NODE_TEST_CONTEXT: _, ...env } = process.env;
    const folder = mkdtempSync(join(tmpdir(), 'engine-'));
    const { status } = spawnSync('unshare', [...namespaces, process.execPath, '--test', '--test-reporter=spec', file], { stdio: 'inherit', env: { ...env, [MARK]: folder }, timeout: 900_000 });
    // What was mounted there is gone.
    rmdirSync(folder);
    assert.equal(status, 0, 'a test in the namespaces failed');
  });
  return false;
}

/** Copies a program and the libraries that it needs into the folder of an image. */
function copyProgram(root, program, target = program) {
  mkdirSync(join(root, dirname(target)), { recursive: true });
  cpSync(realpathSync(program), join(root, target));
  const { stdout } = spawnSync('ldd', [program], { encoding: 'utf8' });
  for (const [library] of stdout.matchAll(/\/\S+\.so\S*/g)) cpSync(realpathSync(library), join(root, library));
}

function folderOf(root, path, user) {
  mkdirSync(join(root, path), { recursive: true });
  execFileSync('chown', [`${user}:${user}`, join(root, path)]);
}

/** Starts Podman's world, with images of these programs: the project's from `BIN`, and Redis, Caddy and wget of this machine. */
export function startEngine() {
  const folder = process.env[MARK];
  const path = (name) => join(folder, name);
  const sh = (command) => execFileSync('sh', ['-ec', command], { stdio: ['ignore', 'pipe', 'inherit'], encoding: 'utf8' });

  // Everything is in memory, and gone when the last process of the namespaces ends. Podman finds no control groups: it may not make any here.
  sh(`mount -t tmpfs none ${folder}; mount -t tmpfs none /run; ip link set lo up; umount -R /sys/fs/cgroup; mount -t tmpfs none /sys/fs/cgroup`);
  // Podman asks for a limit of processes that root may not set on every machine. The file of the stack sets none.
  writeFileSync(path('crun'), `#!/bin/sh
previous=
for argument; do
    case $previous in
    --bundle | -b) sed -Ei 's/,\\{"type":"RLIMIT_NPROC"[^}]*\\}//' "$argument/config.json" ;;
    --process | -p) sed -Ei 's/,\\{"type":"RLIMIT_NPROC"[^}]*\\}//' "$argument" ;;
    esac
    previous=$argument
done
exec "$(command -v crun)" "$@"
`);
  chmodSync(path('crun'), 0o755);
  writeFileSync(path('storage.conf'), `[storage]\ndriver = "vfs"\ngraphroot = "${path('graph')}"\nrunroot = "${path('run')}"\n`);
  writeFileSync(path('containers.conf'), `
[containers]
cgroups = "disabled"
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
tmp_dir = "${path('tmp')}"
runtime = "crun"
[engine.runtimes]
crun = ["${path('crun')}"]
[network]
network_backend = "netavark"
network_config_dir = "${path('networks')}"
`);
  // Without systemd nothing runs health checks; the tests do it.
  const env = { ...CLEAN, CONTAINERS_STORAGE_CONF: path('storage.conf'), CONTAINERS_CONF: path('containers.conf'), DISABLE_HC_SYSTEMD: 'true' };
  env.PATH += ':/usr/sbin:/sbin';

  const engine = {
    folder, env,
    /** Runs Podman. Returns what it prints; fails if it fails. */
    podman: (...args) => execFileSync('podman', args, { encoding: 'utf8', env, stdio: ['ignore', 'pipe', 'pipe'] }).trim(),
    /** Runs Podman. Returns status, stdout and stderr. */
    tryPodman: (...args) => spawnSync('podman', args, { encoding: 'utf8', env }),
    /** An image from a folder. */
    image(name, fill, ...changes) {
      const root = path(name.replaceAll(/\W/g, '-'));
      fill(root);
      sh(`tar --xattrs --xattrs-include='*' -C '${root}' -cf '${root}.tar' .`);
      engine.podman('import', ...changes.flatMap((change) => ['--change', change]), `${root}.tar`, name);
      sh(`rm -r '${root}' '${root}.tar'`);
    },
    /** Whether the health check of a container succeeds now. */
    healthy: (container) => engine.tryPodman('healthcheck', 'run', container).status === 0,
    /** What Podman knows of a container. */
    inspect: (container) => JSON.parse(engine.podman('inspect', container))[0],
  };

  for (const name of ['gateway', 'chatbot-backend', 'notifier-backend']) {
    engine.image(`switchboard/${name}:0.1.0`, (root) => {
      copyProgram(root, join(BIN, name), `/usr/local/bin/${name}`);
      // A build without optimisation reads the demo page from where its source was.
      if (name === 'gateway') {
        const source = join(realpathSync(BIN), '../..');
        mkdirSync(join(root, source, 'gateway'), { recursive: true });
        for (const part of ['index.html', 'css', 'img', 'js', 'vendor']) cpSync(join(ROOT, 'web', part), join(root, source, 'web', part), { recursive: true });
      }
      folderOf(root, '/var/lib/switchboard', 10001);
    }, `ENTRYPOINT ["/usr/local/bin/${name}"]`);
  }
  engine.image('redis:7.4', (root) => {
    for (const program of ['redis-server', 'redis-cli']) copyProgram(root, `/usr/bin/${program}`);
    folderOf(root, '/data', 999);
  });
  // As the official image: the program has an attribute, and these variables say where it keeps its files.
  engine.image('caddy:2', (root) => {
    for (const program of ['caddy', 'wget']) copyProgram(root, `/usr/bin/${program}`);
    folderOf(root, '/data', 0);
    execFileSync('setcap', ['cap_net_bind_service=+ep', join(root, 'usr/bin/caddy')], { env });
  }, 'ENV PATH=/usr/bin', 'ENV XDG_CONFIG_HOME=/config', 'ENV XDG_DATA_HOME=/data');
  return engine;
}

/** Adds the images of compose.telemetry.yaml: Prometheus of this machine, and a collector from its source. */
export function addTelemetry(engine) {
  const { image } = engine;
  image('prom/prometheus:v3.5.0', (root) => {
    for (const program of ['prometheus', 'wget']) copyProgram(root, `/usr/bin/${program}`);
    folderOf(root, '/prometheus', 65534);
  }, 'ENV PATH=/usr/bin', 'ENTRYPOINT ["/usr/bin/prometheus"]');
  image('otel/opentelemetry-collector:0.165.0', (root) => copyProgram(root, collector(), '/otelcol'), 'ENTRYPOINT ["/otelcol"]');
}

/** Serves Docker's interface at a socket. Returns its address. */
export async function serveDocker(engine) {
  const address = `unix://${engine.folder}/podman.sock`;
  const service = start('podman', ['system', 'service', '--time', '0', address], engine.env);
  await until('the socket of Podman', () => existsSync(address.slice('unix://'.length)));
  return Object.assign(service, { address });
}

/** Runs the health checks of these containers until all succeed. Fails with the log of one that does not. */
export async function allHealthy(engine, containers) {
  let left = containers;
  for (const end = Date.now() + 120_000; ; await sleep(250)) {
    left = left.filter((container) => !engine.healthy(container));
    if (left.length === 0) return;
    if (Date.now() > end) {
      const { stdout, stderr } = engine.tryPodman('logs', '--tail', '20', left[0]);
      assert.fail(`${left} are not healthy. The log of the first:\n${stdout}${stderr}`);
    }
  }
}
