// Programs that a test starts, and ports for them.

import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

export const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const PATIENCE_MS = 20_000;

/** A free port at 127.0.0.1, below those that the system gives to connections. */
export async function freePort() {
  for (;;) {
    const port = 10_000 + Math.floor(Math.random() * 20_000);
    const server = createServer();
    const isFree = await new Promise((resolve) => server.once('error', () => resolve(false)).listen(port, '127.0.0.1', () => resolve(true)));
    await new Promise((resolve) => server.close(resolve));
    if (isFree) return port;
  }
}

/** Waits until something is so. Fails after 20 s. */
export async function until(what, isSo, patience = PATIENCE_MS) {
  for (const end = Date.now() + patience; ; await sleep(20)) {
    if (await isSo()) return;
    assert(Date.now() < end, `${what} takes too long`);
  }
}

/**
 * Starts a program in the foreground, with these environment variables beside the inherited ones.
 *
 * With `detached`, `stop` also kills the processes that it started.
 */
export function start(program, args, env = {}, { detached = false } = {}) {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...env }, detached });
  const running = { child, log: '' };
  for (const output of [child.stdout, child.stderr]) output.on('data', (text) => (running.log += text));
  running.ended = new Promise((resolve) => child.once('exit', resolve));
  running.stop = async () => {
    if (detached) killGroup(child.pid);
    else child.kill('SIGKILL');
    await running.ended;
  };
  return running;
}

function killGroup(leader) {
  try {
    process.kill(-leader, 'SIGKILL');
  } catch (error) {
    if (error.code !== 'ESRCH') throw error;
  }
}

/** Starts a gateway from source with the development settings and these, such as "drain.window=0s", and waits until it is ready. */
export async function startGateway(settings = []) {
  const [port, internal] = [await freePort(), await freePort()];
  const flags = [`public.address=127.0.0.1:${port}`, `internal.address=127.0.0.1:${internal}`, ...settings];
  const config = join(ROOT, 'gateway/config/dev.toml');
  const gateway = start(join(ROOT, 'target/debug/gateway'), ['--config', config, ...flags.flatMap((flag) => ['--set', flag])]);
  const rest = (path, options) => fetch(`http://127.0.0.1:${internal}${path}`, { ...options, headers: { authorization: 'Bearer dev', ...options?.headers } });
  try {
    await until('the gateway', async () => {
      assert.equal(gateway.child.exitCode, null, gateway.log);
      return (await rest('/readyz').catch(() => undefined))?.ok;
    });
  } catch (error) {
    await gateway.stop();
    throw error;
  }
  return Object.assign(gateway, { port, internal, rest });
}

/** Starts a Redis without persistence. */
export async function startRedis() {
  const port = await freePort();
  const redis = start('redis-server', ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--hz', '100', '--maxclients', '1000']);
  const ask = (...command) => execFileSync('redis-cli', ['-p', String(port), ...command], { encoding: 'utf8' });
  await until('Redis', () => redis.log.includes('Ready to accept connections'));
  /** How often each command was carried out, also by scripts. */
  const calls = () => Object.fromEntries([...ask('INFO', 'commandstats').matchAll(/^cmdstat_([^:]+):calls=(\d+)/gm)].map(([, name, n]) => [name, Number(n)]));
  return Object.assign(redis, { url: `redis://127.0.0.1:${port}`, calls });
}
