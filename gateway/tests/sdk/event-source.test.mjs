// GET /events with real clients: npm eventsource, the EventSource of Chromium, and curl.

import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { unique } from './support/client.mjs';
import { EventParser, clients, serveEmptyPage } from './support/event-stream.mjs';
import { ownGateway } from './support/gateway.mjs';
import { HttpProxy } from './support/http-proxy.mjs';
import { launch } from './support/pages.mjs';
import { ask } from './support/raw-stream.mjs';
import { Raw } from './support/raw.mjs';
import { OwnRedis, redisSettings } from './support/redis.mjs';
import { inSeconds, token } from './support/token.mjs';
import { eventually, within } from './support/wait.mjs';

const browser = await launch({ after });
const page = await serveEmptyPage({ after });

const SETTINGS = `
[public]
allowed_origins = ["${page}"]
[streams]
retry = "200ms"
heart_beat = "1s"
[tokens]
anonymous = true
leeway = "0s"
[connection]
expiry_grace = "0s"
[namespaces.news]
history_size = 1000
subscribe = "anyone"
[namespaces.any]
data = "any"
history_size = 10
subscribe = "anyone"
[namespaces.live]
subscribe = "anyone"
[namespaces.members]
history_size = 10
subscribe = "authenticated"
[namespaces.closed]
subscribe = "nobody"
`;

const range = (from, to) => Array.from({ length: to - from + 1 }, (_, index) => from + index);
const idOf = ({ epoch, offset }) => `${epoch}-${offset}`;
/** What an id may consist of, so that no browser asks before it sends one to another origin. */
const SAFE = /^[A-Za-z0-9._~-]{1,128}$/;

const pathOf = (query) => `/events?${new URLSearchParams(Object.entries(query).flatMap(([name, value]) => [value].flat().map((each) => [name, each])))}`;

/** A gateway behind a proxy, and a stream of one of the clients. */
async function opened(t, open, query, gateway) {
    const own = gateway ?? (await ownGateway(t, SETTINGS));
    const proxy = await HttpProxy.start(t, () => own);
    const stream = await open(t, proxy.origin + pathOf(query));
    await stream.count('open', 1);
    return { own, proxy, stream };
}

/** Cuts the stream, does something, and waits until the client is back. */
async function whileCut(proxy, stream, act) {
    const [errors, opens] = [stream.of('error').length, stream.of('open').length];
    proxy.cut();
    await stream.count('error', errors + 1);
    await act();
    proxy.restore();
    await stream.count('open', opens + 1);
}

const publish = (own, channel, body) => own.ask('POST', `/v1/channels/${encodeURIComponent(channel)}/publications`, body);

const CASES = {
    async 'gets the publications of a channel as they are, with ids of their positions'(t, open) {
        const channel = unique('news:');
        const { own, stream } = await opened(t, open, { channel });
        const data = [{ text: 'ünï "x"\n\u2028' }, [1, null, {}], 'text', 2.5, ''];
        const positions = await own.publish(channel, ...data);
        assert.deepEqual(await stream.data(data.length), data);
        assert.deepEqual(stream.of('message').map(({ id }) => id), positions.map(idOf));
    },

    async 'gets text with its line breaks, and no ids where there is no history'(t, open) {
        const { own, stream } = await opened(t, open, { channel: 'any:a' });
        await publish(own, 'any:a', { text: 'one\ntwo\r\nthree\rfour\n' });
        assert.equal((await stream.count('message', 1))[0].data, 'one\ntwo\nthree\nfour\n');
        const { stream: live } = await opened(t, open, { channel: 'live:a' }, own);
        await own.publish('live:a', 1, 2);
        await live.data(2);
        assert.deepEqual(live.of('message').map(({ id }) => id), ['', '']);
    },

    async 'gets several channels, each publication with its channel'(t, open) {
        const channels = [unique('news:'), unique('news:'), 'live:a'];
        const { own, stream } = await opened(t, open, { channel: channels });
        for (const [index, channel] of channels.entries()) await publish(own, channel, { data: { index }, tags: { kind: 'a' } });
        await publish(own, channels[0], { data: 'again' });
        const all = await stream.data(4);
        const got = all.map(({ channel, data, offset, tags }) => ({ channel, data, offset: offset || undefined, tags }));
        assert.deepEqual(got, [
            ...channels.map((channel, index) => ({ channel, data: { index }, offset: channel === 'live:a' ? undefined : 1, tags: { kind: 'a' } })),
            { channel: channels[0], data: 'again', offset: 2, tags: undefined },
        ]);
        assert.ok(all.every(({ time }) => time !== undefined));
        for (const { id, data } of stream.of('message')) if (JSON.parse(data).offset) assert.match(id, SAFE);
    },

    async 'gets an envelope for one channel if it asks for it'(t, open) {
        const channel = unique('news:');
        const { own, stream } = await opened(t, open, { channel, envelope: true });
        await publish(own, channel, { data: 1, tags: { a: 'b' } });
        const [{ channel: name, data, offset, tags }] = await stream.data(1);
        assert.deepEqual({ name, data, offset, tags }, { name: channel, data: 1, offset: 1, tags: { a: 'b' } });
    },

    async 'resumes after each cut, once and in order'(t, open) {
        const channel = unique('news:');
        const { own, proxy, stream } = await opened(t, open, { channel });
        await own.publish(channel, 1, 2);
        await stream.data(2);
        let last = 2;
        for (const missed of [0, 1, 300]) {
            const { id } = stream.of('message').at(-1);
            await whileCut(proxy, stream, () => own.publish(channel, ...range(last + 1, last + missed)));
            assert.equal(proxy.requests.at(-1).headers['last-event-id'], id);
            last += missed + 1;
            await own.publish(channel, last);
            await stream.data(last);
        }
        assert.deepEqual(await stream.data(last), range(1, last));
        assert.deepEqual(stream.of('reset'), []);
        assert.deepEqual(proxy.requests.filter(({ method }) => method === 'OPTIONS'), [], 'the ids need no permission');
    },

    async 'resumes several channels after a cut, each once and in order'(t, open) {
        const channels = range(1, 8).map(() => unique('news:'));
        const { own, proxy, stream } = await opened(t, open, { channel: channels });
        const publishAll = async (from, to) => {
            for (const number of range(from, to)) for (const channel of channels) await own.publish(channel, number);
        };
        await publishAll(1, 3);
        await stream.data(24);
        await whileCut(proxy, stream, () => publishAll(4, 20));
        await publishAll(21, 22);
        const all = await stream.data(176);
        for (const name of channels) assert.deepEqual(all.filter(({ channel }) => channel === name).map(({ data }) => data), range(1, 22));
        for (const { id } of stream.of('message')) assert.match(id, SAFE);
        assert.deepEqual(stream.of('reset'), []);
    },

    async 'begins after a position in the query, and resumes from there'(t, open) {
        const channel = unique('news:');
        const own = await ownGateway(t, SETTINGS);
        const { epoch, offset } = (await own.publish(channel, ...range(1, 5)))[1];
        for (const from of [{ since: `${epoch}:${offset}` }, { lastEventId: idOf({ epoch, offset }) }]) {
            const { proxy, stream } = await opened(t, open, { channel, ...from }, own);
            assert.deepEqual((await stream.data(3)).slice(0, 3), [3, 4, 5]);
            await whileCut(proxy, stream, async () => {});
            const { offset: last } = await publish(own, channel, { data: 'live' });
            const expected = [3, 4, 5, ...range(6, last).map(() => 'live')];
            assert.deepEqual(await stream.data(expected.length), expected, 'the header comes before the query');
        }
    },

    async 'reports that the history is gone, and goes on behind it'(t, open) {
        const channel = unique('news:');
        const { own, proxy, stream } = await opened(t, open, { channel });
        await own.publish(channel, 'before');
        await stream.data(1);
        await whileCut(proxy, stream, async () => {
            await own.publish(channel, 'missed');
            await own.rest('DELETE', `/v1/channels/${encodeURIComponent(channel)}/publications`);
        });
        const [{ data, id }] = await stream.count('reset', 1);
        assert.deepEqual(JSON.parse(data), { channel });
        const [position] = await own.publish(channel, 'after');
        assert.deepEqual(await stream.data(2), ['before', 'after']);
        assert.equal(id, idOf({ ...position, offset: position.offset - 1 }));
        await whileCut(proxy, stream, () => own.publish(channel, 'later'));
        assert.deepEqual(await stream.data(3), ['before', 'after', 'later']);
        assert.equal(stream.of('reset').length, 1);
    },

    async 'goes on when the store begins a new epoch, without a loss or a repeat'(t, open) {
        const redis = await OwnRedis.start(t);
        const own = await ownGateway(t, redisSettings(redis.url, 'one', 'canary_interval = "200ms"') + SETTINGS);
        const ready = () => eventually(async () => (await own.rest('GET', '/readyz')).status === 200, 'the node to be ready');
        await ready();
        const channel = unique('news:');
        const { proxy, stream } = await opened(t, open, { channel }, own);
        const [, { epoch }] = await own.publish(channel, 1, 2);
        await stream.data(2);
        await redis.restart();
        await ready();
        const [third] = await own.publish(channel, 3);
        assert.notEqual(third.epoch, epoch);
        assert.deepEqual(await stream.data(3), [1, 2, 3]);
        assert.equal(stream.of('message').at(-1).id, idOf(third));
        await whileCut(proxy, stream, () => own.publish(channel, 4));
        assert.deepEqual(await stream.data(4), [1, 2, 3, 4]);
        assert.deepEqual(stream.of('reset'), []);
    },

    async 'stays away after the end of its permission, its token or its user'(t, open) {
        const own = await ownGateway(t, SETTINGS);
        const ends = [
            [() => ({}), (user, channel) => own.ask('DELETE', `/v1/users/${user}/subscriptions/${encodeURIComponent(channel)}`), { code: 2000, reason: 'server unsubscribe' }],
            [() => ({}), (user) => own.ask('DELETE', `/v1/users/${user}/connections?code=4500&reason=enough`), { code: 4500, reason: 'enough' }],
            [() => ({}), (user) => own.ask('DELETE', `/v1/users/${user}/connections`), { code: 3503, reason: 'force disconnect' }],
            [() => ({ exp: inSeconds(4) }), () => {}, { code: 3005, reason: 'connection expired' }],
        ];
        for (const [claims, act, expected] of ends) {
            const [user, channel] = [unique('alice-'), unique('members:')];
            const { proxy, stream } = await opened(t, open, { channel, token: token({ sub: user, ...claims() }) }, own);
            await own.publish(channel, 1);
            await stream.data(1);
            await act(user, channel);
            const [{ data }] = await stream.count('end', 1);
            assert.deepEqual(JSON.parse(data), expected);
            await stream.count('failed', 1);
            assert.deepEqual(proxy.requests.map(({ status }) => status), [200, 204], `after ${expected.reason}`);
        }
    },

    async 'comes back after a disconnect that allows it'(t, open) {
        const [user, channel] = [unique('alice-'), unique('members:')];
        const { own, stream } = await opened(t, open, { channel, token: token({ sub: user }) });
        await own.publish(channel, 1);
        await stream.data(1);
        await own.ask('DELETE', `/v1/users/${user}/connections?code=3011&reason=again`);
        await own.publish(channel, 2);
        await stream.count('open', 2);
        await own.publish(channel, 3);
        assert.deepEqual(await stream.data(3), [1, 2, 3]);
        assert.deepEqual(stream.of('end'), []);
    },

    async 'moves to another node when its node drains, once and in order'(t, open) {
        const redis = await OwnRedis.start(t);
        const start = (name) => ownGateway(t, redisSettings(redis.url, name) + SETTINGS, { 'drain.window': '1s', 'drain.deadline': '20s' });
        const [one, two] = await Promise.all(['one', 'two'].map(start));
        for (const node of [one, two]) await eventually(async () => (await node.rest('GET', '/readyz')).status === 200, 'the node to be ready');
        let node = one;
        const proxy = await HttpProxy.start(t, () => node);
        const channel = unique('news:');
        const stream = await open(t, proxy.origin + pathOf({ channel }));
        await stream.count('open', 1);
        await two.publish(channel, 1);
        await stream.data(1);
        one.drain();
        await stream.count('error', 1);
        node = two;
        await two.publish(channel, 2);
        await proxy.answered('/events', 2);
        await two.publish(channel, 3);
        assert.deepEqual(await stream.data(3), [1, 2, 3]);
        assert.deepEqual([stream.of('end'), stream.of('failed')], [[], []]);
    },

    async 'gives up after a refusal'(t, open) {
        const own = await ownGateway(t, SETTINGS);
        const proxy = await HttpProxy.start(t, () => own);
        for (const query of [{ channel: 'closed:a' }, { channel: 'nowhere:a' }, { channel: 'news:a', token: 'x' }, {}]) {
            await (await open(t, proxy.origin + pathOf(query))).count('failed', 1);
        }
        assert.deepEqual(proxy.requests.map(({ status }) => status), [403, 404, 401, 400]);
    },
};

for (const [name, open] of Object.entries(clients(browser, page))) {
    for (const [what, run] of Object.entries(CASES)) test(`${name} ${what}`, (t) => run(t, open));
}

// npm eventsource ignores the id of a block without data.
for (const [name, open] of Object.entries(clients(browser, page)).filter(([name]) => name !== 'npm eventsource')) {
    test(`${name} resumes from where the stream began, if it was cut before the first publication`, async (t) => {
        const channels = [unique('news:'), unique('news:')];
        const own = await ownGateway(t, SETTINGS);
        for (const channel of [channels[0], channels]) {
            await own.publish(channels[0], 'old');
            const { proxy, stream } = await opened(t, open, { channel, envelope: true }, own);
            // The end comes at a heart-beat, when the client has read the first block.
            await within(proxy.breakIn('\n:\n\n', 'end'), 'a heart-beat');
            await whileCut(proxy, stream, () => own.publish(channels[0], 'missed'));
            assert.equal((await stream.data(1))[0].data, 'missed');
            assert.match(proxy.requests.at(-1).headers['last-event-id'], SAFE);
        }
    });
}

/** Sends a request. The response, which may not end, is destroyed after the test. */
async function get(t, own, query, headers = {}, method = 'GET') {
    const response = await ask(own.url, { method, path: pathOf(query), headers });
    t.after(() => response.destroy());
    return response;
}

/** Reads a response until `enough` returns true for its text, or until its end. Resolves to the text. The response stays open. */
function read(response, enough = () => false) {
    let text = '';
    const done = new Promise((resolve, reject) => {
        response.setEncoding('utf8').on('data', (part) => enough((text += part)) && resolve(text));
        response.on('end', () => resolve(text)).on('error', reject);
    });
    return within(done, () => `the body; received ${JSON.stringify(text.slice(-200))}`);
}

test('headers that no proxy and no cache may misunderstand, and a first block at once', async (t) => {
    const own = await ownGateway(t, SETTINGS.replace('200ms', '2s'));
    const [position] = await own.publish('news:a', 1);
    const response = await get(t, own, { channel: 'news:a' });
    const { headers } = response;
    assert.match(headers['content-type'], /^text\/event-stream/);
    const sent = ['cache-control', 'x-accel-buffering', 'connection', 'content-length', 'transfer-encoding'].map((name) => headers[name]);
    assert.deepEqual([response.statusCode, ...sent], [200, 'no-store', 'no', 'close', undefined, undefined]);
    const text = await read(response, (text) => text.endsWith('\n:\n\n'));
    assert.ok(text.startsWith(':') && text.indexOf('\n') >= 2048, text.slice(0, 100));
    const parser = new EventParser();
    assert.deepEqual(parser.take(text), [], 'the first block is no event, and heart-beats are none');
    assert.equal(parser.id, idOf(position));
    assert.ok(parser.retry >= 1000 && parser.retry <= 4000, `${parser.retry} ms`);
});

test('the time until a client returns differs between clients', async (t) => {
    const own = await ownGateway(t, SETTINGS);
    const retries = await Promise.all(range(1, 20).map(async () => /^retry: (\d+)$/m.exec(await read(await get(t, own, { channel: 'live:a' }), (text) => /^retry: \d+\n/m.test(text)))[1]));
    assert.ok(new Set(retries).size > 5, retries.join());
});

test('a refused request names its problem', async (t) => {
    const own = await ownGateway(t, SETTINGS);
    const expired = token({ sub: 'ann', exp: inSeconds(-60) });
    const many = range(1, 9).map((number) => `news:${number}`);
    const refusals = [
        [400, 'bad_request', {}],
        [400, 'bad_request', { channel: '' }],
        [400, 'bad_request', { channel: 'news:a b' }],
        [400, undefined, { channel: many }],
        [400, 'bad_request', { channel: ['news:a', 'news:b'], since: 'abc:1' }],
        [400, 'bad_request', { channel: 'news:a', since: 'x' }],
        [400, 'bad_request', { channel: 'news:a', since: 'abc:-1' }],
        [400, 'bad_request', { channel: 'news:a', envelope: 'maybe' }],
        [401, 'unauthorized', { channel: 'news:a', token: 'x' }],
        [401, 'token_expired', { channel: 'news:a', token: expired }],
        [403, 'permission_denied', { channel: 'closed:a' }],
        [403, 'permission_denied', { channel: 'members:a' }],
        [403, 'permission_denied', { channel: ['news:a', 'closed:a'] }],
        [403, 'permission_denied', { channel: '#alice' }],
        [404, 'unknown_channel', { channel: 'nowhere:a' }],
    ];
    for (const [status, code, query] of refusals) {
        const response = await get(t, own, query);
        const problem = JSON.parse(await read(response));
        assert.deepEqual([response.statusCode, problem.code], [status, code ?? problem.code], JSON.stringify(query));
        assert.ok(problem.detail.length > 10);
        assert.match(response.headers['content-type'], /^application\/problem\+json/);
    }
    const strict = await ownGateway(t, SETTINGS.replace('anonymous = true', 'anonymous = false'));
    assert.equal((await get(t, strict, { channel: 'news:a' })).statusCode, 401);
    const foreign = await get(t, own, { channel: 'news:a' }, { origin: 'https://elsewhere.example' });
    assert.deepEqual([foreign.statusCode, JSON.parse(await read(foreign)).code], [403, 'origin_not_allowed']);
});

test('a node over its limit, or in its drain, answers with a time to return, so that browsers do', async (t) => {
    const limited = await ownGateway(t, `${SETTINGS}\n`, { 'public.max_connections': '1' });
    const first = await get(t, limited, { channel: 'news:a' });
    await read(first, (text) => text.includes('retry'));
    const draining = await ownGateway(t, SETTINGS, { 'drain.deadline': '10s' });
    // A client that does not answer the close frame delays the end of the node until the deadline.
    (await Raw.connect(t, draining)).pause();
    draining.drain();
    await eventually(async () => (await fetch(`${draining.url}/readyz`)).status === 503, 'the drain');
    for (const own of [limited, draining]) {
        const response = await get(t, own, { channel: 'news:a' });
        const text = await read(response);
        assert.equal(response.statusCode, 200);
        assert.match(text, /^(:[^\n]*\n+)?retry: \d+\n\n$/);
    }
});

test('a token may be in the query, in a header, or in a cookie of a page that is allowed', async (t) => {
    const own = await ownGateway(t, `${SETTINGS}\n`, { 'stomp.token_cookie': 'session', 'telemetry.log_filter': 'debug' });
    const granted = token({ sub: 'ann' });
    const cookie = `a=b; session=${granted}; c=d`;
    const self = new URL(own.url).origin;
    const attempts = [
        [200, { token: granted }, {}],
        [200, {}, { authorization: `Bearer ${granted}` }],
        [200, {}, { cookie, origin: page }],
        [200, {}, { cookie, origin: page, 'sec-fetch-site': 'cross-site' }],
        [200, {}, { cookie, 'sec-fetch-site': 'same-origin' }],
        [200, { token: granted }, { authorization: 'Bearer x', cookie: 'session=x', origin: page }],
        [200, {}, { authorization: `Bearer ${granted}`, cookie: 'session=x', origin: page }],
        [403, {}, { cookie }],
        [403, {}, { cookie, 'sec-fetch-site': 'same-site' }],
        [403, {}, { cookie, 'sec-fetch-site': 'none' }],
        [403, {}, { cookie, 'sec-fetch-site': 'cross-site' }],
        [403, {}, { cookie, origin: 'https://elsewhere.example' }],
        [403, {}, { cookie, origin: self }],
        [401, {}, { authorization: 'Bearer x' }],
        [401, { token: 'x' }, { authorization: `Bearer ${granted}` }],
    ];
    for (const [status, query, headers] of attempts) {
        const response = await get(t, own, { channel: 'members:a', ...query }, headers);
        assert.equal(response.statusCode, status, JSON.stringify([query, headers]));
    }
    assert.ok(!own.log.includes(granted) && !own.log.includes(granted.split('.')[2]), 'no log has a token');
});

test('a page of an allowed origin may send Authorization and Last-Event-ID, and others may not', async (t) => {
    const own = await ownGateway(t, SETTINGS);
    const foreign = await serveEmptyPage(t);
    const asked = (origin) => get(t, own, { channel: 'news:a' }, { origin, 'access-control-request-method': 'GET', 'access-control-request-headers': 'authorization,last-event-id' }, 'OPTIONS');
    const { statusCode, headers } = await asked(page);
    assert.ok(statusCode === 200 || statusCode === 204, `${statusCode}`);
    assert.deepEqual([headers['access-control-allow-origin'], headers['access-control-allow-credentials']], [page, 'true']);
    const names = headers['access-control-allow-headers'].toLowerCase().split(/, */);
    assert.ok(['authorization', 'last-event-id'].every((name) => names.includes(name)), names.join());
    assert.equal((await asked(foreign)).headers['access-control-allow-origin'], undefined);

    const url = own.url + pathOf({ channel: 'members:a' });
    const granted = token({ sub: 'ann' });
    const tryIt = ({ url, granted }) => fetch(url, { headers: { authorization: `Bearer ${granted}`, 'last-event-id': 'x'.repeat(200) } }).then(({ status }) => status, () => 'refused');
    for (const [origin, expected] of [[page, 400], [foreign, 'refused']]) {
        const tab = await browser.newPage();
        await tab.goto(origin);
        assert.equal(await tab.evaluate(tryIt, { url, granted }), expected, origin);
        await tab.close();
    }
});
