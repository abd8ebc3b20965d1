// Services that decide who connects, subscribes and publishes, from the SDK to the service and back, over links and by HTTP.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import WebSocket from 'ws';
import { client, connected, subscribed } from './support/client.mjs';
import { ownGateway } from './support/gateway.mjs';
import { ROOT } from './support/program.mjs';
import { Service } from './support/service.mjs';
import { Target, reply } from './support/target.mjs';
import { eventually, next } from './support/wait.mjs';

const SETTINGS = `
[connect]
service = "door"
tokens = "never"
[namespaces.room]
subscribe = "authenticated"
publish = "subscriber"
history_size = 10
presence = true
see_presence = "subscriber"
subscribe_via = "door"
publish_via = "door"
[services.door]
callers = "nobody"
`;

/** The route of connects. It comes after the settings of the carrier. */
const ROUTE = `
[services.door.methods."guard.connect"]
forward_headers = ["cookie"]
forward_address = true
`;

class Browser extends WebSocket {
    constructor(url, protocols) {
        super(url, protocols, { headers: { cookie: 'session=7', origin: `http://${new URL(url).host}` } });
    }
}

/** Starts a gateway and the service that decides. `decide` gets each question and its call. `undefined`: no answer. `asked` has the methods. */
async function guarded(t, reach, decide) {
    const asked = [];
    const answer = (call) => {
        asked.push(call.method);
        return decide(call.method, call.data, call);
    };
    if (reach === 'link') {
        const gateway = await ownGateway(t, SETTINGS + ROUTE);
        await Service.start(t, gateway, 'door', {
            credit: 1000,
            answer: (call) => {
                const data = answer(call);
                return data === undefined ? undefined : { reply: { id: call.id, data } };
            },
        });
        return { gateway, asked };
    }
    const target = await Target.start(t, ({ body }, response) => {
        const data = answer(body.call);
        if (data !== undefined) reply(response, data);
    });
    return { gateway: await ownGateway(t, `${SETTINGS}reach = "webhook"\nurls = ["${target.url}/"]\n${ROUTE}`), asked, target };
}

for (const reach of ['link', 'webhook']) {
    test(`${reach}: a guard names the user, admits to a channel, and replaces what is published`, async (t) => {
        const seen = [];
        const { gateway } = await guarded(t, reach, (method, data, { user, meta, request }) => {
            seen.push({ method, data, user, meta, request });
            if (method === 'guard.connect') return { user: 'alice', data: { hello: 1 }, meta: { plan: 'pro' } };
            if (method === 'guard.subscribe') return { info: { role: 'host' }, data: ['welcome'] };
            return { data: { text: data.data.toUpperCase(), by: user } };
        });
        const it = await connected(t, gateway, { token: 'session-1', data: { version: 2 }, websocket: Browser });
        assert.deepEqual(it.context.data, { hello: 1 });
        const room = await subscribed(it, 'room:cats', { data: { invite: 'x' } });
        assert.deepEqual(room.context.data, ['welcome']);
        const { clients } = await room.presence();
        assert.deepEqual([clients[it.context.client].user, clients[it.context.client].chanInfo], ['alice', { role: 'host' }]);
        const published = next(room, 'publication');
        await room.publish('hi');
        assert.deepEqual((await published).data, { text: 'HI', by: 'alice' });
        const [meta, request] = [{ plan: 'pro' }, { headers: { cookie: 'session=7' }, address: '127.0.0.1' }];
        assert.deepEqual(seen, [
            { method: 'guard.connect', data: { token: 'session-1', data: { version: 2 } }, user: '', meta: undefined, request },
            { method: 'guard.subscribe', data: { channel: 'room:cats', data: { invite: 'x' } }, user: 'alice', meta, request: undefined },
            { method: 'guard.publish', data: { channel: 'room:cats', data: 'hi' }, user: 'alice', meta, request: undefined },
        ]);
        await assert.rejects(it.rpc('door.guard.connect', {}), { code: 107 });
        await assert.rejects(it.rpc('door.anything', {}), { code: 103 });
    });

    test(`${reach}: a guard refuses with its own errors, and closes with its own codes`, async (t) => {
        const { gateway } = await guarded(t, reach, (method, data) => {
            if (method === 'guard.connect') {
                return data.token === 'bad' ? { error: { code: 401, message: 'unknown session' } } : { user: data.token };
            }
            if (method === 'guard.subscribe') return data.channel === 'room:closed' ? { error: { code: 403, message: 'members only' } } : {};
            return data.data === 'out' ? { disconnect: { code: 4501, reason: 'banned' } } : { error: { code: 422, message: 'rude' } };
        });
        const stranger = client(t, gateway, { token: 'bad' });
        const refused = next(stranger, 'disconnected');
        stranger.connect();
        assert.deepEqual(await refused, { code: 401, reason: 'unknown session' });
        const it = await connected(t, gateway, { token: 'bob' });
        const closed = it.newSubscription('room:closed');
        const unsubscribed = next(closed, 'unsubscribed');
        closed.subscribe();
        assert.deepEqual(await unsubscribed, { channel: 'room:closed', code: 403, reason: 'members only' });
        const room = await subscribed(it, 'room:open');
        await assert.rejects(room.publish('no'), { code: 422, message: 'rude' });
        const disconnected = next(it, 'disconnected');
        room.publish('out').catch(() => {});
        assert.deepEqual(await disconnected, { code: 4501, reason: 'banned' });
    });

    test(`${reach}: the SDK connects and subscribes as soon as the guard gives valid answers`, async (t) => {
        const invalid = [true, 'yes', [], { allow: true }, { error: { code: 7 } }];
        const { gateway, asked } = await guarded(t, reach, (method) => {
            const nth = asked.filter((each) => each === method).length - 1;
            if (nth < invalid.length) return invalid[nth];
            return method === 'guard.connect' ? { user: 'alice' } : {};
        });
        const it = await connected(t, gateway, { token: 't' });
        await subscribed(it, 'room:cats');
        const times = (method) => asked.filter((each) => each === method).length;
        assert.deepEqual([times('guard.connect'), times('guard.subscribe')], [invalid.length + 1, invalid.length + 1]);
    });

    test(`${reach}: remembered answers are asked for once, also when all clients return at once`, async (t) => {
        const { gateway, asked } = await guarded(t, reach, (method, data) => (method === 'guard.connect' ? { user: data.token, cache: 60 } : { cache: 60 }));
        const all = await Promise.all(
            Array.from({ length: 20 }, async (_, n) => {
                const it = await connected(t, gateway, { token: `user-${n % 5}` });
                return { it, room: await subscribed(it, 'room:cats') };
            }),
        );
        assert.equal(asked.length, 10, `five users, two questions each: ${asked}`);
        const back = all.map(({ room }) => next(room, 'subscribed'));
        for (const { it } of all) it.disconnect();
        for (const { it } of all) it.connect();
        await Promise.all(back);
        assert.equal(asked.length, 10, 'nobody was asked again');
    });
}

test('when the frontend leaves, the request with its question is closed within 100 ms', async (t) => {
    const { gateway, target } = await guarded(t, 'webhook', () => undefined);
    const it = client(t, gateway, { token: 't' });
    it.connect();
    const [request] = await target.until(({ length }) => length === 1, 'the question');
    const left = performance.now();
    it.disconnect();
    await target.until(() => request.closed, 'the end of the request');
    assert.ok(request.closed - left < 100, `${request.closed - left} ms`);
    const counted = /^switchboard_guard_questions_total\{.*kind="connect".*result="cancelled".*\} 1$/m;
    await eventually(async () => counted.test(await gateway.ask('GET', '/metrics')), 'the count of the cancelled question');
});

test('a guard that breaks off in its answer lets nobody in until it works', async (t) => {
    let works = false;
    const target = await Target.start(t, (_, response) => {
        if (works) reply(response, { user: 'alice' });
        else response.writeHead(200, { 'content-type': 'application/json' }).write('{"user":', () => response.destroy());
    });
    const gateway = await ownGateway(t, `${SETTINGS}breaker_failures = 1000\nreach = "webhook"\nurls = ["${target.url}/"]\n`);
    const it = client(t, gateway, { token: 't' });
    const errors = [];
    it.on('error', ({ error }) => errors.push(error));
    const atLast = next(it, 'connected');
    it.connect();
    await eventually(() => errors.length > 1, 'two refusals');
    assert.deepEqual([errors[0].code, errors[0].temporary, it.state], [100, true, 'connecting']);
    works = true;
    await atLast;
});

test('the complete guard of docs/guards.md works as the page says', async (t) => {
    const page = readFileSync(join(ROOT, 'docs/guards.md'), 'utf8');
    const [, program] = /```python\n(# target\/door\/door\.py\n[^]*?)\n```/.exec(page);
    const [, settings] = /```toml\n([^]*?)\n```/.exec(page);
    const python = spawn('python3', ['-c', program], { env: { ...process.env, PORT: '0' }, stdio: ['ignore', 'pipe', 'inherit'] });
    t.after(() => python.kill());
    const line = await next(python.stdout.setEncoding('utf8'), 'data', (text) => text.includes('listening'));
    const gateway = await ownGateway(t, settings.replace('http://127.0.0.1:8080/', `http://127.0.0.1:${/\d+/.exec(line)[0]}/`));
    const alice = await connected(t, gateway, { token: 's-1' });
    assert.deepEqual(alice.context.data, { greeting: 'hello alice' });
    const room = await subscribed(alice, 'room:cats');
    const published = next(room, 'publication');
    await room.publish(' purr ');
    assert.deepEqual((await published).data, { text: 'purr', from: 'alice' });
    await assert.rejects(room.publish(7), { code: 400 });
    const bob = await connected(t, gateway, { token: 's-2' });
    const closed = bob.newSubscription('room:cats');
    const unsubscribed = next(closed, 'unsubscribed');
    closed.subscribe();
    assert.equal((await unsubscribed).code, 403);
    const stranger = client(t, gateway, { token: 's-3' });
    const refused = next(stranger, 'disconnected');
    stranger.connect();
    assert.equal((await refused).code, 401);
});
