// `getState` of the SDK: the application reads the position of the channel, then its own state, and the SDK goes on from that position.

import assert from 'node:assert/strict';
import { subscribed, unique } from './support/client.mjs';
import { ownGateway } from './support/gateway.mjs';
import { Proxy } from './support/proxy.mjs';
import { over } from './support/transports.mjs';
import { EventRecorder, next } from './support/wait.mjs';

const { connected, test } = over(import.meta.url);

const SETTINGS = `
[tokens]
anonymous = true
[namespaces.orders]
history_size = 10
history_ttl = "1h"
subscribe = "anyone"
`;

/** The state of an application: the sum of all numbers that were published. Its own store is `rows`. */
class Orders {
    rows = [];
    sum = 0;
    loads = 0;

    constructor(gateway, channel) {
        Object.assign(this, { gateway, channel });
    }

    /** Publishes as a service: writes into its own store first. */
    async add(number) {
        this.rows.push(number);
        return this.gateway.ask('POST', `/v1/channels/${this.channel}/publications`, { data: { number, row: this.rows.length } });
    }

    /** What `getState` has to do: first the position, then the state. `between` happens in between. */
    async load(between) {
        this.loads += 1;
        const { epoch, offset } = await this.gateway.ask('GET', `/v1/channels/${this.channel}/publications?limit=0`);
        await between?.();
        this.row = this.rows.length;
        this.sum = this.rows.reduce((sum, number) => sum + number, 0);
        return { epoch, offset };
    }

    /** Applies a publication, unless the loaded state contains it. */
    apply({ data }) {
        if (data.row <= this.row) return;
        assert.equal(data.row, this.row + 1, 'nothing is missing between the state and the publications');
        this.row = data.row;
        this.sum += data.number;
    }
}

test('getState joins the state of an application and the live publications without a gap', async (t) => {
    const gateway = await ownGateway(t, SETTINGS);
    const channel = unique('orders:');
    const orders = new Orders(gateway, channel);
    for (const number of [1, 2, 3]) await orders.add(number);
    const proxy = await Proxy.start(t, gateway);
    const it = await connected(t, gateway, { url: proxy.url });
    // One publication is in the state and comes again, one comes only after the state was read.
    const between = async () => {
        if (orders.loads > 1) return;
        await orders.add(10);
        setImmediate(() => orders.add(20));
    };
    const subscription = it.newSubscription(channel, { getState: () => orders.load(between), minResubscribeDelay: 20, maxResubscribeDelay: 100 });
    const errors = new EventRecorder(subscription, 'error');
    const got = new EventRecorder(subscription, 'publication');
    subscription.on('publication', (publication) => orders.apply(publication));
    const first = next(subscription, 'subscribed');
    subscription.subscribe();
    const { wasRecovering, recovered } = await first;
    assert.deepEqual([wasRecovering, recovered], [true, true]);
    await orders.add(30);
    await got.until((all) => all.at(-1)?.data.number === 30);
    assert.deepEqual([orders.loads, orders.sum, orders.row], [1, 66, 6]);
    assert.equal(got.all[0].offset, 4, 'from the position that was read before the state');

    const publishDuringCut = async (count) => {
        const down = next(it, 'connecting');
        proxy.cut();
        await down;
        for (let number = 0; number < count; number++) await orders.add(1);
        const again = next(subscription, 'subscribed');
        proxy.restore();
        return again;
    };
    assert.equal((await publishDuringCut(10)).recovered, true);
    await got.until((all) => all.at(-1)?.offset === 16);
    assert.deepEqual([orders.loads, orders.sum], [1, 76], 'what was missed is recovered, and the state is not loaded again');

    await publishDuringCut(11);
    assert.deepEqual([orders.loads, orders.sum, orders.row], [2, 87, 27], 'the history is too short, so the state is loaded again');
    await orders.add(100);
    await got.until((all) => all.at(-1)?.data.number === 100);
    assert.deepEqual([orders.sum, orders.row], [187, 28]);
    assert.ok(errors.all.every(({ error }) => error.code === 112), JSON.stringify(errors.all));
});

test('getState in a channel without publications begins at offset 0', async (t) => {
    const gateway = await ownGateway(t, SETTINGS);
    const channel = unique('orders:');
    const orders = new Orders(gateway, channel);
    const it = await connected(t, gateway);
    const subscription = await subscribed(it, channel, { getState: () => orders.load() });
    assert.deepEqual([subscription.context.recovered, orders.row], [true, 0]);
    const got = new EventRecorder(subscription, 'publication');
    await orders.add(5);
    await got.until((all) => all.at(-1)?.offset === 1);
});
