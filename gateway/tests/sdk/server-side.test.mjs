// Commands of services to connections: subscriptions, messages and disconnects.

import assert from 'node:assert/strict';
import { unique } from './support/client.mjs';
import { stack } from './support/gateway.mjs';
import { inSeconds, token } from './support/token.mjs';
import { over } from './support/transports.mjs';
import { EventRecorder, eventually, next } from './support/wait.mjs';

const { signedIn, test } = over(import.meta.url);
const gateway = await stack();

/** Records the events of a client's server-side subscription to `channel`. */
function recordServerSide(it, channel) {
    const ofChannel = { on: (name, listener) => it.on(name, (context) => context.channel === channel && listener(context)) };
    const record = (event, pick) => new EventRecorder(ofChannel, event, pick);
    return { publications: record('publication', ({ data }) => data), subscribed: record('subscribed'), unsubscribed: record('unsubscribed') };
}

test('a connection is subscribed to the channels of its token, and recovers them', async (t) => {
    const [alice, channel] = [unique('alice-'), unique('news:')];
    const it = await signedIn(t, gateway, alice, { channels: [channel] }, { minReconnectDelay: 20 });
    const { publications, subscribed } = recordServerSide(it, channel);
    await gateway.publish(channel, 1, 2);
    await publications.count(2);

    const again = next(it, 'connected');
    await gateway.ask('DELETE', `/v1/connections/${it.context.client}?code=3011&reason=again`);
    await gateway.publish(channel, 3);
    await again;
    await gateway.publish(channel, 4);
    assert.deepEqual(await publications.count(4), [1, 2, 3, 4]);
    assert.deepEqual(subscribed.all.map(({ wasRecovering, recovered }) => [wasRecovering, recovered]).at(-1), [true, true]);
});

test('a message to a user reaches all connections of the user, and stays in the history', async (t) => {
    const alice = unique('alice-');
    const [phone, laptop] = [await signedIn(t, gateway, alice), await signedIn(t, gateway, alice)];
    const received = [phone, laptop].map((it) => recordServerSide(it, `#${alice}`).publications);
    const { offset } = await gateway.ask('POST', `/v1/users/${alice}/messages`, { data: { text: 'hello' } });
    assert.equal(offset, 1);
    for (const each of received) assert.deepEqual(await each.count(1), [{ text: 'hello' }]);

    const { publications } = await phone.history(`#${alice}`, { limit: 10 });
    assert.deepEqual(publications.map(({ data }) => data), [{ text: 'hello' }]);
});

test('a message to a connection reaches only this connection', async (t) => {
    const alice = unique('alice-');
    const [phone, laptop] = [await signedIn(t, gateway, alice), await signedIn(t, gateway, alice)];
    const [got, missed] = [phone, laptop].map((it) => new EventRecorder(it, 'message', ({ data }) => data));
    const ask = (it, data) => gateway.ask('POST', `/v1/connections/${it.context.client}/messages`, { data });
    assert.deepEqual(await ask(phone, { only: 'you' }), { connections: 1 });
    await ask(laptop, 'end');
    assert.deepEqual(await got.count(1), [{ only: 'you' }]);
    assert.deepEqual(await missed.count(1), ['end']);
});

test('services subscribe and unsubscribe a user, now and for later connections', async (t) => {
    const [alice, channel] = [unique('alice-'), unique('news:')];
    const it = await signedIn(t, gateway, alice);
    const { publications, subscribed, unsubscribed } = recordServerSide(it, channel);
    const path = `/v1/users/${alice}/subscriptions/${encodeURIComponent(channel)}`;
    assert.deepEqual(await gateway.ask('PUT', path, {}), { connections: 1 });
    await subscribed.count(1);
    await gateway.publish(channel, 'one');
    await publications.count(1);

    const later = await signedIn(t, gateway, alice);
    const received = recordServerSide(later, channel);
    await gateway.publish(channel, 'two');
    assert.deepEqual(await publications.count(2), ['one', 'two']);
    assert.deepEqual(await received.publications.count(1), ['two']);

    assert.deepEqual(await gateway.ask('DELETE', path), { connections: 2 });
    await unsubscribed.count(1);
    await received.unsubscribed.count(1);
    const { subscribers } = await gateway.ask('GET', `/v1/channels/${encodeURIComponent(channel)}`);
    assert.equal(subscribers, 0);
    const { channels } = await gateway.ask('GET', `/v1/connections/${(await signedIn(t, gateway, alice)).context.client}`);
    assert.deepEqual(channels, [`#${alice}`]);
});

test('a service disconnects all connections of a user permanently', async (t) => {
    const alice = unique('alice-');
    const all = [await signedIn(t, gateway, alice), await signedIn(t, gateway, alice)];
    const ended = all.map((it) => next(it, 'disconnected'));
    assert.deepEqual(await gateway.ask('DELETE', `/v1/users/${alice}/connections?code=4501&reason=gone%20away`), { connections: 2 });
    for (const { code, reason } of await Promise.all(ended)) assert.deepEqual([code, reason], [4501, 'gone away']);
    const none = async () => (await gateway.ask('GET', `/v1/users/${alice}/connections`)).connections.length === 0;
    await eventually(none, 'the connections to end');

    for (const old of [{}, { iat: inSeconds(0) }]) {
        let asked = 0;
        const getToken = async () => {
            asked += 1;
            return token({ sub: alice, iat: inSeconds(1) });
        };
        const back = await signedIn(t, gateway, alice, old, { getToken });
        assert.equal(asked, 1, 'a token from before the disconnect counts as expired, and the SDK fetches another one');
        back.disconnect();
    }
});

test('a client that has to reconnect may use its token again', async (t) => {
    const alice = unique('alice-');
    const it = await signedIn(t, gateway, alice, { iat: inSeconds(0) });
    const again = next(it, 'connected');
    assert.deepEqual(await gateway.ask('DELETE', `/v1/users/${alice}/connections?code=3011&reason=again`), { connections: 1 });
    await again;
});
