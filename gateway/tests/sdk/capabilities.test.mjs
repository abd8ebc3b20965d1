// Connections whose token has capabilities: on every protocol, nothing but what they name is allowed.

import assert from 'node:assert/strict';
import { subscribed } from './support/client.mjs';
import { ownGateway } from './support/gateway.mjs';
import { RawStomp } from './support/stomp-raw.mjs';
import { inSeconds, token } from './support/token.mjs';
import { ONLY_WEBSOCKET, over } from './support/transports.mjs';
import { EventRecorder, next } from './support/wait.mjs';

const { client, connected, signedIn, test } = over(import.meta.url);

const SETTINGS = `
tokens.leeway = "0s"
[[stomp.destinations]]
prefix = "/topic/"
to = "channel"
[namespaces.chat]
history_size = 10
presence = true
subscribe = "token"
publish = "token"
see_presence = "token"
see_history = "token"
[namespaces.news]
history_size = 10
subscribe = "anyone"
publish = "anyone"
see_history = "anyone"
[namespaces.closed]
history_size = 10
`;

async function refusal(it, channel, options) {
    const subscription = it.newSubscription(channel, options);
    const refused = next(subscription, 'unsubscribed');
    subscription.subscribe();
    return (await refused).code;
}

test('capabilities are a subscription token, and allow nothing else', async (t) => {
    const gateway = await ownGateway(t, SETTINGS);
    const capabilities = { 'chat:*': ['subscribe', 'presence'], 'chat:lobby': ['publish', 'history'], 'closed:*': ['subscribe', 'publish'] };
    const it = await signedIn(t, gateway, 'alice', { capabilities });
    const lobby = await subscribed(it, 'chat:lobby');
    const received = next(lobby, 'publication');
    await lobby.publish('hello');
    assert.equal((await received).data, 'hello');
    assert.equal((await lobby.history({ limit: 1 })).publications.length, 1);
    assert.deepEqual((await lobby.presenceStats()).numClients, 1);
    const other = await subscribed(it, 'chat:other');
    assert.deepEqual(Object.values((await other.presence()).clients).map(({ user }) => user), ['alice']);
    await assert.rejects(other.publish('hi'), { code: 103 });
    await assert.rejects(other.history({ limit: 1 }), { code: 103 });
    for (const command of [() => it.publish('news:a', 1), () => it.history('news:a', { limit: 1 }), () => it.publish('closed:a', 1)]) {
        await assert.rejects(command(), { code: 103 });
    }
    assert.equal(await refusal(it, 'news:a'), 103);
    assert.equal(await refusal(it, 'closed:a'), 103);
    assert.equal(await refusal(it, 'news:b', { token: token({ sub: 'alice', channel: 'news:b' }) }), 103);
    // Without the claim the namespace asks for a subscription token.
    assert.equal(await refusal(await signedIn(t, gateway, 'bob'), 'chat:lobby'), 103);
});

test('channels of the token need the capability to subscribe', async (t) => {
    const gateway = await ownGateway(t, SETTINGS);
    const granted = client(t, gateway, { token: token({ sub: 'alice', channels: ['chat:a'], capabilities: { 'chat:*': ['subscribe'] } }) });
    const begun = next(granted, 'subscribed', ({ channel }) => channel === 'chat:a');
    granted.connect();
    await begun;
    const it = client(t, gateway, { token: token({ sub: 'alice', channels: ['chat:a'], capabilities: { 'news:*': ['subscribe'] } }) });
    const refused = next(it, 'disconnected');
    it.connect();
    const { code, reason } = await refused;
    assert.equal(code, 3500);
    assert.match(reason, /has a channel to which its capabilities do not allow to subscribe/);
});

test('a claim in another form is refused with a reason', async (t) => {
    const gateway = await ownGateway(t, SETTINGS);
    for (const [capabilities, expected] of [[null, /no object/], [['chat:*'], /no object/], [{ 'chat:*': ['all'] }, /an action other than/], [{ '*:a': [] }, /a pattern that is no channel/]]) {
        const it = client(t, gateway, { token: token({ sub: 'alice', capabilities }) });
        const refused = next(it, 'disconnected');
        it.connect();
        const { code, reason } = await refused;
        assert.equal(code, 3500);
        assert.match(reason, expected);
    }
});

test('2001 not allowed: a refreshed token that no longer allows a subscription', async (t) => {
    const gateway = await ownGateway(t, `${SETTINGS}[connection]\nexpiry_grace = "5s"\n`);
    const claims = (seconds, capabilities) => ({ sub: 'alice', exp: inSeconds(seconds), capabilities });
    const first = token(claims(2, { 'chat:*': ['subscribe'], 'news:*': ['subscribe', 'publish'] }));
    const getToken = async () => token(claims(600, { 'news:*': ['subscribe'] }));
    const it = await connected(t, gateway, { token: first, getToken });
    const [chat, news] = [await subscribed(it, 'chat:a'), await subscribed(it, 'news:a')];
    const kept = new EventRecorder(news, 'unsubscribed');
    assert.deepEqual(await next(chat, 'unsubscribed'), { channel: 'chat:a', code: 2001, reason: 'not allowed' });
    await assert.rejects(news.publish('hi'), { code: 103 });
    assert.equal(await refusal(it, 'chat:b'), 103);
    assert.deepEqual([kept.all, news.state, it.state], [[], 'subscribed', 'connected']);
});

test('EventSource and STOMP have the same capabilities', ONLY_WEBSOCKET, async (t) => {
    const gateway = await ownGateway(t, SETTINGS);
    const capable = token({ sub: 'alice', capabilities: { 'chat:a': ['subscribe'] } });
    const events = async (channel, bearer) => (await fetch(`${gateway.url}/events?channel=${channel}`, { headers: { authorization: `Bearer ${bearer}` }, signal: AbortSignal.timeout(5000) }));
    for (const [channel, bearer, status] of [['chat:a', capable, 200], ['chat:b', capable, 403], ['news:a', capable, 403], ['chat:a', token({ sub: 'bob' }), 403]]) {
        const answer = await events(channel, bearer);
        assert.equal(answer.status, status, channel);
        await answer.body.cancel();
    }
    const subscribe = async (channel) => {
        const stomp = await RawStomp.connect(t, gateway, { Authorization: `Bearer ${capable}` });
        return [stomp, stomp.subscribe(`/topic/${channel}`)];
    };
    const [stomp, done] = await subscribe('chat:a');
    await done;
    for (const channel of ['chat:b', 'news:a']) await assert.rejects((await subscribe(channel))[1], /capabilities of the connection token do not allow to subscribe/);
    stomp.send('SEND', { destination: '/topic/chat:a' }, 'x');
    assert.match((await stomp.error()).headers.message, /capabilities of the connection token do not allow to publish/);
});
