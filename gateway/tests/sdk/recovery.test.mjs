// Publications during an interruption of the connection arrive after it, once and in order.

import assert from 'node:assert/strict';
import { subscribed, unique } from './support/client.mjs';
import { ownGateway, stack } from './support/gateway.mjs';
import { Proxy } from './support/proxy.mjs';
import { token } from './support/token.mjs';
import { over } from './support/transports.mjs';
import { EventRecorder, next } from './support/wait.mjs';

const { Raw, connected, signedIn, test } = over(import.meta.url);
const gateway = await stack();

const range = (from, to) => Array.from({ length: to - from + 1 }, (_, index) => from + index);

/** Connects through a proxy and subscribes. Returns the proxy, the client, the subscription and the recorded publications. */
async function follow(t, channel, to = gateway) {
    const proxy = await Proxy.start(t, to);
    const it = await connected(t, to, { url: proxy.url });
    const subscription = await subscribed(it, channel);
    const got = new EventRecorder(subscription, 'publication');
    return { proxy, it, subscription, got };
}

/** Cuts the connection, calls `publish`, and restores the connection. Resolves to the event of the renewed subscription. */
async function publishDuringCut(proxy, it, subscription, publish) {
    const down = next(it, 'connecting');
    proxy.cut();
    await down;
    await publish();
    const again = next(subscription, 'subscribed');
    proxy.restore();
    return again;
}

for (const [what, missed] of [['nothing', 0], ['a few', 3], ['exactly a page of', 256], ['more than a page of', 257], ['thousands of', 3000]]) {
    test(`a cut connection recovers ${what} publications`, async (t) => {
        const channel = unique('recover:');
        const { proxy, it, subscription, got } = await follow(t, channel);
        await gateway.publish(channel, ...range(1, 5));
        await got.count(5);

        const { wasRecovering, recovered } = await publishDuringCut(proxy, it, subscription, () => gateway.publish(channel, ...range(6, 5 + missed)));
        assert.deepEqual([wasRecovering, recovered], [true, true]);
        await gateway.publish(channel, 'end');
        const all = await got.until((all) => all.at(-1).data === 'end');
        assert.deepEqual(all.map(({ data }) => data), [...range(1, 5 + missed), 'end']);
        assert.deepEqual(all.map(({ offset }) => offset), range(1, 6 + missed));
    });
}

test('no publication is missing or duplicated when connections are cut repeatedly during publishing', async (t) => {
    const channel = unique('recover:');
    const { proxy, it, got } = await follow(t, channel);
    let going = true;
    let last = 0;
    const publishing = (async () => {
        while (going) {
            await gateway.publish(channel, ...range(last + 1, last + 50));
            last += 50;
        }
    })();
    for (let round = 0; round < 8; round += 1) {
        await got.count(got.all.length + 1);
        const down = next(it, 'connecting');
        proxy.cut();
        await down;
        const up = next(it, 'connected');
        proxy.restore();
        await up;
    }
    going = false;
    await publishing;
    assert.deepEqual((await got.count(last)).map(({ data }) => data), range(1, last));
});

const LOSSES = `
[namespaces.live]
history_size = 100
subscribe = "anyone"
[namespaces.replay]
history_size = 100
subscribe = "anyone"
unrecoverable = "replay"
`;

test('after the loss of a part of the history, the stored publications arrive only where the namespace replays them', async (t) => {
    const own = await ownGateway(t, LOSSES);
    for (const [namespace, position, held] of [['live', 251, []], ['replay', 151, range(152, 251)]]) {
        for (const side of ['client', 'server']) {
            const channel = unique(`${namespace}:`);
            const proxy = await Proxy.start(t, own);
            const it = await signedIn(t, own, unique('ann-'), side === 'server' ? { channels: [channel] } : {}, { url: proxy.url });
            const source = side === 'server' ? it : await subscribed(it, channel);
            const got = new EventRecorder(source, 'publication', ({ data }) => data);
            await own.publish(channel, 1);
            await got.count(1);
            const again = next(source, 'subscribed', (context) => context.channel === channel);
            await publishDuringCut(proxy, it, source, () => own.publish(channel, ...range(2, 251)));
            const { wasRecovering, recovered, streamPosition } = await again;
            assert.deepEqual([wasRecovering, recovered, streamPosition.offset], [true, false, position], `${namespace}, ${side}`);
            await own.publish(channel, 'end');
            assert.deepEqual(await got.until((all) => all.at(-1) === 'end'), [1, ...held, 'end'], `${namespace}, ${side}`);
        }
    }
});

test('a cleared history is reported', async (t) => {
    // Without memory, since a worker gives what it remembers although it was deleted.
    const own = await ownGateway(t, `tokens.anonymous = true\nrecovery.memory_time = "0s"\n${LOSSES}`);
    const channel = unique('live:');
    const { proxy, it, subscription, got } = await follow(t, channel, own);
    await own.publish(channel, 1);
    await got.count(1);
    const { recovered } = await publishDuringCut(proxy, it, subscription, async () => {
        await own.publish(channel, 2);
        await own.rest('DELETE', `/v1/channels/${encodeURIComponent(channel)}/publications`);
    });
    assert.equal(recovered, false);
    await own.publish(channel, 3);
    assert.deepEqual((await got.count(2)).map(({ data }) => data), [1, 3]);
});

test('a subscription that begins at offset 0 of an empty epoch gets all stored publications', async (t) => {
    const channel = unique('recover:');
    await gateway.publish(channel, ...range(1, 600));
    const it = await connected(t, gateway);
    const subscription = it.newSubscription(channel, { since: { epoch: '', offset: 0 } });
    const got = new EventRecorder(subscription, 'publication', ({ data }) => data);
    subscription.subscribe();
    assert.deepEqual(await got.count(600), range(1, 600));
});

test('a position without an epoch is valid in any epoch', async (t) => {
    const channel = unique('recover:');
    await gateway.publish(channel, ...range(1, 10));
    const it = await connected(t, gateway);
    const subscription = it.newSubscription(channel, { since: { epoch: '', offset: 4 } });
    const [got, began] = [new EventRecorder(subscription, 'publication', ({ data }) => data), next(subscription, 'subscribed')];
    subscription.subscribe();
    assert.equal((await began).recovered, true);
    assert.deepEqual(await got.count(6), range(5, 10));
    const { publications } = await subscription.history({ limit: 10, since: { epoch: '', offset: 8 } });
    assert.deepEqual(publications.map(({ data }) => data), [9, 10]);

    const ahead = (await connected(t, gateway)).newSubscription(channel, { since: { epoch: '', offset: 11 } });
    const reported = next(ahead, 'subscribed');
    ahead.subscribe();
    assert.equal((await reported).recovered, false, 'no epoch has this offset');

    const raw = await Raw.connect(t, gateway, { token: token({ sub: 'ann', channels: [channel] }), subs: { [channel]: { recover: true, offset: 9 } } });
    const { recovered, publications: missed } = raw.connection.subs[channel];
    assert.deepEqual([recovered, missed.map(({ data }) => data)], [true, [10]]);
});

test('server-side subscriptions recover with the connection, over many pages', async (t) => {
    const [alice, channel] = [unique('alice-'), unique('recover:')];
    const proxy = await Proxy.start(t, gateway);
    const it = await signedIn(t, gateway, alice, { channels: [channel] }, { url: proxy.url });
    const got = new EventRecorder(it, 'publication', ({ data }) => data);
    await gateway.publish(channel, 1);
    await got.count(1);
    const again = next(it, 'subscribed', (context) => context.channel === channel);
    await publishDuringCut(proxy, it, it, () => gateway.publish(channel, ...range(2, 1200)));
    const { wasRecovering, recovered } = await again;
    assert.deepEqual([wasRecovering, recovered], [true, true]);
    await gateway.publish(channel, 'end');
    const all = await got.until((all) => all.at(-1) === 'end');
    assert.deepEqual(all, [...range(1, 1200), 'end']);
});
