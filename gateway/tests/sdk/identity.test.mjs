// Real identity providers: their tokens let users in, the gateway follows their keys, and who logs out there is out everywhere. PROVIDERS names them
// (oidc-provider).

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { client, connected } from './support/client.mjs';
import { ownGateway } from './support/gateway.mjs';
import { IdentityProvider } from './support/identity.mjs';
import { Keycloak } from './support/keycloak.mjs';
import { ownRedis, redisSettings } from './support/redis.mjs';
import { eventually, next, within } from './support/wait.mjs';

/** Settings of `[tokens]`: keys are fetched as often as it may be, but ahead of need only if a test says so. */
const TOKENS = 'anonymous = true\njwks_interval = "1s"\njwks_timeout = "1s"';

/** Starts two gateways that share Redis and accept the tokens of a provider, which tells the first one who logs out. */
async function startNodes(t, { open }) {
    const [provider, redis] = await Promise.all([open(t), ownRedis(t)]);
    const settings = (name) => `${redisSettings(redis, name)}\n[tokens]\n${TOKENS}\n${provider.settings}`;
    const nodes = await Promise.all(['one', 'two'].map((name) => ownGateway(t, settings(name))));
    await provider.serve(`${nodes[0].url}/oidc/backchannel-logout`);
    for (const node of nodes) await eventually(async () => (await node.rest('GET', '/readyz')).status === 200, 'the node to be ready');
    return { provider, nodes };
}

/** Starts a gateway that accepts the tokens of a provider. `change` changes its settings. */
async function startOne(t, { open }, change = (settings) => settings) {
    const provider = await open(t);
    const node = await ownGateway(t, change(`[tokens]\n${TOKENS}\n${provider.settings}`));
    await provider.serve(`${node.url}/oidc/backchannel-logout`);
    return { provider, node };
}

/** The user of a connection, as the gateway knows it. */
const userOf = async (node, id) => (await node.ask('GET', `/v1/connections/${id}`)).user;

/** What becomes of a connect with a token: the name of the user, or the code of the close. */
async function outcome(t, node, token) {
    const made = client(t, node, { token });
    const result = new Promise((resolve) => made.on('connected', resolve).on('disconnected', resolve));
    made.connect();
    const { client: id, code } = await within(result, 'the end of the connect');
    const user = id && (await userOf(node, id));
    made.disconnect();
    return user ?? code;
}

/** A part of a token: the header (0) or the claims (1). */
const partOf = (token, part) => JSON.parse(Buffer.from(token.split('.')[part], 'base64url'));

/** Connects with two tokens of a user, ends the session of the first one by `end`, and checks who stays. */
async function checkLogout(t, nodes, token, other, end) {
    const ending = await Promise.all(nodes.map((node) => connected(t, node, { token })));
    const staying = await Promise.all(nodes.map((node) => connected(t, node, { token: other })));
    for (const [at, { context }] of [...ending.entries(), ...staying.entries()]) assert.equal(await userOf(nodes[at], context.client), 'alice');

    const ends = ending.map((each) => next(each, 'disconnected'));
    await end();
    for (const { code } of await Promise.all(ends)) assert.equal(code, 3503);
    for (const each of staying) assert.equal(each.state, 'connected');
    for (const node of nodes) {
        const late = client(t, node, { token });
        const refused = next(late, 'error');
        late.connect();
        assert.equal((await refused).error.code, 109, 'the token of the session that has ended');
        late.disconnect();
    }
}

/** The cases that each provider passes. */
function cases(provider) {
    test('a token names its user, and counts for its audience only', async (t) => {
        const { provider: right, node } = await startOne(t, provider);
        const token = await right.browser().logIn('alice');
        assert.equal(await outcome(t, node, token), 'alice');
        const { provider: other, node: strict } = await startOne(t, provider, (settings) => settings.replace('audiences = ["chat"]', 'audiences = ["other"]'));
        assert.equal(await outcome(t, strict, await other.browser().logIn('alice')), 3500);
        assert.equal(await outcome(t, strict, token), 3500, 'another issuer');
    });

    test('a new key of the provider counts without a restart, and the one before it still does', async (t) => {
        const { provider: issuer, node } = await startOne(t, provider);
        const before = await issuer.browser().logIn('alice');
        assert.equal(await outcome(t, node, before), 'alice');
        await issuer.rotate();
        const after = await issuer.browser().logIn('alice');
        assert.notEqual(partOf(after, 0).kid, partOf(before, 0).kid);
        assert.deepEqual([await outcome(t, node, after), await outcome(t, node, before)], ['alice', 'alice']);
    });

    test('tokens of a key that the provider has disabled are refused after a refresh', async (t) => {
        const { provider: issuer, node } = await startOne(t, provider, (settings) => settings.replace('[tokens]', '[tokens]\njwks_refresh = "3s"'));
        const before = await issuer.browser().logIn('alice');
        const open = await connected(t, node, { token: before });
        await issuer.rotate();
        await issuer.disable();
        await eventually(async () => (await outcome(t, node, before)) === 3500, 'the refusal');
        assert.equal(await outcome(t, node, await issuer.browser().logIn('alice')), 'alice');
        assert.equal(open.state, 'connected');
    });

    test('a logout at the provider ends the connections of its session on all nodes, and no others', async (t) => {
        const { provider: issuer, nodes } = await startNodes(t, provider);
        const [leaves, stays] = [issuer.browser(), issuer.browser()];
        await checkLogout(t, nodes, await leaves.logIn('alice'), await stays.logIn('alice'), () => leaves.logOut());
        const again = await leaves.logIn('alice');
        for (const node of nodes) await connected(t, node, { token: again });
    });
}

/** Further cases of Keycloak: its administrators, services, and ids of users. */
function casesOfKeycloak(keycloak) {
    test('an administrator ends a session, and then all sessions of the user', async (t) => {
        const { provider: realm, nodes } = await startNodes(t, keycloak);
        const [token, other] = [await realm.browser().logIn('alice'), await realm.browser().logIn('alice')];
        await checkLogout(t, nodes, token, other, () => realm.administer('DELETE', `/sessions/${partOf(token, 1).sid}`));
        const left = await connected(t, nodes[1], { token: other });
        const ended = next(left, 'disconnected');
        await realm.administer('POST', `/users/${partOf(other, 1).sub}/logout`);
        assert.equal((await ended).code, 3503);
    });

    test('services come in with tokens by their secret', async (t) => {
        const { provider: realm, node } = await startOne(t, keycloak);
        assert.equal(await outcome(t, node, await realm.tokenOfService()), 'service-account-shop-jobs');
    });

    test('without user_claim the user is the id in the realm', async (t) => {
        const { provider: realm, node } = await startOne(t, keycloak, (settings) => settings.replace(/^user_claim.*$/m, ''));
        const [{ id }] = await realm.administer('GET', '/users?username=alice');
        assert.equal(await outcome(t, node, await realm.browser().logIn('alice')), id);
    });
}

const PROVIDERS = { 'oidc-provider': () => IdentityProvider, Keycloak: () => Keycloak.start() };
const names = (process.env.PROVIDERS ?? 'oidc-provider').split(' ');
// All start before the first test begins: what `after` stops would not outlive the tests that are known by then.
const started = await Promise.all(names.map((name) => PROVIDERS[name]()));
for (const [at, name] of names.entries()) {
    const provider = { open: (t) => started[at].open(t) };
    describe(name, () => {
        cases(provider);
        if (name === 'Keycloak') casesOfKeycloak(provider);
    });
}
