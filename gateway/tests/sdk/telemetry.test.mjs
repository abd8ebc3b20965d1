// Traces over several processes, as a collector receives them.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { signedIn, subscribed, unique } from './support/client.mjs';
import { Collector } from './support/collector.mjs';
import { ownGateway } from './support/gateway.mjs';
import { backend } from './support/program.mjs';
import { Target, reply } from './support/target.mjs';
import { EventRecorder, next } from './support/wait.mjs';

const hex = (bytes) => randomBytes(bytes).toString('hex');

/** Settings of a gateway that starts no traces, so all its spans belong to traces of callers. */
const settings = (collector) => `
[telemetry]
otlp_endpoint = "${collector.url}"
sample_ratio = 0.0
[namespaces.chat]
history_size = 100
history_ttl = "1h"
subscribe = "anyone"
[namespaces.stream]
history_size = 1000
history_ttl = "5m"
subscribe = "anyone"
[services.chatbot]
reach = "link"
`;

/** Settings of a backend. Its logs are off, because the log level must not affect traces. */
const traced = (collector) => ({ TELEMETRY__OTLP_ENDPOINT: collector.url, TELEMETRY__LOG: 'off' });

/**
 * Returns the spans of one trace. `all` finds the spans of a service with this name and these fields. `one` asserts that there is exactly one
 * such span, and returns it.
 */
function traceOf(collector, trace) {
    const spans = collector.spans.filter((span) => span.trace === trace);
    const all = (service, name, fields = {}) =>
        spans.filter((span) => span.service === service && span.name === name && Object.entries(fields).every(([key, value]) => span[key] === value));
    const one = (...which) => {
        const found = all(...which);
        assert.equal(found.length, 1, `one span for ${JSON.stringify(which)} in ${JSON.stringify(spans, null, 1)}`);
        return found[0];
    };
    return { spans, all, one };
}

test('one trace covers the call of the page, the gateway, the bot and the delivery of its publications', async (t) => {
    const collector = await Collector.start(t);
    const gateway = await ownGateway(t, settings(collector));
    const bot = await backend(t, 'chatbot-backend', gateway.api, traced(collector));
    const [trace, page, room] = [hex(16), hex(8), unique('chat:')];

    const alice = await signedIn(t, gateway, 'alice', {}, { headers: { traceparent: `00-${trace}-${page}-01` } });
    const conversation = await subscribed(alice, room);
    const answered = next(conversation, 'publication', ({ data }) => data.kind === 'message' && data.from === 'bot');
    await alice.rpc('chatbot.say', { channel: room, text: 'help' });
    await answered;
    alice.disconnect();
    assert.deepEqual([await bot.stop(), await gateway.stop()], [0, 0]);

    const { spans, all, one } = traceOf(collector, trace);
    const call = one('switchboard-gateway', 'call', { parent: page, kind: 'client' });
    const handled = one('chatbot-backend', 'call', { parent: call.id, kind: 'server' });
    const answer = one('chatbot-backend', 'answer', { parent: handled.id });
    const published = all('switchboard-gateway', 'publish', { parent: answer.id, kind: 'producer' });
    assert.ok(published.length >= 5, 'the message of the user, the announcement of the stream, its parts, its end and the complete message');

    const delivered = all('switchboard-gateway', 'deliver', { kind: 'consumer' });
    assert.ok(delivered.length > 0);
    const ids = new Set(published.map(({ id }) => id));
    for (const { parent, links } of delivered) {
        assert.ok(ids.has(parent), 'the parent of a delivery is a publication');
        const areLinked = links.every(({ trace: other, id }) => other === trace && ids.has(id));
        assert.ok(areLinked, 'a delivery is linked to the other publications of its batch');
    }
    const known = new Set([page, ...spans.map(({ id }) => id)]);
    assert.deepEqual(spans.filter(({ parent }) => !known.has(parent)), [], 'the collector has the parent of every span');
    assert.equal(spans.length, collector.spans.length, 'there is no other trace');

    assert.equal(collector.value('switchboard-gateway', 'switchboard_connections_opened'), 1);
    assert.equal(collector.value('chatbot-backend', 'calls_answered'), 1);
});

test('one trace covers the call of the page, the gateway, a webhook and the delivery of its publication', async (t) => {
    const collector = await Collector.start(t);
    const [trace, page, room] = [hex(16), hex(8), unique('chat:')];
    const received = [];
    const target = await Target.start(t, async ({ headers }, response) => {
        received.push(headers.traceparent);
        const body = { data: 'hello' };
        const { status } = await gateway.rest('POST', `/v1/channels/${room}/publications`, body, { traceparent: headers.traceparent });
        reply(response, status);
    });
    const webhook = settings(collector).replace('reach = "link"', `reach = "webhook"\nurls = ["${target.url}"]`);
    const gateway = await ownGateway(t, webhook);
    const alice = await signedIn(t, gateway, 'alice', {}, { headers: { traceparent: `00-${trace}-${page}-01` } });
    const delivery = next(await subscribed(alice, room), 'publication');
    assert.equal((await alice.rpc('chatbot.say', {})).data, 200);
    await delivery;
    alice.disconnect();
    assert.equal(await gateway.stop(), 0);

    const { one } = traceOf(collector, trace);
    const call = one('switchboard-gateway', 'call', { parent: page, kind: 'client' });
    assert.deepEqual(received, [`00-${trace}-${call.id}-01`], 'the webhook continues the trace of the call');
    const request = one('switchboard-gateway', 'request', { parent: call.id, kind: 'server' });
    const published = one('switchboard-gateway', 'publish', { parent: request.id, kind: 'producer' });
    one('switchboard-gateway', 'deliver', { parent: published.id, kind: 'consumer' });
});

test('one trace covers the notifier, the gateway and the delivery', async (t) => {
    const collector = await Collector.start(t);
    const gateway = await ownGateway(t, settings(collector));
    const folder = await mkdtemp(join(tmpdir(), 'switchboard-sdk-'));
    t.after(() => rm(folder, { recursive: true }));
    const notifier = await backend(t, 'notifier-backend', gateway.api, { ...traced(collector), OUTBOX__PATH: join(folder, 'outbox.sqlite') });
    const alice = await signedIn(t, gateway, 'alice');
    const got = new EventRecorder(alice, 'publication');
    const body = JSON.stringify({ user: 'alice', title: 'Hello' });
    const { status } = await fetch(`${notifier.url}/v1/notifications`, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
    assert.equal(status, 202);
    await got.count(1);
    alice.disconnect();
    assert.deepEqual([await notifier.stop(), await gateway.stop()], [0, 0]);

    const begun = collector.spans.find(({ service, name }) => service === 'notifier-backend' && name === 'deliver');
    assert.ok(begun, 'the notifier sent its span');
    const { one } = traceOf(collector, begun.trace);
    const request = one('switchboard-gateway', 'request', { parent: begun.id, kind: 'server' });
    const published = one('switchboard-gateway', 'publish', { parent: request.id, kind: 'producer' });
    one('switchboard-gateway', 'deliver', { parent: published.id, kind: 'consumer' });
    assert.equal(collector.value('notifier-backend', 'deliveries_delivered'), 1);
});
