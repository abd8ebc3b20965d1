// Makes the gateway send every error that a frontend or a service can get. codes.json names the test of each code.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { client, connected, subscribed, unique } from './support/client.mjs';
import { ownGateway, stack } from './support/gateway.mjs';
import { Raw, refusedUpgrade } from './support/raw.mjs';
import { Service } from './support/service.mjs';
import { inSeconds, token } from './support/token.mjs';
import { EventRecorder, eventually, next } from './support/wait.mjs';

const gateway = await stack();

/** Subscribes to a channel. Resolves to the event with the refusal. */
async function refused(it, channel, options) {
    const subscription = it.newSubscription(channel, options);
    const ended = next(subscription, 'unsubscribed');
    subscription.subscribe();
    return ended;
}

function assertProblem(answer, status, code) {
    const problem = answer.body ?? answer;
    assert.deepEqual([answer.status, problem.code], [status, code], JSON.stringify(answer));
    assert.ok(problem.detail.length > 10);
    assert.equal(typeof problem.retryable, 'boolean');
}

test('101 unauthorized: a connect without the required token', async (t) => {
    const it = client(t, await ownGateway(t));
    const ended = next(it, 'disconnected');
    it.connect();
    assert.equal((await ended).code, 101);
});

test('102 unknown_channel: a namespace that is not configured', async (t) => {
    assert.equal((await refused(await connected(t, gateway), 'nowhere:x')).code, 102);
});

test('103 permission_denied: a publish that the namespace does not allow', async (t) => {
    const it = await connected(t, gateway);
    await assert.rejects(it.publish('chat:lobby', 'hello'), { code: 103, temporary: false });
});

test('104 not_found: a call of a method that the service does not have', async (t) => {
    await assert.rejects((await connected(t, gateway)).rpc('chatbot.dance', {}), { code: 104, temporary: false });
});

test('105 already_subscribed: a second subscribe', async (t) => {
    const [raw, channel] = [await Raw.connect(t, gateway), unique('open:')];
    assert.ok((await raw.ask({ subscribe: { channel } })).subscribe);
    assert.equal((await raw.ask({ subscribe: { channel } })).error.code, 105);
});

test('106 limit_exceeded: one subscription too many', async (t) => {
    const own = await ownGateway(t, 'tokens.anonymous = true\nconnection.max_subscriptions = 1\nnamespaces.open.subscribe = "anyone"\n');
    const it = await connected(t, own);
    await subscribed(it, 'open:a');
    assert.equal((await refused(it, 'open:b')).code, 106);
});

test('107 bad_request: an invalid channel name', async (t) => {
    assert.equal((await refused(await connected(t, gateway), 'open:a b')).code, 107);
});

test('108 not_available: the history of a channel without history', async (t) => {
    const own = await ownGateway(t, 'tokens.anonymous = true\nnamespaces.open.see_history = "anyone"\n');
    await assert.rejects((await connected(t, own)).history('open:a', { limit: 1 }), { code: 108 });
});

test('108 not_available: subscriptions to maps and shared polls', async (t) => {
    const it = await connected(t, gateway);
    const getSignature = async () => ({ signature: 's', keys: [] });
    for (const subscription of [it.newMapSubscription('open:map'), it.newSharedPollSubscription('open:poll', { getSignature })]) {
        subscription.on('error', () => {});
        const gone = next(subscription, 'unsubscribed');
        subscription.subscribe();
        assert.equal((await gone).code, 108, subscription.channel);
    }
});

test('108 no_service: a call of a service that is not configured, or without the name of a service', async (t) => {
    const it = await connected(t, gateway);
    for (const method of ['nobody.home', 'home', '']) {
        await assert.rejects(it.rpc(method, {}), { code: 108, temporary: false, message: /service/ }, method);
    }
    await assert.rejects(it.rpc('chat bot.say', {}), { code: 107 });
});

test('109 token_expired: a connect with an expired token', async (t) => {
    const it = client(t, gateway, { token: token({ sub: 'ann', exp: inSeconds(-86400) }) });
    const errors = new EventRecorder(it, 'error', ({ error }) => error.code);
    it.connect();
    assert.equal((await errors.count(1))[0], 109);
});

test('111 too_many_requests: more commands at once than connection.max_in_flight allows', async (t) => {
    const settings = 'tokens.anonymous = true\nconnection.max_in_flight = 1\nconnection.max_subscriptions = 1\nnamespaces.open.publish = "anyone"\n';
    const raw = await Raw.connect(t, await ownGateway(t, settings));
    const ids = raw.send(...Array.from({ length: 10 }, (_, n) => ({ publish: { channel: 'open:a', data: n } })));
    const replies = await Promise.all(ids.map((id) => raw.reply(id)));
    const refusals = replies.filter(({ error }) => error);
    assert.ok(refusals.length > 0 && refusals.length < 10, `${refusals.length} were refused`);
    for (const { error } of refusals) assert.deepEqual([error.code, error.temporary], [111, true]);
});

test('111 too_many_requests: more commands in a time than limits.connection allows, until the client slows down', async (t) => {
    const limits = 'connection.max_subscriptions = 1\nrecovery.page_entries = 1\nlimits.connection.commands_per_second = 10\nlimits.connection.commands_burst = 5\n';
    const it = await connected(t, await ownGateway(t, `tokens.anonymous = true\nnamespaces.open.publish = "anyone"\n${limits}`));
    const lost = new EventRecorder(it, 'connecting');
    const publishes = await Promise.allSettled(Array.from({ length: 12 }, (_, n) => it.publish('open:a', n)));
    const refusals = publishes.filter(({ status }) => status === 'rejected').map(({ reason }) => reason);
    assert.ok(refusals.length > 0 && refusals.length < 12, `${refusals.length} were refused`);
    for (const { code, temporary } of refusals) assert.deepEqual([code, temporary], [111, true]);
    await new Promise((resolve) => setTimeout(resolve, 1500));
    await it.publish('open:a', 'later');
    assert.deepEqual(lost.all, []);
});

test('112 unrecoverable_position: the history after a position of another timeline', async (t) => {
    const channel = unique('recover:');
    const subscription = await subscribed(await connected(t, gateway), channel);
    await assert.rejects(subscription.history({ limit: 10, since: { epoch: 'AAAAAAAA', offset: 1 } }), { code: 112 });
});

const services = 'tokens.anonymous = true\n[services.slow]\nreach = "link"\ncall_timeout = "100ms"\norder = "none"\n';

test('1000 unavailable: a call of a service without an instance', async (t) => {
    const it = await connected(t, await ownGateway(t, services));
    await assert.rejects(it.rpc('slow.down', {}), { code: 1000, temporary: true });
});

test('1001 timeout: a call that is not answered', async (t) => {
    const own = await ownGateway(t, services);
    const service = await Service.start(t, own, 'slow');
    const it = await connected(t, own);
    await assert.rejects(it.rpc('slow.down', {}), { code: 1001, temporary: false });
    const { call } = await service.frame((frame) => frame.call, 'the call');
    const { cancel } = await service.frame((frame) => frame.cancel, 'its cancellation');
    assert.equal(cancel.id, call.id);
});

test('1002 overloaded: a call when the instance has no credit left', async (t) => {
    const own = await ownGateway(t, services);
    await Service.start(t, own, 'slow', { credit: 1 });
    const it = await connected(t, own);
    const first = assert.rejects(it.rpc('slow.down', {}), { code: 1001 });
    await assert.rejects(it.rpc('slow.down', {}), { code: 1002, temporary: true });
    await first;
});

test('1004 bad_reply: a service answers with a code that is reserved for the gateway', async (t) => {
    const own = await ownGateway(t, services);
    await Service.start(t, own, 'slow', { answer: ({ id }) => ({ error: { id, code: 7, message: 'seven' } }) });
    await assert.rejects((await connected(t, own)).rpc('slow.down', {}), { code: 1004, temporary: false });
});

test('1006 payload_too_large: a body above the limit', async (t) => {
    const own = await ownGateway(t, 'internal.body_size = "1KiB"\nnamespaces.open.subscribe = "anyone"\n');
    assertProblem(await own.rest('POST', '/v1/channels/open:a/publications', { data: 'x'.repeat(2000) }), 413, 'payload_too_large');
});

test('1007 idempotency_mismatch: the same key with another body', async () => {
    const [path, key] = [`/v1/channels/${unique('news:')}/publications`, { 'idempotency-key': unique('key-') }];
    await gateway.ask('POST', path, { data: 1 }, key);
    assertProblem(await gateway.rest('POST', path, { data: 2 }, key), 422, 'idempotency_mismatch');
});

test('1009 connection_gone: a message to a connection that does not exist', async () => {
    assertProblem(await gateway.rest('POST', `/v1/connections/${'0'.repeat(32)}/messages`, { data: 1 }), 410, 'connection_gone');
});

test('1010 method_not_allowed: a method that the path does not support', async () => {
    assertProblem(await gateway.rest('PUT', '/v1/channels', {}), 405, 'method_not_allowed');
});

test('1011 upgrade_required: a link without an upgrade', async () => {
    assertProblem(await gateway.rest('GET', '/v1/services/chatbot/link'), 426, 'upgrade_required');
});

test('1012 origin_not_allowed: a page from another origin', async () => {
    assertProblem(await refusedUpgrade(gateway, { origin: 'https://elsewhere.example' }), 403, 'origin_not_allowed');
});

test('1013 connection_limit: one connection too many', async (t) => {
    const own = await ownGateway(t, 'tokens.anonymous = true\npublic.max_connections = 1\n');
    const raw = await Raw.connect(t, own);
    assertProblem(await refusedUpgrade(own), 503, 'connection_limit');
    raw.close();
    await raw.end();
    const admitted = () => Raw.connect(t, own).catch(() => undefined);
    await eventually(admitted, 'room for a new connection');
});

test('1014 draining: an upgrade while the node drains', async (t) => {
    const own = await ownGateway(t, 'tokens.anonymous = true\n');
    const raw = await Raw.connect(t, own);
    // A client that does not answer the close frame delays the end of the node until the deadline.
    raw.pause();
    own.drain();
    const reported = async () => {
        const answer = await refusedUpgrade(own).catch((error) => error);
        if (answer.code === 'ECONNREFUSED') throw answer;
        return answer.status === 503 && answer;
    };
    assertProblem(await eventually(reported, 'the refusal'), 503, 'draining');
});

test('1015 unsupported_media_type: a body whose content type is not JSON', async () => {
    const answer = await gateway.rest('POST', '/v1/channels/news:a/publications', { data: 1 }, { 'content-type': 'text/plain' });
    assertProblem(answer, 415, 'unsupported_media_type');
});

test('1016 unsupported_encoding: a compressed body', async () => {
    const headers = { 'content-type': 'application/json', 'content-encoding': 'gzip' };
    for (const [url, body] of [
        [`${gateway.api}/v1/channels/news:a/publications`, { data: 1 }],
        [`${gateway.url}/demo/token`, { user: 'alice' }],
    ]) {
        const authorization = `Bearer ${gateway.key}`;
        const answer = await fetch(url, { method: 'POST', headers: { ...headers, authorization }, body: gzipSync(JSON.stringify(body)) });
        assert.equal(answer.headers.get('accept-encoding'), 'identity', url);
        assertProblem({ status: answer.status, body: await answer.json() }, 415, 'unsupported_encoding');
    }
});
