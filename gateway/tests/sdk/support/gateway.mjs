// Gateways under test: the gateway of the shared stack, or a gateway with other settings for one test.

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { Program, ROOT } from './program.mjs';
import { eventually } from './wait.mjs';

const KEY = 'dev';

/** Settings of every gateway that a test starts. They override the settings file. */
const BASICS = {
    GATEWAY__WORKERS: '2',
    GATEWAY__API_KEYS: `dev=${KEY}`,
    GATEWAY__PUBLIC__ADDRESS: '127.0.0.1:0',
    GATEWAY__INTERNAL__ADDRESS: '127.0.0.1:0',
    GATEWAY__TOKENS__HMAC_SECRET: 'dev-secret',
    GATEWAY__DRAIN__WINDOW: '0s',
    GATEWAY__DRAIN__DEADLINE: '1s',
    GATEWAY__TELEMETRY__LOG_FORMAT: 'json',
};

/** A gateway: the URLs of its public listener and of its internal listener, and an API key. */
export class Gateway {
    constructor(url, api, key = KEY) {
        Object.assign(this, { url, api, key });
    }

    /** The WebSocket URL for the SDK. */
    get websocket() {
        return `${this.url.replace('http', 'ws')}/connection/websocket`;
    }

    /** The WebSocket URL for STOMP. */
    get stomp() {
        return `${this.url.replace('http', 'ws')}/stomp`;
    }

    /** Sends a REST request. Resolves to `{ status, headers, body }`. */
    async rest(method, path, body, headers = {}) {
        const json = body === undefined ? {} : { 'content-type': 'application/json' };
        const response = await fetch(this.api + path, {
            method,
            headers: { authorization: `Bearer ${this.key}`, ...json, ...headers },
            body: body === undefined ? undefined : JSON.stringify(body),
        });
        const text = await response.text();
        return { status: response.status, headers: response.headers, body: text.startsWith('{') ? JSON.parse(text) : text };
    }

    /** Sends a REST request that must succeed. Resolves to the body of the answer. */
    async ask(method, path, body, headers) {
        const { status, body: answer } = await this.rest(method, path, body, headers);
        if (status !== 200) throw new Error(`${method} ${path} was answered ${status}: ${JSON.stringify(answer)}`);
        return answer;
    }

    /** Publishes each element of `data`, in order. Resolves to the positions of the publications. */
    async publish(channel, ...data) {
        const positions = [];
        for (let at = 0; at < data.length; at += 1000) {
            const publications = data.slice(at, at + 1000).map((each) => ({ channel, data: each }));
            const { results } = await this.ask('POST', '/v1/publications', { publications });
            const failed = results.find((result) => result.error);
            if (failed) throw new Error(`publishing failed: ${JSON.stringify(failed.error)}`);
            positions.push(...results.map((result) => result.position));
        }
        return positions;
    }

    /** Returns the sum of a metric over all its labels. */
    async metric(name) {
        const lines = (await this.ask('GET', '/metrics')).split('\n');
        const values = lines.filter((line) => line.startsWith(name) && /[ {]/.test(line[name.length])).map((line) => Number(line.split(' ').at(-1)));
        if (values.length === 0) throw new Error(`there is no metric ${name}`);
        return values.reduce((sum, value) => sum + value, 0);
    }
}

/** A gateway process for one test. */
export class OwnGateway extends Gateway {
    #options;
    #program;

    /** Starts a gateway with the settings in this file. `settings` override all others. */
    static async start(file, settings = {}) {
        const own = new OwnGateway();
        own.#options = ['--config', file, ...Object.entries(settings).flatMap(([key, value]) => ['--set', `${key}=${value}`])];
        await own.#spawn({});
        return own;
    }

    get pid() {
        return this.#program.pid;
    }

    get log() {
        return this.#program.log;
    }

    async #spawn(settings) {
        this.#program = new Program('gateway', this.#options, { ...BASICS, ...settings });
        const ready = await this.#program.until(() => this.#ready());
        [this.url, this.api, this.key] = [ready.public && `http://${ready.public}`, `http://${ready.internal}`, KEY];
    }

    #ready() {
        const line = this.log.split('\n').find((line) => line.includes('"ready"'));
        if (!line) return undefined;
        const address = (name) => new RegExp(`"${name}":"([^"]+)"`).exec(line)?.[1];
        return { public: address('public'), internal: address('internal') };
    }

    /** Sends SIGTERM, which starts the drain. Does not wait. */
    drain() {
        this.#program.signal('SIGTERM');
    }

    /** Stops the process with a drain. Resolves to its exit code. */
    async stop() {
        return this.#program?.stop();
    }

    /** Kills the process with SIGKILL, so its state in memory is lost. */
    async kill() {
        await this.#program.kill();
    }

    /** Suspends the process until `thaw`. */
    freeze() {
        this.#program.signal('SIGSTOP');
    }

    thaw() {
        this.#program.signal('SIGCONT');
    }

    /** Starts the process again, with the same addresses. A connection of another program may have one of the ports for a short time. */
    async restart() {
        const addresses = { GATEWAY__PUBLIC__ADDRESS: new URL(this.url).host, GATEWAY__INTERNAL__ADDRESS: new URL(this.api).host };
        const started = async () => {
            try {
                await this.#spawn(addresses);
                return true;
            } catch (error) {
                if (!this.log.includes('is in use by another process')) throw error;
                return false;
            }
        };
        await eventually(started, 'its ports to be free');
    }
}

/**
 * Starts a gateway for one test. `settings` is the settings file (TOML). `overrides` has settings by key, which override `BASICS`. A failed
 * test shows the log of the gateway.
 */
export async function ownGateway(t, settings = '', overrides = {}) {
    const folder = await mkdtemp(join(tmpdir(), 'switchboard-sdk-'));
    t.after(() => rm(folder, { recursive: true }));
    const file = join(folder, 'gateway.toml');
    await writeFile(file, settings);
    const gateway = await OwnGateway.start(file, overrides);
    t.after(async () => {
        if (t.passed === false) t.diagnostic(`log of the gateway:\n${gateway.log}`);
        await gateway.stop();
    });
    return gateway;
}

let shared;

/** Returns the gateway of the stack that the environment names. Without a stack, starts a gateway and a chat bot for this test file. */
export function stack() {
    return (shared ??= startStack());
}

async function startStack() {
    const { SWITCHBOARD_URL: url, SWITCHBOARD_API: api, SWITCHBOARD_API_KEY: key } = process.env;
    if (url && api) return new Gateway(url, api, key);
    const gateway = await OwnGateway.start(join(ROOT, 'gateway/config/dev.toml'));
    const settings = { CHATBOT__HTTP__ADDRESS: '127.0.0.1:0', CHATBOT__GATEWAY__URLS: gateway.api, CHATBOT__GATEWAY__API_KEY: KEY };
    const bot = new Program('chatbot-backend', [], settings);
    after(async () => {
        await bot.stop();
        await gateway.stop();
    });
    await eventually(async () => (await gateway.ask('GET', '/v1/services')).services.some((it) => it.instances.length > 0), 'the chat bot');
    return gateway;
}
