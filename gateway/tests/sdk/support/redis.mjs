// A Redis of a test's own.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from './wait.mjs';

/** Starts a `redis-server` with a socket in a folder of its own; resolves to its address, as `redis.url` takes it. */
export async function ownRedis(t) {
    const folder = await mkdtemp(join(tmpdir(), 'switchboard-redis-'));
    const socket = join(folder, 'redis.sock');
    const process = spawn('redis-server', ['--port', '0', '--unixsocket', socket, '--save', '', '--dir', folder], { stdio: 'ignore' });
    const failed = once(process, 'error').then(([error]) => {
        throw new Error(`redis-server does not start (${error.message}): './justw setup' installs it`);
    });
    t.after(async () => {
        process.kill('SIGKILL');
        await rm(folder, { recursive: true });
    });
    const answers = () =>
        new Promise((resolve) => {
            const probe = connect(socket, () => resolve(true)).on('error', () => resolve(false));
            probe.on('connect', () => probe.end());
        });
    await Promise.race([failed, eventually(answers, 'redis-server to answer')]);
    return `redis+unix://${socket}`;
}
