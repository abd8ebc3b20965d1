// What is special about the SDK's fallbacks: how the SDK comes to use one, what their streams look like, and streams that break.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BUILDS, FORMS } from './support/builds.mjs';
import { client, subscribed, unique } from './support/client.mjs';
import { ownGateway, stack } from './support/gateway.mjs';
import { HttpProxy, held, inBytes, passed } from './support/http-proxy.mjs';
import { RawStream, ask } from './support/raw-stream.mjs';
import { Service } from './support/service.mjs';
import { token } from './support/token.mjs';
import { EventRecorder, next, within } from './support/wait.mjs';

const gateway = await stack();

/** How soon the SDK uses another transport if one is mute. */
const NOTICED_MS = 10_000;

const TRANSPORTS = ['websocket', 'http_stream', 'sse'];

const range = (from, to) => Array.from({ length: to - from + 1 }, (_, index) => from + index);

async function connected(t, proxy, transport, { Build } = BUILDS.JSON) {
    const it = client(t, gateway, { url: proxy.url, transport }, Build);
    const answered = next(it, 'connected');
    it.connect();
    it.context = await answered;
    return it;
}

const isEventStream = ({ headers }) => headers['content-type'].startsWith('text/event-stream');

/** What stands in front of the gateway, and the transport that the SDK comes to use. */
const FRONTS = {
    'a proxy that passes everything': [{}, 'websocket'],
    'a proxy that refuses upgrades with 403': [{ upgrades: 'refused' }, 'http_stream'],
    'a proxy that accepts upgrades and is silent': [{ upgrades: 'unanswered' }, 'http_stream'],
    'a proxy that refuses upgrades, and holds back what is no event stream': [{ upgrades: 'refused', bodies: (response) => (isEventStream(response) ? passed : held) }, 'sse'],
};

for (const [front, [habits, expected]] of Object.entries(FRONTS)) {
    test(`behind ${front}, the SDK uses ${expected}, and keeps it after a cut`, async (t) => {
        const [proxy, channel] = [Object.assign(await HttpProxy.start(t, () => gateway), habits), unique('recover:')];
        const begun = performance.now();
        const it = await connected(t, proxy, TRANSPORTS);
        assert.equal(it.context.transport, expected);
        assert.ok(performance.now() - begun < NOTICED_MS, `after ${performance.now() - begun} ms`);
        const subscription = await subscribed(it, channel);
        const got = new EventRecorder(subscription, 'publication', ({ data }) => data);
        await subscription.publish(1);
        await got.count(1);
        const down = next(it, 'connecting');
        proxy.cut();
        await down;
        await gateway.publish(channel, ...range(2, 300));
        const again = next(it, 'connected');
        proxy.restore();
        assert.equal((await again).transport, expected);
        await subscription.publish(301);
        assert.deepEqual(await got.count(301), range(1, 301));
    });
}

for (const [form, { transport, Build, read, write }] of Object.entries(FORMS)) {
    for (const how of ['reset', 'end']) {
        test(`${form}: a stream that breaks in the middle of a message (${how}) loses and repeats nothing`, async (t) => {
            const [proxy, channel] = [await HttpProxy.start(t, () => gateway), unique('recover:')];
            const it = await connected(t, proxy, transport, { Build });
            const subscription = await subscribed(it, channel);
            const got = new EventRecorder(subscription, 'publication', ({ data }) => read(data));
            const expected = [];
            for (const round of range(1, 5)) {
                const message = `in the middle of the message ${round} the stream ends`;
                const broken = proxy.breakIn(message, how);
                const data = [`before ${round}`, message, `after ${round}`];
                await gateway.publish(channel, ...data);
                await within(broken, `the end of stream ${round}`);
                expected.push(...data);
                await got.count(expected.length);
            }
            assert.deepEqual(got.all, expected);
            assert.equal((await proxy.answered(`/connection/${transport}`, 6)).length, 6, 'each break had its own stream');
        });
    }

    test(`${form}: characters that are split between chunks arrive whole`, async (t) => {
        const [proxy, channel] = [await HttpProxy.start(t, () => gateway), unique('recover:')];
        proxy.bodies = () => inBytes;
        const it = await connected(t, proxy, transport, { Build });
        const subscription = await subscribed(it, channel);
        const got = new EventRecorder(subscription, 'publication', ({ data }) => read(data));
        const texts = ['ünï', '„€“ 𝄞 👩‍👩‍👧', 'שלום', '\u2028\u0000"\\\n\r\n', '漢字'.repeat(50)];
        for (const text of texts) await subscription.publish(write({ text }));
        assert.deepEqual((await got.count(texts.length)).map(({ text }) => text), texts);
        const { publications } = await subscription.history({ limit: 10 });
        assert.deepEqual(publications.map(({ data }) => read(data).text), texts);
    });

    test(`${form}: a large publication and a large command arrive whole`, async (t) => {
        const [proxy, channel] = [await HttpProxy.start(t, () => gateway), unique('recover:')];
        const it = await connected(t, proxy, transport, { Build });
        const subscription = await subscribed(it, channel);
        const got = new EventRecorder(subscription, 'publication', ({ data }) => read(data));
        const texts = [1, 2].map((number) => `${number}${'ü'.repeat(30_000)}`);
        await gateway.publish(channel, texts[0]);
        await subscription.publish(write(texts[1]));
        assert.deepEqual(await got.count(2), texts);
    });
}

/** The request that opens a stream, and the beginning of its body. */
const STREAMS = {
    'http_stream, JSON': {
        open: { method: 'POST', path: '/connection/http_stream', type: 'application/json', body: '{"id":1,"connect":{}}' },
        type: /^application\/json/,
        begins: /^ {2048} *\{"id":1,"connect":\{/,
    },
    'http_stream, Protobuf': {
        // A connect command with the id 1.
        open: { method: 'POST', path: '/connection/http_stream', type: 'application/octet-stream', body: Buffer.from([4, 8, 1, 34, 0]) },
        type: /^application\/octet-stream/,
        begins: /^[^]+$/,
    },
    sse: {
        open: { method: 'GET', path: `/connection/sse?${new URLSearchParams({ cf_connect: '{"id":1,"connect":{}}' })}` },
        type: /^text\/event-stream/,
        begins: /^:[^\n]{2048,}\n\n?data: \{"id":1,"connect":\{/,
    },
};

for (const [form, { open, type, begins }] of Object.entries(STREAMS)) {
    test(`${form}: headers that no proxy and no cache may misunderstand, and a body that ends with the connection`, async (t) => {
        const response = await ask(gateway.url, open);
        t.after(() => response.destroy());
        assert.equal(response.statusCode, 200);
        const { headers } = response;
        assert.match(headers['content-type'], type);
        const sent = ['cache-control', 'x-accel-buffering', 'connection', 'content-length', 'transfer-encoding'].map((name) => headers[name]);
        assert.deepEqual(sent, ['no-store', 'no', 'close', undefined, undefined]);
        let text = '';
        const complete = new Promise((resolve) => response.setEncoding('latin1').on('data', (part) => begins.test((text += part)) && resolve()));
        await within(complete, () => `the beginning; received ${JSON.stringify(text.slice(-200))}`);
    });
}

for (const transport of ['http_stream', 'sse']) {
    test(`${transport}: the reply to connect has a secret session and the node, a ping, and no pong`, async (t) => {
        const [first, second] = [await RawStream.connect(t, gateway, {}, { transport }), await RawStream.connect(t, gateway, {}, { transport })];
        for (const { client, session, node, ping, pong } of [first, second].map(({ connection }) => connection)) {
            assert.match(client, /^[0-9a-f]{32}$/);
            assert.ok(session.length >= 22 && !session.includes(client) && !client.includes(session), session);
            assert.ok(node.length > 0 && ping > 0, `${node}, ${ping}`);
            assert.equal(pong, undefined);
        }
        assert.equal(first.connection.node, second.connection.node);
        assert.notEqual(first.connection.session, second.connection.session);
    });

    test(`${transport}: nobody else learns the session of a connection`, async (t) => {
        const [alice, channel] = [unique('alice-'), unique('chat:')];
        const raw = await RawStream.connect(t, gateway, { token: token({ sub: alice }) }, { transport });
        await raw.ask({ subscribe: { channel } });
        const { client: id, session } = raw.connection;
        const shown = await Promise.all([
            gateway.ask('GET', `/v1/connections/${id}`),
            gateway.ask('GET', `/v1/users/${alice}/connections`),
            gateway.ask('GET', `/v1/channels/${encodeURIComponent(channel)}/presence`),
            raw.ask({ presence: { channel } }),
        ]);
        assert.ok(JSON.stringify(shown).includes(id));
        assert.ok(!JSON.stringify(shown).includes(session));
    });

    test(`${transport}: pings arrive, and nobody has to answer them`, async (t) => {
        const own = await ownGateway(t, 'tokens.anonymous = true\nstreams.heart_beat = "1s"\nconnection.ping_interval = "2s"\nconnection.pong_timeout = "1s"\n');
        const raw = await RawStream.connect(t, own, {}, { transport });
        const isPing = (frame) => Object.keys(frame).length === 0;
        await raw.until(() => raw.frames.filter(isPing).length >= 2, 'two pings');
        assert.ok((await raw.ask({ ping: {} })).ping);
    });

    test(`${transport}: more commands than may wait for a session are refused, and none of them is carried out`, async (t) => {
        const limits = 'tokens.anonymous = true\nstreams.queue_bytes = "1KiB"\nconnection.max_in_flight = 1\nconnection.max_subscriptions = 1\n';
        const own = await ownGateway(t, `${limits}[namespaces.news]\nhistory_size = 10\npublish = "anyone"\n[services.slow]\n`);
        const service = await Service.start(t, own, 'slow');
        const raw = await RawStream.connect(t, own, {}, { transport });
        raw.send({ rpc: { method: 'slow.ask', data: null } });
        const { call } = await service.frame((frame) => frame.call, 'the call');
        // While the call runs, the session reads no commands.
        const [waits] = raw.send({ publish: { channel: 'news:a', data: 'waits' } });
        raw.send({ publish: { channel: 'news:a', data: 'small' } }, { publish: { channel: 'news:a', data: 'x'.repeat(2000) } });
        await raw.sent();
        assert.deepEqual(raw.statuses, [204, 204, 503]);
        service.send({ reply: { id: call.id, data: 'done' } });
        await raw.reply(waits);
        await raw.ask({ publish: { channel: 'news:a', data: 'later' } });
        const { publications } = await own.ask('GET', '/v1/channels/news:a/publications?limit=10&order=asc');
        assert.deepEqual(publications.map(({ data }) => data), ['waits', 'later']);
    });

    test(`${transport}: a disconnect by a service arrives as a push before the end`, async (t) => {
        const raw = await RawStream.connect(t, gateway, {}, { transport });
        await gateway.ask('DELETE', `/v1/connections/${raw.connection.client}?code=4500&reason=enough`);
        assert.deepEqual(await raw.end(), { code: 4500, reason: 'enough' });
        assert.deepEqual(raw.frames.at(-1), { push: { disconnect: { code: 4500, reason: 'enough' } } });
    });
}
