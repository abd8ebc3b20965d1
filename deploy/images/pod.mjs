// Containers of the images that share a network, as those of a pod do: podman starts them, with the rights that production gives.

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { ENVIRONMENT, run } from './engine.mjs';

/** This machine and the containers, for each other. The range is meant for examples. */
export const HOST = '198.51.100.1';
export const POD = '198.51.100.2';
const NAME = `images-${process.pid}`;
const DEVICE = `im${process.pid}`;

export function createNetwork() {
  const ip = (line) => run('ip', line.split(' '), { env: { PATH: `${process.env.PATH}:/usr/sbin:/sbin` } });
  ip(`netns add ${NAME}`);
  ip(`link add ${DEVICE} type veth peer name eth0 netns ${NAME}`);
  ip(`addr add ${HOST}/30 dev ${DEVICE}`);
  ip(`link set ${DEVICE} up`);
  ip(`-n ${NAME} addr add ${POD}/30 dev eth0`);
  ip(`-n ${NAME} link set eth0 up`);
  ip(`-n ${NAME} link set lo up`);
  return () => ip(`netns del ${NAME}`);
}

/** podman would raise limits, which root without all its rights may not do. */
const LIMITS = ['--ulimit=nofile=4096:4096', '--ulimit=nproc=4096:4096'];

/** Starts a container of an image: read-only, without capabilities, with the image's own user, variables and volumes. */
export function startContainer(image, args = [], options = []) {
  const id = run('podman', ['--runtime=runc', 'run', '--detach', '--pull=never', `--network=ns:/run/netns/${NAME}`, `--dns=${HOST}`, '--read-only',
    '--read-only-tmpfs=false', '--cap-drop=all', '--security-opt=no-new-privileges', ...LIMITS,
    ...options, image, ...args]);
  const podman = (...line) => run('podman', ['--runtime=runc', ...line]);
  return {
    id,
    exec: (...line) => podman('exec', id, ...line),
    /** Runs the image's own health check. Returns whether the container is healthy. */
    healthy() {
      try {
        podman('healthcheck', 'run', id);
        return true;
      } catch ({ status }) {
        if (status !== 1) throw new Error(`the health check ends with ${status}`);
        return false;
      }
    },
    log: () => execFileSync('bash', ['-c', 'podman --runtime=runc logs "$0" 2>&1', id], { encoding: 'utf8', env: ENVIRONMENT }),
    inspect: () => JSON.parse(podman('inspect', id))[0],
    /** A file of /proc of its process, such as "status". */
    proc(file) {
      return readFileSync(`/proc/${this.inspect().State.Pid}/${file}`, 'utf8');
    },
    /** Stops it as an engine does and returns the exit code. */
    stop() {
      podman('stop', '--time=30', id);
      return this.inspect().State.ExitCode;
    },
    /** Waits for its end and returns the exit code. */
    wait: () => Number(podman('wait', id)),
    remove: () => podman('rm', '--force', '--time=0', id),
  };
}
