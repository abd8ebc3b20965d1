// The JSON build and the Protobuf build of the SDK do the same.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import WebSocket from 'ws';
import { BUILDS } from './support/builds.mjs';
import { subscribed, unique } from './support/client.mjs';
import { ownGateway, stack } from './support/gateway.mjs';
import { Proxy } from './support/proxy.mjs';
import { Service } from './support/service.mjs';
import { inSeconds, token } from './support/token.mjs';
import { ONLY_WEBSOCKET, over } from './support/transports.mjs';
import { eventually, EventRecorder, next, within } from './support/wait.mjs';

const { client, test, transport } = over(import.meta.url);
const gateway = await stack();

const range = (from, to) => Array.from({ length: to - from + 1 }, (_, index) => from + index);

/** The transports that the Protobuf build of the SDK has. */
const ONLY_PROTOBUF = { over: ['websocket', 'http_stream'] };

const builds = Object.entries(BUILDS).filter(([name]) => name === 'JSON' || ONLY_PROTOBUF.over.includes(transport));

/** A namespace whose publications carry anything. */
const ANY_DATA = `
tokens.anonymous = true
[namespaces.any]
data = "any"
delta = "fossil"
history_size = 100
subscribe = "anyone"
publish = "subscriber"
see_history = "subscriber"
`;

/** What a publication carries, by its tags: JSON, a text, or the numbers of bytes. Bytes in JSON are base64, and the tag `encoding` says it. */
function contentOf({ data, tags }, read) {
    const { encoding, ...others } = tags ?? {};
    const type = others['content-type'];
    if (encoding !== undefined) {
        assert.deepEqual([typeof data, encoding], ['string', 'base64']);
        return { data: [...Buffer.from(data, 'base64')], tags: others };
    }
    if (type === undefined) return { data: read(data), tags: others };
    if (type === 'text/plain') return { data: typeof data === 'string' ? data : new TextDecoder().decode(data), tags: others };
    assert.ok(data instanceof Uint8Array);
    return { data: [...data], tags: others };
}

for (const [name, { Build, write, read }] of builds) {
    const content = (publication) => contentOf(publication, read);
    const inBuild = (what, run) => test(`${name}: ${what}`, run);

    async function connected(t, target, options = {}) {
        const it = client(t, target, options, Build);
        const answered = next(it, 'connected');
        it.connect();
        it.context = await answered;
        return it;
    }

    inBuild('publish, publication with tags, and history', async (t) => {
        const [it, channel] = [await connected(t, gateway), unique('recover:')];
        const subscription = await subscribed(it, channel);
        const got = new EventRecorder(subscription, 'publication');
        await subscription.publish(write({ text: 'ünï "x"' }));
        await gateway.ask('POST', `/v1/channels/${channel}/publications`, { data: [1], tags: { kind: 'a', empty: '' } });
        const [first, second] = await got.count(2);
        assert.deepEqual([read(first.data), first.offset, first.channel], [{ text: 'ünï "x"' }, 1, channel]);
        assert.deepEqual([read(second.data), second.offset, second.tags], [[1], 2, { kind: 'a', empty: '' }]);
        const page = await subscription.history({ limit: 10, reverse: true });
        assert.deepEqual(page.publications.map(({ data, offset }) => [read(data), offset]), [[[1], 2], [{ text: 'ünï "x"' }, 1]]);
        assert.equal(page.offset, 2);
    });

    for (const [how, options] of Object.entries({ plain: {}, 'with deltas': { delta: 'fossil' } })) inBuild(`text and bytes, ${how}: live, in the history and after a reconnect`, async (t) => {
        const own = await ownGateway(t, ANY_DATA);
        const [proxy, channel, path] = [await Proxy.start(t, own), 'any:a', '/v1/channels/any:a/publications'];
        const it = await connected(t, own, { url: proxy.url });
        const subscription = await subscribed(it, channel, options);
        const got = new EventRecorder(subscription, 'publication', content);
        const publish = (body) => own.ask('POST', path, body);
        await publish({ text: 'ünï "x"\n' });
        await publish({ data_base64: '/wAB', tags: { 'content-type': 'image/png', a: 'b' } });
        await publish({ data: { a: 1 } });
        const [text, bytes, json] = [
            { data: 'ünï "x"\n', tags: { 'content-type': 'text/plain' } },
            { data: [255, 0, 1], tags: { 'content-type': 'image/png', a: 'b' } },
            { data: { a: 1 }, tags: {} },
        ];
        assert.deepEqual(await got.count(3), [text, bytes, json]);
        const { publications } = await subscription.history({ limit: 10 });
        assert.deepEqual(publications.map(content), [text, bytes, json]);
        const down = next(it, 'connecting');
        proxy.cut();
        await down;
        await publish({ data_base64: '/wAB', tags: { 'content-type': 'image/png', a: 'b' } });
        await publish({ text: 'ünï "x"\n' });
        proxy.restore();
        assert.deepEqual(await got.count(5), [text, bytes, json, bytes, text]);
    });

    inBuild('presence, joins and leaves, with the data of tokens', async (t) => {
        const [alice, channel] = [unique('alice-'), unique('chat:')];
        const it = await connected(t, gateway, { token: token({ sub: alice, info: { name: 'Alice' } }) });
        const subscription = await subscribed(it, channel, { joinLeave: true });
        const [joins, leaves] = [new EventRecorder(subscription, 'join'), new EventRecorder(subscription, 'leave')];
        const other = await connected(t, gateway, { token: token({ sub: 'bob' }) });
        const theirs = await subscribed(other, channel);
        await joins.until((all) => all.some(({ info }) => info.user === 'bob'));
        const { clients } = await subscription.presence();
        const own = clients.get?.(it.context.client) ?? clients[it.context.client];
        assert.deepEqual([own.user, read(own.connInfo)], [alice, { name: 'Alice' }]);
        const { numClients, numUsers } = await subscription.presenceStats();
        assert.deepEqual([numClients, numUsers], [2, 2]);
        theirs.unsubscribe();
        const [{ info }] = await leaves.count(1);
        assert.equal(info.user, 'bob');
    });

    inBuild('getState runs again after an unrecoverable position, and the subscription continues from its answer', async (t) => {
        const own = await ownGateway(t, 'tokens.anonymous = true\n[namespaces.state]\nhistory_size = 10\nsubscribe = "anyone"\n');
        const [proxy, channel, loads] = [await Proxy.start(t, own), unique('state:'), []];
        const it = await connected(t, own, { url: proxy.url });
        const getState = async () => {
            const { epoch, offset } = await own.ask('GET', `/v1/channels/${channel}/publications?limit=1`);
            loads.push(offset);
            return { epoch, offset };
        };
        const subscription = await subscribed(it, channel, { getState, positioned: true, recoverable: true });
        const got = new EventRecorder(subscription, 'publication', ({ data }) => read(data));
        await own.publish(channel, 1);
        await got.count(1);
        const [down, again] = [next(it, 'connecting'), next(subscription, 'subscribed')];
        proxy.cut();
        await down;
        await own.publish(channel, ...range(2, 21));
        proxy.restore();
        const { recovered, streamPosition } = await again;
        assert.deepEqual([recovered, streamPosition.offset, loads], [true, 21, [0, 21]]);
        await own.publish(channel, 'end');
        assert.deepEqual(await got.until((all) => all.at(-1) === 'end'), [1, 'end']);
    });

    inBuild('calls, their errors, and messages of services', async (t) => {
        const own = await ownGateway(t, 'tokens.anonymous = true\nservices.echo.reach = "link"\n');
        const answer = ({ id, method, data }) => (method === 'fail' ? { error: { id, code: 900, message: 'no' } } : { reply: { id, data } });
        await Service.start(t, own, 'echo', { answer });
        const it = await connected(t, own);
        assert.deepEqual(read((await it.rpc('echo.say', write({ a: 1 }))).data), { a: 1 });
        await assert.rejects(it.rpc('echo.fail', write(null)), { code: 900, message: 'no' });
        await assert.rejects(it.rpc('nobody.say', write(null)));
    });

    inBuild('tokens of connections and subscriptions are refreshed', async (t) => {
        const own = await ownGateway(t, 'tokens.leeway = "0s"\nnamespaces.private.subscribe = "token"\n');
        const [alice, channel] = [unique('alice-'), 'private:a'];
        let [connections, subscriptions] = [0, 0];
        const getToken = async () => ((connections += 1), token({ sub: alice, exp: inSeconds(connections > 1 ? 100 : 2) }));
        const it = await connected(t, own, { getToken });
        const getSubscriptionToken = async () => ((subscriptions += 1), token({ sub: alice, channel, exp: inSeconds(subscriptions > 1 ? 100 : 2) }));
        const subscription = await subscribed(it, channel, { getToken: getSubscriptionToken });
        await eventually(() => connections > 1 && subscriptions > 1, 'both refreshes');
        assert.deepEqual([it.state, subscription.state], ['connected', 'subscribed']);
    });

    for (const missed of [3, 700]) {
        inBuild(`a cut connection recovers ${missed} publications, once and in order`, async (t) => {
            const [proxy, channel] = [await Proxy.start(t, gateway), unique('recover:')];
            const it = await connected(t, gateway, { url: proxy.url });
            const subscription = await subscribed(it, channel);
            const got = new EventRecorder(subscription, 'publication', ({ data, offset }) => [read(data), offset]);
            await gateway.publish(channel, 1, 2);
            await got.count(2);
            const down = next(it, 'connecting');
            proxy.cut();
            await down;
            await gateway.publish(channel, ...range(3, 2 + missed));
            const again = next(subscription, 'subscribed');
            proxy.restore();
            const { wasRecovering, recovered } = await again;
            assert.deepEqual([wasRecovering, recovered], [true, true]);
            await gateway.publish(channel, 'end');
            const all = await got.until((all) => all.at(-1)[0] === 'end');
            assert.deepEqual(all.map(([data]) => data), [...range(1, 2 + missed), 'end']);
            assert.deepEqual(all.map(([, offset]) => offset), range(1, 3 + missed));
        });
    }

    inBuild('deltas: each document arrives whole, most as a change of the one before, also after a recovery', async (t) => {
        const [proxy, channel] = [await Proxy.start(t, gateway), unique('recover:')];
        const it = await connected(t, gateway, { url: proxy.url });
        const subscription = await subscribed(it, channel, { delta: 'fossil' });
        const got = new EventRecorder(subscription, 'publication', ({ data }) => read(data));
        const document = (version) => ({ title: 'München', version, text: 'lorem ipsum '.repeat(100) });
        await gateway.publish(channel, document(1), document(2), 'short');
        await gateway.ask('POST', `/v1/channels/${channel}/publications`, { data: document(3), ephemeral: true });
        await gateway.publish(channel, document(4));
        await got.count(5);
        const down = next(it, 'connecting');
        proxy.cut();
        await down;
        await gateway.publish(channel, ...range(5, 400).map(document));
        proxy.restore();
        await got.count(401);
        await gateway.publish(channel, document(401));
        const all = await got.count(402);
        assert.deepEqual(all, [document(1), document(2), 'short', ...range(3, 401).map(document)]);
        const { numPublications, numDeltaPayloads, compressionRatio } = subscription.deltaStats();
        assert.equal(numPublications, 402);
        assert.ok(numDeltaPayloads > 380 && compressionRatio > 0.8, `${numDeltaPayloads} deltas, ${compressionRatio}`);
    });

    inBuild('a filter by tags passes live, missed and recovered publications', async (t) => {
        const [proxy, channel] = [await Proxy.start(t, gateway), unique('recover:')];
        const publish = (number) => gateway.ask('POST', `/v1/channels/${channel}/publications`, { data: number, tags: { number: `${number}` } });
        const it = await connected(t, gateway, { url: proxy.url });
        const tagsFilter = { op: 'and', nodes: [{ key: 'number', cmp: 'gte', val: '2' }, { op: 'not', nodes: [{ key: 'number', cmp: 'in', vals: ['4', '6'] }] }] };
        const subscription = await subscribed(it, channel, { tagsFilter });
        const got = new EventRecorder(subscription, 'publication', ({ data }) => read(data));
        for (const number of range(1, 5)) await publish(number);
        await got.count(3);
        const down = next(it, 'connecting');
        proxy.cut();
        await down;
        for (const number of range(6, 8)) await publish(number);
        const again = next(subscription, 'subscribed');
        proxy.restore();
        assert.equal((await again).recovered, true);
        await publish(9);
        assert.deepEqual(await got.count(6), [2, 3, 5, 7, 8, 9]);
    });

    inBuild('a filter that is not valid, or not allowed, is refused', async (t) => {
        const it = await connected(t, gateway);
        for (const [channel, tagsFilter] of [['recover:a', { key: 'a', cmp: 'like', val: 'x' }], ['chat:a', { key: 'a', cmp: 'ex' }]]) {
            const subscription = it.newSubscription(channel, { tagsFilter });
            const refused = next(subscription, 'unsubscribed');
            subscription.subscribe();
            assert.equal((await refused).code, 107);
        }
    });

    inBuild('deltas are not used where the namespace does not allow them', async (t) => {
        const [it, channel] = [await connected(t, gateway), unique('chat:')];
        const subscription = await subscribed(it, channel, { delta: 'fossil' });
        const got = new EventRecorder(subscription, 'publication', ({ data }) => read(data));
        await gateway.publish(channel, 'one', 'two');
        assert.deepEqual(await got.count(2), ['one', 'two']);
    });

    inBuild('server-side subscriptions, their ends, and a disconnect', async (t) => {
        const [alice, channel] = [unique('alice-'), unique('news:')];
        const it = await connected(t, gateway, { token: token({ sub: alice, channels: [channel] }) });
        const got = new EventRecorder(it, 'publication', ({ channel, data }) => [channel, read(data)]);
        await gateway.publish(channel, 1);
        await gateway.publish(`#${alice}`, 2);
        assert.deepEqual((await got.count(2)).sort(), [[`#${alice}`, 2], [channel, 1]].sort());
        const added = next(it, 'subscribed');
        await gateway.ask('PUT', `/v1/users/${alice}/subscriptions/news:more`, {});
        assert.equal((await added).channel, 'news:more');
        const ended = next(it, 'unsubscribed');
        await gateway.ask('DELETE', `/v1/users/${alice}/subscriptions/news:more`);
        assert.equal((await ended).channel, 'news:more');
        const end = next(it, 'disconnected');
        await gateway.ask('DELETE', `/v1/users/${alice}/connections?code=4500&reason=bye`);
        assert.deepEqual(await end, { code: 4500, reason: 'bye' });
    });
}

test('Protobuf: data that is not JSON is refused, and the connection stays', ONLY_PROTOBUF, async (t) => {
    const it = client(t, gateway, {}, BUILDS.Protobuf.Build);
    const answered = next(it, 'connected');
    it.connect();
    await answered;
    const subscription = await subscribed(it, unique('open:'));
    for (const bytes of [[0xff, 0xfe], [0x7b], []]) {
        await assert.rejects(subscription.publish(new Uint8Array(bytes)), { code: 107 }, String(bytes));
    }
    await subscription.publish(new TextEncoder().encode('[]'));
});

test('Protobuf: where any data is allowed, what is published is JSON, else text, else bytes', ONLY_PROTOBUF, async (t) => {
    const own = await ownGateway(t, ANY_DATA);
    const it = client(t, own, {}, BUILDS.Protobuf.Build);
    it.connect();
    const subscription = await subscribed(it, 'any:a');
    const published = [new TextEncoder().encode('[1, 2]'), new TextEncoder().encode('ünï'), new Uint8Array([255, 0])];
    for (const bytes of published) await subscription.publish(bytes);
    const page = await own.ask('GET', '/v1/channels/any:a/publications');
    assert.deepEqual(
        page.publications.map(({ data, text, data_base64, tags }) => ({ data, text, data_base64, tags })),
        [
            { data: [1, 2], text: undefined, data_base64: undefined, tags: undefined },
            { data: undefined, text: 'ünï', data_base64: undefined, tags: { 'content-type': 'text/plain' } },
            { data: undefined, text: undefined, data_base64: '/wA=', tags: { 'content-type': 'application/octet-stream' } },
        ],
    );
    await assert.rejects(subscription.publish(new Uint8Array()), { code: 107 });
});

test('the subprotocol or the query chooses the encoding', ONLY_WEBSOCKET, async (t) => {
    for (const [query, protocols, isBinary] of [
        ['', [], false],
        ['', ['centrifuge-json'], false],
        ['', ['centrifuge-protobuf'], true],
        ['', ['centrifuge-protobuf', 'centrifuge-json'], false],
        ['?format=protobuf', [], true],
        ['?cf_protocol_version=v2&cf_protocol=protobuf', [], true],
        ['?format=protobuf', ['centrifuge-json'], false],
    ]) {
        const socket = new WebSocket(`${gateway.websocket}${query}`, protocols);
        t.after(() => socket.terminate());
        await within(once(socket, 'open'), 'the upgrade');
        // A connect command with the id 1.
        socket.send(isBinary ? Buffer.from([4, 8, 1, 34, 0]) : '{"id":1,"connect":{}}');
        const [, answeredInBinary] = await within(once(socket, 'message'), `the answer: ${query} ${protocols}`);
        assert.equal(answeredInBinary, isBinary, `${query} ${protocols}`);
    }
});
