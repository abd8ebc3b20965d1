// Connections that come and go leave nothing behind.

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

/** What has to be as it was, once the last connection has gone. */
async function footprint(gateway) {
    const gauges = await Promise.all(GAUGES.map(async (name) => [name, await gateway.metric(`switchboard_${name}`)]));
    const { clients } = await gateway.ask('GET', '/v1/channels/room:3/presence?stats=true');
    const files = await readdir(`/proc/${gateway.pid}/fd`);
    // The connections over which this very question is asked are kept open by the client; sockets alone would differ with their number.
    return { ...Object.fromEntries(gauges), present: clients, files: files.length };
}

async function resident(gateway) {
    const status = await readFile(`/proc/${gateway.pid}/status`, 'utf8');
    return Number(/VmRSS:\s+(\d+) kB/.exec(status)[1]);
}

/** One life: connect, subscribe, unsubscribe, disconnect; every third leaves without a word. */
async function life(t, gateway, number) {
    const raw = await Raw.connect(t, gateway, { token: token({ sub: `user-${number % 20}` }) });
    const channel = `room:${number % 10}`;
    const subscribed = await raw.ask({ subscribe: { channel, join_leave: true } });
    assert.ok(subscribed.subscribe, JSON.stringify(subscribed));
    if (number % 3 === 0) return raw.terminate();
    await raw.ask({ unsubscribe: { channel } });
    raw.close();
    return raw.end();
}

async function lives(t, gateway, from, to) {
    let number = from;
    const one = async () => {
        while (number < to) await life(t, gateway, number++);
    };
    await Promise.all(Array.from({ length: 10 }, one));
}

test('a thousand lives leave gauges, files and memory as they were', async (t) => {
    const gateway = await ownGateway(t, SETTINGS);
    const ask = (name) => gateway.ask('GET', name);
    // Everything that is made once is made before the comparison: channels remember their position, the client keeps its connections.
    await lives(t, gateway, 0, 20);
    await Promise.all(GAUGES.map(() => ask('/metrics')));
    await eventually(async () => (await footprint(gateway)).connections_open === 0, 'the first lives to end');
    const start = await footprint(gateway);

    await lives(t, gateway, 0, 500);
    const half = await resident(gateway);
    await lives(t, gateway, 500, 1000);

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
