// docs/examples/python-queue: a program without the gateway's link gets all events from the streams, although it, gateways and Redis die in between.

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { signedIn } from './support/client.mjs';
import { BUILT, commandsOf } from './support/example.mjs';
import { ownGateway } from './support/gateway.mjs';
import { Program } from './support/program.mjs';
import { OwnRedis, redisSettings } from './support/redis.mjs';
import { eventually } from './support/wait.mjs';

const PARTITIONS = 2;
const ROOMS = ['a', 'b', 'c', 'd', 'e'];

const settings = (redis, name) => `${redisSettings(redis.url, name)}
[services.log]
reach = "queue"
partitions = ${PARTITIONS}
order = "/room"
idempotency = "/id"
lifecycle_events = ["connected", "disconnected"]
`;

/** The consumer of one partition, over all its processes. */
class Consumer {
    #environment;
    #ended = '';

    constructor(t, redis, partition) {
        this.#environment = { SERVICE: 'log', PARTITION: String(partition), REDIS_URL: redis.url.replace('redis+unix', 'unix') };
        this.start();
        t.after(() => this.kill());
    }

    start() {
        this.program = new Program('/usr/bin/env', ['bash', '-c', `cd '${join(BUILT, 'python-queue')}' && exec ${commandsOf('python-queue').run}`], this.#environment);
    }

    async kill() {
        await this.program.kill();
        this.#ended += this.program.log;
        this.program.log = '';
    }

    /** The events that it has got, in order, as `[id, event]`. */
    get events() {
        const lines = (this.#ended + this.program.log).split('\n').slice(0, -1);
        const entries = lines.filter((line) => line.includes(' {'));
        return entries.map((line) => [line.slice(0, line.indexOf(' ')), JSON.parse(line.slice(line.indexOf(' ') + 1))]);
    }
}

test('the consumer gets each event in order, although it, a gateway and Redis are killed', async (t) => {
    const redis = await OwnRedis.start(t);
    const nodes = await Promise.all(['one', 'two'].map((name) => ownGateway(t, settings(redis, name))));
    for (const node of nodes) await eventually(async () => (await node.rest('GET', '/readyz')).status === 200, 'the node to be ready');
    const [one, two] = nodes;
    const consumers = Array.from({ length: PARTITIONS }, (_, partition) => new Consumer(t, redis, partition));
    const all = () => consumers.flatMap(({ events }) => events);
    const missing = (ids) => {
        const got = new Set(all().map(([id]) => id));
        return ids.filter((id) => !got.has(id));
    };

    const ann = await signedIn(t, one, 'ann');
    const bob = await signedIn(t, two, 'bob');
    const accepted = [];
    let [next, again] = [0, 0];
    /** Calls once in each room. A call that fails is sent again through the other node, with the same key. */
    const callAll = async () => {
        for (const room of ROOMS) {
            const data = { room, n: next, id: `${room}-${next}` };
            const call = async () => {
                const from = again % 2 === 0 ? ann : bob;
                return from.rpc('log.note', data).catch((error) => {
                    assert.ok(error.temporary || error.code < 100 || error.code >= 1000, `a clear error: ${JSON.stringify(error)}`);
                    again += 1;
                });
            };
            accepted.push((await eventually(call, 'an answer')).data.accepted);
        }
        next += 1;
    };
    const calls = async (count) => {
        for (let n = 0; n < count; n += 1) await callAll();
    };

    await calls(10);
    for (const consumer of consumers) {
        await consumer.kill();
        await calls(10);
        consumer.start();
        await calls(2);
        await consumer.kill();
        consumer.start();
    }
    await two.kill();
    await calls(5);
    await two.restart();
    await redis.restart();
    await calls(5);
    await eventually(() => missing(accepted).length === 0, () => `${missing(accepted).length} events: ${consumers.map(({ program }) => program.log)}`);
    ann.disconnect();

    const gone = () => all().some(([, { kind, user }]) => kind === 'disconnected' && user === 'ann');
    await eventually(gone, 'the end of a connection');
    const ids = new Map(all().map(([id, event]) => [id, event]));
    assert.equal(new Set(accepted).size, accepted.length);
    assert.deepEqual(accepted.filter((id) => ids.get(id).kind !== 'call' || ids.get(id).method !== 'note'), []);
    for (const room of ROOMS) {
        const firsts = [...ids.values()].filter(({ data }) => data.room === room).map(({ data }) => data.n);
        assert.deepEqual(firsts, Array.from({ length: next }, (_, n) => n), `the events of ${room}, without repeats`);
    }
    assert.ok(consumers.every(({ events }) => events.length > 0), 'both partitions have events');
    await eventually(async () => (await one.ask('GET', '/v1/services/log/queue')).depth === 0, 'the queue to be empty');
});
