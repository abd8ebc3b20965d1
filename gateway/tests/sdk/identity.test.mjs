// A real identity provider: its tokens let users in, and who logs out there is out everywhere.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { client, connected } from './support/client.mjs';
import { ownGateway } from './support/gateway.mjs';
import { IdentityProvider } from './support/identity.mjs';
import { ownRedis, redisSettings } from './support/redis.mjs';
import { eventually, next } from './support/wait.mjs';

/** Starts two gateways that share Redis and accept the tokens of a provider, which tells the first one who logs out. */
async function setUp(t) {
    const [provider, redis] = await Promise.all([IdentityProvider.start(t), ownRedis(t)]);
    const nodes = await Promise.all(['one', 'two'].map((name) => ownGateway(t, `${redisSettings(redis, name)}
        [tokens]
        anonymous = true
        [[tokens.issuers]]
        issuer = "${provider.issuer}"
        audiences = ["chat"]
        jwks_url = "${provider.keys}"
        jwks_allow_http = true
        backchannel_logout = true`)));
    await provider.serve(`${nodes[0].url}/oidc/backchannel-logout`);
    for (const node of nodes) await eventually(async () => (await node.rest('GET', '/readyz')).status === 200, 'the node to be ready');
    return { provider, nodes };
}

/** The user of a connection, as the gateway knows it. */
const userOf = async (node, id) => (await node.ask('GET', `/v1/connections/${id}`)).user;

test('a logout at the provider ends the connections of its session on all nodes, and no others', async (t) => {
    const { provider, nodes } = await setUp(t);
    const [leaves, stays] = [provider.browser(), provider.browser()];
    const [token, other] = [await leaves.logIn('alice'), await stays.logIn('alice')];
    const ending = await Promise.all(nodes.map((node) => connected(t, node, { token })));
    const staying = await Promise.all(nodes.map((node) => connected(t, node, { token: other })));
    for (const [at, { context }] of [...ending.entries(), ...staying.entries()]) assert.equal(await userOf(nodes[at], context.client), 'alice');

    const ends = ending.map((each) => next(each, 'disconnected'));
    await leaves.logOut();
    for (const { code } of await Promise.all(ends)) assert.equal(code, 3503);
    for (const each of staying) assert.equal(each.state, 'connected');
    for (const node of nodes) {
        const late = client(t, node, { token });
        const refused = next(late, 'error');
        late.connect();
        assert.equal((await refused).error.code, 109, 'the token of the session that has ended');
        late.disconnect();
    }
    const again = await leaves.logIn('alice');
    for (const node of nodes) await connected(t, node, { token: again });
});
