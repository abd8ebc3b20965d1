// Commands of the SDK's fallbacks that arrive at another node than the session's: two nodes behind a proxy that sends streams to one and
// commands to the other.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FORMS } from './support/builds.mjs';
import { client, subscribed, unique } from './support/client.mjs';
import { ownGateway } from './support/gateway.mjs';
import { HttpProxy } from './support/http-proxy.mjs';
import { RawStream, ask } from './support/raw-stream.mjs';
import { OwnRedis, redisSettings } from './support/redis.mjs';
import { Service } from './support/service.mjs';
import { token } from './support/token.mjs';
import { EventRecorder, eventually, next } from './support/wait.mjs';

const SETTINGS = `
[namespaces.news]
history_size = 10000
history_ttl = "1h"
subscribe = "anyone"
publish = "subscriber"
see_history = "subscriber"
[services.echo]
`;

/** What the SDK tells of a command that was not answered in time. No command may end so: its stream ends first. */
const TIMEOUT = 1;

const range = (from, to) => Array.from({ length: to - from + 1 }, (_, index) => from + index);

/** Starts a Redis, two nodes that share it, and the proxy. `redis` stops with the test. */
async function cluster(t) {
    const redis = await OwnRedis.start(t);
    const [one, two] = await Promise.all(['one', 'two'].map((name) => ownGateway(t, redisSettings(redis.url, name, 'canary_interval = "200ms"') + SETTINGS)));
    for (const node of [one, two]) await eventually(async () => (await node.rest('GET', '/readyz')).status === 200, 'the node to be ready');
    const nodes = { streams: one, commands: two };
    const proxy = await HttpProxy.start(t, ({ url }) => (url.startsWith('/emulation') ? nodes.commands : nodes.streams));
    return { redis, one, two, nodes, proxy };
}

async function connected(t, proxy, { transport, Build }) {
    const it = client(t, {}, { url: proxy.url, transport, token: token({ sub: 'ann' }) }, Build);
    const answered = next(it, 'connected');
    it.connect();
    it.context = await answered;
    return it;
}

/** The data of all stored publications. */
async function stored(node, channel) {
    const { publications } = await node.ask('GET', `/v1/channels/${encodeURIComponent(channel)}/publications?limit=1000&order=asc`);
    return publications.map(({ data }) => data);
}

for (const [form, { transport, Build, read, write }] of Object.entries(FORMS)) {
    test(`${form}: every command works at the other node`, async (t) => {
        const { one, proxy } = await cluster(t);
        await Service.start(t, one, 'echo', { answer: ({ id, data }) => ({ reply: { id, data } }) });
        const channel = unique('news:');
        const it = await connected(t, proxy, { transport, Build });
        const subscription = await subscribed(it, channel);
        const got = new EventRecorder(subscription, 'publication', ({ data }) => read(data));
        assert.deepEqual(read((await it.rpc('echo.say', write({ a: 'ü' }))).data), { a: 'ü' });
        it.startBatching();
        const together = range(1, 100).map((number) => subscription.publish(write(number)));
        it.stopBatching();
        await Promise.all(together);
        for (const number of range(101, 110)) await subscription.publish(write(number));
        assert.deepEqual(await got.count(110), range(1, 110));
        const { publications } = await subscription.history({ limit: 1000 });
        assert.deepEqual(publications.map(({ data }) => read(data)), range(1, 110));
        const ended = next(subscription, 'unsubscribed');
        subscription.unsubscribe();
        await ended;
        await eventually(async () => (await one.ask('GET', `/v1/channels/${encodeURIComponent(channel)}`)).subscribers === 0, 'the end of the subscription');
        const commands = await proxy.answered('/emulation', 1);
        assert.deepEqual([...new Set(commands.map(({ status }) => status))], [204]);
    });

    for (const victim of ['commands', 'streams']) {
        const killed = { commands: 'that takes the commands', streams: 'of the session' }[victim];
        test(`${form}: after kill -9 of the node ${killed}, each command is answered, or its stream ends and the SDK goes on`, async (t) => {
            const { nodes, proxy } = await cluster(t);
            const [dies, survives] = victim === 'commands' ? [nodes.commands, nodes.streams] : [nodes.streams, nodes.commands];
            const channel = unique('news:');
            const [it, reader] = [await connected(t, proxy, { transport, Build }), await connected(t, proxy, { transport, Build })];
            const [subscription, followed] = [await subscribed(it, channel), await subscribed(reader, channel)];
            const got = new EventRecorder(followed, 'publication', ({ data }) => read(data));
            const [answered, refused] = [[], []];
            let [going, last] = [true, 0];
            const publishing = (async () => {
                while (going) {
                    const number = (last += 1);
                    await subscription.publish(write(number)).then(() => answered.push(number), ({ code }) => refused.push({ number, code }));
                }
            })();
            const more = (count, what) => eventually(() => answered.length >= count, () => `${what}: ${answered.length} were answered, ${JSON.stringify(refused)}`);
            await more(20, 'the first commands');
            const down = next(it, 'connecting');
            await dies.kill();
            await down;
            nodes.streams = nodes.commands = survives;
            await more(answered.length + 20, 'commands after the end of the node');
            going = false;
            await publishing;
            await survives.publish(channel, 'end');
            const all = await stored(survives, channel);
            assert.deepEqual(await got.until((list) => list.at(-1) === 'end'), all, 'the reader has everything, once and in order');
            const numbers = all.slice(0, -1);
            assert.deepEqual(numbers, [...numbers].sort((a, b) => a - b), 'in order');
            assert.equal(new Set(numbers).size, numbers.length, 'once');
            assert.deepEqual(answered.filter((number) => !numbers.includes(number)), [], 'what was answered is stored');
            assert.deepEqual(refused.filter(({ code }) => code === TIMEOUT), [], 'nobody waited for nothing');
        });
    }
}

/** Sends commands for a session to a node. Resolves to the status and the problem. */
async function post(node, { type = 'application/json', body, ...request }) {
    const response = await ask(node.url, { method: 'POST', path: '/emulation', type, body: body ?? JSON.stringify(request) });
    let text = '';
    for await (const part of response.setEncoding('utf8')) text += part;
    return { status: response.statusCode, code: text ? JSON.parse(text).code : undefined };
}

const PING = JSON.stringify({ id: 99, ping: {} });

for (const transport of ['http_stream', 'sse']) {
    test(`${transport}: commands keep their order within a request and from one request to the next`, async (t) => {
        const { two, proxy } = await cluster(t);
        const channel = unique('news:');
        const raw = await RawStream.connect(t, { url: proxy.origin }, { token: token({ sub: 'ann' }) }, { transport });
        const publish = (from, to) => range(from, to).map((data) => ({ publish: { channel, data } }));
        const ids = [...raw.send({ subscribe: { channel } }, ...publish(1, 50)), ...raw.send(...publish(51, 100)), ...raw.send({ history: { channel, limit: 1000 } })];
        const { history } = await raw.reply(ids.at(-1));
        assert.deepEqual(history.publications.map(({ data }) => data), range(1, 100));
        assert.deepEqual(raw.frames.filter(({ id }) => ids.includes(id)).map(({ id }) => id), ids, 'the replies, too');
        await raw.sent();
        assert.deepEqual(raw.statuses, [204, 204, 204]);
        assert.deepEqual(await stored(two, channel), range(1, 100));
    });

    test(`${transport}: the statuses of requests with commands`, async (t) => {
        const { redis, one, two } = await cluster(t);
        const raw = await RawStream.connect(t, one, { token: token({ sub: 'ann' }) }, { transport });
        const { session, node, client: id } = raw.connection;
        const valid = { session, node, data: PING };
        for (const at of [one, two]) {
            const pings = () => raw.frames.filter(({ id }) => id === 99).length;
            const before = pings();
            assert.deepEqual(await post(at, valid), { status: 204, code: undefined });
            await raw.until(() => pings() > before, 'the answer to the ping');
            assert.equal((await post(at, { ...valid, type: 'application/json; charset=utf-8' })).status, 204);
            for (const unknown of ['', 'nobody', `${node}0`, node.slice(0, -1), 'a'.repeat(10_000)]) {
                assert.equal((await post(at, { ...valid, node: unknown })).status, 404, `node ${unknown.slice(0, 100)}`);
            }
            assert.deepEqual(await post(at, { ...valid, data: 'x'.repeat(1024 * 1024) }), { status: 413, code: 'payload_too_large' });
            for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x', 'application/jsonx', '']) {
                assert.deepEqual(await post(at, { ...valid, type }), { status: 415, code: 'unsupported_media_type' }, type);
            }
            for (const body of ['', 'x', '[]', '{"session":1,"node":"","data":""}']) {
                assert.deepEqual(await post(at, { body }), { status: 400, code: 'bad_request' }, body);
            }
        }
        redis.freeze();
        const undelivered = await post(two, valid).finally(() => redis.thaw());
        // The SDK connects again after either: not delivered, or perhaps delivered.
        assert.ok(undelivered.status === 503 || undelivered.status === 504, JSON.stringify(undelivered));

        raw.terminate();
        await eventually(async () => (await one.rest('GET', `/v1/connections/${id}`)).status === 410, 'the end of the session');
        for (const at of [one, two]) assert.equal((await post(at, valid)).status, 204, 'the session has gone from a live node');
    });

    test(`${transport}: commands for a node that was killed are refused as unanswered until its lease ends, and then with 404, also after its restart`, async (t) => {
        const { one, two } = await cluster(t);
        const raw = await RawStream.connect(t, one, { token: token({ sub: 'ann' }) }, { transport });
        const { session, node } = raw.connection;
        await one.kill();
        const statuses = [];
        const isUnknown = async () => {
            statuses.push((await post(two, { session, node, data: PING })).status);
            return statuses.at(-1) === 404;
        };
        await eventually(isUnknown, () => `404: ${statuses}`);
        assert.deepEqual(statuses.slice(0, -1).filter((status) => ![503, 504].includes(status)), []);
        await one.restart();
        await eventually(async () => (await one.rest('GET', '/readyz')).status === 200, 'the node to be ready');
        for (const at of [one, two]) assert.equal((await post(at, { session, node, data: PING })).status, 404, 'another life of the node');
    });
}

test('the methods of the paths of the fallbacks', async (t) => {
    const gateway = await ownGateway(t, 'tokens.anonymous = true\n');
    for (const [method, path] of [['GET', '/connection/http_stream'], ['POST', '/connection/sse?cf_connect=%7B%7D'], ['GET', '/emulation'], ['DELETE', '/emulation'], ['POST', '/events?channel=a']]) {
        const answer = await fetch(gateway.url + path, { method, ...(method === 'POST' && { body: '{}', headers: { 'content-type': 'application/json' } }) });
        assert.deepEqual([answer.status, (await answer.json()).code], [405, 'method_not_allowed'], `${method} ${path}`);
    }
    for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x', '']) {
        const answer = await ask(gateway.url, { method: 'POST', path: '/connection/http_stream', type, body: '{"id":1,"connect":{}}' });
        answer.resume();
        assert.equal(answer.statusCode, 415, type);
    }
});
