// A Redis of a test's own.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from './wait.mjs';

/** A `redis-server` with a socket in a folder of its own. */
export class OwnRedis {
    #folder;
    #process;

    static async start(t) {
        const own = new OwnRedis();
        own.#folder = await mkdtemp(join(tmpdir(), 'switchboard-redis-'));
        t.after(async () => {
            own.#process.kill('SIGKILL');
            await rm(own.#folder, { recursive: true });
        });
        await own.#spawn();
        return own;
    }

    /** Its address, as `redis.url` takes it. */
    get url() {
        return `redis+unix://${this.#socket}`;
    }

    get #socket() {
        return join(this.#folder, 'redis.sock');
    }

    async #spawn() {
        const options = ['--port', '0', '--unixsocket', this.#socket, '--save', '', '--dir', this.#folder];
        this.#process = spawn('redis-server', options, { stdio: 'ignore' });
        const failed = once(this.#process, 'error').then(([error]) => {
            throw new Error(`redis-server does not start (${error.message}): './justw setup' installs it`);
        });
        await Promise.race([failed, eventually(() => this.says('PING', '+PONG'), 'redis-server to answer')]);
    }

    /** Whether it answers a command so. */
    says(command, expected) {
        return new Promise((resolve) => {
            const socket = connect(this.#socket, () => socket.write(`${command}\r\n`));
            socket.on('data', (answer) => {
                resolve(String(answer).startsWith(expected));
                socket.destroy();
            });
            socket.on('error', () => resolve(false)).on('close', () => resolve(false));
        });
    }

    /** It ends, and comes back with all that it had. */
    async restart() {
        await this.stop();
        await this.resume();
    }

    /** It ends, and keeps all that it has. */
    async stop() {
        await eventually(() => this.says('SAVE', '+OK'), 'redis-server to save');
        const ended = once(this.#process, 'close');
        this.#process.kill('SIGKILL');
        await ended;
    }

    /** It comes back. */
    async resume() {
        await this.#spawn();
    }
}

/** Settings of a gateway that shares the Redis at this address with others; `more` belongs to `[redis]`. */
export const over = (url, name, more = '') => `
    [node]
    name = "${name}"
    [broker]
    kind = "redis"
    [redis]
    url = "${url}"
    ${more}
    [cluster]
    lease = "2s"
`;

/** Starts one; resolves to its address. */
export const ownRedis = async (t) => (await OwnRedis.start(t)).url;
