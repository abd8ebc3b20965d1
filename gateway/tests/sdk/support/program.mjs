// Runs one of the project's programs as a process for one test.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { eventually, within } from './wait.mjs';

export const ROOT = fileURLToPath(new URL('../../../../', import.meta.url));
const BINARIES = process.env.SWITCHBOARD_BIN_DIR ?? join(ROOT, 'target/debug');

/** actix-server logs this error if a connection arrives after its workers have stopped, which is after the drain. */
const ARRIVED_AT_THE_END = /"message":"No workers","target":"actix_server::accept"/;

export class Program {
    #process;
    #ended;
    log = '';

    /** Starts a binary of the project, or another program by its path. The process does not inherit the settings of the shared stack. */
    constructor(name, options = [], settings = {}) {
        this.name = name;
        const inherited = Object.entries(process.env).filter(([name]) => !/^(GATEWAY|CHATBOT|NOTIFIER)__/.test(name));
        this.#process = spawn(resolve(BINARIES, name), options, {
            stdio: ['ignore', 'pipe', 'pipe'],
            env: { ...Object.fromEntries(inherited), ...settings },
        });
        this.#ended = once(this.#process, 'close');
        for (const stream of [this.#process.stdout, this.#process.stderr]) {
            stream.setEncoding('utf8').on('data', (text) => (this.log += text));
        }
    }

    get pid() {
        return this.#process.pid;
    }

    /** Calls `probe` until it returns a truthy value, and returns that value. Fails if the process ends, or after `limit` milliseconds. */
    until(probe, limit) {
        const alive = () => {
            if (this.hasEnded) throw new Error(`${this.name} ended:\n${this.log}`);
            return probe();
        };
        return eventually(alive, () => `${this.name} to be ready:\n${this.log}`, limit);
    }

    get hasEnded() {
        return this.#process.exitCode !== null || this.#process.signalCode !== null;
    }

    /** Sends a signal. Does not wait. */
    signal(name) {
        this.#process.kill(name);
    }

    /** Sends SIGTERM and waits for the end. Resolves to the exit code. Fails if the process has logged a line at ERROR. */
    async stop() {
        if (!this.hasEnded) this.signal('SIGTERM');
        return this.end();
    }

    /** Waits for the end. Resolves to the exit code. Fails if the process has logged a line at ERROR. */
    async end() {
        await within(this.#ended, `${this.name} to end`).catch(() => this.kill());
        this.#check();
        return this.#process.exitCode;
    }

    /** Sends SIGKILL and waits for the end. Fails if the process has logged a line at ERROR. */
    async kill() {
        if (!this.hasEnded) this.signal('SIGKILL');
        await this.#ended;
        this.#check();
    }

    #check() {
        const errors = this.log.split('\n').filter((line) => / ERROR |"level":"ERROR"/.test(line) && !ARRIVED_AT_THE_END.test(line));
        if (errors.length > 0) throw new Error(`${this.name} logged:\n${errors.join('\n')}`);
    }
}

/** Starts the backend `name` with this gateway and waits until it is ready. It stops after the test. A failed test shows its log. */
export async function backend(t, name, gatewayUrl, settings = {}) {
    const prefix = { 'chatbot-backend': 'CHATBOT', 'notifier-backend': 'NOTIFIER' }[name];
    const address = `127.0.0.1:${await freePort()}`;
    const basics = { HTTP__ADDRESS: address, GATEWAY__URLS: gatewayUrl, GATEWAY__API_KEY: 'dev' };
    const named = Object.entries({ ...basics, ...settings }).map(([key, value]) => [`${prefix}__${key}`, String(value)]);
    const program = new Program(name, [], Object.fromEntries(named));
    t.after(async () => {
        if (t.passed === false) t.diagnostic(`log of ${name}:\n${program.log}`);
        await program.stop();
    });
    program.url = `http://${address}`;
    await program.until(() => fetch(`${program.url}/readyz`).then(({ ok }) => ok, () => false));
    return program;
}

/** Returns a free port below the range of outgoing connections, so the port stays free until a restarted process binds it again. */
export async function freePort() {
    for (;;) {
        const port = 20_000 + Math.floor(Math.random() * 10_000);
        const server = createServer();
        const bound = await new Promise((resolve) => {
            server.once('error', () => resolve(false)).listen(port, '127.0.0.1', () => resolve(true));
        });
        if (!bound) continue;
        await new Promise((resolve) => server.close(resolve));
        return port;
    }
}
