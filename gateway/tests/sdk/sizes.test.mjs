// Data and replies of the largest size, and larger ones.

import assert from 'node:assert/strict';
import { unique } from './support/client.mjs';
import { ownGateway, stack } from './support/gateway.mjs';
import { Service } from './support/service.mjs';
import { token } from './support/token.mjs';
import { over } from './support/transports.mjs';

const { Raw, test } = over(import.meta.url);
const gateway = await stack();

/** The bytes that `connection.data_size` allows for data as JSON text. */
const LARGEST = 64 * 1024;
/** Returns a string that has `bytes` bytes as JSON. */
const text = (bytes) => 'x'.repeat(bytes - 2);

test('the largest data arrives, live and recovered', async (t) => {
    const [channel, user] = [unique('news:'), unique('user')];
    const raw = await Raw.connect(t, gateway);
    await raw.ask({ subscribe: { channel } });
    for (let offset = 1; offset <= 6; offset += 1) {
        await gateway.publish(channel, text(LARGEST));
        await raw.push('pub', (pub) => pub.offset === offset && pub.data.length === LARGEST - 2);
        await gateway.ask('POST', `/v1/users/${user}/messages`, { data: text(LARGEST) });
    }
    const again = await Raw.connect(t, gateway, { token: token({ sub: user }), subs: { [`#${user}`]: { recover: true, offset: 0, epoch: '' } } });
    const { subscribe } = await again.ask({ subscribe: { channel, recover: true, offset: 0, epoch: '' } });
    for (const [name, answered] of [[channel, subscribe], [`#${user}`, again.connection.subs[`#${user}`]]]) {
        const held = answered.publications ?? [];
        assert.ok(answered.recovered && held.every((pub) => pub.data.length === LARGEST - 2));
        if (held.length < 6) await again.frame((frame) => frame.push?.channel === name && frame.push.pub.offset === 6, name);
    }
});

test('larger data is refused by every command and path, and reaches no client', async (t) => {
    const [channel, user, data] = [unique('news:'), unique('user'), text(LARGEST + 1)];
    const raw = await Raw.connect(t, gateway, { token: token({ sub: user }) });
    await raw.ask({ subscribe: { channel } });
    for (const path of [`/v1/channels/${channel}/publications`, `/v1/users/${user}/messages`, `/v1/connections/${raw.connection.client}/messages`]) {
        const { status, body } = await gateway.rest('POST', path, { data });
        assert.deepEqual([status, body.code], [413, 'payload_too_large'], path);
    }
    await gateway.publish(channel, 'small');
    assert.equal((await raw.push('pub')).push.pub.offset, 1);
});

/** Publishes `bytes` bytes into each of `count` channels. Returns the channels. */
async function fillChannels(own, count, bytes) {
    const channels = Array.from({ length: count }, () => unique('news:'));
    for (const channel of channels) await own.publish(channel, ...Array.from({ length: bytes / 4096 }, () => text(4096)));
    return channels;
}

const EVERYTHING = { recover: true, offset: 0, epoch: '' };

/** Waits for the push of the 16th publication of every channel. */
async function waitForLast(raw, channels) {
    for (const channel of channels) await raw.frame((frame) => frame.push?.channel === channel && frame.push.pub.offset === 16, channel);
}

test('a client that subscribes to many channels at once gets all missed publications', async (t) => {
    const channels = await fillChannels(gateway, 30, 64 * 1024);
    const raw = await Raw.connect(t, gateway);
    const ids = raw.send(...channels.map((channel) => ({ subscribe: { channel, ...EVERYTHING } })));
    for (const id of ids) assert.ok((await raw.reply(id)).subscribe.recovered);
    await waitForLast(raw, channels);
});

test('a client with many server-side subscriptions gets all missed publications', async (t) => {
    const channels = await fillChannels(gateway, 30, 64 * 1024);
    const subs = Object.fromEntries(channels.map((channel) => [channel, EVERYTHING]));
    const raw = await Raw.connect(t, gateway, { token: token({ sub: unique('user'), channels }), subs });
    assert.ok(channels.every((channel) => raw.connection.subs[channel].recovered));
    await waitForLast(raw, channels);
});

test('the pages of a history fit into a reply', async (t) => {
    const channel = unique('recover:');
    await gateway.publish(channel, ...Array.from({ length: 1000 }, (_, number) => ({ number, padding: 'x'.repeat(900) })));
    const raw = await Raw.connect(t, gateway);
    await raw.ask({ subscribe: { channel } });
    const numbers = [];
    let since = { offset: 0, epoch: '' };
    for (;;) {
        const { history } = await raw.ask({ history: { channel, limit: 1000, since } });
        if (!history.publications?.length) break;
        numbers.push(...history.publications.map((pub) => pub.data.number));
        since = { epoch: history.epoch, offset: history.publications.at(-1).offset };
    }
    assert.deepEqual(numbers, Array.from({ length: 1000 }, (_, number) => number));
});

test('a reply that is too large is an error, and the connection stays open', async (t) => {
    const own = await ownGateway(t, 'tokens.anonymous = true\n[services.bulky]\n');
    await Service.start(t, own, 'bulky', { answer: ({ id, method }) => ({ reply: { id, data: text(Number(method)) } }) });
    const raw = await Raw.connect(t, own);
    assert.equal((await raw.ask({ rpc: { method: `bulky.${LARGEST}`, data: null } })).rpc.data.length, LARGEST - 2);
    for (const bytes of [LARGEST + 1, 400_000]) {
        const { error } = await raw.ask({ rpc: { method: `bulky.${bytes}`, data: null } });
        assert.equal(error.code, 1004);
        assert.match(error.message, new RegExp(`${bytes} bytes; ${LARGEST} are allowed`));
    }
    assert.ok((await raw.ask({ ping: {} })).ping);
});

test('a presence that exceeds one reply is an error, and presence_stats still counts it', async (t) => {
    const [channel, info] = [unique('chat:'), { about: 'x'.repeat(2000) }];
    const raw = await Raw.connect(t, gateway, { token: token({ sub: 'watcher' }) });
    await raw.ask({ subscribe: { channel } });
    const join = async (number) => {
        const another = await Raw.connect(t, gateway, { token: token({ sub: `user-${number}`, info }) });
        await another.ask({ subscribe: { channel } });
    };
    await Promise.all(Array.from({ length: 20 }, (_, number) => join(number)));
    assert.equal(Object.keys((await raw.ask({ presence: { channel } })).presence.presence).length, 21);
    await Promise.all(Array.from({ length: 20 }, (_, number) => join(20 + number)));
    const { error } = await raw.ask({ presence: { channel } });
    assert.equal(error.code, 106);
    assert.match(error.message, /presence_stats/);
    assert.deepEqual((await raw.ask({ presence_stats: { channel } })).presence_stats, { num_clients: 41, num_users: 41 });
});
