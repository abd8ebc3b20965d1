// Every command of the protocol, through the official SDK.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import WebSocket from 'ws';
import { subscribed, unique } from './support/client.mjs';
import { ownGateway, stack } from './support/gateway.mjs';
import { Service } from './support/service.mjs';
import { ONLY_WEBSOCKET, over } from './support/transports.mjs';
import { EventRecorder, eventually, next } from './support/wait.mjs';

const { Raw, client, connected, signedIn, test } = over(import.meta.url);
const gateway = await stack();

test('the reply to connect has the connection id that services see', async (t) => {
    const alice = unique('alice-');
    const { context } = await signedIn(t, gateway, alice);
    assert.match(context.client, /^[0-9a-f]{32}$/);
    const { connections } = await gateway.ask('GET', `/v1/users/${alice}/connections`);
    assert.deepEqual(connections.map((it) => it.id), [context.client]);
    assert.deepEqual(connections[0].channels, [`#${alice}`]);
});

test('the answer to the upgrade has the connection id', ONLY_WEBSOCKET, async (t) => {
    const raw = await Raw.connect(t, gateway);
    assert.equal(raw.headers['x-connection-id'], raw.connection.client);
    assert.notEqual((await Raw.connect(t, gateway)).headers['x-connection-id'], raw.connection.client);
});

test('the reply to connect has the session and the time', ONLY_WEBSOCKET, async (t) => {
    const before = Date.now();
    const { connection } = await Raw.connect(t, gateway);
    assert.equal(connection.session, connection.client);
    // Both clocks are those of this machine. The gateway rounds down to milliseconds.
    assert.ok(connection.time >= before - 1 && connection.time <= Date.now() + 1, `${connection.time} after ${before}`);
});

test('disconnect ends the connection', async (t) => {
    const alice = unique('alice-');
    const it = await signedIn(t, gateway, alice);
    const gone = next(it, 'disconnected');
    it.disconnect();
    assert.equal((await gone).code, 0);
    const isGone = async () => (await gateway.rest('GET', `/v1/connections/${it.context.client}`)).status === 410;
    await eventually(isGone, 'the gateway to notice');
});

test('subscribers get the publications of other clients until they unsubscribe', async (t) => {
    const channel = unique('open:');
    const [ann, bob] = [await signedIn(t, gateway, 'ann'), await signedIn(t, gateway, 'bob')];
    const [hers, his] = [await subscribed(ann, channel), await subscribed(bob, channel)];
    const [got, echoed] = [new EventRecorder(hers, 'publication'), new EventRecorder(his, 'publication')];

    assert.deepEqual(await his.publish({ text: 'hello', nested: [1, null, 'ä\n'] }), {});
    const [publication] = await got.count(1);
    assert.equal(publication.channel, channel);
    assert.deepEqual(publication.data, { text: 'hello', nested: [1, null, 'ä\n'] });
    assert.deepEqual([publication.info.user, publication.info.client], ['bob', bob.context.client]);
    await echoed.count(1);

    const left = next(hers, 'unsubscribed');
    hers.unsubscribe();
    assert.equal((await left).code, 0);
    await ann.ready();
    await ann.rpc('chatbot.typing', { channel: 'chat:sdk' });
    await his.publish('after');
    await echoed.count(2);
    assert.equal(got.all.length, 1);
});

test('a client may unsubscribe and subscribe again on the same connection', async (t) => {
    const channel = unique('open:');
    const it = await connected(t, gateway);
    const subscription = await subscribed(it, channel);
    const got = new EventRecorder(subscription, 'publication', (publication) => publication.data);
    for (let round = 0; round < 3; round += 1) {
        await subscription.publish(round);
        await got.count(round + 1);
        subscription.unsubscribe();
        const again = next(subscription, 'subscribed');
        subscription.subscribe();
        await again;
    }
    assert.deepEqual(got.all, [0, 1, 2]);
});

test('presence lists the subscribers, and joins and leaves announce each change', async (t) => {
    const channel = unique('chat:');
    const ann = await signedIn(t, gateway, 'ann', { info: { colour: 'red' } });
    const hers = await subscribed(ann, channel, { joinLeave: true });
    const [joins, leaves] = ['join', 'leave'].map((event) => new EventRecorder(hers, event, ({ info }) => info.user));

    const [bob, second] = [await signedIn(t, gateway, 'bob'), await signedIn(t, gateway, 'bob')];
    const [his] = [await subscribed(bob, channel), await subscribed(second, channel)];
    await joins.until((all) => all.filter((user) => user === 'bob').length === 2);

    const { clients } = await hers.presence();
    assert.deepEqual(Object.keys(clients).sort(), [ann, bob, second].map((it) => it.context.client).sort());
    assert.deepEqual(clients[ann.context.client].connInfo, { colour: 'red' });
    assert.deepEqual(await hers.presenceStats(), { numClients: 3, numUsers: 2 });

    his.unsubscribe();
    await leaves.count(1);
    second.disconnect();
    assert.deepEqual(await leaves.count(2), ['bob', 'bob']);
    assert.deepEqual(await hers.presenceStats(), { numClients: 1, numUsers: 1 });
});

test('history can be read from either end and from any position', async (t) => {
    const channel = unique('recover:');
    await gateway.publish(channel, 1, 2, 3, 4, 5);
    const subscription = await subscribed(await connected(t, gateway), channel);
    const read = async (options) => {
        const { publications, epoch, offset } = await subscription.history(options);
        return { data: publications.map((it) => it.data), offsets: publications.map((it) => it.offset), epoch, offset };
    };

    const top = await read({ limit: 0 });
    assert.deepEqual([top.data, top.offset], [[], 5]);
    const { epoch } = top;
    assert.deepEqual((await read({ limit: 2 })).data, [1, 2]);
    assert.deepEqual((await read({ limit: 100 })).offsets, [1, 2, 3, 4, 5]);
    assert.deepEqual((await read({ limit: 2, since: { epoch, offset: 2 } })).data, [3, 4]);
    assert.deepEqual((await read({ limit: 2, reverse: true })).data, [5, 4]);
    assert.deepEqual((await read({ limit: 100, reverse: true, since: { epoch, offset: 3 } })).data, [2, 1]);
    assert.deepEqual((await read({ limit: 100, since: { epoch, offset: 5 } })).data, []);
});

test('a publication requires data, in the protocol and in REST', async (t) => {
    const [raw, channel] = [await Raw.connect(t, gateway), unique('open:')];
    await raw.ask({ subscribe: { channel } });
    const { error } = await raw.ask({ publish: { channel } });
    assert.deepEqual([error.code, error.temporary], [107, undefined]);
    assert.match(error.message, /data/);
    const { status, body } = await gateway.rest('POST', `/v1/channels/${channel}/publications`, {});
    assert.equal(status, 400);
    assert.match(body.detail, /data/);
    assert.deepEqual((await raw.ask({ publish: { channel, data: null } })).publish, {});
    assert.equal((await raw.push('pub')).push.pub.data, null);
});

test('a call gets the answer of its service, and the service publishes', async (t) => {
    const channel = unique('chat:');
    const it = await signedIn(t, gateway, 'ann');
    const lines = new EventRecorder(await subscribed(it, channel), 'publication', (publication) => publication.data);
    const { data } = await it.rpc('chatbot.say', { channel, text: 'hi' });
    assert.match(data.message, /./);
    const line = (all) => all.find((each) => each.kind === 'message' && each.id === data.message);
    const { from, text } = line(await lines.until(line));
    assert.deepEqual({ from, text }, { from: 'ann', text: 'hi' });
    const answer = (all) => all.find((each) => each.kind === 'message' && each.from === 'bot');
    assert.ok(answer(await lines.until(answer, 'the bot to answer')).text.length > 0);
});

test('a line that is sent twice with its id is stored once', async (t) => {
    const channel = unique('chat:');
    const it = await signedIn(t, gateway, 'ann');
    const lines = new EventRecorder(await subscribed(it, channel), 'publication', (publication) => publication.data);
    const [line, other] = ['nice weather', 'good bye'].map((text) => ({ channel, text, id: randomUUID() }));
    for (const turn of [1, 2, 3]) {
        assert.deepEqual((await it.rpc('chatbot.say', line)).data, { message: line.id }, `call ${turn}`);
    }
    await assert.rejects(it.rpc('chatbot.say', { ...line, text: other.text }), { code: 409, temporary: false });
    await it.rpc('chatbot.say', other);
    const all = await lines.until((all) => all.some((each) => each.id === other.id));
    const [stored, ...more] = all.filter((each) => each.id === line.id);
    assert.deepEqual([stored.text, more], [line.text, []]);
    assert.equal(new Date(stored.at).toISOString(), stored.at);
});

test('the bot is silent between people, and answers its name and a single person', async (t) => {
    const [room, alone] = [unique('chat:'), unique('chat:')];
    const [ann, stranger, single] = [await signedIn(t, gateway, 'ann'), await connected(t, gateway), await connected(t, gateway)];
    const record = async (who, channel) => new EventRecorder(await subscribed(who, channel), 'publication', (publication) => publication.data);
    const [lines, answers] = [await record(ann, room), await record(single, alone)];
    await subscribed(stranger, room);
    const say = (who, channel, text) => who.rpc('chatbot.say', { channel, text });
    await say(stranger, room, 'nice weather');
    await say(ann, room, 'nice weather');
    await say(ann, room, 'is it, @bot?');
    const complete = (all) => all.some((each) => each.kind === 'message' && each.from === 'bot');
    const all = await lines.until(complete);
    assert.deepEqual(all.filter((each) => each.kind === 'stream').map((each) => each.for), ['ann']);
    await say(single, alone, 'nice weather');
    await answers.until(complete, 'an answer to a single person');
});

test('a long answer is stopped by its stream', async (t) => {
    const channel = unique('chat:');
    const [ann, bob] = [await signedIn(t, gateway, 'ann'), await signedIn(t, gateway, 'bob')];
    const lines = new EventRecorder(await subscribed(ann, channel), 'publication', (publication) => publication.data);
    await ann.rpc('chatbot.say', { channel, text: 'count to 50' });
    const announced = (all) => all.find((each) => each.kind === 'stream');
    const { id } = announced(await lines.until(announced));
    assert.deepEqual((await bob.rpc('chatbot.stop', { channel })).data, { stopped: [] });
    assert.deepEqual((await bob.rpc('chatbot.stop', { channel, stream: id })).data, { stopped: [id] });
    const complete = (all) => all.find((each) => each.stream === id);
    const { reason, by } = complete(await lines.until(complete));
    assert.deepEqual({ reason, by }, { reason: 'stopped', by: 'bob' });
});

test('a service refuses a call with its own code and message', async (t) => {
    const it = await signedIn(t, gateway, 'ann');
    await assert.rejects(it.rpc('chatbot.dance', {}), { code: 104, message: /say/, temporary: false });
    await assert.rejects(it.rpc('chatbot.say', { channel: 'chat:sdk' }), { code: 400, message: /text/ });
});

test('a sent event reaches its service once and has no answer', async (t) => {
    const own = await ownGateway(t, 'tokens.anonymous = true\n[services.audit]\nreach = "link"\n');
    const service = await Service.start(t, own, 'audit', { answer: ({ id }) => ({ reply: { id, data: 'done' } }) });
    const it = await signedIn(t, own, 'ann');
    await it.send({ service: 'audit', data: { seen: 7 } });
    const { event } = await service.frame((frame) => frame.event, 'the event');
    assert.deepEqual([event.data, event.user, event.connection], [{ seen: 7 }, 'ann', it.context.client]);
    assert.equal((await it.rpc('audit.flush', null)).data, 'done');
    assert.equal(service.frames.filter((frame) => frame.event).length, 1);
});

test('all commands that the SDK combines in one message are answered', ONLY_WEBSOCKET, async (t) => {
    const sent = [];
    class RecordingWebSocket extends WebSocket {
        send(data, ...rest) {
            sent.push(data.toString());
            super.send(data, ...rest);
        }
    }
    const it = client(t, gateway, { websocket: RecordingWebSocket });
    const answered = next(it, 'connected');
    it.connect();
    await answered;
    const channels = Array.from({ length: 20 }, () => unique('recover:'));
    const subscriptions = channels.map((channel) => it.newSubscription(channel));
    sent.length = 0;
    it.startBatching();
    const all = subscriptions.map((each) => next(each, 'subscribed'));
    for (const each of subscriptions) each.subscribe();
    it.stopBatching();
    await Promise.all(all);
    it.startBatching();
    const published = Promise.all(subscriptions.map((each, index) => each.publish(index)));
    it.stopBatching();
    await published;
    assert.deepEqual(sent.map((message) => message.split('\n').length), [20, 20]);
    for (const [index, each] of subscriptions.entries()) {
        assert.deepEqual((await each.history({ limit: 10 })).publications.map(({ data }) => data), [index]);
    }
});
