// Routes of services: who may call, how much at once, in which order, and what the service learns of the frontend's request.

import assert from 'node:assert/strict';
import { get, request as httpRequest } from 'node:http';
import { test } from 'node:test';
import WebSocket from 'ws';
import { client, connected, signedIn } from './support/client.mjs';
import { ownGateway } from './support/gateway.mjs';
import { Service } from './support/service.mjs';
import { Target, reply } from './support/target.mjs';
import { eventually, next } from './support/wait.mjs';

const ROUTES = `
callers = "authenticated"
order = "/room"
forward_headers = ["cookie", "user-agent"]
forward_emulated_headers = ["x-shop"]
forward_address = true
[services.bot.methods.status]
callers = "anyone"
order = "none"
forward_headers = []
forward_emulated_headers = []
forward_address = false
[services.bot.methods.heavy]
order = "none"
in_flight_per_user = 2
`;
const settings = (service) => `[connection]\nheader_bytes = "256B"\n[tokens]\nanonymous = true\n[services.bot]\n${service}${ROUTES}`;

/** The headers of a WebSocket of a page of the gateway's own host. */
const headersOf = (url) => ({ cookie: 'session=äöü; theme=dark', 'user-agent': 'test/1', authorization: 'Basic hush', origin: `http://${new URL(url).host}` });

class Browser extends WebSocket {
    constructor(url, protocols) {
        super(url, protocols, { headers: headersOf(url) });
    }
}

const request = { websocket: Browser, headers: { 'X-Shop': 'north', cookie: 'forged' } };
const forwarded = {
    headers: { cookie: 'session=äöü; theme=dark', 'user-agent': 'test/1' },
    emulated_headers: { 'x-shop': 'north' },
    address: '127.0.0.1',
};

test('a service learns of the request what its route names, over a link and as a webhook', async (t) => {
    const target = await Target.start(t, (_, response) => reply(response, 'done'));
    for (const reach of ['link', 'webhook']) {
        const carrier = reach === 'link' ? '' : `reach = "webhook"\nurls = ["${target.url}"]\n`;
        const gateway = await ownGateway(t, settings(carrier));
        const seen = [];
        if (reach === 'link') {
            const answer = (call) => {
                seen.push(call);
                return { reply: { id: call.id, data: 'done' } };
            };
            const bot = await Service.start(t, gateway, 'bot', { answer });
            bot.frame(({ event }) => event && seen.push(event), 'the event').catch(() => {});
        }
        const calls = () => (reach === 'link' ? seen : target.requests.map(({ body }) => body.call ?? body.event));
        const it = await signedIn(t, gateway, 'alice', {}, request);
        await it.rpc('bot.say', { room: 'a' });
        await it.rpc('bot.status', {});
        assert.deepEqual(calls().map((call) => call.request), [forwarded, undefined]);
        assert.equal(calls()[0].order_key, 'a');
        await it.send({ service: 'bot', data: 'hello' });
        const events = () => calls().filter(({ kind }) => kind === 'message');
        await eventually(() => events().length > 0, 'the event');
        assert.deepEqual(events().map((event) => event.request), [forwarded]);
    }
});

test('cookies and passwords of requests whose page nobody knows reach no service, whatever the protocol', async (t) => {
    const route = 'forward_headers = ["cookie", "authorization", "user-agent"]';
    const origins = '[public]\nallowed_origins = ["https://shop.example"]\n';
    const any = '[public]\nallowed_origins = ["*"]\n';
    const ambient = { cookie: 'session=7', authorization: 'Basic hush' };
    for (const [list, reason, page] of [[origins, 'no_page', {}], [any, 'any_origin', { origin: 'https://evil.example' }]]) {
        const gateway = await ownGateway(t, `${list}[tokens]\nanonymous = true\n[services.bot]\n${route}\n`);
        const seen = [];
        const answer = (call) => {
            seen.push(call.request.headers);
            return { reply: { id: call.id, data: null } };
        };
        await Service.start(t, gateway, 'bot', { answer });
        const call = async (transport, headers) => {
            const before = seen.length;
            if (transport === 'websocket') {
                class Socket extends WebSocket {
                    constructor(url, protocols) {
                        super(url, protocols, { headers: { ...headers, 'user-agent': 'test/1' } });
                    }
                }
                const it = await connected(t, gateway, { websocket: Socket });
                await it.rpc('bot.say', {});
            } else {
                const url = new URL(gateway.url);
                const body = `${JSON.stringify({ id: 1, connect: {} })}\n${JSON.stringify({ id: 2, rpc: { method: 'bot.say', data: {} } })}`;
                const options = { method: 'POST', headers: { ...headers, 'user-agent': 'test/1', 'content-type': 'application/json' } };
                const stream = httpRequest(new URL('/connection/http_stream', url), options);
                t.after(() => stream.destroy());
                stream.end(body);
                await next(stream, 'response');
            }
            await eventually(() => seen.length > before, 'the call');
            return seen.at(-1);
        };
        let ignored = 0;
        for (const transport of ['websocket', 'http_stream']) {
            assert.deepEqual(await call(transport, { ...ambient, ...page }), { 'user-agent': 'test/1' }, `${transport} ${reason}`);
            ignored += 1;
            assert.equal(await gateway.metric(`switchboard_ignored_credentials_total{reason="${reason}"}`), ignored);
            // Its honest twin: the browser says that the page has the same origin, or its origin is in the list.
            const known = { ...ambient, 'sec-fetch-site': 'same-origin' };
            assert.deepEqual(await call(transport, known), { ...ambient, 'user-agent': 'test/1' }, transport);
            if (list === origins) {
                const listed = { ...ambient, origin: 'https://shop.example' };
                assert.deepEqual(await call(transport, listed), { ...ambient, 'user-agent': 'test/1' }, transport);
            }
            assert.deepEqual(await call(transport, { authorization: 'Bearer x', ...page }), { authorization: 'Bearer x', 'user-agent': 'test/1' });
            assert.equal(await gateway.metric(`switchboard_ignored_credentials_total{reason="${reason}"}`), ignored);
        }
    }
});

test('headers that are too large refuse the connection with the name of the setting', async (t) => {
    const gateway = await ownGateway(t, settings(''));
    const url = gateway.websocket.replace('ws', 'http');
    const upgrade = { connection: 'Upgrade', upgrade: 'websocket', 'sec-websocket-version': '13', 'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==' };
    const sent = get(url, { headers: { ...upgrade, cookie: `a=${'x'.repeat(256)}`, 'sec-fetch-site': 'same-origin' } });
    const response = await next(sent, 'response');
    assert.equal(response.statusCode, 422);
    let problem = '';
    for await (const chunk of response) problem += chunk;
    assert.match(JSON.parse(problem).detail, /connection\.header_bytes allows 256/);
    const page = client(t, gateway, { headers: { 'x-shop': 'x'.repeat(256) } });
    const refused = next(page, 'disconnected');
    page.connect();
    const { code, reason } = await refused;
    assert.equal(code, 3501);
    assert.match(reason, /connection\.header_bytes allows 256/);
});

test('a route decides who may call and how many calls of a user have no answer yet', async (t) => {
    const gateway = await ownGateway(t, settings(''));
    const bot = await Service.start(t, gateway, 'bot');
    const visitor = await connected(t, gateway);
    await assert.rejects(visitor.rpc('bot.say', { room: 'a' }), { code: 103, message: /Anonymous frontends may not call/ });
    const [phone, laptop] = [await signedIn(t, gateway, 'alice'), await signedIn(t, gateway, 'alice')];
    await assert.rejects(phone.rpc('bot.say', { text: 'hi' }), { code: 107, message: /needs the order key at \/room/ });
    const answers = [phone.rpc('bot.heavy', {}), laptop.rpc('bot.heavy', {})];
    const heavy = [];
    await bot.frame(({ call }) => call && heavy.push(call) === 2, 'two calls');
    await assert.rejects(laptop.rpc('bot.heavy', {}), { code: 111, message: /2 of these calls of this user have no answer yet/, temporary: true });
    for (const { id } of heavy) bot.send({ reply: { id, data: id } });
    assert.deepEqual((await Promise.all(answers)).map(({ data }) => data).sort(), heavy.map(({ id }) => id).sort());
});

test('calls of one key run one after the other, whoever calls', async (t) => {
    const gateway = await ownGateway(t, settings(''));
    const [running, overlaps, received] = [new Set(), [], []];
    const answer = (call) => {
        if (running.has(call.order_key)) overlaps.push(call);
        running.add(call.order_key);
        received.push(call);
        setImmediate(() => {
            running.delete(call.order_key);
            bot.send({ reply: { id: call.id, data: call.data.n } });
        });
    };
    const bot = await Service.start(t, gateway, 'bot', { answer });
    const people = await Promise.all(['alice', 'bob', 'carol'].map((name) => signedIn(t, gateway, name)));
    const numbers = [...Array(60).keys()];
    const answers = numbers.map((n) => people[n % 3].rpc('bot.say', { room: n % 2 ? 'a' : 'b', n }));
    assert.deepEqual((await Promise.all(answers)).map(({ data }) => data), numbers);
    assert.deepEqual(overlaps, []);
    for (const { context } of people) {
        for (const room of ['a', 'b']) {
            const order = received.filter((call) => call.connection === context.client && call.data.room === room).map(({ data }) => data.n);
            assert.deepEqual(order, [...order].sort((a, b) => a - b));
            assert.equal(order.length, 10);
        }
    }
});
