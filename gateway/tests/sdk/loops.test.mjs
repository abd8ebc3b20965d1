// Connections that have ended leave no resources in use.

import assert from 'node:assert/strict';
import { readFile, readdir } from 'node:fs/promises';
import { test } from 'node:test';
import { ownGateway } from './support/gateway.mjs';
import { Raw } from './support/raw.mjs';
import { token } from './support/token.mjs';
import { eventually } from './support/wait.mjs';

const SETTINGS = `
[namespaces.room]
history_size = 10
presence = true
join_leave = true
subscribe = "anyone"
`;

const GAUGES = ['connections_open', 'subscriptions_open', 'channels_open', 'tasks_open', 'outbox_bytes', 'broker_channels'];

/** Returns the values that must be unchanged after the last connection has ended. */
async function footprint(gateway) {
    const gauges = {};
    for (const name of GAUGES) gauges[name] = await gateway.metric(`switchboard_${name}`);
    const { clients } = await gateway.ask('GET', '/v1/channels/room:3/presence?stats=true');
    const files = await readdir(`/proc/${gateway.pid}/fd`);
    return { ...gauges, present: clients, files: files.length };
}

/** Returns the resident memory in KiB. */
async function resident(gateway) {
    const status = await readFile(`/proc/${gateway.pid}/status`, 'utf8');
    return Number(/VmRSS:\s+(\d+) kB/.exec(status)[1]);
}

/** Connects, subscribes, unsubscribes and closes. Every third connection ends without unsubscribe and close frame. */
async function useConnection(t, gateway, number) {
    const raw = await Raw.connect(t, gateway, { token: token({ sub: `user-${number % 20}` }) });
    const channel = `room:${number % 10}`;
    const subscribed = await raw.ask({ subscribe: { channel, join_leave: true } });
    assert.ok(subscribed.subscribe, JSON.stringify(subscribed));
    if (number % 3 === 0) return raw.terminate();
    await raw.ask({ unsubscribe: { channel } });
    raw.close();
    return raw.end();
}

/** Uses the connections `from` to `to`, ten at a time. */
async function useConnections(t, gateway, from, to) {
    let number = from;
    const one = async () => {
        while (number < to) await useConnection(t, gateway, number++);
    };
    await Promise.all(Array.from({ length: 10 }, one));
}

test('after a thousand connections, gauges, open files and memory are as before', async (t) => {
    const gateway = await ownGateway(t, SETTINGS);
    // Before the comparison, the gateway creates everything that it creates once and keeps.
    await useConnections(t, gateway, 0, 20);
    await eventually(async () => (await footprint(gateway)).connections_open === 0, 'the first connections to end');
    const start = await footprint(gateway);

    await useConnections(t, gateway, 0, 500);
    const half = await resident(gateway);
    await useConnections(t, gateway, 500, 1000);

    let now;
    const same = async () => {
        now = await footprint(gateway);
        return Object.keys(start).every((name) => now[name] === start[name]);
    };
    await eventually(same, () => `${JSON.stringify(start)}; it is ${JSON.stringify(now)}`);
    const end = await resident(gateway);
    t.diagnostic(`at the start ${JSON.stringify(start)}; resident ${half} KiB after 500, ${end} KiB after 1000`);
    assert.equal(await gateway.metric('switchboard_connections_opened_total'), 1020);
    assert.ok(end < half * 1.01, `resident memory grew from ${half} to ${end} KiB`);
});

test('the gauges count open connections, subscriptions and channels', async (t) => {
    const gateway = await ownGateway(t, SETTINGS);
    const before = await footprint(gateway);
    const raw = await Raw.connect(t, gateway, { token: token({ sub: 'ann' }) });
    assert.ok((await raw.ask({ subscribe: { channel: 'room:3' } })).subscribe);
    // The personal channel is the second subscription.
    const expected = { connections_open: 1, subscriptions_open: 2, channels_open: 2, present: 1 };
    let now;
    const reported = async () => {
        now = await footprint(gateway);
        return Object.entries(expected).every(([name, more]) => now[name] === before[name] + more);
    };
    await eventually(reported, () => `${JSON.stringify(expected)} more than ${JSON.stringify(before)}; it is ${JSON.stringify(now)}`);
    for (const name of ['tasks_open', 'broker_channels']) assert.ok(now[name] > before[name], `${name} is ${now[name]}`);
    assert.ok(now.files > before.files);
});
