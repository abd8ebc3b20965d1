// Builds the images on a machine that reaches no registry, in a store of the tests' own.

import { execFileSync, spawn } from 'node:child_process';
import { cpSync, mkdirSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { ROOT } from '../testing/processes.mjs';

export const NAMES = ['gateway', 'chatbot-backend', 'notifier-backend'];
export const FOLDER = join(ROOT, 'target/images');
const STORE = join(FOLDER, 'store');
const BUILDER = 'localhost/switchboard-builder';
const CARGO_HOME = process.env.CARGO_HOME ?? join(homedir(), '.cargo');

/** The environment of the engines. Builds in a folder with chroot need no rights that root may lack. */
export const ENVIRONMENT = {
  ...process.env,
  CONTAINERS_STORAGE_CONF: join(FOLDER, 'storage.conf'),
  BUILDAH_ISOLATION: 'chroot',
  // Health checks are asked for; no timers of systemd.
  DISABLE_HC_SYSTEMD: 'true',
};

/** Runs a program to its end and returns what it prints. */
export function run(program, args, options) {
  return execFileSync(program, args, { env: ENVIRONMENT, encoding: 'utf8', maxBuffer: 1 << 26, stdio: ['ignore', 'pipe', 'pipe'], ...options }).trim();
}

/** Runs a program whose output belongs to the output of the tests. Returns the output as well. */
export async function show(program, args, options) {
  const child = spawn(program, args, { env: ENVIRONMENT, stdio: ['ignore', 'pipe', 'pipe'], ...options });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (text) => {
      output += text;
      process.stderr.write(text);
    });
  }
  const status = await new Promise((resolve) => child.once('close', resolve));
  if (status !== 0) throw new Error(`${program} ${args.join(' ')} ends with ${status}`);
  return output;
}

/** vfs works everywhere, but copies all files for each layer: 25 GB and more. */
function driver() {
  const layers = ['lower', 'upper', 'work', 'merged'].map((name) => join(FOLDER, 'overlay', name));
  for (const layer of layers) mkdirSync(layer, { recursive: true });
  const [lower, upper, work, merged] = layers;
  try {
    run('mount', ['-t', 'overlay', 'overlay', '-o', `lowerdir=${lower},upperdir=${upper},workdir=${work}`, merged]);
    run('umount', [merged]);
    return 'overlay';
  } catch {
    return 'vfs';
  }
}

/** Removes the store. KEEP_IMAGES=1 keeps it for the next run, which then compiles nothing that is unchanged. */
export function removeStore() {
  if (process.env.KEEP_IMAGES) return;
  run('podman', ['rm', '--all', '--force', '--time=0']);
  run('buildah', ['rm', '--all']);
  run('buildah', ['rmi', '--all', '--force']);
  rmSync(FOLDER, { recursive: true, force: true });
}

/**
 * Makes the builder's image, in place of the official image of Rust: Debian with a C compiler, and the Rust of this machine where the
 * official image has it.
 */
export async function makeBuilder() {
  run(join(ROOT, 'deploy/native/requirement'), ['images']);
  mkdirSync(STORE, { recursive: true });
  writeFileSync(ENVIRONMENT.CONTAINERS_STORAGE_CONF, `[storage]\ndriver = "${driver()}"\ngraphroot = "${STORE}"\nrunroot = "${FOLDER}/run"\n`);
  if (run('buildah', ['images', '--quiet', '--filter', `reference=${BUILDER}`])) return;
  const root = join(FOLDER, 'builder');
  rmSync(root, { recursive: true, force: true });
  await show('mmdebstrap', ['--quiet', '--variant=essential', '--include=gcc,libc6-dev,ca-certificates', 'bookworm', root]);
  rmSync(join(root, 'dev'), { recursive: true });
  const sysroot = run('rustc', ['--print', 'sysroot'], { cwd: ROOT });
  for (const part of ['bin/cargo', 'bin/rustc', 'lib']) cpSync(realpathSync(join(sysroot, part)), join(root, 'usr/local', part), { recursive: true, verbatimSymlinks: true });
  const container = run('buildah', ['from', 'scratch']);
  run('buildah', ['add', '--quiet', container, root, '/']);
  run('buildah', ['config', '--env', 'CARGO_HOME=/usr/local/cargo', '--env', 'PATH=/usr/local/bin:/usr/bin:/bin', container]);
  run('buildah', ['commit', '--quiet', '--rm', container, BUILDER]);
  rmSync(root, { recursive: true });
}

/** Builds images of a checkout as `just image` does. The crates are those that cargo has loaded on this machine already, or loads. */
export function build(args, { root = ROOT, engine = 'buildah', options = [], crates = '/usr/local/cargo' } = {}) {
  const registry = join(CARGO_HOME, 'registry');
  mkdirSync(registry, { recursive: true });
  const ofEngine = ['--pull=never', '--volume', `${registry}:${crates}/registry`, ...options];
  return show(join(root, 'deploy/images/build'), ['--engine', engine, '--builder', BUILDER, ...args, '--', ...ofEngine]);
}

/** A copy of the files that git knows. */
export function copyProject(name) {
  const copy = join(FOLDER, name);
  rmSync(copy, { recursive: true, force: true });
  mkdirSync(copy, { recursive: true });
  run('bash', ['-c', 'git ls-files -z | xargs -0 cp --parents --target-directory "$0"', copy], { cwd: ROOT });
  return copy;
}

/** What an image says of itself. */
export const inspect = (image) => JSON.parse(run('buildah', ['inspect', '--type', 'image', image]));

/** Calls a function with the folder of an image's files. */
export function mounted(image, use) {
  const root = run('podman', ['image', 'mount', image]);
  try {
    return use(root);
  } finally {
    run('podman', ['image', 'unmount', image]);
  }
}
