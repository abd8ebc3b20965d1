// Several nodes that share Redis behave as one gateway.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { signedIn, subscribed, unique } from './support/client.mjs';
import { ownGateway } from './support/gateway.mjs';
import { OwnRedis, redisSettings } from './support/redis.mjs';
import { Service } from './support/service.mjs';
import { EventRecorder, eventually, next } from './support/wait.mjs';

const NEWS = `[namespaces.news]
        history_size = 1000
        history_ttl = "1h"
        subscribe = "anyone"
        publish = "subscriber"
        see_history = "anyone"`;

/** Starts a Redis and nodes that share it. Waits until the nodes are ready. */
const cluster = async (t, ...names) => startNodes(t, await OwnRedis.start(t), ...names);

/** Starts nodes that share a running Redis. Waits until the nodes are ready. */
async function startNodes(t, redis, ...names) {
    const settings = (name) => `${redisSettings(redis.url, name, 'canary_interval = "200ms"')}
        ${NEWS}
        [namespaces.chat]
        presence = true
        join_leave = true
        subscribe = "anyone"
        see_presence = "anyone"
        [services.watcher]`;
    const nodes = await Promise.all(names.map((name) => ownGateway(t, settings(name))));
    for (const node of nodes) await eventually(async () => (await node.rest('GET', '/readyz')).status === 200, 'the node to be ready');
    return nodes;
}

test('nodes that are ready list each other', async (t) => {
    for (const node of await cluster(t, 'one', 'two', 'three')) {
        assert.deepEqual((await node.ask('GET', '/v1/nodes')).nodes.map(({ name }) => name), ['one', 'three', 'two']);
    }
});

test('a node for services only publishes while the nodes with connections restart', async (t) => {
    const redis = await OwnRedis.start(t);
    const start = (name, role) => ownGateway(t, `${redisSettings(redis.url, name)}\n${NEWS}\n[services.watcher]`, { 'node.role': role });
    const [full, api] = [await start('full', 'full'), await start('api', 'api')];
    for (const node of [full, api]) await eventually(async () => (await node.rest('GET', '/readyz')).status === 200, 'the node to be ready');
    assert.equal(api.url, undefined, 'it has no listener for frontends');
    const { nodes } = await full.ask('GET', '/v1/nodes');
    assert.deepEqual(nodes.map(({ name, workers }) => [name, workers]), [['api', 0], ['full', 2]]);
    const channel = unique('news:');
    const it = await signedIn(t, full, 'alice');
    const subscription = await subscribed(it, channel);
    const received = new EventRecorder(subscription, 'publication', ({ data }) => data);
    await api.publish(channel, 1);
    assert.deepEqual(await received.count(1), [1]);
    await full.kill();
    const watcher = await Service.start(t, api, 'watcher');
    watcher.send({ publish: { id: 1, channel, data: 2 } });
    await watcher.frame(({ ack }) => ack?.id === 1, 'the acknowledgement');
    await api.publish(channel, 3);
    await full.restart();
    assert.deepEqual(await received.count(3), [1, 2, 3]);
});

test('subscribers of all nodes get each publication once and in order, and the nodes share the history', async (t) => {
    const nodes = await cluster(t, 'one', 'two');
    const channel = unique('news:');
    const clients = await Promise.all(nodes.map((node) => signedIn(t, node, 'alice')));
    const received = [];
    for (const it of clients) received.push(new EventRecorder(await subscribed(it, channel), 'publication', ({ data }) => data));
    for (let n = 0; n < 50; n += 1) await nodes[n % 2].publish(channel, n);
    const expected = Array.from({ length: 50 }, (_, n) => n);
    for (const each of received) assert.deepEqual(await each.count(50), expected);
    const { publications } = await nodes[1].ask('GET', `/v1/channels/${encodeURIComponent(channel)}/publications?limit=100&order=asc`);
    assert.deepEqual(publications.map(({ data }) => data), expected);
    const { subscribers } = await nodes[0].ask('GET', `/v1/channels/${encodeURIComponent(channel)}`);
    assert.equal(subscribers, 2);
});

test('a client that moves to another node continues at its position', async (t) => {
    const [one, two] = await cluster(t, 'one', 'two');
    const channel = unique('news:');
    const it = await signedIn(t, one, 'alice');
    const before = await subscribed(it, channel);
    await one.publish(channel, 1);
    const { epoch, offset } = (await one.publish(channel, 2))[0];
    before.unsubscribe();
    it.disconnect();
    await one.publish(channel, 3, 4);
    const moved = await signedIn(t, two, 'alice');
    const room = moved.newSubscription(channel, { since: { epoch, offset } });
    const received = new EventRecorder(room, 'publication', ({ data }) => data);
    const answered = next(room, 'subscribed');
    room.subscribe();
    assert.equal((await answered).recovered, true);
    assert.deepEqual(await received.count(2), [3, 4]);
});

test('presence, joins and leaves include the clients of all nodes', async (t) => {
    const [one, two] = await cluster(t, 'one', 'two');
    const channel = unique('chat:');
    const alice = await subscribed(await signedIn(t, one, 'alice'), channel, { joinLeave: true });
    const [joins, leaves] = ['join', 'leave'].map((event) => new EventRecorder(alice, event, ({ info }) => info.user));
    const bob = await signedIn(t, two, 'bob');
    await subscribed(bob, channel);
    assert.deepEqual((await joins.until((all) => all.includes('bob'))).filter((user) => user === 'bob'), ['bob']);
    const { clients } = await alice.presence();
    assert.deepEqual(Object.values(clients).map(({ user }) => user).sort(), ['alice', 'bob']);
    assert.deepEqual(await alice.presenceStats(), { numClients: 2, numUsers: 2 });
    bob.disconnect();
    assert.deepEqual(await leaves.count(1), ['bob']);
});

test('commands of services reach connections on every node', async (t) => {
    const [one, two] = await cluster(t, 'one', 'two');
    const [alice, channel] = [unique('alice-'), unique('news:')];
    const it = await signedIn(t, two, alice);
    const id = it.context.client;

    const { connections } = await one.ask('GET', `/v1/users/${alice}/connections`);
    assert.deepEqual(connections.map((each) => each.id), [id]);
    assert.equal((await one.ask('GET', `/v1/connections/${id}`)).user, alice);

    const messages = new EventRecorder(it, 'message', ({ data }) => data);
    assert.deepEqual(await one.ask('POST', `/v1/connections/${id}/messages`, { data: { from: 'one' } }), { connections: 1 });
    assert.deepEqual(await messages.count(1), [{ from: 'one' }]);

    const joined = next(it, 'subscribed', (context) => context.channel === channel);
    const path = `/v1/users/${alice}/subscriptions/${encodeURIComponent(channel)}`;
    assert.deepEqual(await one.ask('PUT', path, {}), { connections: 1 });
    await joined;
    const left = next(it, 'unsubscribed', (context) => context.channel === channel);
    assert.deepEqual(await one.ask('DELETE', path), { connections: 1 });
    await left;

    const gone = next(it, 'disconnected');
    assert.deepEqual(await one.ask('DELETE', `/v1/connections/${id}?code=4500&reason=enough`), { connections: 1 });
    const { code, reason } = await gone;
    assert.deepEqual([code, reason], [4500, 'enough']);
    await eventually(async () => (await one.rest('GET', `/v1/connections/${id}`)).status === 410, 'the connection to be gone');
});

// NL-7.8
test('requests fail with the name of a killed node until its lease ends, and then succeed without it', async (t) => {
    const [one, two] = await cluster(t, 'one', 'two');
    await two.kill();
    const { status, body } = await one.rest('GET', '/v1/users/alice/connections');
    assert.equal(status, 503);
    assert.match(body.detail, /two/);
    await eventually(async () => (await one.ask('GET', '/v1/nodes')).nodes.length === 1, 'the lease of the other node to end');
    assert.deepEqual(await one.ask('GET', '/v1/users/alice/connections'), { connections: [] });
});

test('a node that stops leaves the cluster immediately', async (t) => {
    const [one, two] = await cluster(t, 'one', 'two');
    await two.stop();
    assert.deepEqual(await one.ask('GET', '/v1/users/alice/connections'), { connections: [] });
});

test('subscribers on other nodes get a leave for each connection of a dead node', async (t) => {
    const [one, two] = await cluster(t, 'one', 'two');
    const channel = unique('chat:');
    const alice = await subscribed(await signedIn(t, one, 'alice'), channel, { joinLeave: true });
    const leaves = new EventRecorder(alice, 'leave', ({ info }) => info.user);
    const others = await Promise.all(['bob', 'carol'].map((user) => signedIn(t, two, user)));
    for (const other of others) await subscribed(other, channel);
    assert.equal((await alice.presenceStats()).numClients, 3);
    await two.kill();
    for (const other of others) other.disconnect();
    assert.deepEqual((await leaves.count(2)).sort(), ['bob', 'carol']);
    assert.deepEqual(await alice.presenceStats(), { numClients: 1, numUsers: 1 });
});

test('a node that counted as dead publishes the joins of its connections again', async (t) => {
    const [one, two] = await cluster(t, 'one', 'two');
    const channel = unique('chat:');
    const alice = await subscribed(await signedIn(t, one, 'alice'), channel, { joinLeave: true });
    const [joins, leaves] = ['join', 'leave'].map((event) => new EventRecorder(alice, event, ({ info }) => info.user));
    const times = (all) => all.filter((user) => user === 'bob').length;
    await subscribed(await signedIn(t, two, 'bob'), channel);
    await joins.until((all) => times(all) === 1);
    two.freeze();
    await leaves.until((all) => all.includes('bob'));
    two.thaw();
    await joins.until((all) => times(all) === 2);
    const { clients } = await alice.presence();
    assert.deepEqual(Object.values(clients).map(({ user }) => user).sort(), ['alice', 'bob']);
});

test('a permanent disconnect of a user also reaches a node that counted as dead at that time', async (t) => {
    const [one, two] = await cluster(t, 'one', 'two');
    const [alice, bob] = await Promise.all(['alice', 'bob'].map((user) => signedIn(t, two, user)));
    const [gone, stays] = [next(alice, 'disconnected'), new EventRecorder(bob, 'connecting')];
    two.freeze();
    await eventually(async () => (await one.ask('GET', '/v1/nodes')).nodes.length === 1, 'the lease of the other node to end');
    assert.deepEqual(await one.ask('DELETE', '/v1/users/alice/connections?code=4500&reason=enough'), { connections: 0 });
    two.thaw();
    const { code, reason } = await gone;
    assert.deepEqual([code, reason], [4500, 'enough']);
    assert.deepEqual(stays.all, []);
});

const ENDS = ['connected', 'disconnected'];
const usersOf = (events) => events.map(({ user }) => user).sort();

test('services get each disconnect of a dead node once, through another node', async (t) => {
    const [one, two] = await cluster(t, 'one', 'two');
    const early = await signedIn(t, two, 'early');
    const [here, there] = await Promise.all([one, two].map((node) => Service.start(t, node, 'watcher', { events: ENDS })));
    const users = ['alice', 'bob', 'carol'];
    const others = await Promise.all(users.map((user) => signedIn(t, two, user)));
    const came = await there.events('connected', (all) => all.length === users.length);
    assert.deepEqual(usersOf(came), users);
    others[0].disconnect();
    const [left] = await there.events('disconnected', (all) => all.length === 1);
    assert.equal(left.user, 'alice');
    const stays = await signedIn(t, one, 'dave');
    await two.kill();
    for (const other of [early, ...others]) other.disconnect();
    const ended = await here.events('disconnected', (all) => all.length >= 3);
    assert.deepEqual(usersOf(ended), ['bob', 'carol', 'early'], 'also users who connected before the service');
    const lifetimeOf = ({ id }) => id.slice(0, id.lastIndexOf('/'));
    const known = came.filter(({ user }) => user !== 'alice').map(lifetimeOf);
    const ends = ended.filter(({ user }) => user !== 'early').map(lifetimeOf);
    assert.deepEqual(ends.sort(), known.sort(), 'the ids of the two events of a connection belong together');
    await eventually(async () => (await one.metric('switchboard_service_lifecycle_events_total')) === 4, 'exactly four lifecycle events');
    stays.disconnect();
    const all = await here.events('disconnected', (found) => found.some(({ user }) => user === 'dave'));
    assert.equal(new Set(all.map(({ id }) => id)).size, 4, 'each disconnect once');
});

test('the disconnects of a dead node wait until a service has credit for them', async (t) => {
    const [one, two] = await cluster(t, 'one', 'two');
    const there = await Service.start(t, two, 'watcher', { events: ENDS });
    const others = await Promise.all(['alice', 'bob', 'carol'].map((user) => signedIn(t, two, user)));
    await there.events('connected', (all) => all.length === 3);
    await two.kill();
    for (const other of others) other.disconnect();
    await eventually(async () => (await one.ask('GET', '/v1/nodes')).nodes.length === 1, 'the lease of the other node to end');
    // Lifecycle events may use only half of the credit.
    const here = await Service.start(t, one, 'watcher', { events: ENDS, credit: 4 });
    await here.events('disconnected', (all) => all.length === 2);
    here.send({ credit: { n: 2 } });
    const ended = await here.events('disconnected', (all) => all.length >= 3);
    assert.deepEqual(usersOf(ended), ['alice', 'bob', 'carol']);
    assert.equal(new Set(ended.map(({ id }) => id)).size, 3);
});

test('a node that counted as dead reports its connections again, with new event ids', async (t) => {
    const [one, two] = await cluster(t, 'one', 'two');
    const [here, there] = await Promise.all([one, two].map((node) => Service.start(t, node, 'watcher', { events: ENDS })));
    const bob = await signedIn(t, two, 'bob');
    const [first] = await there.events('connected', (all) => all.length === 1);
    two.freeze();
    const [ended] = await here.events('disconnected', (all) => all.length === 1);
    assert.equal(ended.id, first.id.replace(/connected$/, 'disconnected'));
    two.thaw();
    const again = (await there.events('connected', (all) => all.length === 2))[1];
    assert.equal(again.connection, first.connection);
    assert.notEqual(again.id, first.id);
    bob.disconnect();
    const [last] = await there.events('disconnected', (all) => all.length === 1);
    assert.equal(last.id, again.id.replace(/connected$/, 'disconnected'));
});

test('after an outage of Redis, open connections are reported again, and none as disconnected', async (t) => {
    const redis = await OwnRedis.start(t);
    const nodes = await startNodes(t, redis, 'one', 'two');
    const events = [...ENDS, 'subscribed'];
    const services = await Promise.all(nodes.map((node) => Service.start(t, node, 'watcher', { events })));
    const first = [];
    for (const [at, node] of nodes.entries()) {
        await signedIn(t, node, 'alice');
        first.push(...(await services[at].events('connected', (all) => all.length === 1)));
        await services[at].events('subscribed', (all) => all.length === 1);
    }
    await redis.stop();
    // Longer than a lease.
    await setTimeout(2500);
    await redis.resume();
    for (const [at, service] of services.entries()) {
        const again = (await service.events('connected', (all) => all.length === 2))[1];
        assert.deepEqual([again.connection, again.id === first[at].id], [first[at].connection, false]);
        const personal = await service.events('subscribed', (all) => all.length === 2);
        assert.deepEqual(personal.map(({ data }) => data.channel), ['#alice', '#alice']);
    }
    await eventually(() => redis.answers('HLEN switchboard:{nodes}', ':2'), 'Redis to have only the current entry of each node');
    for (const { frames } of services) assert.deepEqual(frames.filter(({ event }) => event?.kind === 'disconnected'), []);
});

test('when Redis restarts with its data, no client loses a publication or its connection', async (t) => {
    const redis = await OwnRedis.start(t);
    const [one, two] = await startNodes(t, redis, 'one', 'two');
    const channel = unique('news:');
    const data = ({ data }) => data;
    const alice = await signedIn(t, one, 'alice', { channels: [channel] });
    const here = { on: (name, listener) => alice.on(name, (context) => context.channel === channel && listener(context)) };
    const [pushed, placed] = [new EventRecorder(here, 'publication', data), new EventRecorder(here, 'subscribed')];
    const bob = await signedIn(t, two, 'bob');
    const room = await subscribed(bob, channel);
    const [received, again] = [new EventRecorder(room, 'publication', data), new EventRecorder(room, 'subscribed')];
    const cut = [alice, bob].map((it) => new EventRecorder(it, 'connecting'));
    const { epoch } = (await one.publish(channel, 1, 2))[1];
    await received.count(2);

    await redis.restart();
    for (const node of [one, two]) await eventually(async () => (await node.rest('GET', '/readyz')).status === 200, 'the node to be ready');
    const third = (await two.publish(channel, 3))[0];
    assert.notEqual(third.epoch, epoch, 'a new epoch');
    assert.deepEqual(await pushed.count(3), [1, 2, 3]);
    assert.deepEqual(await received.count(3), [1, 2, 3]);
    assert.deepEqual(placed.all.map(({ streamPosition }) => streamPosition), [{ epoch: third.epoch, offset: 2 }]);
    assert.deepEqual(again.all.map(({ wasRecovering, recovered }) => [wasRecovering, recovered]), [[true, true]]);
    assert.equal(await two.metric('switchboard_recoveries_from_memory_total'), 1);
    assert.deepEqual(cut.map((each) => each.all), [[], []]);

    for (const [node, it] of [[one, alice], [two, bob]]) {
        const back = next(it, 'connected');
        await node.ask('DELETE', `/v1/connections/${it.context.client}?code=3011&reason=again`);
        await back;
    }
    await one.publish(channel, 4);
    assert.deepEqual(await pushed.count(4), [1, 2, 3, 4]);
    assert.deepEqual(await received.count(4), [1, 2, 3, 4]);
    for (const each of [placed, again]) assert.deepEqual([each.all.at(-1).wasRecovering, each.all.at(-1).recovered], [true, true]);
});

test('nodes share several Redis servers, and an outage of one server affects only its channels', async (t) => {
    const servers = await Promise.all(['a', 'b', 'c'].map(() => OwnRedis.start(t)));
    const list = (names) => names.map((name) => `${name}=${servers['abc'.indexOf(name)].url}`).join(' ');
    const nodes = await startNodes(t, { url: list(['a', 'b', 'c']) }, 'one', 'two');
    const channels = Array.from({ length: 24 }, () => unique('news:'));
    const alice = await signedIn(t, nodes[1], 'alice');
    const cut = new EventRecorder(alice, 'connecting');
    const received = new Map();
    for (const channel of channels) received.set(channel, new EventRecorder(await subscribed(alice, channel), 'publication', ({ data }) => data));
    const path = (channel) => `/v1/channels/${encodeURIComponent(channel)}/publications`;
    const publish = (data) => Promise.all(channels.map((channel, n) => nodes[n % 2].rest('POST', path(channel), { data })));
    assert.ok((await publish(1)).every(({ status }) => status === 200));
    for (const channel of channels) assert.deepEqual(await received.get(channel).count(1), [1]);

    await servers[1].stop();
    const ready = (node) => node.rest('GET', '/readyz');
    for (const node of nodes) {
        const { status, body } = await eventually(async () => {
            const answer = await ready(node);
            return answer.body.reasons && answer;
        }, 'the node to name the unavailable server');
        assert.deepEqual([status, body.ready, body.reasons.length], [200, true, 1]);
        assert.match(body.reasons[0], /redis\.sock/);
        assert.equal(await node.metric('switchboard_redis_masters{state="unavailable"}'), 1);
    }
    const statuses = (await publish(2)).map(({ status }) => status);
    const here = channels.filter((_, n) => statuses[n] === 200);
    assert.ok(here.length > 6 && here.length < 24 && statuses.every((status) => [200, 503, 504].includes(status)), String(statuses));
    for (const channel of here) assert.deepEqual(await received.get(channel).count(2), [1, 2]);

    await servers[1].resume();
    const hasNoReasons = async (node) => (await ready(node)).body.reasons === undefined;
    for (const node of nodes) await eventually(() => hasNoReasons(node), 'the node to report no unavailable server');
    assert.ok((await publish(3)).every(({ status }) => status === 200));
    for (const channel of channels) assert.equal((await received.get(channel).until((all) => all.includes(3))).at(-1), 3);
    assert.deepEqual(cut.all, [], 'connections stay');

    const other = await ownGateway(t, redisSettings(list(['a', 'c']), 'other'));
    const { status, body } = await ready(other);
    assert.equal(status, 503);
    const reason = async () => (await ready(other)).body.reasons?.find((reason) => reason.includes('redis.url'));
    const reported = () => eventually(reason, 'the reason that names redis.url');
    assert.match(await reported(), /for server a of a, c, other nodes take it for server a of a, b, c/, JSON.stringify(body));
});
