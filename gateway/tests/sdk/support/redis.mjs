// A Redis server for one test.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from './wait.mjs';

/** A `redis-server` process that listens at a Unix socket in a temporary folder. */
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

    /** The value of `redis.url` for this server. */
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
        await Promise.race([failed, eventually(() => this.answers('PING', '+PONG'), 'redis-server to answer')]);
    }

    /** Returns whether the answer to a command begins with `expected`. */
    answers(command, expected) {
        return new Promise((resolve) => {
            const socket = connect(this.#socket, () => socket.write(`${command}\r\n`));
            socket.on('data', (answer) => {
                resolve(String(answer).startsWith(expected));
                socket.destroy();
            });
            socket.on('error', () => resolve(false)).on('close', () => resolve(false));
        });
    }

    /** Suspends the process until `thaw`. */
    freeze() {
        this.#process.kill('SIGSTOP');
    }

    thaw() {
        this.#process.kill('SIGCONT');
    }

    /** Stops the server and starts it again with the same data. */
    async restart() {
        await this.stop();
        await this.resume();
    }

    /** Saves the data and stops the server. */
    async stop() {
        await eventually(() => this.answers('SAVE', '+OK'), 'redis-server to save');
        const ended = once(this.#process, 'close');
        this.#process.kill('SIGKILL');
        await ended;
    }

    /** Starts the server again with its saved data. */
    async resume() {
        await this.#spawn();
    }
}

/** Returns the settings of a gateway that shares the Redis at `url` with other gateways. `more` is added to `[redis]`. */
export const redisSettings = (url, name, more = '') => `
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

/** Starts a Redis server. Resolves to its URL. */
export const ownRedis = async (t) => (await OwnRedis.start(t)).url;
