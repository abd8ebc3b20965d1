// Several commands in one WebSocket message, and the order of the replies.

import assert from 'node:assert/strict';
import { unique } from './support/client.mjs';
import { stack } from './support/gateway.mjs';
import { token } from './support/token.mjs';
import { over } from './support/transports.mjs';

const { Raw, test } = over(import.meta.url);
const gateway = await stack();

test('one message may contain connect and further commands', async (t) => {
    const channel = unique('open:');
    const raw = await Raw.open(t, gateway);
    const ids = raw.send(
        { connect: {} },
        { subscribe: { channel } },
        { publish: { channel, data: { n: 1 } } },
        { rpc: { method: 'nowhere.to', data: null } },
        { ping: {} },
    );
    const replies = await Promise.all(ids.map((id) => raw.reply(id)));
    assert.deepEqual(replies.map((reply) => Object.keys(reply)[1]), ['connect', 'subscribe', 'publish', 'error', 'ping']);
    assert.deepEqual((await raw.push('pub')).push.pub.data, { n: 1 });
});

test('an unsubscribe supersedes a subscribe before it in the same message', async (t) => {
    const channel = unique('open:');
    const raw = await Raw.connect(t, gateway);
    const [subscribe, unsubscribe] = raw.send({ subscribe: { channel } }, { unsubscribe: { channel } });
    assert.deepEqual((await raw.reply(unsubscribe)).unsubscribe, {});
    assert.equal((await raw.reply(subscribe)).error.code, 107);
    const { subscribers } = await gateway.ask('GET', `/v1/channels/${encodeURIComponent(channel)}`);
    assert.equal(subscribers, 0);
});

test('a null member counts as a missing member, in the protocol, in REST and in tokens', async (t) => {
    const channel = unique('open:');
    const headers = { traceparent: null };
    const raw = await Raw.connect(t, gateway, { token: null, subs: { [channel]: null }, name: null, data: null, headers });
    const nothing = { token: null, recover: null, epoch: null, offset: null, flag: null, type: null };
    assert.deepEqual((await raw.ask({ subscribe: { channel, ...nothing }, publish: null })).subscribe, {});
    const body = { data: null, tags: null, ephemeral: null };
    await gateway.ask('POST', `/v1/channels/${channel}/publications`, body);
    await gateway.ask('POST', '/v1/publications', { publications: [{ channel, idempotency_key: null, ...body }] });
    const pushed = () => raw.frames.filter((frame) => frame.push?.pub).map((frame) => frame.push.pub.data);
    await raw.frame(() => pushed().length === 2, 'both publications');
    assert.deepEqual(pushed(), [null, null]);
    const none = { nbf: null, iat: null, aud: null, iss: null, info: null, channels: null, channel: null };
    await Raw.connect(t, gateway, { token: token({ sub: 'ann', ...none }) });
});

test('errors in frames and bodies name the invalid member', async (t) => {
    const raw = await Raw.open(t, gateway);
    raw.send({ connect: { token: 5 } });
    const { code, reason } = await raw.end();
    assert.deepEqual([code, reason], [3501, 'connect.token: invalid type: integer `5`, expected a string']);
    const { status, body } = await gateway.rest('POST', '/v1/publications', { publications: [{ channel: null, data: 1 }] });
    assert.equal(status, 400);
    assert.match(body.detail, /publications\[0\]\.channel: /);
});

test('commands on one channel keep their order', async (t) => {
    const channel = unique('recover:');
    const raw = await Raw.connect(t, gateway);
    const publishes = Array.from({ length: 100 }, (_, n) => ({ publish: { channel, data: n } }));
    const ids = raw.send({ subscribe: { channel } }, ...publishes, { history: { channel, limit: 1000 } });
    const { history } = await raw.reply(ids.at(-1));
    assert.deepEqual(history.publications.map(({ data }) => data), publishes.map((_, n) => n));
    const order = raw.frames.filter((frame) => ids.includes(frame.id)).map((frame) => frame.id);
    assert.deepEqual(order, ids);
});

test('the answer to a subscribe comes before the first of its publications', async (t) => {
    const channel = unique('recover:');
    const publisher = await Raw.connect(t, gateway);
    await publisher.ask({ subscribe: { channel } });
    for (let round = 0; round < 20; round += 1) {
        const raw = await Raw.connect(t, gateway);
        const sent = publisher.ask({ publish: { channel, data: round } });
        const [id] = raw.send({ subscribe: { channel, recover: true, epoch: '', offset: 0 } });
        const reply = await raw.reply(id);
        await sent;
        const pushed = (frame) => frame.push?.channel === channel;
        const early = raw.frames.slice(0, raw.frames.indexOf(reply)).filter(pushed);
        assert.deepEqual(early, []);
        const held = (reply.subscribe.publications ?? []).map(({ data }) => data);
        if (!held.includes(round)) await raw.push('pub', ({ data }) => data === round);
    }
});

test('empty lines in a message are skipped, and data is passed on unchanged', async (t) => {
    const channel = unique('open:');
    const raw = await Raw.connect(t, gateway);
    await raw.ask({ subscribe: { channel } });
    raw.text(`\n{"id":77,"publish":{"channel":"${channel}","data":{"big":12345678901234567890.123,"a":1,"a":2}}}\n\n`);
    await raw.reply(77);
    const text = JSON.stringify((await raw.push('pub')).push.pub.data);
    assert.equal(text, JSON.stringify({ big: 12345678901234567890.123, a: 2 }));
});
