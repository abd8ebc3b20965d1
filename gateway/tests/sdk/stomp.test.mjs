// What a front end of a Spring broker needs, row by row, with frames that no library has touched.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { unique } from './support/client.mjs';
import { stompGateway } from './support/stomp-gateway.mjs';
import { RawStomp, bearer, frame } from './support/stomp-raw.mjs';
import { token } from './support/token.mjs';

const gateway = await stompGateway();

const texts = (messages) => messages.map(({ body }) => body.toString());
const publish = (channel, data) => gateway.ask('POST', `/v1/channels/${encodeURIComponent(channel)}/publications`, { data });
const toUser = (user, queue, data) => gateway.ask('POST', `/v1/users/${user}/messages`, { queue, data });

/** Sends a frame that must be refused. Resolves to the ERROR, after the connection has been closed. */
async function refused(t, command, headers, { to = gateway, body = '' } = {}) {
    const raw = await RawStomp.connect(t, to);
    raw.send(command, { ...headers, receipt: 'refused' }, body);
    const error = await raw.error();
    assert.ok(error.headers.message.length > 10 && error.headers.code, JSON.stringify(error.headers));
    assert.equal(error.headers['receipt-id'], 'refused');
    assert.equal((await raw.end()).code, 1002);
    return error;
}

/** The rows: what must hold, and what shows it. */
const ROWS = {
    async '/topic: a SUBSCRIBE is for one destination, and a SEND reaches all its subscribers, the sender included'(t) {
        const [room, other] = [unique('/topic/room/'), unique('/topic/room/')];
        const [ann, bob] = [await RawStomp.connect(t, gateway), await RawStomp.connect(t, gateway)];
        for (const raw of [ann, bob]) {
            await raw.subscribe(room);
            await raw.subscribe(other);
        }
        await ann.ask('SEND', { destination: room }, 'one');
        await bob.ask('SEND', { destination: other }, 'two');
        for (const raw of [ann, bob]) {
            assert.deepEqual(texts(await raw.messages(room, 1)), ['one']);
            assert.deepEqual(texts(await raw.messages(other, 1)), ['two']);
        }
    },

    async '/topic: two subscriptions of one connection to a destination get a message each, and an UNSUBSCRIBE ends one'(t) {
        const destination = unique('/topic/room.');
        const raw = await RawStomp.connect(t, gateway);
        for (const id of ['first', 'second']) await raw.ask('SUBSCRIBE', { id, destination });
        await raw.ask('SEND', { destination }, '1');
        await raw.ask('UNSUBSCRIBE', { id: 'first' });
        await raw.ask('SEND', { destination }, '2');
        assert.deepEqual(texts(await raw.messages('second', 2)), ['1', '2']);
        assert.deepEqual(texts(await raw.messages('first', 0)), ['1']);
    },

    async '/topic: a SEND can be refused by the settings'(t) {
        const settings = '[[stomp.destinations]]\nprefix = "/topic/read/"\nto = "channel"\nsend = false\n';
        const own = await stompGateway(t, { settings });
        await refused(t, 'SEND', { destination: '/topic/read/a' }, { to: own });
    },

    async '/app: a SEND calls a service, and the reply goes to /topic if the settings say so'(t) {
        const settings = '[[stomp.destinations]]\nprefix = "/app/shop/"\nto = "call"\nservice = "shop"\nreply = "/topic/{service}.{method}"\n';
        const own = await stompGateway(t, { settings });
        const [ann, bob] = [await RawStomp.connect(t, own, bearer('ann')), await RawStomp.connect(t, own, bearer('bob'))];
        for (const raw of [ann, bob]) await raw.subscribe('/topic/shop.price');
        await ann.ask('SEND', { destination: '/app/shop/price', 'content-type': 'application/json' }, '{"item":"tea"}');
        for (const raw of [ann, bob]) assert.deepEqual(JSON.parse(texts(await raw.messages('/topic/shop.price', 1))[0]), { item: 'tea', price: 42 });
        const { call } = await own.service.frame(({ call }) => call, 'the call');
        assert.deepEqual([call.method, call.user, call.data], ['price', 'ann', { item: 'tea' }]);
    },

    async '/app: the error of a service is a message in the queue for errors, and does not end the connection'(t) {
        const raw = await RawStomp.connect(t, gateway);
        await raw.subscribe('/user/queue/errors');
        raw.send('SEND', { destination: '/app/shop/sell', receipt: 'sold' }, '{}');
        const [{ headers }] = await raw.messages('/user/queue/errors', 1);
        assert.deepEqual([headers.code, headers['receipt-id']], ['404', 'sold']);
        assert.match(headers.message, /no method sell/);
        await raw.subscribe(unique('/topic/'));
    },

    async '/app: a correlation-id comes back with the reply and with the ERROR'(t) {
        const raw = await RawStomp.connect(t, gateway);
        await raw.subscribe('/user/queue/shop/price');
        await raw.ask('SEND', { destination: '/app/shop/price', 'correlation-id': 'first' }, '{"item":"tea"}');
        assert.equal((await raw.messages('/user/queue/shop/price', 1))[0].headers['correlation-id'], 'first');
        raw.send('SEND', { destination: '/app/shop/sell', 'correlation-id': 'second' }, '{}');
        assert.equal((await raw.error()).headers['correlation-id'], 'second');
    },

    async '/app: a SUBSCRIBE is answered once'(t) {
        const raw = await RawStomp.connect(t, gateway);
        raw.send('SUBSCRIBE', { id: 'start', destination: '/app/shop/price' });
        const [{ headers, body }] = await raw.messages('start', 1);
        assert.deepEqual([headers.destination, JSON.parse(body)], ['/app/shop/price', { item: 'everything', price: 42 }]);
    },

    async '/user/queue: each connection of the user gets the message, at the destination that it asked for'(t) {
        const [user, queue] = [unique('ann '), unique('notes.')];
        const [laptop, phone, other] = await Promise.all([user, user, 'bob'].map((name) => RawStomp.connect(t, gateway, bearer(name))));
        for (const raw of [laptop, phone, other]) await raw.subscribe(`/user/queue/${queue}`);
        await toUser(encodeURIComponent(user), unique('elsewhere.'), 'no');
        await toUser(encodeURIComponent(user), queue, { title: 'yes' });
        for (const raw of [laptop, phone]) {
            const [{ headers, body }] = await raw.messages(`/user/queue/${queue}`, 1);
            assert.deepEqual([headers.destination, JSON.parse(body)], [`/user/queue/${queue}`, { title: 'yes' }]);
            assert.equal(headers.queue, undefined);
        }
        await other.subscribe(unique('/topic/'));
        assert.deepEqual(await other.messages(`/user/queue/${queue}`, 0), []);
    },

    async '/user/queue: a message can be for one connection'(t) {
        const raw = await RawStomp.connect(t, gateway);
        await raw.subscribe('/user/queue/notes');
        await gateway.ask('POST', `/v1/connections/${raw.connection.headers.session}/messages`, { queue: 'notes', data: { only: 'you' } });
        assert.deepEqual(texts(await raw.messages('/user/queue/notes', 1)).map(JSON.parse), [{ only: 'you' }]);
    },

    async '/user/queue: a page that was away gets what was sent to its user meanwhile'(t) {
        const [user, queue] = [unique('ann-'), unique('notes.')];
        const first = await RawStomp.connect(t, gateway, bearer(user));
        await first.subscribe(`/user/queue/${queue}`, { 'x-position': '' });
        await toUser(user, queue, 1);
        const [{ headers }] = await first.messages(`/user/queue/${queue}`, 1);
        await first.ask('DISCONNECT');
        for (const [at, data] of [[queue, 2], ['elsewhere', 'no'], [queue, 3]]) await toUser(user, at, data);
        const second = await RawStomp.connect(t, gateway, bearer(user));
        await second.subscribe(`/user/queue/${queue}`, { 'x-position': headers['x-position'] });
        assert.deepEqual(texts(await second.messages(`/user/queue/${queue}`, 2)), ['2', '3']);
    },

    async '/user: clients cannot send to users'(t) {
        const own = await stompGateway(t, { options: { 'stomp.unknown_destination': 'error' } });
        for (const destination of ['/user/bob/queue/notes', '/user/queue/notes']) await refused(t, 'SEND', { destination }, { to: own });
    },

    async 'patterns in a SUBSCRIBE are refused with a sentence'(t) {
        for (const destination of ['/topic/**', '/topic/a?', '/topic/{room}']) {
            const { body } = await refused(t, 'SUBSCRIBE', { id: 'a', destination });
            assert.match(body.toString(), /pattern/);
        }
    },

    async 'neither a sub-protocol nor a host nor a login is needed'(t) {
        const raw = await RawStomp.open(t, gateway);
        assert.equal(raw.protocol, '');
        raw.send('CONNECT', { 'accept-version': '1.2', ...bearer('ann') });
        const { headers } = await raw.frame(({ command }) => command === 'CONNECTED', 'CONNECTED');
        assert.deepEqual([headers.version, headers['heart-beat']], ['1.2', '0,0']);
        assert.ok(headers.session && headers.server);
    },

    async 'the best of the offered sub-protocols is chosen, whatever their order'(t) {
        const offers = { 'v12.stomp': ['v10.stomp', 'v11.stomp', 'v12.stomp'], 'v11.stomp': ['v10.stomp', 'v11.stomp'], 'v10.stomp': ['other', 'v10.stomp'] };
        for (const [chosen, protocols] of Object.entries(offers)) assert.equal((await RawStomp.open(t, gateway, { protocols })).protocol, chosen);
    },

    async 'the version comes from accept-version, and 1.0 without it'(t) {
        const versions = { '1.0,1.1,1.2': '1.2', '1.1, 1.0': '1.1', '1.0': '1.0', '1.2,9.9': '1.2' };
        for (const [accepted, version] of Object.entries(versions)) {
            const raw = await RawStomp.connect(t, gateway, { ...bearer('ann'), 'accept-version': accepted });
            assert.equal(raw.connection.headers.version, version, accepted);
        }
        const old = await RawStomp.open(t, gateway);
        old.send('CONNECT', bearer('ann'));
        assert.equal((await old.frame(({ command }) => command === 'CONNECTED', 'CONNECTED')).headers.version, '1.0');
        const unknown = await RawStomp.open(t, gateway);
        unknown.send('CONNECT', { 'accept-version': '2.0' });
        assert.equal((await unknown.error()).headers.version, '1.0,1.1,1.2');
        await unknown.end();
    },

    async 'CONNECTED names the user'(t) {
        const raw = await RawStomp.connect(t, gateway, bearer('ann'));
        assert.equal(raw.connection.headers['user-name'], 'ann');
        assert.equal((await gateway.ask('GET', `/v1/connections/${raw.connection.headers.session}`)).user, 'ann');
    },

    async 'the token is in a header of CONNECT, in the query or in a cookie, and guest may be anybody'(t) {
        const options = { 'tokens.anonymous': 'true', 'public.allowed_origins': 'https://shop.example', 'stomp.token_cookie': 'token' };
        const own = await stompGateway(t, { options });
        const jwt = token({ sub: 'ann' });
        const page = { cookie: `theme=dark; token=${jwt}`, origin: 'https://shop.example' };
        const ways = [
            [{ authorization: `bearer ${jwt}` }],
            [{ login: 'ann', passcode: jwt }],
            [{}, { query: `?token=${jwt}` }],
            [{}, { websocket: { headers: page } }],
        ];
        for (const [headers, options] of ways) {
            const raw = await RawStomp.connect(t, own, headers, options);
            assert.equal(raw.connection.headers['user-name'], 'ann', JSON.stringify([headers, options]));
        }
        // Not a page: nobody has checked where its cookie comes from.
        const { origin, ...cookie } = page;
        for (const [headers, options] of [[{ login: 'guest', passcode: 'guest' }], [{}, { websocket: { headers: cookie } }]]) {
            const raw = await RawStomp.connect(t, own, headers, options);
            assert.equal(raw.connection.headers['user-name'], undefined);
        }
    },

    async 'a bad token is an ERROR, then the connection is closed'(t) {
        const raw = await RawStomp.open(t, gateway);
        raw.send('CONNECT', { 'accept-version': '1.2', Authorization: 'Bearer bad' });
        const { headers } = await raw.error();
        assert.equal(headers.code, '3500');
        // Before CONNECTED clients do not know how to read escapes.
        assert.doesNotMatch(headers.message, /[\\:]/);
        assert.equal((await raw.end()).code, 3500);
    },

    async 'content types and all bytes are passed on, with a content-length in bytes'(t) {
        const bodies = [
            ['application/json', '{"text":"ünï"}', 'application/json', false],
            ['text/plain;charset=UTF-8', 'ünï\u0000text', 'text/plain;charset=UTF-8', false],
            ['application/octet-stream', Buffer.from([0, 255, 10, 0]), 'application/octet-stream', true],
            [undefined, '[1,2]', 'application/json', false],
            [undefined, 'text', undefined, false],
            [undefined, Buffer.from([255, 254]), undefined, true],
        ];
        const destination = unique('/topic/bodies.');
        const raw = await RawStomp.connect(t, gateway);
        await raw.subscribe(destination);
        for (const [type, body] of bodies) {
            const bytes = Buffer.from(body);
            const headers = { destination, ...(type ? { 'content-type': type } : {}), 'content-length': String(bytes.length) };
            raw.message(frame('SEND', headers, bytes));
        }
        const got = await raw.messages(destination, bodies.length);
        for (const [index, [, body, type, isBinary]] of bodies.entries()) {
            const { headers, body: bytes, isBinary: wasBinary } = got[index];
            assert.deepEqual([bytes, headers['content-length'], wasBinary], [Buffer.from(body), String(bytes.length), isBinary], `${body}`);
            if (type) assert.equal(headers['content-type'], type);
        }
    },

    async 'headers of users are passed on, and those of the frame are not'(t) {
        const destination = unique('/topic/headers.');
        const raw = await RawStomp.connect(t, gateway);
        await raw.subscribe(destination);
        await raw.ask('BEGIN', { transaction: 'one' });
        await raw.ask('SEND', { destination, transaction: 'one', colour: 'light blue', 'a:b': 'c:d\\e\nf', 'content-length': '2' }, 'ok');
        await raw.ask('COMMIT', { transaction: 'one' });
        const [{ headers, names }] = await raw.messages(destination, 1);
        assert.deepEqual([headers.colour, headers['a:b']], ['light blue', 'c:d\\e\nf']);
        for (const name of ['receipt', 'transaction', 'ack', 'queue']) assert.equal(headers[name], undefined, name);
        assert.equal(new Set(names).size, names.length, `${names} has a header twice`);
        assert.deepEqual([headers.subscription, headers.destination, headers['content-length']], [destination, destination, '2']);
    },

    async 'a DISCONNECT gets its receipt after all that came before it, then the connection is closed'(t) {
        const destination = unique('/topic/room.');
        const [ann, bob] = [await RawStomp.connect(t, gateway), await RawStomp.connect(t, gateway)];
        await bob.subscribe(destination);
        ann.message(Buffer.concat([frame('SEND', { destination }, 'last'), frame('DISCONNECT', { receipt: 'bye' })]));
        await ann.frame(({ command, headers }) => command === 'RECEIPT' && headers['receipt-id'] === 'bye', 'the receipt');
        assert.equal((await ann.end()).code, 1000);
        assert.deepEqual(texts(await bob.messages(destination, 1)), ['last']);
    },

    async 'every frame can have a receipt; transactions and acknowledgements are no errors'(t) {
        const destination = unique('/topic/room.');
        const raw = await RawStomp.connect(t, gateway);
        await raw.ask('SUBSCRIBE', { id: 'a', destination, ack: 'client-individual' });
        await raw.ask('BEGIN', { transaction: 'kept' });
        await raw.ask('BEGIN', { transaction: 'dropped' });
        await raw.ask('SEND', { destination, transaction: 'kept' }, '2');
        await raw.ask('SEND', { destination, transaction: 'dropped' }, 'never');
        await raw.ask('SEND', { destination }, '1');
        await raw.ask('COMMIT', { transaction: 'kept' });
        await raw.ask('ABORT', { transaction: 'dropped' });
        await raw.ask('SEND', { destination }, '3');
        const got = await raw.messages('a', 3);
        assert.deepEqual(texts(got), ['1', '2', '3']);
        assert.ok(got.every(({ headers }) => headers.ack === headers['message-id']), 'each can be acknowledged');
        await raw.ask('ACK', { id: got[0].headers.ack });
        await raw.ask('NACK', { id: got[1].headers.ack });
        await raw.ask('UNSUBSCRIBE', { id: 'a' });
    },

    async 'heart-beats: both sides keep to what they have agreed, and a silent client is closed'(t) {
        const raw = await RawStomp.connect(t, gateway, { ...bearer('ann'), 'heart-beat': '1000,1000' });
        const began = performance.now();
        assert.equal(raw.connection.headers['heart-beat'], '1000,1000');
        // The client sends nothing, so it is closed after two seconds of silence. Until then it gets beats.
        const { code } = await raw.end();
        const seconds = (performance.now() - began) / 1000;
        assert.ok(seconds > 1.5, `closed with ${code} after ${seconds} s`);
        const beats = raw.frames.filter(({ command }) => command === 'beat').length;
        assert.ok(beats >= 1 && beats <= 6, `${beats} beats in ${seconds} s`);
    },

    async 'destinations of other brokers get an ERROR that says what to use'(t) {
        const own = await stompGateway(t, { options: { 'stomp.unknown_destination': 'error' } });
        for (const destination of ['/exchange/amq.direct/x', '/amq/queue/x', '/temp-queue/x', '/reply-queue/x']) {
            const { headers, body } = await refused(t, 'SUBSCRIBE', { id: 'a', destination }, { to: own });
            assert.match(`${headers.message} ${body}`, /\/topic\/|\/user\/queue\//, destination);
        }
    },

    async 'unknown destinations are ignored, or get an ERROR if the settings say so'(t) {
        const own = await stompGateway(t, { options: { 'stomp.unknown_destination': 'error' } });
        await refused(t, 'SUBSCRIBE', { id: 'a', destination: '/elsewhere/a' }, { to: own });
        await refused(t, 'SEND', { destination: 'elsewhere' }, { to: own });
        const raw = await RawStomp.connect(t, gateway);
        raw.send('SUBSCRIBE', { id: 'a', destination: '/elsewhere/a' });
        raw.send('SEND', { destination: '/elsewhere/a' }, 'nobody');
        await raw.subscribe('/topic/a');
        assert.ok(!raw.frames.some(({ command }) => command === 'ERROR'));
    },

    async 'frames that nobody may send get an ERROR, then the connection is closed'(t) {
        const bad = {
            'SEND\n\n': 'destination',
            'SUBSCRIBE\nid:1\n\n': 'destination',
            'SUBSCRIBE\ndestination:/topic/a\n\n': 'id',
            'DANCE\n\n': 'DANCE',
            'SEND\ndestination:/topic/a\nx:\\t\n\n': 'backslash',
            'CONNECT\naccept-version:1.2\n\n': 'CONNECT',
        };
        for (const [text, word] of Object.entries(bad)) {
            const raw = await RawStomp.connect(t, gateway);
            raw.message(`${text}\0`);
            const { headers, body } = await raw.error();
            assert.ok(`${headers.message} ${body}`.includes(word), `${JSON.stringify(text)}: ${headers.message}: ${body}`);
            assert.equal((await raw.end()).code, 1002);
        }
        const early = await RawStomp.open(t, gateway);
        early.send('SEND', { destination: '/topic/a' });
        await early.error();
        await early.end();
    },

    async 'one message may hold several frames, and several messages one frame'(t) {
        const destination = unique('/topic/pieces.');
        const raw = await RawStomp.connect(t, gateway);
        await raw.subscribe(destination);
        const send = (body) => frame('SEND', { destination }, body).toString();
        raw.message(`\n\r\n${send('1')}\n\n${send('2').replaceAll('\n', '\r\n')}${send('3').slice(0, 9)}`);
        raw.message(send('3').slice(9, 20));
        raw.message(`${send('3').slice(20)}\n`);
        assert.deepEqual(texts(await raw.messages(destination, 3)), ['1', '2', '3']);
    },

    async 'SockJS: its first question is answered, and its messages carry the same frames'(t) {
        const response = await fetch(`${gateway.url}/stomp/info`, { headers: { origin: 'https://shop.example' } });
        const info = await response.json();
        assert.deepEqual([response.status, info.websocket, typeof info.entropy, info.origins], [200, true, 'number', ['*:*']]);
        assert.ok(['https://shop.example'].includes(response.headers.get('access-control-allow-origin')));
        assert.equal(response.headers.get('access-control-allow-credentials'), 'true');
        const destination = unique('/topic/room.');
        const raw = await RawStomp.connect(t, gateway, bearer('ann'), { path: '/000/abcdefgh/websocket' });
        assert.equal(raw.frames[0].command, 'o');
        await raw.subscribe(destination);
        await raw.ask('SEND', { destination }, 'ünï');
        assert.deepEqual(texts(await raw.messages(destination, 1)), ['ünï']);
        await raw.ask('DISCONNECT');
        await raw.end();
        assert.equal(raw.frames.at(-1).command, 'c');
    },

    async 'SockJS: its raw path is the same WebSocket; the settings can add the path of the old broker'(t) {
        await RawStomp.connect(t, gateway, bearer('ann'), { path: '/websocket' });
        await RawStomp.connect(t, { stomp: gateway.stomp.replace('/stomp', '/ws') });
    },

    async 'x-position: a subscription goes on where another has stopped, and gets a gap message if it cannot'(t) {
        const [channel, destination] = ['resume.a', 'resume.b'].map(unique);
        const raw = await RawStomp.connect(t, gateway);
        const receipt = await raw.subscribe(`/topic/${channel}`, { 'x-position': '' });
        assert.match(receipt.headers['x-position'], /^.+-0$/);
        for (const number of [1, 2, 3]) await publish(channel, number);
        const got = await raw.messages(`/topic/${channel}`, 3);
        const { headers } = got[0];
        assert.match(headers['x-position'], /^.+-\d+$/);
        const again = await RawStomp.connect(t, gateway);
        await again.subscribe(`/topic/${channel}`, { 'x-position': headers['x-position'] });
        assert.deepEqual(texts(await again.messages(`/topic/${channel}`, 2)), ['2', '3']);
        const lost = await RawStomp.connect(t, gateway);
        await lost.subscribe(`/topic/${destination}`, { 'x-position': headers['x-position'] });
        const [gap] = await lost.messages(`/topic/${destination}`, 1);
        assert.deepEqual([gap.headers['x-gap'], gap.body.length], ['true', 0]);
    },
};

for (const [row, run] of Object.entries(ROWS)) test(row, run);
