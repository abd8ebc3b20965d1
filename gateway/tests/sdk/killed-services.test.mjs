// Calls while instances and targets of the service die at random: the order of each key holds, and every call has one result in time.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import WebSocket from 'ws';
import { signedIn } from './support/client.mjs';
import { ownGateway } from './support/gateway.mjs';
import { eventually } from './support/wait.mjs';

const [CONNECTIONS, CALLS, INSTANCES, ROOMS] = [200, 20, 3, 20];
/** The deadline of a call, and how late a busy event loop may see the answer, in milliseconds. */
const [DEADLINE, LATENESS] = [5_000, 1_000];

const settings = (order, carrier) => `
[services.bot]
call_timeout = "${DEADLINE}ms"
order = "${order}"
order_queue = 10000
in_flight_per_connection = 1000
breaker_failures = 1000
${carrier}
`;

const below = (limit) => Math.floor(Math.random() * limit);

/** What the service received, over all its instances. */
class Journal {
    calls = [];
    #running = new Map();
    overlaps = [];

    /** Records a call and runs it. `isAlive` says whether its instance still lives. Resolves to whether the instance should answer. */
    async run(call, isAlive) {
        const key = call.order_key;
        const other = this.#running.get(key);
        if (other?.isAlive()) this.overlaps.push([other.call, call]);
        const entry = { call, isAlive };
        this.#running.set(key, entry);
        this.calls.push(call);
        await pause(below(8));
        if (this.#running.get(key) === entry) this.#running.delete(key);
        return isAlive();
    }
}

/** An instance with a link, which may be killed and started again. */
class Linked {
    constructor(gateway, name, journal) {
        Object.assign(this, { gateway, name, journal });
    }

    async start() {
        const url = `${this.gateway.api.replace('http', 'ws')}/v1/services/bot/link`;
        const socket = new WebSocket(url, { headers: { authorization: `Bearer ${this.gateway.key}` } });
        this.socket = socket;
        socket.on('error', () => {});
        const isAlive = () => socket.readyState === WebSocket.OPEN;
        socket.on('message', async (data) => {
            const { call } = JSON.parse(data);
            if (!call || !(await this.journal.run(call, isAlive))) return;
            socket.send(JSON.stringify({ reply: { id: call.id, data: call.data.n } }));
            socket.send(JSON.stringify({ credit: { n: 1 } }));
        });
        await once(socket, 'open');
        socket.send(JSON.stringify({ hello: { service: 'bot', instance: this.name, credit: 1000 } }));
    }

    kill() {
        this.socket.terminate();
    }
}

/** A target of a webhook, which may be killed and started again at the same port. */
class Targeted {
    constructor(journal) {
        this.journal = journal;
        this.port = 0;
    }

    async start() {
        const sockets = new Set();
        const server = createServer(async (request, response) => {
            const chunks = [];
            for await (const chunk of request) chunks.push(chunk);
            const { call } = JSON.parse(Buffer.concat(chunks));
            const isAlive = () => server.listening && !response.destroyed;
            if (await this.journal.run(call, isAlive)) response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(call.data.n));
        });
        server.on('connection', (socket) => {
            sockets.add(socket);
            socket.on('error', () => {}).on('close', () => sockets.delete(socket));
        });
        server.listen(this.port, '127.0.0.1');
        await once(server, 'listening');
        this.port = server.address().port;
        Object.assign(this, { server, sockets });
    }

    kill() {
        this.server.close();
        for (const socket of this.sockets) socket.destroy();
    }
}

/** Starts the gateway and the instances or targets of its service. */
async function start(t, reach, order, journal) {
    if (reach === 'webhook') {
        const targets = Array.from({ length: INSTANCES }, () => new Targeted(journal));
        for (const target of targets) await target.start();
        const urls = JSON.stringify(targets.map(({ port }) => `http://127.0.0.1:${port}/`));
        return [await ownGateway(t, settings(order, `reach = "webhook"\nurls = ${urls}`)), targets];
    }
    const gateway = await ownGateway(t, settings(order, ''));
    const instances = Array.from({ length: INSTANCES }, (_, at) => new Linked(gateway, `i${at}`, journal));
    for (const instance of instances) await instance.start();
    const all = async () => (await gateway.ask('GET', '/v1/services')).services[0].instances.length === INSTANCES;
    await eventually(all, 'all instances');
    return [gateway, instances];
}

/** Kills a random instance and starts it again, until the calls are over. Resolves to the number of kills. */
async function killAtRandom(instances, over) {
    let kills = 0;
    for (; !over.done; kills += 1) {
        await pause(50 + below(100));
        const instance = instances[below(INSTANCES)];
        instance.kill();
        await pause(below(100));
        await instance.start();
    }
    return kills;
}

for (const reach of ['link', 'webhook']) {
    for (const order of ['/room', 'connection']) {
        test(`${CONNECTIONS} connections call a service by ${reach} in order of ${order} while it is killed`, async (t) => {
            const journal = new Journal();
            const [gateway, instances] = await start(t, reach, order, journal);
            t.after(() => instances.forEach((instance) => instance.kill()));
            const people = await Promise.all(Array.from({ length: CONNECTIONS }, (_, n) => signedIn(t, gateway, `user-${n}`, {}, { timeout: 60_000 })));
            const over = { done: false };
            const killing = killAtRandom(instances, over);
            const results = { answered: 0, errors: new Map() };
            const call = async (it, n) => {
                const began = performance.now();
                try {
                    assert.equal((await it.rpc('bot.say', { room: `room-${below(ROOMS)}`, n })).data, n, 'the answer of another call');
                    results.answered += 1;
                } catch ({ code, message }) {
                    assert.ok([1000, 1001, 1002].includes(code), `${code}: ${message}`);
                    results.errors.set(code, (results.errors.get(code) ?? 0) + 1);
                }
                const took = performance.now() - began;
                assert.ok(took < DEADLINE + LATENESS, `an answer after ${took} ms`);
            };
            const bursts = people.map(async (it) => {
                for (let n = 0; n < CALLS; n += 4) {
                    await Promise.all([0, 1, 2, 3].map((offset) => call(it, n + offset)));
                    await pause(below(200));
                }
            });
            await Promise.all(bursts).finally(() => (over.done = true));
            const kills = await killing;
            t.diagnostic(`${kills} kills, ${results.answered} answers, errors ${JSON.stringify([...results.errors])}`);

            assert.ok(kills > 3 && results.answered > (CONNECTIONS * CALLS) / 2, 'most calls are answered, and some instances were killed');
            assert.deepEqual(journal.overlaps, [], 'two calls of one key ran at the same time');
            const last = new Map();
            for (const { connection, order_key, data } of journal.calls) {
                const key = `${connection} ${order_key}`;
                assert.ok(data.n > (last.get(key) ?? -1), `call ${data.n} of ${key} came after ${last.get(key)}`);
                last.set(key, data.n);
            }
        });
    }
}
