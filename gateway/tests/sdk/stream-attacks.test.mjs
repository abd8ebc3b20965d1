// Attacks on streams and their commands: refused with the right status, counted, and without an effect.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { connect } from 'node:net';
import { test } from 'node:test';
import { unique } from './support/client.mjs';
import { openInPage, serveEmptyPage } from './support/event-stream.mjs';
import { ownGateway } from './support/gateway.mjs';
import { HttpProxy } from './support/http-proxy.mjs';
import { launch } from './support/pages.mjs';
import { RawStream, ask } from './support/raw-stream.mjs';
import { token } from './support/token.mjs';
import { eventually, within } from './support/wait.mjs';

const SETTINGS = `
[public]
request_timeout = "1s"
[tokens]
anonymous = true
[connection]
message_timeout = "1s"
[stomp]
token_cookie = "session"
[namespaces.news]
history_size = 1000
subscribe = "anyone"
publish = "anyone"
[namespaces.members]
history_size = 1000
subscribe = "authenticated"
publish = "authenticated"
`;

/** How long a request may take that sends its head or its body slowly. */
const SLOW_MS = 10_000;

/** How many of each kind of slow request come at once. */
const EACH = 40;

const JSON_TYPE = 'application/json';
const range = (from, to) => Array.from({ length: to - from + 1 }, (_, index) => from + index);

/** A gateway, and a session on a stream of it that is attacked. */
class Victim {
    #published = [];

    static async start(t) {
        const victim = new Victim();
        victim.own = await ownGateway(t, SETTINGS);
        victim.channel = unique('news:');
        victim.raw = await RawStream.connect(t, victim.own, { token: token({ sub: 'victim' }) }, { transport: 'http_stream' });
        await victim.raw.ask({ subscribe: { channel: victim.channel } });
        Object.assign(victim, victim.raw.connection);
        return victim;
    }

    /** The commands that an attacker would like the session to carry out. */
    get commands() {
        return [
            { id: 9001, publish: { channel: this.channel, data: 'attack' } },
            { id: 9002, unsubscribe: { channel: this.channel } },
        ].map((command) => JSON.stringify(command)).join('\n');
    }

    /** A body for /emulation. `changes` override what the victim itself would send. */
    body(changes = {}) {
        return JSON.stringify({ session: this.session, node: this.node, data: this.commands, ...changes });
    }

    /** The number of refused upgrades and requests, and of connections that ended because of what came over them. */
    async refusals() {
        const counts = ['switchboard_upgrades_refused_total', 'switchboard_http_connection_errors_total'].map((name) => this.own.metric(name).catch(() => 0));
        return (await Promise.all(counts)).reduce((sum, count) => sum + count, 0);
    }

    /** Checks that the session goes on, that nothing was published, and that none of the commands was carried out. */
    async isUnharmed() {
        const data = `round ${this.#published.length}`;
        this.#published.push(data);
        await this.own.publish(this.channel, data);
        await this.raw.push('pub', (pub) => pub.data === data);
        const { publications } = await this.own.ask('GET', `/v1/channels/${encodeURIComponent(this.channel)}/publications?limit=1000&order=asc`);
        assert.deepEqual(publications.map((each) => each.data), this.#published);
        const pushed = this.raw.frames.flatMap(({ push }) => (push?.pub ? [push.pub.data] : []));
        assert.deepEqual(pushed, this.#published);
        assert.deepEqual(this.raw.frames.filter(({ id }) => id >= 9000), []);
        assert.ok((await this.raw.ask({ ping: {} })).ping);
    }
}

/** Sends a request. Resolves to its status and the code of the problem, or to `closed` if the gateway closed the connection first. */
async function attempt(url, request) {
    try {
        const response = await ask(url, request);
        if (response.statusCode === 200) {
            response.destroy();
            return { status: 200 };
        }
        let text = '';
        for await (const part of response.setEncoding('utf8')) text += part;
        return { status: response.statusCode, code: text.startsWith('{') ? JSON.parse(text).code : undefined };
    } catch (error) {
        assert.match(error.code, /ECONNRESET|EPIPE/);
        return { status: 'closed' };
    }
}

const post = (path, body, type = JSON_TYPE, headers = {}) => ({ method: 'POST', path, body, type, headers });
const emulation = (body, type, headers) => post('/emulation', body, type, headers);
const changed = (text) => text.replace(/^./, (digit) => (digit === '0' ? '1' : '0'));

const FOREIGN = 'https://elsewhere.example';
const PUBLISH = JSON.stringify({ id: 1, connect: {} }) + '\n' + JSON.stringify({ id: 2, publish: { channel: 'news:attack', data: 'attack' } });
const sse = (headers) => ({ method: 'GET', path: `/connection/sse?${new URLSearchParams({ cf_connect: PUBLISH })}`, headers });

/** Requests and their answers. A 204 says that nobody has this session. */
const REQUESTS = {
    'the id of the connection in place of the session': [(victim) => emulation(victim.body({ session: victim.client })), 404, 'not_found'],
    'no session': [(victim) => emulation(victim.body({ session: '' })), 404, 'not_found'],
    'a part of the session': [(victim) => emulation(victim.body({ session: victim.session.slice(0, -4) })), 404, 'not_found'],
    'a session of 10,000 characters': [(victim) => emulation(victim.body({ session: 'a'.repeat(10_000) })), 404, 'not_found'],
    'a session with another digit': [(victim) => emulation(victim.body({ session: changed(victim.session) })), 204],
    'a session of a worker that does not exist': [(victim) => emulation(victim.body({ session: `${victim.session.slice(0, -2)}3e` })), 204],
    'the session at a node that does not exist': [(victim) => emulation(victim.body({ node: `${victim.node}0` })), 404, 'not_found'],
    'a session that is no text': [(victim) => emulation(victim.body({ session: { toString: victim.session } })), 400, 'bad_request'],
    'the session, from a page of another origin': [(victim) => emulation(victim.body(), JSON_TYPE, { origin: FOREIGN }), 403, 'origin_not_allowed'],
    'the session, from a page without an origin': [(victim) => emulation(victim.body(), JSON_TYPE, { origin: 'null' }), 403, 'origin_not_allowed'],
    'the session, from two origins': [(victim) => emulation(victim.body(), JSON_TYPE, { origin: [victim.own.url, FOREIGN] }), 403, 'origin_not_allowed'],
    'the session, embedded in a page of another site': [(victim) => emulation(victim.body(), JSON_TYPE, { 'sec-fetch-site': 'cross-site' }), 403, 'origin_not_allowed'],
    'the session, as a form of text': [(victim) => emulation(victim.body(), 'text/plain'), 415, 'unsupported_media_type'],
    'the session, as a form': [(victim) => emulation(`a=${encodeURIComponent(victim.body())}`, 'application/x-www-form-urlencoded'), 415, 'unsupported_media_type'],
    'the session, as a form with parts': [(victim) => emulation(`--x\r\n\r\n${victim.body()}\r\n--x--`, 'multipart/form-data; boundary=x'), 415, 'unsupported_media_type'],
    'the session, with a type hidden in a parameter': [(victim) => emulation(victim.body(), 'text/plain; application/json'), 415, 'unsupported_media_type'],
    'the session, compressed': [(victim) => emulation(victim.body(), JSON_TYPE, { 'content-encoding': 'gzip' }), 415, 'unsupported_encoding'],
    'the session, cut off': [(victim) => emulation(victim.body().slice(0, -2)), 400, 'bad_request'],
    'the session, with a megabyte of commands': [(victim) => emulation(victim.body({ data: victim.commands.padEnd(1 << 20) })), 413, 'payload_too_large'],
    'commands in Protobuf that are none': [() => emulation(Buffer.from([255, 255, 255]), 'application/octet-stream'), 400, 'bad_request'],
    'a stream for a page of another origin': [() => post('/connection/http_stream', PUBLISH, JSON_TYPE, { origin: FOREIGN }), 403, 'origin_not_allowed'],
    'a stream, as a form of text': [() => post('/connection/http_stream', PUBLISH, 'text/plain'), 415, 'unsupported_media_type'],
    'a stream with a megabyte of commands': [() => post('/connection/http_stream', PUBLISH.padEnd(1 << 20)), 413, 'payload_too_large'],
    'an event stream for a page of another origin': [() => sse({ origin: FOREIGN }), 403, 'origin_not_allowed'],
    'an event stream as a picture of another site': [() => sse({ 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'no-cors' }), 403, 'origin_not_allowed'],
    'an event stream as a picture of a page of the same site': [() => sse({ 'sec-fetch-site': 'same-site', 'sec-fetch-mode': 'no-cors' }), 403, 'origin_not_allowed'],
    'an event stream without commands': [() => ({ method: 'GET', path: '/connection/sse' }), 400, 'bad_request'],
    'events for a page of another origin': [() => ({ method: 'GET', path: '/events?channel=news:a', headers: { origin: FOREIGN } }), 403, 'origin_not_allowed'],
    'events as a picture of another site': [() => ({ method: 'GET', path: '/events?channel=news:a', headers: { 'sec-fetch-site': 'cross-site' } }), 403, 'origin_not_allowed'],
};

test('requests that are none of a client change nothing', async (t) => {
    const victim = await Victim.start(t);
    for (const [name, [make, status, code]] of Object.entries(REQUESTS)) {
        const refused = await victim.refusals();
        assert.deepEqual(await attempt(victim.own.url, make(victim)), { status, code }, name);
        if (status !== 204) await eventually(async () => (await victim.refusals()) === refused + 1, `the count of the refusal: ${name}`);
        await victim.isUnharmed();
    }
    const { publications } = await victim.own.ask('GET', '/v1/channels/news:attack/publications?limit=10');
    assert.deepEqual(publications, []);
});

test('a thousand guessed sessions change nothing', async (t) => {
    const victim = await Victim.start(t);
    // The attacker knows the form of a session, and where the victim's is.
    const guess = () => randomBytes(16).toString('hex') + victim.session.slice(32);
    assert.match(victim.session, /^[0-9a-f]{32}/);
    for (let round = 0; round < 20; round += 1) {
        const answers = await Promise.all(range(1, 50).map(() => attempt(victim.own.url, emulation(victim.body({ session: guess() })))));
        assert.deepEqual([...new Set(answers.map(({ status }) => status))], [204]);
    }
    assert.equal(await victim.own.metric('switchboard_stream_requests_total{result="gone"}'), 1000);
    await victim.isUnharmed();
});

/** Sends bytes as `write` does it. Resolves to what was received until the connection was closed, and the time that took. */
async function exchange(t, { url }, write) {
    const { hostname, port } = new URL(url);
    const socket = connect(Number(port), hostname).setNoDelay(true);
    t.after(() => socket.destroy());
    let text = '';
    socket.on('error', () => {}).setEncoding('latin1').on('data', (part) => (text += part));
    const begun = performance.now();
    // Whoever writes when the server closes gets a reset, which `once` would take for a failure.
    const closed = new Promise((resolve) => socket.once('close', resolve));
    write(socket);
    await within(closed, () => `the end of the connection; received ${text.slice(0, 200)}`, 2 * SLOW_MS);
    return { text, status: Number(text.split(' ')[1]), took: performance.now() - begun };
}

/** Writes one byte at a time, until the connection is closed. */
function slowly(socket, byte) {
    const timer = setInterval(() => socket.write(byte), 50);
    socket.once('close', () => clearInterval(timer));
}

const head = (path, ...lines) => [`POST ${path} HTTP/1.1`, 'Host: gateway', `Content-Type: ${JSON_TYPE}`, ...lines, '', ''].join('\r\n');
const slowBody = (path, ...lines) => (socket) => {
    socket.write(head(path, ...lines));
    slowly(socket, ' ');
};

const SLOW = {
    'a body at /emulation': slowBody('/emulation', 'Content-Length: 10000'),
    'a body that opens a stream': slowBody('/connection/http_stream', 'Content-Length: 10000'),
    'a body of parts': (socket) => {
        socket.write(head('/emulation', 'Transfer-Encoding: chunked'));
        const timer = setInterval(() => socket.write('1\r\n \r\n'), 50);
        socket.once('close', () => clearInterval(timer));
    },
    'a body that never begins': (socket) => socket.write(head('/emulation', 'Content-Length: 10')),
    'a head': (socket) => {
        socket.write('GET /events?channel=news:a HTTP/1.1\r\nX-Slow: ');
        slowly(socket, 'x');
    },
};

test('slow requests are ended in time, and nobody waits for them', async (t) => {
    const victim = await Victim.start(t);
    const refused = await victim.refusals();
    const attacks = Object.entries(SLOW).map(([name, write]) => Promise.all(range(1, EACH).map(async () => {
        const { text, status, took } = await exchange(t, victim.own, write);
        assert.ok(took < SLOW_MS, `${name}: ${took} ms`);
        assert.ok(text === '' || status === 400 || status === 408, `${name}: ${text.slice(0, 200)}`);
    })));
    await victim.isUnharmed();
    await Promise.all(attacks);
    const count = Object.keys(SLOW).length * EACH;
    await eventually(async () => (await victim.refusals()) >= refused + count, 'the counts of the slow requests');
    await victim.isUnharmed();
});

const MEGABYTE = 'x'.repeat(1 << 20);
const TOO_MUCH = [400, 413, 414, 431, 'closed'];

const BOMBS = {
    'a megabyte of Last-Event-ID': { method: 'GET', path: '/events?channel=news:a', headers: { 'last-event-id': MEGABYTE } },
    'a megabyte of Last-Event-ID in the query': { method: 'GET', path: `/events?channel=news:a&lastEventId=${MEGABYTE}` },
    'a megabyte of a token': { method: 'GET', path: '/events?channel=news:a', headers: { authorization: `Bearer ${MEGABYTE}` } },
    'a megabyte of a cookie': { method: 'GET', path: '/events?channel=news:a', headers: { cookie: `session=${MEGABYTE}`, 'sec-fetch-site': 'same-origin' } },
    'a megabyte of commands in the query': { method: 'GET', path: `/connection/sse?${new URLSearchParams({ cf_connect: PUBLISH.padEnd(1 << 20) })}` },
    'a megabyte of an origin': { method: 'GET', path: '/events?channel=news:a', headers: { origin: MEGABYTE } },
    'ten thousand headers': { method: 'GET', path: '/events?channel=news:a', headers: Object.fromEntries(range(1, 10_000).map((number) => [`x-${number}`, 'x'])) },
    'a thousand headers on commands': emulation('{}', JSON_TYPE, Object.fromEntries(range(1, 1000).map((number) => [`x-${number}`, 'x']))),
    'ten thousand channels': { method: 'GET', path: `/events?${range(1, 10_000).map((number) => `channel=news:${number}`).join('&')}` },
};

test('requests that are too large are refused and counted', async (t) => {
    const victim = await Victim.start(t);
    for (const [name, request] of Object.entries(BOMBS)) {
        const refused = await victim.refusals();
        for (let round = 0; round < 5; round += 1) {
            const { status } = await attempt(victim.own.url, request);
            assert.ok(TOO_MUCH.includes(status), `${name}: ${status}`);
        }
        await eventually(async () => (await victim.refusals()) >= refused + 5, `the counts of ${name}`);
        await victim.isUnharmed();
    }
});

const MALFORMED = {
    'two lengths': head('/emulation', 'Content-Length: 2', 'Content-Length: 5'),
    'a length and parts': head('/emulation', 'Content-Length: 5', 'Transfer-Encoding: chunked'),
    'a negative length': head('/emulation', 'Content-Length: -1'),
    'a length beyond all numbers': head('/emulation', 'Content-Length: 99999999999999999999999'),
    'a part beyond all numbers': `${head('/emulation', 'Transfer-Encoding: chunked')}ffffffffffffffffff\r\n`,
    'a header that breaks the line': 'GET /events?channel=news:a HTTP/1.1\r\nHost: gateway\r\nLast-Event-ID: a\nSet-Cookie: b\0\r\n\r\n',
};

test('malformed requests are refused, and what follows them is no request', async (t) => {
    const victim = await Victim.start(t);
    const smuggled = `POST /emulation HTTP/1.1\r\nHost: gateway\r\nContent-Type: ${JSON_TYPE}\r\nContent-Length: ${victim.body().length}\r\n\r\n${victim.body()}`;
    for (const [name, bytes] of Object.entries(MALFORMED)) {
        const refused = await victim.refusals();
        const { text } = await exchange(t, victim.own, (socket) => socket.write(`${bytes}0\r\n\r\n${smuggled}`));
        assert.ok(text === '' || /^HTTP\/1\.[01] 4\d\d /.test(text), `${name}: ${text.slice(0, 200)}`);
        assert.ok(!text.includes(' 204 '), name);
        await eventually(async () => (await victim.refusals()) > refused, `the count of ${name}`);
        await victim.isUnharmed();
    }
});

/** Ids that name no position of the channel, and what becomes of the stream: `reset`, or a status. */
const IDS = {
    'the position of another channel': [({ other }) => `${other.epoch}-${other.offset}`, ['reset']],
    'an offset of the future': [({ position }) => `${position.epoch}-${position.offset + 1000}`, ['reset']],
    'the largest offset': [({ position }) => `${position.epoch}-18446744073709551615`, ['reset', 400]],
    'an offset beyond all numbers': [({ position }) => `${position.epoch}-18446744073709551616`, [400]],
    'a negative offset': [({ position }) => `${position.epoch}--1`, [400]],
    'another epoch': [({ position }) => `AAAAAAAA-${position.offset}`, ['reset']],
    'an epoch of 100 characters': [({ position }) => `${'A'.repeat(100)}-${position.offset}`, ['reset', 400]],
    'the position of several channels': [({ several }) => several, ['reset', 400]],
    garbage: [() => 'garbage', [400]],
    'many dashes': [() => '-'.repeat(100), [400]],
    'a path': [() => '../../../etc/passwd', [400]],
    'a script': [() => '<script>alert(1)</script>', [400]],
    'bytes that are no UTF-8': [() => '\xff\xfe', [400]],
};

/** Opens an event stream. Resolves to the status, or to `reset`, or to `open` if a publication comes without one. */
async function eventStream(t, victim, lastEventId) {
    const response = await ask(victim.own.url, { method: 'GET', path: `/events?${new URLSearchParams({ channel: victim.channel })}`, headers: { 'last-event-id': lastEventId } });
    if (response.statusCode !== 200) {
        response.resume();
        return response.statusCode;
    }
    t.after(() => response.destroy());
    let text = '';
    const reported = async () => {
        for await (const part of response.setEncoding('utf8')) {
            text += part;
            if (/^event: reset$/m.test(text)) return 'reset';
            if (/^data: /m.test(text)) return 'open';
        }
        return 'ended';
    };
    const outcome = reported();
    await eventually(() => /^retry: /m.test(text), 'the first block');
    await victim.isUnharmed();
    return within(outcome, () => `an event; received ${JSON.stringify(text.slice(-200))}`);
}

test('ids that lie give nothing that the client may not have, and no silent gap', async (t) => {
    const victim = await Victim.start(t);
    const [position] = await victim.own.publish(unique('news:'), 1);
    const [other] = await victim.own.publish('members:secret', 'secret');
    await victim.isUnharmed();
    const { publications, epoch } = await victim.own.ask('GET', `/v1/channels/${encodeURIComponent(victim.channel)}/publications?limit=1&order=desc`);
    const here = { epoch: epoch ?? position.epoch, offset: publications[0].offset };
    const response = await ask(victim.own.url, { method: 'GET', path: `/events?channel=${victim.channel}&channel=news:b` });
    const several = await within(new Promise((resolve) => {
        let text = '';
        response.setEncoding('utf8').on('data', (part) => {
            const id = /^id: (.*)$/m.exec((text += part))?.[1];
            if (id) resolve(id);
        });
    }), 'the id of several channels');
    response.destroy();
    for (const [name, [make, expected]] of Object.entries(IDS)) {
        const outcome = await eventStream(t, victim, make({ position: here, other, several }));
        assert.ok(expected.includes(outcome), `${name}: ${outcome}`);
    }
    await victim.isUnharmed();
});

/** What a page of another origin does in a browser. `target` has the gateway's origin and the victim. Forms and pictures open no dialogue. */
const PAGES = {
    'reads events with the cookie of its user': async (tab, { origin }, t) => {
        const stream = await openInPage(t, tab, `${origin}/events?channel=members:secret`, { withCredentials: true });
        await stream.count('failed', 1);
        assert.deepEqual(stream.of('message'), []);
    },
    'opens an event stream with commands in the query': async (tab, { origin, path }, t) => {
        const stream = await openInPage(t, tab, origin + path);
        await stream.count('failed', 1);
        assert.deepEqual(stream.of('message'), []);
    },
    'embeds an event stream with commands as a picture, a script, a style and a frame': async (tab, { origin, path }) => {
        await tab.evaluate(async (url) => {
            for (const [name, attribute] of [['img', 'src'], ['script', 'src'], ['iframe', 'src'], ['link', 'href'], ['audio', 'src']]) {
                const element = document.createElement(name);
                if (name === 'link') element.rel = 'stylesheet';
                const done = new Promise((resolve) => (element.onload = element.onerror = resolve));
                element[attribute] = url;
                document.head.append(element);
                await done;
            }
        }, origin + path);
    },
    'follows a link to an event stream with commands in a frame': async (tab, { origin, path }) => {
        const answered = tab.waitForResponse((response) => response.url() === origin + path);
        await tab.evaluate((url) => {
            const frame = document.createElement('iframe');
            frame.name = 'target';
            document.body.append(frame);
            const link = Object.assign(document.createElement('a'), { href: url, target: 'target' });
            document.body.append(link);
            link.click();
        }, origin + path);
        await answered;
    },
    ...Object.fromEntries(['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data'].flatMap((enctype) => ['/emulation', '/connection/http_stream'].map((action) => [
        `posts a form of ${enctype} to ${action}`,
        async (tab, { origin, body }) => {
            const answered = tab.waitForResponse((response) => response.url() === origin + action);
            await tab.evaluate(({ url, enctype, body }) => {
                const frame = Object.assign(document.createElement('iframe'), { name: 'answer' });
                const form = Object.assign(document.createElement('form'), { method: 'post', action: url, enctype, target: 'answer' });
                // As text, the form is `name=value`: the equals sign ends up in a member that does not count.
                const [name, value] = [body.replace(/\}$/, ',"x":"'), '"}'];
                form.append(Object.assign(document.createElement('input'), { name, value }));
                document.body.append(frame, form);
                form.submit();
            }, { url: origin + action, enctype, body });
            await answered;
        },
    ]))),
    'sends commands as text by fetch, by a beacon, and with the right type, which the browser asks about': async (tab, { origin, body }) => {
        const outcomes = await tab.evaluate(async ({ url, body }) => {
            const send = (type, mode) => fetch(url, { method: 'POST', body, mode, credentials: 'include', headers: { 'content-type': type } }).then(({ status }) => status, () => 'refused');
            navigator.sendBeacon(url, new Blob([body], { type: 'text/plain' }));
            return [await send('text/plain', 'no-cors'), await send('text/plain', 'cors'), await send('application/json', 'cors'), await send('application/octet-stream', 'cors')];
        }, { url: `${origin}/emulation`, body });
        // The answer without CORS has no status for the page.
        assert.deepEqual(outcomes, [0, 'refused', 'refused', 'refused']);
    },
};

test('pages of another origin in a real browser', async (t) => {
    const [browser, foreign] = [await launch(t), await serveEmptyPage(t)];
    const victim = await Victim.start(t);
    const proxy = await HttpProxy.start(t, () => victim.own);
    const context = await browser.newContext();
    // The worst case: another port of the same host, so the browser sends the cookie.
    await context.addCookies([{ name: 'session', value: token({ sub: 'victim' }), url: proxy.origin }]);
    const path = `/connection/sse?${new URLSearchParams({ cf_connect: PUBLISH })}`;
    for (const [name, act] of Object.entries(PAGES)) {
        const [seen, refused] = [proxy.requests.length, await victim.refusals()];
        const tab = await context.newPage();
        await tab.goto(foreign);
        await act(tab, { origin: proxy.origin, path, body: victim.body() }, t);
        await tab.close();
        const attacks = proxy.requests.slice(seen).filter(({ method }) => method !== 'OPTIONS');
        assert.ok(proxy.requests.length > seen, `${name}: the attack has reached the gateway`);
        for (const each of attacks) assert.ok(each.status === 403 || each.status === 415, `${name}: ${each.path} was answered ${each.status}`);
        assert.ok((await victim.refusals()) >= refused + attacks.length, `${name}: refusals are counted`);
        await victim.isUnharmed();
    }
    const { publications } = await victim.own.ask('GET', '/v1/channels/news:attack/publications?limit=10');
    assert.deepEqual(publications, []);
});

test('a page of another site, of which the browser sends no cookie, gets nothing either', async (t) => {
    const browser = await launch({ after: (stop) => t.after(stop) });
    const own = await ownGateway(t, SETTINGS);
    const proxy = await HttpProxy.start(t, () => own);
    const foreign = (await serveEmptyPage(t)).replace('127.0.0.1', 'localhost');
    const tab = await browser.newPage();
    await tab.goto(foreign);
    const stream = await openInPage(t, tab, `${proxy.origin}/events?channel=news:a`);
    await stream.count('failed', 1);
    assert.deepEqual(proxy.requests.map(({ status }) => status), [403]);
});
