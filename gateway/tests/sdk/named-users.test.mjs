// Channels that name their users: who may subscribe, and which names are refused.

import assert from 'node:assert/strict';
import { subscribed } from './support/client.mjs';
import { ownGateway } from './support/gateway.mjs';
import { token } from './support/token.mjs';
import { over } from './support/transports.mjs';
import { next } from './support/wait.mjs';

const { connected, signedIn, test } = over(import.meta.url);

const SETTINGS = `
tokens.anonymous = true
[namespaces.dialog]
subscribe = "named"
publish = "named"
`;

async function refusal(it, channel, options) {
    const subscription = it.newSubscription(channel, options);
    const refused = next(subscription, 'unsubscribed');
    subscription.subscribe();
    const { code, reason } = await refused;
    return [code, reason];
}

test('the users in the name of a channel may subscribe and publish, others need a token', async (t) => {
    const gateway = await ownGateway(t, SETTINGS);
    const channel = 'dialog:alice,auth0~7C7';
    const [alice, auth0, carol, visitor] = [
        ...(await Promise.all(['alice', 'auth0|7', 'carol'].map((user) => signedIn(t, gateway, user)))),
        await connected(t, gateway),
    ];
    const received = next(await subscribed(auth0, channel), 'publication');
    await alice.publish(channel, 'hello');
    assert.equal((await received).data, 'hello');
    for (const stranger of [carol, visitor]) {
        assert.equal((await refusal(stranger, channel))[0], 103);
        await assert.rejects(stranger.publish(channel, 'hi'), { code: 103 });
    }
    await subscribed(carol, 'dialog:alice,bob', { token: token({ sub: 'carol', channel: 'dialog:alice,bob' }) });
});

test('a name whose users are in another order is refused with the right one, for frontends and services', async (t) => {
    const gateway = await ownGateway(t, SETTINGS);
    const alice = await signedIn(t, gateway, 'alice');
    const [code, reason] = await refusal(alice, 'dialog:bob,alice');
    assert.equal(code, 107);
    assert.match(reason, /in another order: sort them by their bytes, as in dialog:alice,bob$/);
    assert.match((await refusal(alice, 'dialog:alice,'))[1], /a part that is no user/);
    await assert.rejects(alice.publish('dialog:alice,alice', 'hi'), { code: 107, message: /as in dialog:alice$/ });
    const publish = (name) => gateway.rest('POST', `/v1/channels/${encodeURIComponent(name)}/publications`, { data: 1 });
    const { status, body } = await publish('dialog:bob,alice');
    assert.deepEqual([status, body.code], [400, 'bad_request']);
    assert.match(body.detail, /as in dialog:alice,bob\.$/);
    assert.equal((await publish('dialog:alice,bob')).status, 200);
});
