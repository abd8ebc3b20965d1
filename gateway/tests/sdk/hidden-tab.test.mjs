// A hidden tab. Its timers run once a minute, as in Chrome after five minutes. What arrives from the network is handled at once.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { ClientProgram } from './support/client-program.mjs';
import { ownGateway } from './support/gateway.mjs';
import { Proxy } from './support/proxy.mjs';
import { inSeconds, token } from './support/token.mjs';
import { EventRecorder, next } from './support/wait.mjs';

/** Longer than the time between two runs of the timers. */
const OVER_A_MINUTE_MS = 70_000;

const SETTINGS = `
tokens.leeway = "0s"
connection.ping_interval = "5s"
connection.pong_timeout = "4s"
[namespaces.news]
history_size = 100
subscribe = "anyone"
`;

const range = (from, to) => Array.from({ length: to - from + 1 }, (_, index) => from + index);

/** A hidden tab that is subscribed to `news:a` through a proxy, with a token that expires after `life` seconds. */
async function hiddenTab(t, life) {
    const gateway = await ownGateway(t, SETTINGS);
    const proxy = await Proxy.start(t, gateway);
    const tab = ClientProgram.start(t, 'hidden tab', 'json', { websocket: proxy.url });
    const [connections, tokens] = [new EventRecorder(tab, 'connected'), new EventRecorder(tab, 'token')];
    tab.on('token', () => tab.do('token', { token: token({ sub: 'ann', exp: inSeconds(600) }) }));
    const got = new EventRecorder(tab, 'publication', ({ data }) => data);
    const subscribed = next(tab, 'subscribed');
    await tab.do('connect', { token: token({ sub: 'ann', exp: inSeconds(life) }) });
    await tab.do('subscribe', { channel: 'news:a' });
    await subscribed;
    return { gateway, proxy, tab, connections, tokens, got };
}

/** Publishes a number every five seconds, for more than a minute. The tab must get each before the next one. */
async function publishForAMinute(gateway, got) {
    const numbers = range(1, OVER_A_MINUTE_MS / 5000);
    for (const number of numbers) {
        await gateway.publish('news:a', number);
        await got.count(number);
        await pause(5000);
    }
    assert.deepEqual(got.all, numbers);
}

test('hidden tabs', { concurrency: true }, async (t) => {
    const stays = t.test('a hidden tab answers pings, and stays connected', async (t) => {
        const { gateway, connections, got } = await hiddenTab(t, 600);
        await publishForAMinute(gateway, got);
        assert.equal(connections.all.length, 1);
    });

    const refreshes = t.test('a hidden tab whose token expires stays connected until its timer refreshes the token', async (t) => {
        const { gateway, connections, tokens, got } = await hiddenTab(t, 5);
        await publishForAMinute(gateway, got);
        assert.deepEqual([connections.all.length, tokens.all.length], [1, 1]);
    });

    const recovers = t.test('a hidden tab that lost its connection recovers when its timers run', async (t) => {
        const { gateway, proxy, tab, got } = await hiddenTab(t, 600);
        const down = next(tab, 'connecting');
        proxy.cut();
        await down;
        await gateway.publish('news:a', ...range(1, 20));
        const again = next(tab, 'subscribed', undefined, OVER_A_MINUTE_MS);
        proxy.restore();
        assert.deepEqual(await again, { wasRecovering: true, recovered: true });
        await gateway.publish('news:a', 21);
        assert.deepEqual(await got.count(21), range(1, 21));
    });

    await Promise.all([stays, refreshes, recovers]);
});
