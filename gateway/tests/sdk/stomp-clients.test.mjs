// The same cases with every STOMP library, against the gateway and against Spring's simple broker. CLIENTS names the languages (JavaScript),
// BROKERS the brokers (gateway). Spring's broker passes the cases that do not need more than it has.

import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { unique } from './support/client.mjs';
import { Proxy } from './support/proxy.mjs';
import { OwnRedis, redisSettings } from './support/redis.mjs';
import { Spring } from './support/spring.mjs';
import { LIBRARIES } from './support/stomp-clients.mjs';
import { stompGateway } from './support/stomp-gateway.mjs';
import { token } from './support/token.mjs';
import { EventRecorder, eventually, next } from './support/wait.mjs';

/** Longer than a client or a server waits for a heart-beat of the other: two or three times the second that both have asked for. */
const SILENCE_MS = 4_500;

const languages = (process.env.CLIENTS ?? 'JavaScript').split(' ');
const brokers = (process.env.BROKERS ?? 'gateway').split(' ');

const names = Object.keys(LIBRARIES).filter((name) => languages.includes(LIBRARIES[name].language));

/** Connects a client as `user`. */
async function connected(start, broker, { user = unique('ann-'), heartbeat = [0, 0] } = {}) {
    const client = start(broker);
    const opened = next(client, 'connected');
    await client.do('connect', { headers: { Authorization: `Bearer ${token({ sub: user })}` }, heartbeat });
    client.user = user;
    client.connected = await opened;
    client.messages = new EventRecorder(client, 'message');
    return client;
}

/** Subscribes, and waits until the subscription counts: when a message that is sent after it comes back. */
async function subscribed(client, subscription) {
    await client.do('subscribe', subscription);
    await echoed(client);
}

async function echoed(client) {
    const destination = `/topic/${unique('echo-')}`;
    const back = next(client, 'message', ({ headers }) => headers.destination === destination);
    await client.do('subscribe', { destination });
    await client.do('send', { destination, body: 'echo' });
    await back;
}

/** The messages of this destination, when there are `count` of them. */
async function messages(client, destination, count) {
    const chosen = (all) => all.filter(({ headers }) => headers.destination === destination);
    return chosen(await client.messages.until((all) => chosen(all).length >= count, `${count} messages at ${destination}`));
}

const publish = (broker, channel, data) => broker.ask('POST', `/v1/channels/${encodeURIComponent(channel)}/publications`, { data });

const ready = (node) => eventually(async () => (await node.rest('GET', '/readyz')).status === 200, 'the node to be ready');

/** A Redis and a gateway, with which the gateways that are killed share their histories. */
async function startCluster() {
    const redis = await OwnRedis.start({ after });
    const other = await stompGateway({ after }, { settings: redisSettings(redis.url, 'other') });
    await ready(other);
    return { redis, other };
}

/** What both a simple broker and the gateway do. */
const COMMON = {
    async 'connects as the user of its token'(start, broker) {
        const client = await connected(start, broker);
        assert.equal(client.connected.headers['user-name'], client.user);
    },

    async 'gets what a service publishes, at the destination that it has subscribed to'(start, broker) {
        const channel = unique('news.');
        const client = await connected(start, broker);
        for (const destination of [`/topic/${channel}`, `/topic/${channel}.other`]) await client.do('subscribe', { destination });
        await echoed(client);
        const data = { text: 'ünï "x"\n', list: [1, 2.5, null] };
        await publish(broker, channel, data);
        const [{ headers, text }] = await messages(client, `/topic/${channel}`, 1);
        assert.deepEqual(JSON.parse(text), data);
        assert.match(headers['content-type'], /^application\/json/);
        assert.ok(headers['message-id'] && headers.subscription, JSON.stringify(headers));
    },

    async 'gets what it sends right after it has subscribed, with the headers that it sends'(start, broker) {
        const destination = `/queue/${unique('room.')}`;
        const client = await connected(start, broker);
        await client.do('subscribe', { destination });
        await client.do('send', { destination, body: 'hello', headers: { colour: 'light blue', 'x-number': '7' } });
        const [{ headers, text }] = await messages(client, destination, 1);
        assert.deepEqual([text, headers.colour, headers['x-number']], ['hello', 'light blue', '7']);
    },

    async 'gets what another client sends'(start, broker) {
        const destination = `/topic/${unique('room/')}`;
        const [one, other] = [await connected(start, broker), await connected(start, broker)];
        await subscribed(one, { destination });
        for (const body of ['1', '2', '3']) await other.do('send', { destination, body });
        assert.deepEqual((await messages(one, destination, 3)).map(({ text }) => text), ['1', '2', '3']);
    },

    async 'sends and gets JSON and text'(start, broker) {
        const destination = `/topic/${unique('bodies.')}`;
        const client = await connected(start, broker);
        await client.do('subscribe', { destination });
        await client.do('send', { destination, body: '{"text":"ünï","list":[1,null]}', headers: { 'content-type': 'application/json' } });
        await client.do('send', { destination, body: '{"number":7}' });
        await client.do('send', { destination, body: 'plain ünï', headers: { 'content-type': 'text/plain' } });
        await client.do('send', { destination, body: 'only text' });
        const got = await messages(client, destination, 4);
        assert.deepEqual(JSON.parse(got[0].text), { text: 'ünï', list: [1, null] });
        assert.match(got[0].headers['content-type'], /^application\/json/);
        assert.deepEqual(JSON.parse(got[1].text), { number: 7 });
        assert.deepEqual([got[2].text, got[2].headers['content-type']], ['plain ünï', 'text/plain']);
        assert.equal(got[3].text, 'only text');
    },

    bytes: {
        async 'sends and gets bytes'(start, broker) {
            const destination = `/topic/${unique('bodies.')}`;
            const client = await connected(start, broker);
            await client.do('subscribe', { destination });
            const base64 = Buffer.from([0, 1, 10, 13, 58, 92, 200, 255, 0]).toString('base64');
            await client.do('send', { destination, base64, headers: { 'content-type': 'application/octet-stream' } });
            const [got] = await messages(client, destination, 1);
            assert.deepEqual([got.base64, got.headers['content-type']], [base64, 'application/octet-stream']);
        },
    },

    async 'gets messages to its user at /user/queue'(start, broker) {
        const queue = unique('notes.');
        const [ann, bob] = [await connected(start, broker), await connected(start, broker)];
        for (const client of [ann, bob]) await subscribed(client, { destination: `/user/queue/${queue}` });
        await broker.ask('POST', `/v1/users/${bob.user}/messages`, { queue: 'elsewhere', data: { for: 'nobody' } });
        await broker.ask('POST', `/v1/users/${bob.user}/messages`, { queue, data: { for: 'bob' } });
        await broker.ask('POST', `/v1/users/${ann.user}/messages`, { queue, data: { for: 'ann' } });
        const got = await Promise.all([ann, bob].map((client) => messages(client, `/user/queue/${queue}`, 1)));
        assert.deepEqual(got.map((list) => list.map(({ text }) => JSON.parse(text))), [[{ for: 'ann' }], [{ for: 'bob' }]]);
    },

    async 'calls a service at /app, and gets the reply at /user/queue'(start, broker) {
        const [ann, bob] = [await connected(start, broker), await connected(start, broker)];
        for (const client of [ann, bob]) await subscribed(client, { destination: '/user/queue/shop/price' });
        await ann.do('send', { destination: '/app/shop/price', body: '{"item":"tea"}', headers: { 'content-type': 'application/json' } });
        const [{ text, headers }] = await messages(ann, '/user/queue/shop/price', 1);
        assert.deepEqual(JSON.parse(text), { item: 'tea', price: 42 });
        assert.match(headers['content-type'], /^application\/json/);
        await echoed(bob);
        assert.deepEqual(await messages(bob, '/user/queue/shop/price', 0), []);
    },

    async 'gets an ERROR for a token that is not valid'(start, broker) {
        const client = start(broker);
        const opened = new EventRecorder(client, 'connected');
        const [refused, closed] = [next(client, 'refused'), next(client, 'closed')];
        await client.do('connect', { headers: { Authorization: 'Bearer not-a-token' }, heartbeat: [0, 0] });
        assert.ok((await refused).headers.message.length > 10);
        await closed;
        assert.deepEqual(opened.all, []);
    },

    'heart-beats': {
        async 'keeps a silent connection with heart-beats of one second'(start, broker) {
            const client = await connected(start, broker, { heartbeat: [1000, 1000] });
            const closed = new EventRecorder(client, 'closed');
            await pause(SILENCE_MS);
            await echoed(client);
            assert.deepEqual(closed.all, []);
        },
    },

    async 'disconnects'(start, broker) {
        const client = await connected(start, broker);
        await client.do('disconnect');
    },
};

/** What a simple broker does not have. */
const GATEWAY = {
    'heart-beats': {
        ...COMMON['heart-beats'],
        async 'notices by heart-beats that nothing arrives from its server'(start, broker, t) {
            const proxy = await Proxy.start(t, broker);
            const client = await connected(start, proxy, { heartbeat: [1000, 1000] });
            const closed = next(client, 'closed');
            proxy.mute();
            await closed;
        },
    },

    async 'gets receipts'(start, broker) {
        const destination = `/topic/${unique('room.')}`;
        const client = await connected(start, broker);
        await client.do('send', { destination, body: 'stored', receipt: true });
    },

    async 'gets what it missed after its gateway was killed, once and in order'(start, _, t) {
        const { redis, other } = cluster;
        const own = await stompGateway(t, { settings: redisSettings(redis.url, unique('node-')) });
        await ready(own);
        const channel = unique('news.');
        const client = await connected(start, own);
        await subscribed(client, { destination: `/topic/${channel}`, resume: true });
        await publish(own, channel, 1);
        await messages(client, `/topic/${channel}`, 1);
        const [closed, again] = [next(client, 'closed'), next(client, 'connected')];
        await own.kill();
        await closed;
        for (const number of [2, 3]) await publish(other, channel, number);
        await own.restart();
        await again;
        await messages(client, `/topic/${channel}`, 3);
        await client.do('send', { destination: `/topic/${channel}`, body: '4' });
        const got = await messages(client, `/topic/${channel}`, 4);
        assert.deepEqual(got.map(({ text }) => text), ['1', '2', '3', '4']);
    },

    async 'gets what it missed while its connection was cut, once and in order'(start, broker, t) {
        const channel = unique('news.');
        const proxy = await Proxy.start(t, broker);
        const client = await connected(start, proxy);
        await subscribed(client, { destination: `/topic/${channel}`, resume: true });
        for (const number of [1, 2]) await publish(broker, channel, number);
        await messages(client, `/topic/${channel}`, 2);
        const [closed, again] = [next(client, 'closed'), next(client, 'connected')];
        proxy.cut();
        await closed;
        for (const number of [3, 4, 5]) await publish(broker, channel, number);
        proxy.restore();
        await again;
        await messages(client, `/topic/${channel}`, 5);
        await publish(broker, channel, 6);
        const got = await messages(client, `/topic/${channel}`, 6);
        assert.deepEqual(got.map(({ text }) => text), ['1', '2', '3', '4', '5', '6']);
    },
};

const cluster = brokers.includes('gateway') ? await startCluster() : undefined;

/** Starts a broker. */
const BROKERS = {
    gateway: async () => ({ broker: await stompGateway(), cases: { ...COMMON, ...GATEWAY } }),
    spring: async () => ({ broker: await Spring.start(), cases: COMMON }),
};

/** The cases that a library can pass at this broker. */
function casesFor({ lacks = [], lacksAtSpring = [] }, kind, cases) {
    const without = kind === 'spring' ? [...lacks, ...lacksAtSpring] : lacks;
    return Object.entries(cases).flatMap(([name, run]) => {
        if (typeof run === 'function') return [[name, run]];
        return without.includes(name) ? [] : Object.entries(run);
    });
}

/** Runs cases with all libraries, so many at a time. */
function runAll(t, cases, broker, concurrency) {
    return t.test('all', { concurrency }, async (t) => {
        const running = cases.map(({ name, title, run }) =>
            t.test(`${name}: ${title}`, (t) => run((to) => LIBRARIES[name].start(t, to), broker, t)),
        );
        await Promise.all(running);
    });
}

// All start before the first test begins: what `after` stops would not outlive the tests that are known by then.
const started = await Promise.all(brokers.map((kind) => BROKERS[kind]()));
for (const [index, kind] of brokers.entries()) {
    const { broker, cases } = started[index];
    test(`STOMP clients at ${kind}: ${languages}`, async (t) => {
        const all = names.flatMap((name) => casesFor(LIBRARIES[name], kind, cases).map(([title, run]) => ({ name, title, run })));
        const isIdle = ({ run }) => Object.values(cases['heart-beats']).includes(run);
        await runAll(t, all.filter((it) => !isIdle(it)), broker, 4);
        // They wait at the same time, beside nothing that would delay a heart-beat.
        await runAll(t, all.filter(isIdle), broker, 2 * names.length);
    });
}
