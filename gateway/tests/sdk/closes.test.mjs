// Makes the gateway send every disconnect code and every unsubscribe code. codes.json names the test of each code.

import assert from 'node:assert/strict';
import { subscribed, unique } from './support/client.mjs';
import { ownGateway, stack } from './support/gateway.mjs';
import { inSeconds, token } from './support/token.mjs';
import { ONLY_WEBSOCKET, over } from './support/transports.mjs';
import { eventually, EventRecorder, next } from './support/wait.mjs';

const { Raw, client, connected, signedIn, test } = over(import.meta.url);
const gateway = await stack();

/** Connects a client. Resolves to the event with which the SDK ends the connection permanently. */
function connectUntilDisconnected(it) {
    const end = next(it, 'disconnected');
    it.connect();
    return end;
}

test('3001 shutdown: a node drains, and the SDK connects again', async (t) => {
    const own = await ownGateway(t, 'tokens.anonymous = true\n');
    const it = await connected(t, own);
    const moved = next(it, 'connecting');
    own.drain();
    assert.deepEqual(await moved, { code: 3001, reason: 'shutdown' });
});

test('3005 expired: a token that is not refreshed', async (t) => {
    const own = await ownGateway(t, 'tokens.leeway = "0s"\nconnection.expiry_grace = "0s"\n');
    const raw = await Raw.connect(t, own, { token: token({ sub: 'ann', exp: inSeconds(1) }) });
    assert.equal(raw.connection.expires, true);
    assert.equal((await raw.end()).code, 3005);
});

test('3008 slow: a slow reader is closed and recovers everything', async (t) => {
    const own = await ownGateway(
        t,
        `tokens.anonymous = true
        connection.close_timeout = "8s"
        [namespaces.big]
        history_size = 4000
        subscribe = "anyone"`,
    );
    const channel = 'big:a';
    const raw = await Raw.connect(t, own);
    const { subscribe } = await raw.ask({ subscribe: { channel } });
    raw.pause();
    const data = Array.from({ length: 2000 }, (_, number) => ({ number, padding: 'x'.repeat(4000) }));
    for (let at = 0; at < data.length; at += 200) await own.publish(channel, ...data.slice(at, at + 200));
    raw.resume();
    assert.deepEqual(await raw.end(), { code: 3008, reason: 'slow' });

    const got = raw.frames.filter((frame) => frame.push?.pub).map((frame) => frame.push.pub);
    assert.ok(got.length < data.length);
    const since = { epoch: subscribe.epoch, offset: got.at(-1)?.offset ?? 0 };
    const rest = (await connected(t, own)).newSubscription(channel, { since });
    const numbers = new EventRecorder(rest, 'publication', (publication) => publication.data.number);
    rest.subscribe();
    await numbers.until((all) => all.at(-1) === data.length - 1);
    assert.deepEqual([...got.map((publication) => publication.data.number), ...numbers.all], data.map(({ number }) => number));
});

/**
 * Makes a reader lose publications: the reader is far behind and does not read while the history drops the publications that it misses.
 * `begin` opens the reader.
 */
async function exceedHistory(own, channel, begin) {
    const data = (number) => ({ number, padding: 'x'.repeat(8000) });
    const publish = async (from, to) => {
        const all = Array.from({ length: to - from }, (_, index) => data(from + index));
        for (let at = 0; at < all.length; at += 100) await own.publish(channel, ...all.slice(at, at + 100));
    };
    await publish(0, 1000);
    const raw = await begin();
    raw.pause();
    await publish(1000, 2001);
    raw.resume();
    return raw;
}

const SHORT_HISTORY = `
internal.body_size = "4MiB"
tokens.anonymous = true
[connection]
outbox_bytes = "64KiB"
data_size = "16KiB"
[fan_out]
batch_bytes = "16KiB"
[recovery]
page_bytes = "16KiB"
[namespaces.short]
history_size = 1000
subscribe = "anyone"
`;

test('2500 insufficient state: the history no longer has publications that a client-side subscription misses', async (t) => {
    const own = await ownGateway(t, SHORT_HISTORY);
    const raw = await exceedHistory(own, 'short:a', async () => {
        const raw = await Raw.connect(t, own);
        const [id] = raw.send({ subscribe: { channel: 'short:a', recover: true, epoch: '', offset: 0 } });
        await raw.reply(id);
        return raw;
    });
    assert.equal((await raw.push('unsubscribe')).push.unsubscribe.code, 2500);
});

test('3010 insufficient state: the history no longer has publications that a server-side subscription misses', async (t) => {
    const own = await ownGateway(t, SHORT_HISTORY);
    const raw = await exceedHistory(own, 'short:a', () => {
        const subs = { 'short:a': { recover: true, epoch: '', offset: 0 } };
        return Raw.connect(t, own, { token: token({ sub: 'ann', channels: ['short:a'] }), subs });
    });
    assert.equal((await raw.end()).code, 3010);
});

test('3011 force reconnect: a service disconnects a client, which connects again', async (t) => {
    const it = await connected(t, gateway);
    const [moved, back] = [next(it, 'connecting'), next(it, 'connected')];
    await gateway.ask('DELETE', `/v1/connections/${it.context.client}?code=3011&reason=force%20reconnect`);
    assert.deepEqual(await moved, { code: 3011, reason: 'force reconnect' });
    assert.notEqual((await back).client, it.context.client);
});

test('3012 no pong: a client that does not answer pings', ONLY_WEBSOCKET, async (t) => {
    const own = await ownGateway(t, 'tokens.anonymous = true\nconnection.ping_interval = "2s"\nconnection.pong_timeout = "1s"\n');
    const raw = await Raw.connect(t, own);
    raw.mute = true;
    assert.equal((await raw.end()).code, 3012);
});

test('3012 no pong: a client that requested ping frames and does not answer them', ONLY_WEBSOCKET, async (t) => {
    const own = await ownGateway(t, 'tokens.anonymous = true\nconnection.ping_interval = "2s"\nconnection.pong_timeout = "1s"\n');
    const query = '?cf_ws_frame_ping_pong=true';
    const sdk = await connected(t, own, { url: own.websocket + query });
    const lost = new EventRecorder(sdk, 'connecting');
    const answering = await Raw.connect(t, own, {}, { query });
    const silent = await Raw.connect(t, own, {}, { query, websocket: { autoPong: false } });
    assert.deepEqual([answering.connection.ping, 'pong' in answering.connection], [0, false]);
    assert.equal((await silent.end()).code, 3012);
    await answering.pinged(3);
    assert.deepEqual(answering.frames.filter((frame) => Object.keys(frame).length === 0), [], 'there are no pings of the protocol');
    assert.deepEqual((await answering.ask({ ping: {} })).ping, {});
    assert.deepEqual(lost.all, []);
});

test('3013 too many requests: more events at once than connection.max_in_flight allows', async (t) => {
    const settings = 'tokens.anonymous = true\nconnection.max_in_flight = 1\nconnection.max_subscriptions = 1\n';
    const raw = await Raw.connect(t, await ownGateway(t, settings));
    raw.text(Array.from({ length: 10 }, () => '{"send":{"data":{"service":"nobody","data":1}}}').join('\n'));
    assert.equal((await raw.end()).code, 3013);
});

test('3013 too many requests: a client that goes on in spite of limits.connection, and connects again', async (t) => {
    const limits = 'connection.max_subscriptions = 1\nrecovery.page_entries = 1\nlimits.connection.commands_per_second = 10\nlimits.connection.commands_burst = 5\n';
    const it = await connected(t, await ownGateway(t, `tokens.anonymous = true\nnamespaces.open.publish = "anyone"\n${limits}`));
    const lost = next(it, 'connecting');
    const publishes = Promise.allSettled(Array.from({ length: 60 }, (_, n) => it.publish('open:a', n)));
    assert.equal((await lost).code, 3013);
    await next(it, 'connected');
    await publishes;
    await it.publish('open:a', 'again');
});

test('3500 invalid token: a signature with another secret', async (t) => {
    const { code, reason } = await connectUntilDisconnected(client(t, gateway, { token: token({ sub: 'ann' }, 'another secret') }));
    assert.equal(code, 3500);
    assert.match(reason, /signature/);
});

test('3501 bad request: an invalid frame', async (t) => {
    for (const [text, why] of [['x', /JSON/], ['{"id":1}', /no known command/], ['{"id":9,"publish":{"channel":"open:a","data":1}}', /connect/]]) {
        const raw = await Raw.open(t, gateway);
        raw.text(text);
        const { code, reason } = await raw.end();
        assert.equal(code, 3501);
        assert.match(reason, why);
    }
});

test('3502 stale: no connect command', ONLY_WEBSOCKET, async (t) => {
    const raw = await Raw.open(t, await ownGateway(t, 'connection.connect_timeout = "100ms"\n'));
    assert.equal((await raw.end()).code, 3502);
});

test('3503 force disconnect: a service disconnects a client permanently', async (t) => {
    const it = await connected(t, gateway);
    const end = next(it, 'disconnected');
    await gateway.ask('DELETE', `/v1/connections/${it.context.client}`);
    assert.deepEqual(await end, { code: 3503, reason: 'force disconnect' });
});

test('3505 channel limit: a token with more channels than a connection may have', async (t) => {
    const own = await ownGateway(t, 'connection.max_subscriptions = 2\nnamespaces.open.subscribe = "nobody"\n');
    const { code } = await connectUntilDisconnected(client(t, own, { token: token({ sub: 'ann', channels: ['open:a', 'open:b'] }) }));
    assert.equal(code, 3505);
});

test('3506 inappropriate protocol: a message in the form of the other encoding', ONLY_WEBSOCKET, async (t) => {
    const json = await Raw.open(t, gateway);
    json.binary(Buffer.from([1, 2, 3]));
    assert.equal((await json.end()).code, 3506);
    const protobuf = await Raw.open(t, gateway, { protocols: ['centrifuge-protobuf'] });
    protobuf.text('{"id":1,"connect":{}}');
    assert.equal((await protobuf.end()).code, 3506);
});

test('3501 bad request: bytes that are not Protobuf', ONLY_WEBSOCKET, async (t) => {
    const raw = await Raw.open(t, gateway, { protocols: ['centrifuge-protobuf'] });
    raw.binary(Buffer.from([200]));
    assert.deepEqual(await raw.end(), { code: 3501, reason: 'the length of a message does not fit into its frame' });
});

test('2000 server unsubscribe: a service ends a subscription', async (t) => {
    const [alice, channel] = [unique('alice-'), unique('open:')];
    const subscription = await subscribed(await signedIn(t, gateway, alice), channel);
    const end = next(subscription, 'unsubscribed');
    await gateway.ask('DELETE', `/v1/users/${alice}/subscriptions/${channel}`);
    assert.deepEqual(await end, { channel, code: 2000, reason: 'server unsubscribe' });
});

test('2501 subscription expired: a subscription token that is not refreshed', async (t) => {
    const own = await ownGateway(t, 'tokens.anonymous = true\ntokens.leeway = "0s"\nconnection.expiry_grace = "0s"\nnamespaces.private.subscribe = "token"\n');
    const raw = await Raw.connect(t, own);
    const granted = token({ sub: '', channel: 'private:a', exp: inSeconds(1) });
    const { subscribe } = await raw.ask({ subscribe: { channel: 'private:a', token: granted } });
    assert.equal(subscribe.expires, true);
    const { push } = await raw.push('unsubscribe');
    assert.deepEqual([push.channel, push.unsubscribe.code], ['private:a', 2501]);
});

test('a connection that ends without a close frame is counted with its cause', async (t) => {
    const own = await ownGateway(t, 'tokens.anonymous = true\n');
    for (const [cause, leave] of [['reset', (raw) => raw.reset()], ['peer_gone', (raw) => raw.terminate()]]) {
        leave(await Raw.connect(t, own));
        await eventually(() => own.metric(`switchboard_connections_closed_total{cause="${cause}",code="0"}`), cause);
    }
});
