// Tokens of connections and subscriptions, with and without expiry, and how the SDK renews them.

import assert from 'node:assert/strict';
import { subscribed, unique } from './support/client.mjs';
import { ownGateway } from './support/gateway.mjs';
import { inSeconds, token } from './support/token.mjs';
import { over } from './support/transports.mjs';
import { EventRecorder, eventually, next } from './support/wait.mjs';

const { client, connected, signedIn, test } = over(import.meta.url);

const SETTINGS = `
tokens.leeway = "0s"
[connection]
expiry_grace = "2s"
[namespaces.private]
history_size = 10
subscribe = "token"
publish = "subscriber"
see_presence = "subscriber"
presence = true
`;

test('the SDK fetches no other token if the token has no expiry', async (t) => {
    const gateway = await ownGateway(t, `tokens.unbounded = true\n${SETTINGS}`);
    const it = await signedIn(t, gateway, 'ann', { exp: undefined }, { getToken: () => assert.fail('not needed') });
    assert.equal(it.state, 'connected');
});

test('a token without expiry is refused, and the reason names the setting', async (t) => {
    const it = client(t, await ownGateway(t, SETTINGS), { token: token({ sub: 'ann', exp: undefined }) });
    const ended = next(it, 'disconnected');
    it.connect();
    const { code, reason } = await ended;
    assert.deepEqual([code, reason], [3500, 'the token has no exp: sign it with an exp, or set tokens.unbounded']);
});

test('a connection whose token expires is refreshed with each new token', async (t) => {
    const gateway = await ownGateway(t, SETTINGS);
    const asked = [];
    const getToken = async () => {
        asked.push(Date.now());
        return token({ sub: 'ann', exp: inSeconds(asked.length < 3 ? 1 : 600) });
    };
    const it = client(t, gateway, { getToken });
    const again = new EventRecorder(it, 'connecting');
    it.connect();
    await next(it, 'connected');
    // The SDK refreshes again only if the gateway has accepted the refresh.
    await eventually(() => asked.length === 3, 'the second refresh');
    await it.ready();
    assert.equal(again.all.length, 1, 'the SDK connects once');
});

test('the SDK fetches another token if its token has expired', async (t) => {
    const gateway = await ownGateway(t, SETTINGS);
    const it = client(t, gateway, { token: token({ sub: 'ann', exp: inSeconds(-60) }), getToken: async () => token({ sub: 'ann' }) });
    const errors = new EventRecorder(it, 'error');
    it.connect();
    await next(it, 'connected');
    assert.deepEqual(errors.all.map(({ type, error }) => [type, error.code]), [['connect', 109]]);
});

test('the SDK with an expired token and no way to another one connects once and gives up', async (t) => {
    const gateway = await ownGateway(t, SETTINGS);
    const opened = () => gateway.metric('switchboard_connections_opened_total');
    const expired = token({ sub: 'ann', exp: inSeconds(-60) });
    const it = client(t, gateway, { token: expired });
    const [errors, states] = [new EventRecorder(it, 'error'), new EventRecorder(it, 'state', ({ newState }) => newState)];
    const ended = next(it, 'disconnected');
    it.connect();
    const { code, reason } = await ended;
    assert.deepEqual([code, reason], [1, 'unauthorized']);
    assert.deepEqual(errors.all.map(({ type, error }) => [type, error.code]), [['connect', 109], ['configuration', 12]]);

    // The honest twin comes in at its second try, which is later than any further try of the other one would be.
    const twin = client(t, gateway, { token: expired, getToken: async () => token({ sub: 'ann' }), minReconnectDelay: 500, maxReconnectDelay: 500 });
    twin.connect();
    await next(twin, 'connected');
    assert.deepEqual([it.state, states.all], ['disconnected', ['connecting', 'disconnected']]);
    assert.equal(await opened(), 3);
});

test('a subscription token admits its user to its channel, and sets the channel info', async (t) => {
    const gateway = await ownGateway(t, SETTINGS);
    const channel = unique('private:');
    const ann = await signedIn(t, gateway, 'ann');
    const granted = token({ sub: 'ann', channel, info: { role: 'host' } });
    const subscription = await subscribed(ann, channel, { token: granted });
    assert.deepEqual((await subscription.presence()).clients[ann.context.client].chanInfo, { role: 'host' });

    const bob = (await signedIn(t, gateway, 'bob')).newSubscription(channel, { token: granted });
    const refused = next(bob, 'unsubscribed');
    bob.subscribe();
    assert.equal((await refused).code, 103);
});

test('a subscription whose token expires is refreshed with each new token', async (t) => {
    const gateway = await ownGateway(t, SETTINGS);
    const channel = unique('private:');
    const it = await signedIn(t, gateway, 'ann');
    const asked = [];
    const getToken = async (context) => {
        asked.push(context.channel);
        return token({ sub: 'ann', channel, exp: inSeconds(asked.length < 3 ? 1 : 600) });
    };
    const subscription = it.newSubscription(channel, { getToken });
    const began = new EventRecorder(subscription, 'subscribed');
    subscription.subscribe();
    await eventually(() => asked.length === 3, 'the second refresh');
    await subscription.publish('still there');
    assert.deepEqual(asked, [channel, channel, channel]);
    assert.equal(began.all.length, 1, 'the SDK subscribes once');
});

test('a subscription whose new token has expired continues with the next token', async (t) => {
    const gateway = await ownGateway(t, SETTINGS);
    const channel = unique('private:');
    const it = await signedIn(t, gateway, 'ann');
    const lives = [1, -60, 600];
    const getToken = async () => token({ sub: 'ann', channel, exp: inSeconds(lives.shift()) });
    const subscription = it.newSubscription(channel, { getToken });
    const [began, moved] = [new EventRecorder(subscription, 'subscribed'), new EventRecorder(subscription, 'subscribing', ({ code }) => code)];
    subscription.subscribe();
    await began.count(2);
    assert.deepEqual(moved.all, [0, 2501]);
    assert.deepEqual(lives, []);
});

test('a connection without a token requires the setting tokens.anonymous', async (t) => {
    const open = await ownGateway(t, `tokens.anonymous = true\n${SETTINGS}`);
    const it = await connected(t, open);
    const { body } = await open.rest('GET', `/v1/connections/${it.context.client}`);
    assert.equal(body.user, '');

    const closed = await ownGateway(t, SETTINGS);
    const refused = client(t, closed);
    const failed = next(refused, 'disconnected');
    refused.connect();
    assert.equal((await failed).code, 101);
});
