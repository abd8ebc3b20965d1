// Programs that a test starts, and ports for them.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

export const ROOT = join(import.meta.dirname, '../..');
const PATIENCE_MS = 20_000;

/** A free port at 127.0.0.1. */
export function freePort() {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

/** Waits until something is so. Fails after 20 s. */
export async function until(what, isSo, patience = PATIENCE_MS) {
  for (const end = Date.now() + patience; ; await sleep(20)) {
    if (await isSo()) return;
    assert(Date.now() < end, `${what} takes too long`);
  }
}

/** Starts a program in the foreground, with these environment variables beside the inherited ones. */
export function start(program, args, env = {}) {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...env } });
  const running = { child, log: '' };
  for (const output of [child.stdout, child.stderr]) output.on('data', (text) => (running.log += text));
  running.ended = new Promise((resolve) => child.once('exit', resolve));
  running.stop = async () => {
    child.kill('SIGKILL');
    await running.ended;
  };
  return running;
}

/** Starts a gateway from source with the development settings and these, such as "drain.window=0s", and waits until it is ready. */
export async function startGateway(settings = []) {
  const [port, internal] = [await freePort(), await freePort()];
  const flags = [`public.address=127.0.0.1:${port}`, `internal.address=127.0.0.1:${internal}`, ...settings];
  const config = join(ROOT, 'gateway/config/dev.toml');
  const gateway = start(join(ROOT, 'target/debug/gateway'), ['--config', config, ...flags.flatMap((flag) => ['--set', flag])]);
  const rest = (path, options) => fetch(`http://127.0.0.1:${internal}${path}`, { ...options, headers: { authorization: 'Bearer dev', ...options?.headers } });
  await until('the gateway', async () => (await rest('/readyz').catch(() => undefined))?.ok);
  return Object.assign(gateway, { port, internal, rest });
}
